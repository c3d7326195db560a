import { DiskError, osErrorCode } from "./errors.ts";
import { type FileSystem, removeTree } from "./files.ts";

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
