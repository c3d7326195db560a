import { join } from "node:path";
import { osErrorCode } from "../core/errors.ts";
import { type FileSystem, IMMUTABLE_FILE_MODE } from "../core/files.ts";

const READ_ONLY_FOLDER_MODE = 0o555;
const WRITE_BITS = 0o222;
const MODE_BITS = 0o7777;

/** File systems without modes, and files of another owner. */
const MODES_UNSUPPORTED = ["EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "EROFS"];

/**
 * Takes the write permission from everything below a folder and from itself, until it is disposed of. Where the file
 * system knows no modes, and for a superuser, it changes nothing. Needs write permission.
 */
export function protectTree(fs: FileSystem, root: string): Disposable {
  const changed: { readonly path: string; readonly mode: number }[] = [];
  const visit = (path: string) => {
    const { mode, isDirectory, isSymlink } = fs.lstatSync(path);
    if (isSymlink) return;
    if (isDirectory) { for (const { name } of fs.readDirSync(path)) visit(join(path, name)); }
    // A file that is read-only already may be shared with the store, whose memory of it a new ctime would end.
    if (mode === null || (mode & WRITE_BITS) === 0) return;
    if (setMode(fs, path, isDirectory ? READ_ONLY_FOLDER_MODE : IMMUTABLE_FILE_MODE)) {
      changed.push({ path, mode: mode & MODE_BITS });
    }
  };
  if (Deno.build.os !== "windows") visit(root);
  return {
    [Symbol.dispose]() {
      // From the root on: a folder has to be open before what is in it can be reached.
      for (const { path, mode } of changed.toReversed()) setMode(fs, path, mode);
    },
  };
}

function setMode(fs: FileSystem, path: string, mode: number): boolean {
  try {
    fs.chmodSync(path, mode);
    return true;
  } catch (error) {
    // Gone by now is fine, too: whoever looks afterwards will tell.
    if (error instanceof Deno.errors.NotFound) return false;
    if (MODES_UNSUPPORTED.includes(osErrorCode(error) ?? "")) return false;
    throw error;
  }
}
