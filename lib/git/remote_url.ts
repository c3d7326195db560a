import { parseWebAddress } from "../core/web_address.ts";
import { type Login, splitLogin } from "./login.ts";

/** What a remote's URL says about how to speak to it. */
export interface RemoteUrl {
  /** As git understands it; without the login of an `http(s)` address. */
  readonly url: string;
  /** What an `http(s)` address says of who signs in. */
  readonly login: Login | undefined;
  /** A path or `file:` URL: git runs the other side itself, with options that we may give it. */
  readonly isLocal: boolean;
  /** `https://github.com`: scheme, host and port, for `http(s)` only. A token goes there and nowhere else. */
  readonly origin: string | undefined;
}

/**
 * Reads a remote's URL.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseRemoteUrl } from "./remote_url.ts";
 * assert.equal(parseRemoteUrl("https://me@github.com/a/b.git").origin, "https://github.com");
 * assert.equal(parseRemoteUrl("git@github.com:a/b.git").isLocal, false);
 * assert.equal(parseRemoteUrl("/srv/registry.git").isLocal, true);
 * ```
 */
export function parseRemoteUrl(address: string): RemoteUrl {
  const { url, login } = splitLogin(address);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
  // What is no address belongs to no origin: git says what is wrong with it.
  if (/^https?$/.test(scheme ?? "")) {
    return { url, login, isLocal: false, origin: parseWebAddress(url)?.origin };
  }
  if (scheme !== undefined) return { url, login, isLocal: scheme === "file", origin: undefined };
  return { url, login, isLocal: isLocalPath(url), origin: undefined };
}

/** Git takes `host:path` for SSH unless a slash comes before the colon; `C:\` is a drive on Windows alone. */
function isLocalPath(url: string): boolean {
  if (Deno.build.os === "windows" && /^[a-z]:[\\/]/i.test(url)) return true;
  const colon = url.indexOf(":");
  return colon === -1 || url.slice(0, colon).includes("/");
}
