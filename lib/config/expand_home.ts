import type { Environment } from "../core/context.ts";

/** Replaces a leading `~/` by the home folder, as a shell would have done on a command line. */
export function expandHome(path: string, env: Environment): string {
  const home = env.get("HOME") ?? env.get("USERPROFILE");
  return home !== undefined && /^~[/\\]/.test(path) ? home + path.slice(1) : path;
}
