import type { Environment } from "./context.ts";
import { AuthenticationError } from "./errors.ts";
import { Secret } from "./secret.ts";

/**
 * Returns the token in a variable, without the blanks and line ends around it, which a file or a pasted line leaves;
 * `undefined` where the variable is not set or blank, as `${{ secrets.X }}` of a missing secret is.
 *
 * @throws {AuthenticationError} code `TOKEN_INVALID`, without the value
 */
export function findToken(env: Environment, variable: string): Secret | undefined {
  const text = env.get(variable)?.trim() ?? "";
  return text === "" ? undefined : tokenOf(text, variable);
}

/**
 * Returns a token that somebody typed, wherever it stands.
 *
 * @param place names it in the error: a variable, an option, a setting
 * @throws {AuthenticationError} code `TOKEN_INVALID`, without the value
 */
export function tokenOf(text: string, place: string): Secret {
  const token = text.trim();
  // Nothing else fits into a header. The runtime's own complaint would show the token.
  if (/^[\x21-\x7e]+$/.test(token)) return new Secret(token);
  throw new AuthenticationError(
    `Cannot use ${place}: ${token === "" ? "it is blank" : "it holds characters that no token has"}`,
    {
      code: "TOKEN_INVALID",
      hint: `set ${place} to the token alone, on one line, without spaces or quotation marks`,
    },
  );
}

/**
 * Returns the password, key or address in a variable. Spaces may be part of it; line ends at its end, which `echo`
 * leaves, are not.
 *
 * @throws {AuthenticationError} code `SECRET_INVALID`, without the value
 */
export function findPassword(env: Environment, variable: string): Secret | undefined {
  const text = env.get(variable)?.replace(/[\r\n]+$/, "") ?? "";
  if (text.trim() === "") return undefined;
  if (!/\p{Cc}/u.test(text)) return new Secret(text);
  throw new AuthenticationError(
    `Cannot use ${variable}: it holds a line break or another control character`,
    {
      code: "SECRET_INVALID",
      hint: `set ${variable} to the secret alone, on one line`,
    },
  );
}

/** Completes "the variable X …" where it gives no secret: it `is not set`, or it `is blank`. */
export function absenceOf(env: Environment, variable: string): string {
  return env.get(variable) === undefined ? "is not set" : "is set, but blank";
}
