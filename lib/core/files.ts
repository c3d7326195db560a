import { dirname, join, resolve } from "node:path";
import { decodeUtf8 } from "./decode_utf8.ts";
import { osErrorCode, UsageError } from "./errors.ts";
import { formatBytes } from "./format.ts";
import { readAt } from "./read_at.ts";

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
  | "makeTempDirSync"
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

/** Files that are never changed again. */
export const IMMUTABLE_FILE_MODE = 0o444;

/**
 * A path from the root, relative ones taken from the working directory. Given that directory, `resolve` does not load
 * Node's `process` to ask for it, which would cost every start 5 ms.
 */
export function absolutePath(fs: FileSystem, path: string): string {
  return resolve(fs.cwd(), path);
}

/** What is at `path`, links not followed; `undefined` when there is nothing. */
export function findEntry(fs: FileSystem, path: string): Deno.FileInfo | undefined {
  try {
    return ifFound(() => fs.lstatSync(path));
  } catch (error) {
    // Below a link that leads in a circle there is nothing.
    if (error instanceof Deno.errors.FilesystemLoop) return undefined;
    throw error;
  }
}

/**
 * What is read of a state file at most. The largest are the lists of a release's files: a manifest, a stat cache, the
 * digests of git objects. With 200,000 files each stays below.
 */
export const STATE_BYTES_MAX = 64 * 1024 * 1024;

/** A path that holds something other than a regular file of a readable size. */
export class UnusableFileError extends UsageError {
  /** `it is a folder, not a file` */
  readonly reason: string;

  constructor(path: string, reason: string) {
    super(`Cannot read ${path}: ${reason}`, {
      code: "FILE_UNUSABLE",
      hint: "put a regular file in its place, or remove it",
    });
    this.reason = reason;
  }
}

/**
 * Returns a small file's bytes, links followed; `undefined` when there is no such file. Opening a named pipe would
 * wait for its writer, a device may never end: only a regular file is opened, and no more than `bytesMax` is read.
 *
 * @throws {UnusableFileError}
 */
export function findBytes(
  fs: FileSystem,
  path: string,
  bytesMax: number = STATE_BYTES_MAX,
): Uint8Array<ArrayBuffer> | undefined {
  const info = findFile(fs, path);
  // A file hidden in a container by a mount of /dev/null is an empty file.
  if (info === undefined || !info.isFile) return info && new Uint8Array();
  return ifFound(() => {
    using file = fs.openSync(path, { read: true });
    if (info.size > bytesMax) throw tooLarge(path, info.size, bytesMax);
    // Files below /proc have no size, and others grow: the end of the file decides, not what its entry says.
    for (let length = Math.max(info.size, SIZELESS_BYTES) + 1;; length *= 2) {
      const bytes = readAt(file, 0, length);
      if (bytes.length > bytesMax) throw tooLarge(path, bytes.length, bytesMax);
      if (bytes.length < length) return bytes;
    }
  });
}

/**
 * Returns what is known of a regular file, links followed; `undefined` when there is nothing. The null device counts.
 *
 * @throws {UnusableFileError} where something else stands there
 */
export function findFile(fs: FileSystem, path: string): Deno.FileInfo | undefined {
  const info = ifFound(() => {
    try {
      return fs.statSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.FilesystemLoop)) throw error;
      throw new UnusableFileError(path, "it is a link that leads in a circle");
    }
  });
  if (info === undefined || info.isFile || isNullDevice(fs, info)) return info;
  throw new UnusableFileError(path, `it is ${entryKind(info)}, not a file`);
}

