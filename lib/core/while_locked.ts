import { diskError } from "./errors.ts";
import type { FileSystem } from "./files.ts";

/**
 * Runs `work` while holding the lock `PATH.lock` beside a state file, so that concurrent writers do not overwrite each
 * other's entries. The lock is held for milliseconds.
 *
 * @throws {DiskError} if the disk is full or not writable
 */
export function whileLocked<Result>(fs: FileSystem, path: string, work: () => Result): Result {
  try {
    using lock = fs.openSync(`${path}.lock`, { read: true, write: true, create: true });
    lock.lockSync(true);
    return work();
  } catch (error) {
    throw diskError(error, `write ${path}`);
  }
}
