import type { Environment } from "../core/context.ts";
import { expandHome, homeFolder, isBelowHome } from "../core/home_folder.ts";
import type { ValueProblem } from "./value_problem.ts";

/** Settings that are sent to a server unchanged: `~` may have a meaning there. */
const SENT: readonly string[] = ["runpod.trigger_payload", "runpod.headers", "runpod.api_key"];

/**
 * Returns a setting's value with a leading `~` or `~/` of each text replaced by the home folder: in paths, in lists of
 * paths and in the words of a command. Other settings do not begin with `~`.
 *
 * @param path of the setting, below `model_sync`
 */
export function expandSetting(path: readonly string[], value: unknown, env: Environment): unknown {
  return isSent(path) ? value : expand(value, env);
}

/** Returns the problem of a setting that begins with `~` while no variable names the home folder. */
export function homeProblem(
  path: readonly string[],
  value: unknown,
  env: Environment,
): ValueProblem | undefined {
  if (homeFolder(env) !== undefined || isSent(path)) return undefined;
  const found = pathBelowHome(value);
  if (found === undefined) return undefined;
  return { path: found, reason: "begins with ~, but HOME is not set: write the full path" };
}

function isSent(path: readonly string[]): boolean {
  const name = path.join(".");
  return SENT.some((sent) => name === sent || name.startsWith(`${sent}.`));
}

function expand(value: unknown, env: Environment): unknown {
  if (typeof value === "string") return expandHome(value, env);
  if (Array.isArray(value)) return value.map((element) => expand(element, env));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, expand(child, env)]));
}

/** Returns the path of the first text that begins with `~`. */
function pathBelowHome(value: unknown): string[] | undefined {
  if (typeof value === "string") return isBelowHome(value) ? [] : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, child] of Object.entries(value)) {
    const path = pathBelowHome(child);
    if (path !== undefined) return [key, ...path];
  }
  return undefined;
}
