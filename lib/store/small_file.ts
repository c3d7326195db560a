import { DiskError } from "../core/errors.ts";
import { type FileSystem, findEntry, IMMUTABLE_FILE_MODE, setMode, writeAllSync } from "../core/files.ts";
import { plural } from "../core/format.ts";
import { type FileStamp, stampOf } from "./stat_cache.ts";

/** Windows syncs only files that are open for writing. */
export const SYNCS_LATER = Deno.build.os !== "windows";

/** Creates a read-only file. Where {@link SYNCS_LATER}, it is not on the disk yet. */
export function createSmallFile(fs: FileSystem, target: string, content: Uint8Array): void {
  using file = fs.openSync(target, { write: true, createNew: true, mode: IMMUTABLE_FILE_MODE });
  writeAllSync(file, content);
  if (!SYNCS_LATER) file.syncSync();
}

/**
 * Returns the stamp of a file that was just written, which is read-only then.
 *
 * @param path named in errors
 * @throws {DiskError} if it has another size
 */
export function stampOfWritten(fs: FileSystem, target: string, bytes: number, path: string): FileStamp {
  // For an open file, the runtime resolves its whole path, in five times the time.
  const info = findEntry(fs, target);
  if (info?.isFile !== true || info.size !== bytes) {
    const found = `the disk has ${info?.size ?? 0} of its ${plural(bytes, "byte")}`;
    throw new DiskError(`Cannot write ${path} into the store: ${found}`, {
      code: "DISK",
      hint: "repair the disk, then run again",
    });
  }
  // The umask may have removed permissions.
  if (((info.mode ?? IMMUTABLE_FILE_MODE) & 0o777) !== IMMUTABLE_FILE_MODE) {
    setMode(fs, target, IMMUTABLE_FILE_MODE);
  }
  return stampOf(info);
}
