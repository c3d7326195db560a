import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { entryKind, findEntry, removeIfThere } from "../core/files.ts";
import { acquireLock, type LockOwner } from "../core/lock.ts";
import { setAside } from "../core/set_aside.ts";
import type { RegistrySettings } from "./registry_settings.ts";

/**
 * Locks a clone against other runs until the lock is disposed of.
 *
 * @param owner `unlocked` for a run that changes nothing: nothing is locked
 * @throws {LockedError} another run works in it
 */
export async function lockClone(
  context: Context,
  gitDir: string,
  owner: LockOwner | "unlocked",
): Promise<Disposable> {
  if (owner === "unlocked") return { [Symbol.dispose]: () => {} };
  const path = join(gitDir, "model-sync.lock");
  clearLock(context, path);
  return await acquireLock(context.fs, path, owner, context.clock);
}

/** Moves away an entry that is not a file, and which no run can hold as a lock. */
function clearLock({ fs, log }: Context, path: string): void {
  const found = findEntry(fs, path);
  if (found === undefined || found.isFile) return;
  setAside(fs, path);
  log.warn(`${path} was ${entryKind(found)}, not a file, and is recreated`);
}

/**
 * A git process that outlives its run finishes its step within seconds and removes its lock. There is no certain way to
 * find out whether it runs: Deno lists other processes only for programs with all permissions.
 */
const STALE_AFTER_MS = 30_000;
const LOOK_MS = 200;

/**
 * Waits for lock files of git in a clone of our own, and removes those that a killed git left. Called under the clone's
 * lock: only the git of a killed run can hold one.
 */
export async function removeStaleLocks(
  context: Context,
  gitDir: string,
  settings: RegistrySettings,
): Promise<void> {
  const { clock } = context;
  const deadlineMs = clock.monotonicMs() + STALE_AFTER_MS;
  for (const path of lockPaths(gitDir, settings)) {
    while (isYoung(context, path) && clock.monotonicMs() < deadlineMs) {
      await clock.sleep(LOOK_MS, context.signal);
    }
    if (findEntry(context.fs, path) === undefined) continue;
    removeIfThere(context.fs, path);
    context.log.warn(`removed ${path}, which an interrupted git left`);
  }
}

function lockPaths(gitDir: string, { remote, branch }: RegistrySettings): string[] {
  return [
    "index",
    "HEAD",
    "ORIG_HEAD",
    "config",
    "shallow",
    "packed-refs",
    `refs/heads/${branch}`,
    `refs/remotes/${remote}/${branch}`,
  ].map((name) => join(gitDir, `${name}.lock`));
}

/** Whether there is a lock whose process may still run. */
function isYoung({ fs, clock }: Context, path: string): boolean {
  const writtenMs = findEntry(fs, path)?.mtime?.getTime();
  return writtenMs !== undefined && clock.now().getTime() - writtenMs < STALE_AFTER_MS;
}
