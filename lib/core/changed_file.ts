import { FailedError, osErrorCode } from "./errors.ts";
import type { FileSystem } from "./files.ts";

/** Error code: a file has not the bytes that were listed for the publish. */
export const MODELS_CHANGING = "MODELS_CHANGING";

/** Returns the error for a file that changes while it is published, whatever the carrier. */
export function changedFile(path: string): FailedError {
  return new FailedError(`Cannot publish ${path}: it changed while it was being published`, {
    code: MODELS_CHANGING,
    hint: "wait until the training has finished and run again",
  });
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
