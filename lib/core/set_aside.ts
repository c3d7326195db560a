import { DiskError, osErrorCode } from "./errors.ts";
import { entryKind, type FileSystem, findEntry, removeIfThere } from "./files.ts";

/**
 * Frees the path of a state file. A pipe, a socket, a link or an empty folder is removed. A file, or a folder with
 * content, is renamed to `NAME.damaged` and replaces an earlier one.
 *
 * @returns the path where the content is kept, if any
 * @throws {DiskError} code `STATE_FILE_BLOCKED` if the path cannot be freed, for example a mount
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

/**
 * Frees the path of a state file for a rename, if something is there that a rename cannot replace: a folder. On Windows,
 * a link to a folder is such an entry, too. Everything else stays until the rename, so that a failed write loses nothing.
 */
export function clearWay(fs: FileSystem, path: string): void {
  const found = findEntry(fs, path);
  if (found === undefined || found.isFile) return;
  if (found.isDirectory || Deno.build.os === "windows") setAside(fs, path);
}

/** Removes a state file, or whatever is at its path. */
export function removeState(fs: FileSystem, path: string): void {
  clearWay(fs, path);
  removeIfThere(fs, path);
}
