import { DiskError, osErrorCode } from "./errors.ts";
import { dirname } from "node:path";
import { type FileSystem, ifFound, removeTree } from "./files.ts";

/** Missing, not readable, too deep for a path, or a circular link. */
const CLOSED = ["ENOENT", "ENOTDIR", "EACCES", "EPERM", "ENAMETOOLONG", "ELOOP"];

/**
 * Returns the entries of a folder; `undefined` if it cannot be listed. Folders of other users may not be readable, and
 * Deno cannot open a folder whose name is not UTF-8.
 */
export function listFolder(fs: FileSystem, path: string): readonly Deno.DirEntry[] | undefined {
  try {
    return Array.from(fs.readDirSync(path));
  } catch (error) {
    if (CLOSED.includes(osErrorCode(error) ?? "")) return undefined;
    throw error;
  }
}

/** Returns the path itself, or the nearest folder above it that exists. */
export function existingParent(fs: FileSystem, path: string): string {
  if (ifFound(() => fs.statSync(path)) !== undefined || dirname(path) === path) return path;
  return existingParent(fs, dirname(path));
}

/** A temporary folder. Disposing of it removes it with its content. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string;
  readonly #fs: FileSystem;

  /**
   * Creates the folder.
   *
   * @param purpose part of its name
   * @param parent instead of the system's folder for temporary files
   * @throws {DiskError} code `NO_TEMPORARY_FOLDER`
   */
  constructor(fs: FileSystem, purpose: string, parent?: string) {
    this.#fs = fs;
    try {
      this.path = fs.makeTempDirSync({
        prefix: `model-sync-${purpose}-`,
        ...(parent === undefined ? {} : { dir: parent }),
      });
    } catch (error) {
      const code = osErrorCode(error);
      if (code === undefined) throw error;
      throw new DiskError(
        `Cannot make a temporary folder${
          parent === undefined ? "" : ` in ${parent}`
        }: the system refuses it (${code})`,
        {
          code: "NO_TEMPORARY_FOLDER",
          cause: error,
          hint: parent === undefined
            ? "set TMPDIR to a writable folder on a disk with free space"
            : `make ${parent} writable`,
        },
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.#fs, this.path);
  }
}
