import type { Environment } from "./context.ts";
import { AuthenticationError } from "./errors.ts";
import { Secret } from "./secret.ts";

/**
 * Returns the token in a variable, without surrounding spaces and line ends. Returns `undefined` if the variable is not
 * set or blank; a missing `${{ secrets.X }}` is blank.
 *
 * @throws {AuthenticationError} code `TOKEN_INVALID`, without the value
 */
export function findToken(env: Environment, variable: string): Secret | undefined {
  const text = env.get(variable)?.trim() ?? "";
  return text === "" ? undefined : tokenOf(text, variable);
}

/**
 * Returns a token that a person entered.
 *
 * @param place names it in the error: a variable, an option, a setting
 * @throws {AuthenticationError} code `TOKEN_INVALID`, without the value
 */
export function tokenOf(text: string, place: string): Secret {
  const token = text.trim();
  // Other characters are not valid in a header, and the runtime's error would show the token.
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
 * Returns the password, key or address in a variable. Spaces are kept. Line ends at its end, which `echo` adds, are
 * removed.
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

/** The error for a secret that a setting needs and its variable does not hold. */
export interface SecretNeed {
  /** The beginning of the message: `Cannot ping the monitor: `. */
  readonly failure: string;
  /** The expected value, for the message: ` with the token`. */
  readonly content?: string;
  /** `TOKEN_MISSING`, where nothing is given. */
  readonly code?: string;
  /** The end of the hint "set X in the environment or in .env": `, or remove model_sync.token_env`. */
  readonly advice?: string;
}

/** Returns the token in a variable, as {@link findToken} does. @throws {AuthenticationError} also if there is none */
export function requireToken(env: Environment, variable: string, need: SecretNeed): Secret {
  const token = findToken(env, variable);
  if (token === undefined) throw missingSecret(env, variable, need);
  return token;
}

/**
 * Returns the password in a variable, as {@link findPassword} does.
 *
 * @throws {AuthenticationError} also if there is none
 */
export function requirePassword(env: Environment, variable: string, need: SecretNeed): Secret {
  const password = findPassword(env, variable);
  if (password === undefined) throw missingSecret(env, variable, need);
  return password;
}

/** Returns the error for a variable without a secret. */
export function missingSecret(
  env: Environment,
  variable: string,
  { failure, content = "", code = "TOKEN_MISSING", advice = "" }: SecretNeed,
): AuthenticationError {
  return new AuthenticationError(`${failure}the variable ${variable}${content} ${absenceOf(env, variable)}`, {
    code,
    hint: `set ${variable} in the environment or in .env${advice}`,
  });
}

/** Returns the end of "the variable X …" for a variable without a secret: `is not set`, or `is set, but blank`. */
export function absenceOf(env: Environment, variable: string): string {
  return env.get(variable) === undefined ? "is not set" : "is set, but blank";
}