/** As {@link findBytes}, as text. Bytes that are not UTF-8 become replacement characters, which no parser accepts. */
export function findText(
  fs: FileSystem,
  path: string,
  bytesMax: number = STATE_BYTES_MAX,
): string | undefined {
  const bytes = findBytes(fs, path, bytesMax);
  return bytes && new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** As {@link findBytes}, for text that a person wrote: a file in another encoding is named as one. */
export function findUtf8(fs: FileSystem, path: string, bytesMax: number): string | undefined {
  const bytes = findBytes(fs, path, bytesMax);
  if (bytes === undefined) return undefined;
  const text = decodeUtf8(bytes);
  if (text !== undefined && !text.includes("\0")) return text;
  throw new UnusableFileError(path, "it is not text in UTF-8");
}

/** What is read at first of a file whose entry gives no size. */
const SIZELESS_BYTES = 4096;

function tooLarge(path: string, size: number, bytesMax: number): UnusableFileError {
  return new UnusableFileError(
    path,
    `it has ${formatBytes(size)}, at most ${formatBytes(bytesMax)} are read`,
  );
}

function isNullDevice(fs: FileSystem, { isCharDevice, rdev }: Deno.FileInfo): boolean {
  return isCharDevice === true && rdev === ifFound(() => fs.statSync("/dev/null"))?.rdev;
}

/** What stands at a path, as a message names it: `a folder`. */
export function entryKind(info: Deno.FileInfo): string {
  if (info.isDirectory) return "a folder";
  if (info.isSymlink) return "a link";
  if (info.isFifo) return "a named pipe";
  if (info.isSocket) return "a socket";
  if (info.isCharDevice || info.isBlockDevice) return "a device";
  return info.isFile ? "a file" : "something else";
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

/** The mode of files that may hold credentials. */
export const PRIVATE_MODE = 0o600;

/** The mode of folders that are their owner's business alone. */
export const PRIVATE_FOLDER_MODE = 0o700;

/** The mode of files that consumers read and that their owner goes on writing. */
export const READABLE_MODE = 0o644;

const READABLE_FOLDER_MODE = 0o755;

/** A mode by which its owner alone writes. */
export function withoutOthersWriting(mode: number): number {
  return mode & ~0o022;
}

/** Gives a new file or folder its mode whatever the umask; not where the file system has none. */
export function setMode(fs: FileSystem, path: string, mode: number): void {
  if (Deno.build.os === "windows" || ((fs.statSync(path).mode ?? mode) & 0o777) === mode) return;
  try {
    fs.chmodSync(path, mode);
  } catch (error) {
    const isRefused = error instanceof Deno.errors.PermissionDenied ||
      error instanceof Deno.errors.NotSupported;
    if (!isRefused) throw error;
  }
}

/** Makes a folder that consumers may enter whatever the umask, and those above it. What is there stays as it is. */
export function makeReadableFolder(fs: FileSystem, path: string): void {
  const isMade = (folder: string) => ifFound(() => fs.statSync(folder))?.isDirectory === true;
  const missing: string[] = [];
  for (let folder = path; !isMade(folder) && dirname(folder) !== folder; folder = dirname(folder)) {
    missing.push(folder);
  }
  // On a full disk, what asks for nothing new has to succeed.
  if (missing.length === 0) return;
  fs.mkdirSync(path, { recursive: true });
  for (const folder of missing) setMode(fs, folder, READABLE_FOLDER_MODE);
}

/**
 * Replaces a small file so that a crash leaves the old content or the new, never a part: written beside it, synced,
 * renamed over it, folder synced.
 *
 * @param mode set whatever the umask; without it, new files have the mode that the umask leaves
 */
export function replaceFile(
  fs: FileSystem,
  path: string,
  content: string | Uint8Array,
  mode?: number,
): void {
  const temporary = `${path}.new`;
  try {
    writeSynced(fs, temporary, content, mode);
    fs.renameSync(temporary, path);
  } catch (error) {
    removeQuietly(fs, temporary);
    throw error;
  }
  syncFolder(fs, dirname(path));
}

/** On a full disk, a part of a file takes what others need. Why the write failed is what counts. */
function removeQuietly(fs: FileSystem, path: string): void {
  try {
    fs.removeSync(path);
  } catch {
    // The next write of the same file replaces it.
  }
}

function writeSynced(fs: FileSystem, path: string, content: string | Uint8Array, mode?: number): void {
  // A link would lead the write elsewhere, a named pipe would wait for a reader, a file would keep its own mode.
  if (findEntry(fs, path) !== undefined) removeIfThere(fs, path);
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const options = { write: true, create: true, truncate: true };
  using file = fs.openSync(path, mode === undefined ? options : { ...options, mode });
  if (mode !== undefined) setMode(fs, path, mode);
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
