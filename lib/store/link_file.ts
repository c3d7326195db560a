import { diskError, osErrorCode } from "../core/errors.ts";
import type { FileSystem } from "../core/files.ts";

/** File systems without hard links, or at their limit of links to one file (65,000 on ext4). */
const LINK_IMPOSSIBLE = ["EMLINK", "EPERM", "ENOTSUP", "EOPNOTSUPP", "EXDEV", "ENOSYS"];

/**
 * Creates a hard link. Returns whether the file system can do that.
 *
 * @param action completes "Cannot …"
 * @throws {DiskError}
 */
export function linkFile(fs: FileSystem, from: string, to: string, action: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if (LINK_IMPOSSIBLE.includes(osErrorCode(error) ?? "")) return false;
    throw diskError(error, action);
  }
}
