import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { copyFile } from "../core/copy_file.ts";
import { diskError } from "../core/errors.ts";
import { type FileSystem, removeTree } from "../core/files.ts";

/** A folder that somebody else may be given, until it is disposed of. */
export interface SeparateTree extends AsyncDisposable {
  readonly dir: string;
}

/**
 * A staged release as a program may have it that is not to change others. Its files may be links to those of the active
 * release. Where modes keep the program from writing, that is the folder itself; where they do not, as for a superuser,
 * it is a folder beside it with copies of what is shared. Needs read and write permission.
 *
 * @throws {DiskError} when the disk does not hold the copies
 */
export async function separateTree(
  context: Pick<Context, "fs" | "signal">,
  dir: string,
): Promise<SeparateTree> {
  const { fs } = context;
  if (!canChangeShared(fs, dir)) return { dir, [Symbol.asyncDispose]: () => Promise.resolve() };
  const copy = `${dir}-separate`;
  const dispose = () => removeTree(fs, copy);
  try {
    await copyTree(context, dir, copy);
  } catch (error) {
    await dispose();
    throw diskError(error, `copy ${dir} for validate_command`);
  }
  return { dir: copy, [Symbol.asyncDispose]: dispose };
}

/** Whether a file below a folder has other names, and this user may write into it whatever its mode. */
function canChangeShared(fs: FileSystem, folder: string): boolean {
  for (const { name, isDirectory } of fs.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) {
      if (canChangeShared(fs, path)) return true;
    } else if (isShared(fs, path)) {
      // All files of a release have the same mode: one tells of all.
      return mayWrite(fs, path);
    }
  }
  return false;
}

function isShared(fs: FileSystem, path: string): boolean {
  return (fs.lstatSync(path).nlink ?? 1) > 1;
}

function mayWrite(fs: FileSystem, path: string): boolean {
  try {
    fs.openSync(path, { write: true }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}

async function copyTree(context: Pick<Context, "fs" | "signal">, from: string, to: string): Promise<void> {
  const { fs } = context;
  fs.mkdirSync(to);
  for (const { name, isDirectory } of fs.readDirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (isDirectory) await copyTree(context, source, target);
    else if (isShared(fs, source)) await copyFile(context, source, target);
    else fs.linkSync(source, target);
  }
}
