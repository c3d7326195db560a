import type { Environment } from "../core/context.ts";
import type { ValueProblem } from "./value_problem.ts";

/**
 * Replaces a leading `~` or `~/` by the home folder, as a shell would have done on a command line. Settings need no
 * call: the loader expands them all.
 */
export function expandHome(path: string, env: Environment): string {
  const home = homeOf(env);
  return home !== undefined && isBelowHome(path) ? home + path.slice(1) : path;
}

/** Whether a text begins as a path below the home folder does. */
function isBelowHome(text: string): boolean {
  return /^~(?:[/\\]|$)/.test(text);
}

/** Returns the home folder; `undefined` where no variable names it, as in a system service of systemd. */
function homeOf(env: Environment): string | undefined {
  return env.get("HOME") || env.get("USERPROFILE") || undefined;
}

/** Settings that are sent to a server unchanged, where `~` may mean something. */
const SENT: readonly string[] = ["runpod.trigger_payload", "runpod.headers", "runpod.api_key"];

/**
 * Returns a setting's value with every `~` or `~/` that a text of it begins with replaced by the home folder. That goes
 * for every path, alone, in a list or in the words of a command; no other setting begins in this way.
 *
 * @param path the setting's, below `model_sync`
 */
export function expandSetting(path: readonly string[], value: unknown, env: Environment): unknown {
  return isSent(path) ? value : expand(value, env);
}

/** Returns the text of a setting that cannot be expanded, because no variable names the home folder. */
export function homeProblem(
  path: readonly string[],
  value: unknown,
  env: Environment,
): ValueProblem | undefined {
  if (homeOf(env) !== undefined || isSent(path)) return undefined;
  const found = pathBelowHome(value);
  if (found === undefined) return undefined;
  return { path: found, reason: "begins with ~, but HOME is not set: write the whole path" };
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

/** Where the first text is that begins with `~`. */
function pathBelowHome(value: unknown): string[] | undefined {
  if (typeof value === "string") return isBelowHome(value) ? [] : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, child] of Object.entries(value)) {
    const path = pathBelowHome(child);
    if (path !== undefined) return [key, ...path];
  }
  return undefined;
}
