import { basename, join } from "node:path";
import type { Context } from "../core/context.ts";
import { osErrorCode } from "../core/errors.ts";
import { type FileSystem, findEntry, removeIfThere } from "../core/files.ts";
import type { RegistrySettings } from "./registry.ts";

/** A git that outlived the run that started it ends its step within seconds; it is waited for that long. */
const ORPHAN_WAIT_MS = 10_000;
const ORPHAN_LOOK_MS = 100;

/**
 * Removes lock files that a killed git of ours left in a clone that nobody else works in. Called under the clone's own
 * lock, so whoever holds one is a git that outlived its run: Linux shows whether there is any. Elsewhere a lock counts
 * as left when it is older than any call of ours may take.
 */
export async function removeStaleLocks(
  context: Context,
  gitDir: string,
  settings: RegistrySettings,
): Promise<void> {
  if (findLocks(context, gitDir, settings).length === 0) return;
  if (!await waitForOrphans(context, settings.repoDir)) return;
  // Looked for again: the git that was waited for has taken its own away.
  for (const path of findLocks(context, gitDir, settings)) {
    if (Deno.build.os !== "linux" && !isOld(context, path, settings.transferTimeoutMs)) continue;
    removeIfThere(context.fs, path);
    context.log.warn(`removed ${path}, which a git left that was cut short`);
  }
}

function findLocks({ fs }: Context, gitDir: string, { remote, branch }: RegistrySettings): string[] {
  const locked = [
    "index",
    "HEAD",
    "config",
    "shallow",
    "packed-refs",
    `refs/heads/${branch}`,
    `refs/remotes/${remote}/${branch}`,
  ];
  return locked.map((name) => join(gitDir, `${name}.lock`)).filter((path) =>
    findEntry(fs, path) !== undefined
  );
}

function isOld({ fs, clock }: Context, path: string, ageMs: number): boolean {
  const writtenMs = findEntry(fs, path)?.mtime?.getTime();
  return writtenMs !== undefined && clock.now().getTime() - writtenMs > ageMs;
}

/** Waits until no git works in a clone any more; whether that is so. Where nothing tells, it is taken to be so. */
export async function waitForOrphans(context: Context, repoDir: string): Promise<boolean> {
  if (Deno.build.os !== "linux") return true;
  const deadlineMs = context.clock.monotonicMs() + ORPHAN_WAIT_MS;
  while (isGitAtWork(context, repoDir)) {
    if (context.clock.monotonicMs() >= deadlineMs) return false;
    await context.clock.sleep(ORPHAN_LOOK_MS, context.signal);
  }
  return true;
}

/** Every git of ours is told its folder: `git -C <repoDir> …`. */
function isGitAtWork({ fs }: Context, repoDir: string): boolean {
  return Array.from(fs.readDirSync("/proc")).some(({ name }) => {
    if (!/^\d+$/.test(name)) return false;
    const [program = "", option, folder] = readCommandLine(fs, name);
    return basename(program) === "git" && option === "-C" && folder === repoDir;
  });
}

/** A process's program and arguments (proc_pid_cmdline(5)); none of one that is gone, or that is not ours to look at. */
function readCommandLine(fs: FileSystem, pid: string): string[] {
  try {
    return fs.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
  } catch (error) {
    const isGone = error instanceof Deno.errors.NotFound || osErrorCode(error) === "ESRCH";
    if (isGone || error instanceof Deno.errors.PermissionDenied) return [];
    throw error;
  }
}
