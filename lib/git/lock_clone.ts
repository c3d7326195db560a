import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { entryKind, type FileSystem, findEntry, findFile, UnusableFileError } from "../core/files.ts";
import { acquireLock, type LockOwner } from "../core/lock.ts";
import { setAside } from "../core/set_aside.ts";

/**
 * Keeps other runs out of a clone until it is disposed of.
 *
 * @param owner `unlocked` for a run that changes nothing: it locks nothing
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

/** Frees the lock's place where something other than a file stands, which no run can hold. */
function clearLock({ fs, log }: Context, path: string): void {
  const found = findEntry(fs, path);
  if (found === undefined || found.isFile || (found.isSymlink && leadsToFile(fs, path))) return;
  setAside(fs, path);
  log.warn(`${path} was ${entryKind(found)}, not a file, and is rebuilt`);
}

function leadsToFile(fs: FileSystem, path: string): boolean {
  try {
    return findFile(fs, path) !== undefined;
  } catch (error) {
    if (error instanceof UnusableFileError) return false;
    throw error;
  }
}
