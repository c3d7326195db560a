import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { copyFile } from "../core/copy_file.ts";
import { diskError, osErrorCode } from "../core/errors.ts";
import { type FileSystem, IMMUTABLE_FILE_MODE, removeTree } from "../core/files.ts";
import { oneLine } from "../core/quote.ts";

/** A staged release, prepared for a program that may read it and should not change it. */
export interface GuardedFolder extends AsyncDisposable {
  /** The folder to pass to the program. */
  readonly dir: string;
  /** Returns the first change in the folder, for a message; `undefined` when there is none. */
  firstChange(): string | undefined;
}

/**
 * Prepares a staged release for a program, until it is disposed of: the folder becomes read-only, and changes in it are
 * detected. Its files may be hard links to those of the active release. Where modes do not keep the program from writing,
 * as for a superuser, it gets a folder beside it in which shared files are copies. Needs read and write permission.
 *
 * @throws {DiskError} when the disk has no space for the copies
 */
export async function guardFolder(
  context: Pick<Context, "fs" | "signal">,
  dir: string,
): Promise<GuardedFolder> {
  const { fs } = context;
  await using stack = new AsyncDisposableStack();
  const separate = stack.use(await separateFolder(context, dir));
  stack.use(protectFolder(fs, separate.dir));
  const before = takeSnapshot(fs, separate.dir);
  const owned = stack.move();
  return {
    dir: separate.dir,
    firstChange: () => firstChange(before, takeSnapshot(fs, separate.dir)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function separateFolder(
  context: Pick<Context, "fs" | "signal">,
  dir: string,
): Promise<AsyncDisposable & { readonly dir: string }> {
  const { fs } = context;
  if (!canChangeShared(fs, dir)) return { dir, [Symbol.asyncDispose]: () => Promise.resolve() };
  const copy = `${dir}-separate`;
  const dispose = () => removeTree(fs, copy);
  try {
    await copyFolder(context, dir, copy);
  } catch (error) {
    await dispose();
    throw diskError(error, `copy ${dir} for validate_command`);
  }
  return { dir: copy, [Symbol.asyncDispose]: dispose };
}

/** Whether a file below a folder has other names, and this user may write to it whatever its mode. */
function canChangeShared(fs: FileSystem, folder: string): boolean {
  for (const { name, isDirectory } of fs.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) {
      if (canChangeShared(fs, path)) return true;
    } else if (isShared(fs, path)) {
      // All files of a release have the same mode, so one answers for all.
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

async function copyFolder(context: Pick<Context, "fs" | "signal">, from: string, to: string): Promise<void> {
  const { fs } = context;
  fs.mkdirSync(to);
  for (const { name, isDirectory } of fs.readDirSync(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    if (isDirectory) await copyFolder(context, source, target);
    else if (isShared(fs, source)) await copyFile(context, source, target);
    else fs.linkSync(source, target);
  }
}

const READ_ONLY_FOLDER_MODE = 0o555;
const WRITE_BITS = 0o222;
const MODE_BITS = 0o7777;

/** Errors of file systems without modes, and for files of another owner. */
const MODES_UNSUPPORTED = ["EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "EROFS"];

/**
 * Removes the write permission from a folder and everything below it, until it is disposed of. Changes nothing where the
 * file system has no modes.
 */
function protectFolder(fs: FileSystem, root: string): Disposable {
  const changed: { readonly path: string; readonly mode: number }[] = [];
  const visit = (path: string) => {
    const { mode, isDirectory, isSymlink } = fs.lstatSync(path);
    if (isSymlink) return;
    if (isDirectory) { for (const { name } of fs.readDirSync(path)) visit(join(path, name)); }
    // A read-only file may be shared with the store, whose stat cache a new ctime would invalidate.
    if (mode === null || (mode & WRITE_BITS) === 0) return;
    if (setMode(fs, path, isDirectory ? READ_ONLY_FOLDER_MODE : IMMUTABLE_FILE_MODE)) {
      changed.push({ path, mode: mode & MODE_BITS });
    }
  };
  if (Deno.build.os !== "windows") visit(root);
  return {
    [Symbol.dispose]() {
      // From the root on: a folder has to be accessible before its contents are.
      for (const { path, mode } of changed.toReversed()) setMode(fs, path, mode);
    },
  };
}

function setMode(fs: FileSystem, path: string, mode: number): boolean {
  try {
    fs.chmodSync(path, mode);
    return true;
  } catch (error) {
    // The program may have deleted the file: firstChange() reports it.
    if (error instanceof Deno.errors.NotFound) return false;
    if (MODES_UNSUPPORTED.includes(osErrorCode(error) ?? "")) return false;
    throw error;
  }
}

/** A fingerprint of each path below a folder. It detects all changes that are not deliberately hidden. */
type Snapshot = ReadonlyMap<string, string>;

function takeSnapshot(fs: FileSystem, root: string): Snapshot {
  const entries = new Map<string, string>();
  const visit = (folder: string, prefix: string) => {
    for (const { name } of fs.readDirSync(folder)) {
      const info = fs.lstatSync(join(folder, name));
      const path = `${prefix}${name}`;
      if (info.isDirectory) {
        entries.set(path, "folder");
        visit(join(folder, name), `${path}/`);
      } else {
        const kind = info.isFile ? "file" : "link";
        entries.set(path, `${kind} ${info.size} ${info.mtime?.getTime()} ${info.ino}`);
      }
    }
  };
  visit(root, "");
  return entries;
}

function firstChange(before: Snapshot, after: Snapshot): string | undefined {
  for (const [path, state] of before) {
    const now = after.get(path);
    if (now === undefined) return `${oneLine(path)} was deleted`;
    if (now !== state) return `${oneLine(path)} was modified`;
  }
  for (const path of after.keys()) {
    if (!before.has(path)) return `${oneLine(path)} is new`;
  }
  return undefined;
}
