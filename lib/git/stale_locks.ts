import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry, removeIfThere } from "../core/files.ts";
import type { RegistrySettings } from "./registry.ts";

/**
 * Removes lock files that a git of ours left when the machine lost its power, from a clone that nobody else works in.
 * A live one cannot be as old: every call is ended after the time for a transfer. Called under the clone's own lock.
 */
export function removeStaleLocks(context: Context, gitDir: string, settings: RegistrySettings): void {
  const { remote, branch, transferTimeoutMs } = settings;
  const locked = [
    "index",
    "HEAD",
    "config",
    "shallow",
    "packed-refs",
    `refs/heads/${branch}`,
    `refs/remotes/${remote}/${branch}`,
  ];
  for (const name of locked) {
    const path = join(gitDir, `${name}.lock`);
    const writtenMs = findEntry(context.fs, path)?.mtime?.getTime();
    if (writtenMs === undefined || context.clock.now().getTime() - writtenMs <= transferTimeoutMs) continue;
    removeIfThere(context.fs, path);
    context.log.warn(`removed ${path}, which a git left that was cut short`);
  }
}
