import type { Environment } from "./context.ts";

/**
 * The variables with which the launcher of an installation starts Deno, so that it finds the installed packages. They
 * are not for the programs that this program starts: a training script may itself be a Deno program.
 */
const DENO_VARIABLES = ["DENO_DIR", "NPM_CONFIG_REGISTRY"] as const;

/** The launcher's own path. Its presence means that a launcher started this process. */
export const LAUNCHER_VARIABLE = "MODEL_SYNC_LAUNCHER";

/** Before the name of a variable: the user's value, which the launcher saves. */
const USER = "MODEL_SYNC_USER_";

/** Before the name of a variable: the launcher's value. */
const OWN = "MODEL_SYNC_OWN_";

/**
 * Returns the variables of a process as they were before its launcher, with the launcher's values under names of their
 * own; unchanged if no launcher started it.
 */
export function withUserVariables(variables: Readonly<Record<string, string>>): Record<string, string> {
  const result = { ...variables };
  if (variables[LAUNCHER_VARIABLE] === undefined) return result;
  for (const name of DENO_VARIABLES) {
    const [user, own] = [variables[USER + name], variables[name]];
    for (const used of [USER + name, name]) Reflect.deleteProperty(result, used);
    if (user !== undefined) result[name] = user;
    if (own !== undefined) result[OWN + name] = own;
  }
  return result;
}

/** Returns whether a variable is only for this process. */
export function isOwnVariable(name: string): boolean {
  return name.startsWith(OWN);
}

/** Returns the variables with which another Deno finds the packages of this program. */
export function denoVariables(env: Environment): Record<string, string> {
  return Object.fromEntries(DENO_VARIABLES.flatMap((name) => {
    const own = env.get(OWN + name);
    return own === undefined ? [] : [[name, own]];
  }));
}
