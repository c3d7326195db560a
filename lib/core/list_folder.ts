import { osErrorCode } from "./errors.ts";
import type { FileSystem } from "./files.ts";

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
