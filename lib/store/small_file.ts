import { DiskError, diskError } from "../core/errors.ts";
import {
  type FileSystem,
  findEntry,
  IMMUTABLE_FILE_MODE,
  removeIfThere,
  setMode,
  writeAllSync,
} from "../core/files.ts";
import { plural } from "../core/format.ts";
import type { Sha256 } from "../core/hash.ts";
import type { StagedFile } from "./staged_file.ts";
import { stampOf } from "./stat_cache.ts";

/** A larger file is never in memory as a whole, and never written by another program. */
export const SMALL_FILE_BYTES_MAX = 1024 * 1024;

/** Windows syncs only files that are open for writing. */
export const SYNCS_LATER = Deno.build.os !== "windows";

/** Where a small file belongs in its release, and its digest. */
export interface SmallFile {
  readonly path: string;
  readonly sha256: Sha256;
}

/**
 * Creates a read-only file. Where {@link SYNCS_LATER}, it is not on the disk yet. After a failure, there is no file.
 *
 * @throws {DiskError}
 */
export function createSmallFile(
  fs: FileSystem,
  target: string,
  content: Uint8Array,
  file: SmallFile,
): StagedFile {
  try {
    create(fs, target, content);
    return writtenFile(fs, target, content.length, file);
  } catch (error) {
    removeIfThere(fs, target);
    throw diskError(error, `write ${file.path} into the store`);
  }
}

function create(fs: FileSystem, target: string, content: Uint8Array): void {
  using file = fs.openSync(target, { write: true, createNew: true, mode: IMMUTABLE_FILE_MODE });
  writeAllSync(file, content);
  if (!SYNCS_LATER) file.syncSync();
}

/** Returns a file that was just written, which is read-only then. @throws {DiskError} if it has another size */
export function writtenFile(
  fs: FileSystem,
  target: string,
  bytes: number,
  { path, sha256 }: SmallFile,
): StagedFile {
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
  return { path, bytes, sha256, how: "written", stamp: stampOf(info) };
}
