import type { Environment } from "./context.ts";

/**
 * Returns the path with a leading `~` or `~/` replaced by the home folder, as a shell does on a command line. Not for
 * settings: the loader expands them.
 */
export function expandHome(path: string, env: Environment): string {
  const home = homeFolder(env);
  return home !== undefined && isBelowHome(path) ? home + path.slice(1) : path;
}

/** Returns whether a text is `~` or begins with `~/`. */
export function isBelowHome(text: string): boolean {
  return /^~(?:[/\\]|$)/.test(text);
}

/** Returns the home folder; `undefined` if no variable names it, as in a system service of systemd. */
export function homeFolder(env: Environment): string | undefined {
  return env.get("HOME") || env.get("USERPROFILE") || undefined;
}
