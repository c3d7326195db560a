import { hideAssignments } from "./hide_assignments.ts";
import { hideSecrets, REDACTED, rememberSecret } from "./known_secrets.ts";
import { hideShapes } from "./secret_shapes.ts";

export { REDACTED };

/**
 * A value that is never printed: `String()`, JSON, `console.log` and template strings all give `[redacted]`. From its
 * creation on, errors, records and log lines of this process show `[redacted]` wherever a text repeats it.
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

  /** The value itself. Call it where it is handed to its own host, nowhere else. */
  reveal(): string {
    return this.#value;
  }

  /** Another secret made from this one. */
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
 * A secret that is hidden in the answers to its own request alone. Configured headers and the parts of an address may
 * be secrets, but also words such as `application/json` or `services`, which other texts may contain.
 */
export class RequestSecret extends Secret {
  override map(change: (value: string) => string): RequestSecret {
    return new RequestSecret(change(this.reveal()));
  }
}

/** No scheme has more than 20 letters; without a bound, the search in one long word takes quadratic time. */
const SCHEME = String.raw`\b([a-z][a-z0-9+.-]{0,20}:\/\/)`;
/** Everything up to the last `@` of an authority is credentials, whatever characters a password has. */
const URL_WITH_USER = new RegExp(String.raw`${SCHEME}[^\s/?#'"]+@`, "gi");
/**
 * A colon that no port follows begins a password, which may hold what would end an authority. No password has more
 * than 4096 characters; the search for the end of each of many addresses in one word has to end.
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
 * Blanks out the credentials in the URLs of a text, before the host and in the query: git repeats the URL that it was
 * given in its errors.
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
 * Blanks out every secret that a text is known to hold: the {@link Secret}s of this process, credentials in URLs and
 * headers, values of variables and JSON fields with the name of a secret, tokens and keys by their shape.
 */
export function redactText(text: string): string {
  return redact(text, []);
}

/** As {@link redactText}, and each of `secrets` too; of an `Authorization` header also the token by itself. */
export function redact(text: string, secrets: readonly Secret[]): string {
  const hidden = hideSecrets(text, secrets.map((secret) => secret.reveal()));
  return hideAssignments(hideShapes(redactUrls(hidden)));
}
