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
 * Returns an absolute path; a relative one starts at the working directory. Because it passes that directory, `resolve`
 * does not load Node's `process`, which would cost every start 5 ms.
 */
export function absolutePath(fs: FileSystem, path: string): string {
  return resolve(fs.cwd(), path);
}

/** Returns the entry at `path`, without following links; `undefined` if nothing is there. */
export function findEntry(fs: FileSystem, path: string): Deno.FileInfo | undefined {
  try {
    return ifFound(() => fs.lstatSync(path));
  } catch (error) {
    // A path below a circular link does not exist.
    if (error instanceof Deno.errors.FilesystemLoop) return undefined;
    throw error;
  }
}

/**
 * The size limit of a state file. The largest ones list a release's files: manifests, stat caches, digests of git
 * objects. With 200,000 files, each stays below it.
 */
export const STATE_BYTES_MAX = 64 * 1024 * 1024;

/** A path that is not a regular file, or a file that is too large to read. */
export class UnusableFileError extends UsageError {
  /** A clause: `it is a folder, not a file` */
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
 * Returns a small file's bytes, following links; `undefined` if there is no such file. It opens only regular files,
 * because a named pipe waits for its writer and a device may never end. It reads at most `bytesMax`.
 *
 * @throws {UnusableFileError}
 */
export function findBytes(
  fs: FileSystem,
  path: string,
  bytesMax: number = STATE_BYTES_MAX,
): Uint8Array<ArrayBuffer> | undefined {
  const info = findFile(fs, path);
  // A mount of /dev/null hides a file in a container. It counts as an empty file.
  if (info === undefined || !info.isFile) return info && new Uint8Array();
  return ifFound(() => {
    using file = fs.openSync(path, { read: true });
    if (info.size > bytesMax) throw tooLarge(path, info.size, bytesMax);
    // Files below /proc have no size, and other files grow. So it reads to the end instead of trusting the stated size.
    for (let length = Math.max(info.size, SIZELESS_BYTES) + 1;; length *= 2) {
      const bytes = readAt(file, 0, length);
      if (bytes.length > bytesMax) throw tooLarge(path, bytes.length, bytesMax);
      if (bytes.length < length) return bytes;
    }
  });
}

/**
 * Returns the entry of a regular file or the null device, following links; `undefined` if nothing is there.
 *
 * @throws {UnusableFileError} if the path is something else
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

/**
 * As {@link findBytes}, decoded as text. Bytes that are not UTF-8 become replacement characters, which every parser
 * refuses.
 */
export function findText(
  fs: FileSystem,
  path: string,
  bytesMax: number = STATE_BYTES_MAX,
): string | undefined {
  const bytes = findBytes(fs, path, bytesMax);
  return bytes && new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** As {@link findBytes}, for a file that a person wrote. Another encoding than UTF-8 is an error. */
export function findUtf8(fs: FileSystem, path: string, bytesMax: number): string | undefined {
  const bytes = findBytes(fs, path, bytesMax);
  if (bytes === undefined) return undefined;
  const text = decodeUtf8(bytes);
  if (text !== undefined && !text.includes("\0")) return text;
  throw new UnusableFileError(path, "it is not text in UTF-8");
}

/** The first read of a file without a size. */
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

/** Returns the kind of an entry for a message: `a folder`. */
export function entryKind(info: Deno.FileInfo): string {
  if (info.isDirectory) return "a folder";
  if (info.isSymlink) return "a link";
  if (info.isFifo) return "a named pipe";
  if (info.isSocket) return "a socket";
  if (info.isCharDevice || info.isBlockDevice) return "a device";
  return info.isFile ? "a file" : "something else";
}

/** Returns the result of `read`; `undefined` if the file that it reads does not exist. */
export function ifFound<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    // A path below a file does not exist either.
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/** Removes a file, a link or an empty folder, if it exists. */
export function removeIfThere(fs: FileSystem, path: string): void {
  ifFound(() => fs.removeSync(path));
}

/** Removes a file or a link, if it exists. A folder in its place stays. */
export function removeFile(fs: FileSystem, path: string): void {
  if (findEntry(fs, path)?.isDirectory !== true) removeIfThere(fs, path);
}

/**
 * Prepares a path below `root` for a file. It creates the folders above it, replaces links among them with folders, and
 * removes a folder at the path itself.
 */
export function makeWay(fs: FileSystem, root: string, target: string): void {
  if (findEntry(fs, target)?.isDirectory) fs.removeSync(target, { recursive: true });
  for (let folder = dirname(target); folder !== root; folder = dirname(folder)) {
    const entry = findEntry(fs, folder);
    if (entry !== undefined && !entry.isDirectory) fs.removeSync(folder);
  }
  fs.mkdirSync(dirname(target), { recursive: true });
}

/** How often a removal is tried: a program that a killed run started may create files for another moment. */
const REMOVALS_MAX = 3;

/** Removes a folder with its content, including read-only folders, if it exists. */
export async function removeTree(fs: FileSystem, path: string): Promise<void> {
  for (let left = REMOVALS_MAX; left > 0; left--) {
    try {
      return await removeFound(fs, path);
    } catch (error) {
      if (left === 1 || osErrorCode(error) !== "ENOTEMPTY") throw error;
    }
  }
}

async function removeFound(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.remove(path, { recursive: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    // A killed run may leave read-only folders, from which nothing can be removed.
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

/** The mode of folders that only their owner may enter. */
export const PRIVATE_FOLDER_MODE = 0o700;

/** The mode of files that consumers read and their owner writes. */
export const READABLE_MODE = 0o644;

/** The mode of folders that consumers enter. */
export const READABLE_FOLDER_MODE = 0o755;

/** Returns a mode without write permission for group and others. */
export function withoutOthersWriting(mode: number): number {
  return mode & ~0o022;
}

/** Sets the mode of a new file or folder, whatever the umask. Does nothing on file systems without modes. */
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

/**
 * Creates a folder that consumers may enter, whatever the umask, and the folders above it. Existing folders stay
 * unchanged.
 */
export function makeReadableFolder(fs: FileSystem, path: string): void {
  const isMade = (folder: string) => ifFound(() => fs.statSync(folder))?.isDirectory === true;
  const missing: string[] = [];
  for (let folder = path; !isMade(folder) && dirname(folder) !== folder; folder = dirname(folder)) {
    missing.push(folder);
  }
  // On a full disk, a call that has nothing to create must succeed.
  if (missing.length === 0) return;
  fs.mkdirSync(path, { recursive: true });
  for (const folder of missing) setMode(fs, folder, READABLE_FOLDER_MODE);
}

/** Writes all of `data` synchronously. A single `writeSync` may write only a part. */
export function writeAllSync(file: Pick<Deno.FsFile, "writeSync">, data: Uint8Array): void {
  let offset = 0;
  while (offset < data.length) offset += file.writeSync(data.subarray(offset));
}

/** Writes a line of text to an open file or stream, such as standard output. */
export function writeLine(stream: Pick<Deno.FsFile, "writeSync">, line: string): void {
  writeAllSync(stream, new TextEncoder().encode(`${line}\n`));
}

/** Some file systems (FUSE, SMB) cannot sync a folder; their renames are as durable as they get. */
const FOLDER_SYNC_UNSUPPORTED = ["EINVAL", "ENOTSUP", "EOPNOTSUPP"];

/** Syncs a folder's entries to the disk. Without it, a power cut can undo a rename. */
export function syncFolder(fs: FileSystem, path: string): void {
  // Windows cannot open a folder to sync it. NTFS journals renames itself.
  if (Deno.build.os === "windows") return;
  using folder = fs.openSync(path, { read: true });
  try {
    folder.syncSync();
  } catch (error) {
    if (!FOLDER_SYNC_UNSUPPORTED.includes(osErrorCode(error) ?? "")) throw error;
  }
}

/** Syncs the entries of a folder and of every folder below it. */
export function syncFolders(fs: FileSystem, root: string): void {
  for (const entry of fs.readDirSync(root)) {
    if (entry.isDirectory) syncFolders(fs, join(root, entry.name));
  }
  syncFolder(fs, root);
}
