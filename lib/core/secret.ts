import { SECRET_SHAPES } from "./secret_shapes.ts";

/** What stands in the place of a secret. */
export const REDACTED = "[redacted]";

/**
 * A value that is never printed: `String()`, JSON, `console.log` and template strings all give `[redacted]`.
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
    .replace(SECRET_PARAMETER, `$1${REDACTED}`);
}

/** Everything up to the last `@` of an authority is credentials, whatever characters a password has. */
const URL_WITH_USER = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#'"]+@/gi;
/** A colon that no port follows begins a password, which may hold what would end an authority. */
const URL_WITH_PASSWORD = /\b([a-z][a-z0-9+.-]*:\/\/)(?!\[)[^\s/?#@:'"]*:(?!\d+(?:[/?#\s]|$))[^\s]*@/gi;
const SECRET_PARAMETER = /([?&#][^=&\s]*(?:key|token|secret|passw|sig|auth|credential)[^=&\s]*=)[^&\s'"]+/gi;

/** Blanks out what can be known for a secret in any text: credentials in URLs, and tokens and keys by their shape. */
export function redactText(text: string): string {
  return SECRET_SHAPES.reduce((result, [, shape]) => result.replace(shape, REDACTED), redactUrls(text));
}

/** As {@link redactText}, and each of `secrets` too; of an `Authorization` header also the token by itself. */
export function redact(text: string, secrets: readonly Secret[]): string {
  let result = redactText(text);
  for (const secret of secrets) {
    const value = secret.reveal();
    const [, token = ""] = AUTHORIZATION.exec(value) ?? [];
    for (const hidden of [value, token]) if (hidden !== "") result = result.replaceAll(hidden, REDACTED);
  }
  return result;
}

const AUTHORIZATION = /^(?:bearer|basic|token) +(\S+)$/i;
