import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { messageAndHint, ModelSyncError, UsageError } from "../../lib/core/errors.ts";
import { findPassword } from "../../lib/core/read_secret.ts";
import { isPassword, isTooLong, normalized, parsePasswordHash, passwordFault } from "./password_hash.ts";
import { isLoopbackName } from "./request_host.ts";

/** The variable with the hash of the dashboard's password. */
export const HASH_VARIABLE = "MODEL_SYNC_DASHBOARD_PASSWORD_HASH";
/** The variable with the password itself, for platforms that keep variables secret. */
export const PASSWORD_VARIABLE = "MODEL_SYNC_DASHBOARD_PASSWORD";

/** Access to environment variables. */
export interface Variables {
  get(name: string): string | undefined;
}

/** The password for signing in. */
export interface Password {
  /** The variable that sets it; `undefined` if it is in the database and can be changed on the settings page. */
  readonly variable: string | undefined;
  /** Changes with the password or its hash. */
  readonly fingerprint: string;
  matches(password: string): Promise<boolean>;
}

/**
 * A password, no password, or an unusable one. With an unusable password, no one can sign in and every page is refused.
 */
export type PasswordSource =
  | { readonly kind: "set"; readonly password: Password }
  | { readonly kind: "none" }
  | { readonly kind: "broken"; readonly fault: string };

/**
 * Returns the password that the environment sets; `undefined` if it sets none. A hash takes precedence over a password,
 * and an empty variable counts as not set.
 */
export function passwordOfEnvironment(env: Variables): PasswordSource | undefined {
  const hash = env.get(HASH_VARIABLE)?.trim() ?? "";
  if (hash !== "") return hashed(hash, HASH_VARIABLE);
  try {
    const password = findPassword({ get: (name) => env.get(name), toObject: () => ({}) }, PASSWORD_VARIABLE)
      ?.reveal();
    if (password === undefined) return undefined;
    const fault = passwordFault(password);
    if (fault === undefined) return plain(password);
    const { reason, hint } = fault;
    return { kind: "broken", fault: `the password in ${PASSWORD_VARIABLE} is unusable: ${reason}; ${hint}` };
  } catch (error) {
    if (!(error instanceof ModelSyncError)) throw error;
    return { kind: "broken", fault: `the password in ${PASSWORD_VARIABLE}: ${messageAndHint(error)}` };
  }
}

/** Returns the password from the settings page or `--set-password`. */
export function passwordOfSettings(passwordHash: string | undefined): PasswordSource {
  return passwordHash === undefined ? { kind: "none" } : hashed(passwordHash, undefined);
}

function hashed(text: string, variable: string | undefined): PasswordSource {
  const hash = parsePasswordHash(text);
  if (hash === undefined) {
    const fault = variable === undefined
      ? "the stored password hash cannot be used; set the password again with model-sync dashboard --set-password"
      : `${variable} is not a scrypt hash (scrypt$N$r$p$SALT$HASH); put it into single quotes, because a shell ` +
        "replaces $ and what follows";
    return { kind: "broken", fault };
  }
  const password = {
    variable,
    fingerprint: createHash("sha256").update(text).digest("base64url"),
    matches: (password: string) => isPassword(password, hash),
  };
  return { kind: "set", password };
}

/**
 * Returns the plain password of the environment. No hash of it is stored, so passwords are compared through two HMACs.
 */
function plain(text: string): PasswordSource {
  const key = randomBytes(32);
  const digestOf = (value: string) => createHmac("sha256", key).update(normalized(value)).digest();
  const expected = digestOf(text);
  const password = {
    variable: PASSWORD_VARIABLE,
    fingerprint: createHash("sha256").update(`plain\n${normalized(text)}`).digest("base64url"),
    matches: (password: string) =>
      Promise.resolve(
        !isTooLong(password) && timingSafeEqual(digestOf(password), expected),
      ),
  };
  return { kind: "set", password };
}

/**
 * Throws if the dashboard must not listen on an address: without a password on an address that other machines can
 * reach, or with an unusable password. Check both the requested address and the one that the system bound.
 *
 * @param hostname as in `--listen`; names other than `localhost` count as reachable, whatever they resolve to
 * @throws {UsageError} codes `PASSWORD_MISSING`, `PASSWORD_UNUSABLE`
 */
export function mayListen(hostname: string, source: PasswordSource): void {
  if (source.kind === "broken") {
    throw new UsageError(`Cannot start the dashboard: ${source.fault}`, {
      code: "PASSWORD_UNUSABLE",
      hint: `set ${PASSWORD_VARIABLE} or ${HASH_VARIABLE} to a password that can be used, or remove it`,
    });
  }
  if (source.kind === "set" || isLoopbackName(hostname)) return;
  throw new UsageError(
    `Cannot start the dashboard on ${hostname}: other machines can reach this address, and no password is set`,
    {
      code: "PASSWORD_MISSING",
      hint: `run model-sync dashboard --set-password, set ${PASSWORD_VARIABLE}, or listen on 127.0.0.1`,
    },
  );
}
