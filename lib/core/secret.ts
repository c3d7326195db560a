import { hideAssignments } from "./hide_assignments.ts";
import { hideSecrets, REDACTED, rememberSecret } from "./known_secrets.ts";
import { hideShapes } from "./secret_shapes.ts";

export { REDACTED };

/**
 * A value that is never printed: `String()`, JSON, `console.log` and template strings all give `[redacted]`. Once it
 * exists, errors, records and log lines of this process show `[redacted]` in its place.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Secret } from "./secret.ts";
 * const token = new Secret("ghp_example");
 * assert.equal(`${token}`, "[redacted]");
 * assert.equal(JSON.stringify({ token }), '{"token":"[redacted]"}');
 * assert.equal(token.reveal(), "ghp_example");
 * ```
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    if (new.target === Secret) rememberSecret(value);
  }

  /** Returns the value. Call it only where the value is sent to its own host. */
  reveal(): string {
    return this.#value;
  }

  /** Returns another secret that is derived from this one. */
  map(change: (value: string) => string): Secret {
    return new Secret(change(this.#value));
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.for("Deno.customInspect")](): string {
    return REDACTED;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return REDACTED;
  }
}

/**
 * A secret that is redacted only in the answers to its own request. Configured headers and parts of an address may be
 * secrets, but also common words such as `application/json` or `services`.
 */
export class RequestSecret extends Secret {
  override map(change: (value: string) => string): RequestSecret {
    return new RequestSecret(change(this.reveal()));
  }
}

/** No scheme is longer than 20 letters. Without the bound, the search in one long word takes quadratic time. */
const SCHEME = String.raw`\b([a-z][a-z0-9+.-]{0,20}:\/\/)`;
/** Everything up to the last `@` of an authority is credentials: a password may contain any character. */
const URL_WITH_USER = new RegExp(String.raw`${SCHEME}[^\s/?#'"]+@`, "gi");
/**
 * A colon without a port begins a password, which may contain characters that end an authority. The bound of 4096
 * characters limits the search in a word of many addresses.
 */
const URL_WITH_PASSWORD = new RegExp(
  String.raw`${SCHEME}(?!\[)[^\s/?#@:'"]*:(?!\d+(?:[/?#\s]|$))[^\s]{0,4096}@`,
  "gi",
);
/** An address without its scheme. */
const BARE_USER = /(^|[\s'"(=<])(\/\/)[^\s/?#'"@]+@/g;
const SECRET_PARAMETER =
  /([?&#][^=&\s?#]{0,100}(?:key|token|secret|passw|sig|auth|credential)[^=&\s?#]{0,100}=)[^&\s'"]+/gi;

/**
 * Returns a text with the credentials in its URLs redacted, before the host and in the query. Git repeats its URL in
 * errors.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { redactUrls } from "./secret.ts";
 * assert.equal(redactUrls("fatal: https://x:ghp_1@github.com/a/b"), "fatal: https://[redacted]@github.com/a/b");
 * assert.equal(redactUrls("git@github.com:a/b"), "git@github.com:a/b");
 * assert.equal(redactUrls("https://a.example/x?api_key=1&page=2"), "https://a.example/x?api_key=[redacted]&page=2");
 * ```
 */
export function redactUrls(text: string): string {
  return text.replace(URL_WITH_PASSWORD, `$1${REDACTED}@`).replace(URL_WITH_USER, `$1${REDACTED}@`)
    .replace(BARE_USER, `$1$2${REDACTED}@`).replace(SECRET_PARAMETER, `$1${REDACTED}`);
}

/**
 * Returns a text with every secret redacted that can be recognized: the {@link Secret}s of this process, credentials in
 * URLs and headers, values of variables and JSON fields with the name of a secret, and tokens and keys by their shape.
 */
export function redactText(text: string): string {
  return redact(text, []);
}

/**
 * As {@link redactText}, with `secrets` redacted, too. Of an `Authorization` header, the token alone is also redacted.
 */
export function redact(text: string, secrets: readonly Secret[]): string {
  const hidden = hideSecrets(text, secrets.map((secret) => secret.reveal()));
  return hideAssignments(hideShapes(redactUrls(hidden)));
}
