import { diskError } from "./errors.ts";
import type { FileSystem } from "./files.ts";

/**
 * Reads and writes a state file while no other process does: the lock `PATH.lock` beside it is held for the
 * milliseconds that `work` takes, so that no writer overwrites the entry of another.
 *
 * @throws {DiskError} when the disk takes no more
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
