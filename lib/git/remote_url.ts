import { isGitPath } from "../core/local_path.ts";
import { parseWebAddress } from "../http/web_address.ts";
import { Secret } from "../core/secret.ts";

/** The user and the password of an address. */
export interface Login {
  /** May be a token: some hosts accept one as the user name, with any password or none. */
  readonly user: string;
  /** `undefined` if the address has no colon: git then requests the password elsewhere. */
  readonly password: Secret | undefined;
}

/** Everything up to the last `@` of the authority, as in the URL standard: a password may contain an `@`. */
const HTTP_LOGIN = /^(https?:\/\/)([^/?#]*)@/i;

/**
 * Returns an `http(s)` address without its login, and the login. Git gets the two separately: addresses appear in its
 * configuration and in the arguments of its helpers, which every user of the machine can read.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { splitLogin } from "./remote_url.ts";
 * const { url, login } = splitLogin("https://me:p%40ss@example.com/a.git");
 * assert.deepEqual([url, login?.user, login?.password?.reveal()], ["https://example.com/a.git", "me", "p@ss"]);
 * assert.equal(splitLogin("git@github.com:a/b.git").login, undefined);
 * ```
 */
export function splitLogin(address: string): { readonly url: string; readonly login: Login | undefined } {
  const [whole = "", scheme = "", authority = ""] = HTTP_LOGIN.exec(address) ?? [];
  // Git knows lower-case schemes only.
  const small = (text: string) => text.replace(/^https?:/i, (scheme) => scheme.toLowerCase());
  if (whole === "") return { url: small(address), login: undefined };
  const url = small(scheme + address.slice(whole.length));
  const colon = authority.indexOf(":");
  if (colon === -1) return { url, login: { user: decode(authority), password: undefined } };
  const user = decode(authority.slice(0, colon));
  const password = decode(authority.slice(colon + 1));
  // In `TOKEN:@` and `TOKEN:x-oauth-basic@`, the user name is the secret.
  if (password === "" || password === "x-oauth-basic") new Secret(user);
  return { url, login: { user, password: new Secret(password) } };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that is not an escape stays.
    return text;
  }
}

/** The parts of a remote's URL that decide how git reaches it. */
export interface RemoteUrl {
  /** For git; without the login of an `http(s)` address. */
  readonly url: string;
  /** The login of an `http(s)` address. */
  readonly login: Login | undefined;
  /** A path or `file:` URL: git runs the remote's side itself, and its options can be set. */
  readonly isLocal: boolean;
  /** `https://github.com`: scheme, host and port of an `http(s)` address. A token is sent to this origin only. */
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
  // An invalid address has no origin: git reports the problem.
  if (/^https?$/.test(scheme ?? "")) {
    return { url, login, isLocal: false, origin: parseWebAddress(url)?.origin };
  }
  if (scheme !== undefined) return { url, login, isLocal: scheme === "file", origin: undefined };
  return { url, login, isLocal: isGitPath(url), origin: undefined };
}
