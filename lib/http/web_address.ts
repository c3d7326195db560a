import type { Environment } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { redactUrls, RequestSecret, type Secret } from "../core/secret.ts";

/**
 * Returns a parsed http or https address; `undefined` if the text is not one. `URL` alone would drop line breaks and
 * accept `http:host`, unlike other programs that get the same text.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseWebAddress } from "./web_address.ts";
 * assert.equal(parseWebAddress("https://example.org/a")?.host, "example.org");
 * assert.equal(parseWebAddress("https://[::1"), undefined);
 * assert.equal(parseWebAddress("not a url"), undefined);
 * assert.equal(parseWebAddress("file:///etc/passwd"), undefined);
 * ```
 */
export function parseWebAddress(text: string): URL | undefined {
  return /^https?:\/\/[^\s\p{Cc}\\/?#][^\s\p{Cc}]*$/iu.test(text) && URL.canParse(text)
    ? new URL(text)
    : undefined;
}

/** A variable with the address of a server other than the public one. */
export interface AddressVariable {
  readonly name: string;
  /** Describes the value: `your GitHub server`. */
  readonly meaning: string;
  /** The address of the public server, if there is one. */
  readonly usual?: string;
  readonly code?: string;
}

/**
 * Returns the address in a variable, without trailing slashes; `undefined` if it is not set or blank.
 *
 * @throws {UsageError} code `ADDRESS_INVALID`, or that of the variable
 */
export function findWebAddress(env: Environment, variable: AddressVariable): string | undefined {
  const text = env.get(variable.name)?.trim() ?? "";
  if (text === "") return undefined;
  if (parseWebAddress(text) !== undefined) return text.replace(/\/+$/, "");
  const { name, meaning, usual, code = "ADDRESS_INVALID" } = variable;
  throw new UsageError(`Cannot use ${name}: "${redactUrls(text)}" is not an http address`, {
    code,
    hint: `set ${name} to the address of ${meaning}${
      usual === undefined ? "" : `, or unset it for ${usual}`
    }`,
  });
}

/** Shorter parts of an address are words, such as `deploy` in `/v1/deploy/…`, which an answer may contain. */
const SECRET_PART_CHARS_MIN = 8;

/**
 * Returns the parts of a secret address that an answer may repeat, longest first. The addresses of deploy hooks and
 * chat webhooks are secrets, because they need no other credentials.
 */
export function urlSecrets({ href, pathname, searchParams }: URL): Secret[] {
  const parts = [...pathname.split("/"), ...searchParams.values()]
    .filter((part) => part.length >= SECRET_PART_CHARS_MIN);
  return [href, pathname, ...parts]
    .filter((text) => text !== "/")
    .sort((a, b) => b.length - a.length)
    .map((text) => new RequestSecret(text));
}
