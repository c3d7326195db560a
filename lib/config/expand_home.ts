import type { Environment } from "../core/context.ts";

/**
 * Replaces a leading `~` or `~/` by the home folder, as a shell would have done on a command line. Settings need no
 * call: the loader expands them all.
 */
export function expandHome(path: string, env: Environment): string {
  const home = homeOf(env);
  return home !== undefined && isBelowHome(path) ? home + path.slice(1) : path;
}

/** Whether a text begins as a path below the home folder does. */
export function isBelowHome(text: string): boolean {
  return /^~(?:[/\\]|$)/.test(text);
}

/** Returns the home folder; `undefined` where no variable names it, as in a system service of systemd. */
export function homeOf(env: Environment): string | undefined {
  return env.get("HOME") || env.get("USERPROFILE") || undefined;
}
