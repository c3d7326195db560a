import { DiskError, osErrorCode } from "./errors.ts";
import { dirname } from "node:path";
import { type FileSystem, ifFound, removeTree } from "./files.ts";

/** No such folder, somebody else's, one too deep for a path, or a link that leads in a circle. */
const CLOSED = ["ENOENT", "ENOTDIR", "EACCES", "EPERM", "ENAMETOOLONG", "ELOOP"];

/**
 * Returns what is in a folder; `undefined` where the folder cannot be listed. Deno cannot open a folder whose name is
 * not UTF-8, and folders of other users may be closed.
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

/** A folder of the system's for temporary files, removed with all that is in it when it is disposed. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string;
  readonly #fs: FileSystem;

  /**
   * Makes the folder.
   *
   * @param purpose stands in its name
   * @param parent instead of the system's place for temporary files
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
            ? "set TMPDIR to a folder that you may write, on a disk with some room"
            : `make ${parent} writable`,
        },
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.#fs, this.path);
  }
}
