import { FailedError, osErrorCode } from "./errors.ts";
import type { FileSystem } from "./files.ts";

/** A file has not the bytes that were listed for a publish, whatever the carrier. */
export class ChangedFileError extends FailedError {
  readonly path: string;

  constructor(path: string) {
    super(`Cannot publish ${path}: it changed while it was being published`, {
      code: "MODELS_CHANGING",
      hint: "wait until the training has finished and run again",
    });
    this.path = path;
  }
}

/** Returns the error for a file that changes while it is published. */
export function changedFile(path: string): ChangedFileError {
  return new ChangedFileError(path);
}

/** The errors of the system for a file that is gone, and for a folder or a circle of links in its place. */
const GONE = ["ENOENT", "ENOTDIR", "EISDIR", "ELOOP"];

/** Returns whether a file that was listed is no file any more. */
export function isGone(error: unknown): boolean {
  return GONE.includes(osErrorCode(error) ?? "");
}

/** A file that was listed for a publish. */
interface ListedFile {
  readonly path: string;
  /** Its path on this machine. */
  readonly location: string;
}

/**
 * Returns what `read` returns, which reads a file that was listed for a publish.
 *
 * @throws {FailedError} code `MODELS_CHANGING` if the file is no file any more
 */
export async function readListed<Result>(
  fs: Pick<FileSystem, "statSync">,
  { path, location }: ListedFile,
  read: () => Promise<Result>,
): Promise<Result> {
  try {
    // A named pipe would wait for its writer: opening it would never end.
    if (!fs.statSync(location).isFile) throw changedFile(path);
    return await read();
  } catch (error) {
    throw isGone(error) ? changedFile(path) : error;
  }
}
