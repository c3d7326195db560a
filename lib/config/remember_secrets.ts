import type { Environment } from "../core/context.ts";
import { rememberSecret } from "../core/known_secrets.ts";
import { isSecretName } from "../core/redact_arguments.ts";

/** Names that tell about a secret instead of holding it: `TOKEN_URL`, `KEY_FILE`, `SSH_AUTH_SOCK`. */
const TELLS_ABOUT =
  /(?:^|_)(?:ur[il]|name|file|path|dir|user|host|port|type|sock|id|ttl|timeout|env|alg(?:orithm)?|count|max|min|limit|size|length|enabled)$/i;
/** Settings whose value is a secret, and those that name the variable that holds one. */
const SECRET_SETTING = /(?:^|_)(?:api_key|token|secret|password)$/;
const NAMES_VARIABLE = /_env$/;

/** A setting below a list below a section below `model_sync`: the schema goes no deeper. */
const DEPTH_MAX = 8;

/**
 * Keeps the environment's secrets out of every error, record and log line, also those that this command does not use:
 * a training or a validator that fails may print any of them.
 */
export function rememberEnvironment(env: Environment): void {
  for (const [name, value] of Object.entries(env.toObject())) {
    if (isSecretName(name) && !TELLS_ABOUT.test(name) && !isPath(value)) rememberSecret(value);
    for (const password of passwordsIn(value)) rememberSecret(password);
  }
}

/** As {@link rememberEnvironment}, for what the configuration holds or names: tokens, passwords in addresses. */
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

/** As it stands in the address, and as it is sent. */
function passwordsIn(address: string): string[] {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^/]*@/i.test(address) || !URL.canParse(address)) return [];
  const { password } = new URL(address);
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    // A lone percent sign stands for itself.
    return [password];
  }
}

/** `SSH_AUTH`, `SSL_KEY`: the file is the secret, and messages name it. */
function isPath(value: string): boolean {
  return /^(?:[./~]|[a-z]:[\\/])/i.test(value);
}
