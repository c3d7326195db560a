import { DiskError, osErrorCode } from "./errors.ts";
import { entryKind, type FileSystem, findEntry, removeIfThere } from "./files.ts";

/**
 * Frees the place of a state file: a pipe, a socket, a link or an empty folder is removed; a file and a folder with
 * content are renamed to `NAME.damaged`, over an earlier one.
 *
 * @returns where the content is kept now
 * @throws {DiskError} code `STATE_FILE_BLOCKED` where the place cannot be freed, as that of a mount
 */
export function setAside(fs: FileSystem, path: string): string | undefined {
  const found = findEntry(fs, path);
  if (found === undefined) return undefined;
  try {
    const hasContent = found.isFile ||
      (found.isDirectory && fs.readDirSync(path)[Symbol.iterator]().next().done !== true);
    if (!hasContent) {
      fs.removeSync(path);
      return undefined;
    }
    const kept = `${path}.damaged`;
    if (findEntry(fs, kept) !== undefined) fs.removeSync(kept, { recursive: true });
    fs.renameSync(path, kept);
    return kept;
  } catch (error) {
    throw new DiskError(
      `Cannot replace ${path}: ${entryKind(found)} is in its place (${
        osErrorCode(error) ?? (error instanceof Error ? error.message : String(error))
      })`,
      { code: "STATE_FILE_BLOCKED", cause: error, hint: `move ${path} away and run again` },
    );
  }
}

/** Frees the place of a state file where something other than a file stands. */
export function clearWay(fs: FileSystem, path: string): void {
  const found = findEntry(fs, path);
  if (found !== undefined && !found.isFile) setAside(fs, path);
}

/** Removes a state file, or what stands in its place. */
export function removeState(fs: FileSystem, path: string): void {
  clearWay(fs, path);
  removeIfThere(fs, path);
}
