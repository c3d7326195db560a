import { dirname, join, resolve } from "node:path";
import { osErrorCode } from "./errors.ts";

/**
 * The part of Deno's file API that the program uses. Production passes `Deno` itself; crash tests pass the same
 * functions wrapped, so that each of them can fail or kill the process on its n-th call. Relative paths start at `cwd()`.
 */
export type FileSystem = Pick<
  typeof Deno,
  | "chmodSync"
  | "cwd"
  | "linkSync"
  | "lstat"
  | "lstatSync"
  | "mkdirSync"
  | "open"
  | "openSync"
  | "readDirSync"
  | "readFileSync"
  | "readLinkSync"
  | "readTextFileSync"
  | "realPathSync"
  | "remove"
  | "removeSync"
  | "renameSync"
  | "statSync"
  | "symlinkSync"
  | "utimeSync"
>;

/** Files of a release are never changed again. */
export const RELEASE_FILE_MODE = 0o444;

/**
 * A path from the root, relative ones taken from the working directory. Given that directory, `resolve` does not load
 * Node's `process` to ask for it, which would cost every start 5 ms.
 */
export function absolutePath(fs: FileSystem, path: string): string {
  return resolve(fs.cwd(), path);
}

/** What is at `path`, links not followed; `undefined` when there is nothing. */
export function findEntry(fs: FileSystem, path: string): Deno.FileInfo | undefined {
  return ifFound(() => fs.lstatSync(path));
}

/** A text file's content; `undefined` when there is no such file. */
export function findText(fs: FileSystem, path: string): string | undefined {
  return ifFound(() => fs.readTextFileSync(path));
}

/** The result of `read`, or `undefined` when what it looks at does not exist. */
export function ifFound<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    // Below a file there is nothing either.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/** Removes a file, a link or an empty folder; nothing there is fine. */
export function removeIfThere(fs: FileSystem, path: string): void {
  ifFound(() => fs.removeSync(path));
}

/** Removes a file or a link; nothing there is fine, and so is a folder that took its place. */
export function removeFile(fs: FileSystem, path: string): void {
  if (findEntry(fs, path)?.isDirectory !== true) removeIfThere(fs, path);
}

/**
 * Makes a place below `root` ready for a file: its folders exist, and are folders, not links that lead elsewhere; a
 * folder of its name is removed.
 */
export function makeWay(fs: FileSystem, root: string, target: string): void {
  if (findEntry(fs, target)?.isDirectory) fs.removeSync(target, { recursive: true });
  for (let folder = dirname(target); folder !== root; folder = dirname(folder)) {
    const entry = findEntry(fs, folder);
    if (entry !== undefined && !entry.isDirectory) fs.removeSync(folder);
  }
  fs.mkdirSync(dirname(target), { recursive: true });
}

/** Removes a folder with all that is in it, read-only folders too; nothing there is fine. */
export async function removeTree(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.remove(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    // A run that was killed may leave folders from which nothing can be removed.
    openFolders(fs, path);
    await fs.remove(path, { recursive: true });
  }
}

function openFolders(fs: FileSystem, path: string): void {
  if (findEntry(fs, path)?.isDirectory !== true) return;
  fs.chmodSync(path, 0o700);
  for (const { name } of fs.readDirSync(path)) openFolders(fs, join(path, name));
}

/**
 * Replaces a small file so that a crash leaves the old content or the new, never a part: written beside it, synced,
 * renamed over it, folder synced.
 */
export function replaceFile(fs: FileSystem, path: string, content: string | Uint8Array): void {
  const temporary = `${path}.new`;
  writeSynced(fs, temporary, content);
  fs.renameSync(temporary, path);
  syncFolder(fs, dirname(path));
}

function writeSynced(fs: FileSystem, path: string, content: string | Uint8Array): void {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  using file = fs.openSync(path, { write: true, create: true, truncate: true });
  writeAllSync(file, bytes);
  file.syncSync();
}

/** Writes all of `data`, on this thread: a single `writeSync` may take only a part of it. */
export function writeAllSync(file: Pick<Deno.FsFile, "writeSync">, data: Uint8Array): void {
  let offset = 0;
  while (offset < data.length) offset += file.writeSync(data.subarray(offset));
}

/** Some file systems (FUSE, SMB) cannot sync a folder; their renames are as durable as they get. */
const FOLDER_SYNC_UNSUPPORTED = ["EINVAL", "ENOTSUP", "EOPNOTSUPP"];

/** Makes the names in a folder durable: without it a power cut can bring an old name back. */
export function syncFolder(fs: FileSystem, path: string): void {
  // Windows cannot open a folder for this; NTFS journals renames itself.
  if (Deno.build.os === "windows") return;
  using folder = fs.openSync(path, { read: true });
  try {
    folder.syncSync();
  } catch (error) {
    if (!FOLDER_SYNC_UNSUPPORTED.includes(osErrorCode(error) ?? "")) throw error;
  }
}

/** Makes the names in a folder and in every folder below it durable. */
export function syncFolders(fs: FileSystem, root: string): void {
  for (const entry of fs.readDirSync(root)) {
    if (entry.isDirectory) syncFolders(fs, join(root, entry.name));
  }
  syncFolder(fs, root);
}
