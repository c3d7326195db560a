import { Secret } from "../core/secret.ts";

/** The user and the password that an address holds. */
export interface Login {
  /** May be a token: some hosts take one as the user, with any password or none. */
  readonly user: string;
  /** `undefined` where the address has no colon: the password is to be asked for. */
  readonly password: Secret | undefined;
}

/** Everything up to the last `@` of the authority, as the URL standard reads it: a password may hold an `@`. */
const HTTP_LOGIN = /^(https?:\/\/)([^/?#]*)@/i;

/**
 * Returns an `http(s)` address without its login, and the login. Git is given the two apart: an address gets into its
 * configuration and into the arguments of its helpers, which every user of the machine may read.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { splitLogin } from "./login.ts";
 * const { url, login } = splitLogin("https://me:p%40ss@example.com/a.git");
 * assert.deepEqual([url, login?.user, login?.password?.reveal()], ["https://example.com/a.git", "me", "p@ss"]);
 * assert.equal(splitLogin("git@github.com:a/b.git").login, undefined);
 * ```
 */
export function splitLogin(address: string): { readonly url: string; readonly login: Login | undefined } {
  const [whole = "", scheme = "", authority = ""] = HTTP_LOGIN.exec(address) ?? [];
  // Git knows schemes in small letters only.
  const small = (text: string) => text.replace(/^https?:/i, (scheme) => scheme.toLowerCase());
  if (whole === "") return { url: small(address), login: undefined };
  const url = small(scheme + address.slice(whole.length));
  const colon = authority.indexOf(":");
  if (colon === -1) return { url, login: { user: decode(authority), password: undefined } };
  const user = decode(authority.slice(0, colon));
  const password = decode(authority.slice(colon + 1));
  // Of `TOKEN:@` and `TOKEN:x-oauth-basic@` the user is the secret.
  if (password === "" || password === "x-oauth-basic") new Secret(user);
  return { url, login: { user, password: new Secret(password) } };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign stands for itself.
    return text;
  }
}
