import type { Environment } from "../core/context.ts";
import { rememberSecret } from "../core/known_secrets.ts";
import { isSecretName } from "../core/redact_arguments.ts";

/** Ends of names whose value is about a secret and is not the secret: `TOKEN_URL`, `KEY_FILE`, `SSH_AUTH_SOCK`. */
const ABOUT_SECRET =
  /(?:^|_)(?:ur[il]|name|file|path|dir|user|host|port|type|sock|id|ttl|timeout|env|alg(?:orithm)?|count|max|min|limit|size|length|enabled)$/i;
/** Settings whose value is a secret, and settings that name the variable with a secret. */
const SECRET_SETTING = /(?:^|_)(?:api_key|token|secret|password)$/;
const NAMES_VARIABLE = /_env$/;

/** The schema is less deep than this. */
const DEPTH_MAX = 8;

/**
 * Registers the environment's secrets, so that no error, record or log line shows them. Includes secrets that the
 * command does not use: a training or a validator that fails may print them.
 */
export function rememberEnvironment(env: Environment): void {
  for (const [name, value] of Object.entries(env.toObject())) {
    if (isSecretName(name) && !ABOUT_SECRET.test(name) && !isPath(value)) rememberSecret(value);
    for (const password of passwordsIn(value)) rememberSecret(password);
  }
}

/** Registers the secrets in the settings, in variables that settings name, and in the addresses of settings. */
export function rememberSettings(settings: unknown, env: Environment, name = "", depth = 0): void {
  if (typeof settings === "string") return rememberSetting(name, settings, env);
  if (typeof settings !== "object" || settings === null || depth > DEPTH_MAX) return;
  for (const [key, value] of Object.entries(settings)) {
    rememberSettings(value, env, Array.isArray(settings) ? name : key, depth + 1);
  }
}

function rememberSetting(name: string, value: string, env: Environment): void {
  if (SECRET_SETTING.test(name)) rememberSecret(value);
  const named = NAMES_VARIABLE.test(name) ? env.get(value) : undefined;
  if (named !== undefined && !isPath(named)) rememberSecret(named);
  for (const password of passwordsIn(value)) rememberSecret(password);
}

/** Returns the password of an address, as written and decoded. */
function passwordsIn(address: string): string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/]*@/i.test(address) || !URL.canParse(address)) return [];
  const { password } = new URL(address);
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    // A lone percent sign cannot be decoded.
    return [password];
  }
}

/** Returns whether the value is a path, as in `SSH_AUTH` and `SSL_KEY`: the secret is in the file, and messages name it. */
function isPath(value: string): boolean {
  return /^(?:[./~]|[a-z]:[\\/])/i.test(value);
}
