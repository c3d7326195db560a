import type { Clock } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { ifFound } from "../core/files.ts";
import { type FileDigest, hashFile, type Sha256 } from "../core/hash.ts";
import { parsePointer, POINTER_BYTES_MAX } from "./lfs_pointer.ts";
import { type Digest, releaseDigest, type ReleaseFile, releaseFile } from "./manifest.ts";
import { reportClutter } from "./clutter.ts";
import { type FoundFile, type FoundFiles, scanFolder } from "./scan_folder.ts";
import { secretInName, SecretScanner } from "./secret_scan.ts";

/** What a folder held when it was last read. */
export interface RememberedFolder {
  readonly digest: Digest;
  readonly files: number;
  readonly bytes: number;
}

/** Remembers a folder as a whole, so that it need not be read again while nothing in it changes. */
export interface FolderMemory {
  /** The folder, if neither a name nor a file in it changed since it was remembered. */
  findUnchanged(dir: string): Promise<RememberedFolder | undefined>;
  /** Remembers a folder, unless a change to it might go unnoticed later. */
  remember(found: FoundFiles, set: ModelSet): Promise<void>;
}

/** Remembers no folder: for a carrier that has to look at every file anyway. */
export const NO_FOLDER_MEMORY: FolderMemory = {
  findUnchanged: () => Promise.resolve(undefined),
  remember: () => Promise.resolve(),
};

/** A file that is about to be published. */
export interface SetFile extends ReleaseFile {
  /** Where its bytes are. */
  readonly location: string;
}

/** The models as they are now in the folder that is published from. */
export interface ModelSet {
  readonly dir: string;
  readonly digest: Digest;
  readonly files: readonly SetFile[];
}

/** Remembers digests of files that are unchanged since they were last read. */
export interface DigestCache {
  find(path: string, info: Deno.FileInfo): Sha256 | undefined;
  remember(path: string, info: Deno.FileInfo, sha256: Sha256, clock: Clock): void;
  /** Forgets every other path. */
  keepOnly(paths: ReadonlySet<string>): void;
}

/** Remembers nothing: for a dry run before the first run. */
export const NO_CACHE: DigestCache = {
  find: () => undefined,
  remember: () => {},
  keepOnly: () => {},
};

/**
 * Reads the model folder that is to be published, and refuses what must not leave the machine: nothing at all, links
 * out of the folder, credentials, and Git LFS pointers where a model should be.
 *
 * @param isWanted leaves files out: they are not even read
 * @throws {RefusedError} codes `MODELS_MISSING`, `MODELS_EMPTY`, `FOLDER_UNFIT`, `SECRET_FOUND`, `LFS_POINTER`
 */
export async function readModelSet(
  context: Context,
  dir: string,
  cache: DigestCache,
  memory?: FolderMemory,
  isWanted: (path: string) => boolean = () => true,
): Promise<ModelSet> {
  const found = findFiles(context, dir, isWanted);
  const files: SetFile[] = [];
  let doneBytes = 0;
  const totalBytes = found.files.reduce((sum, file) => sum + file.info.size, 0);
  const show = (bytes: number) => context.log.progress("hashing", bytes, totalBytes);
  for (const file of found.files) {
    context.signal.throwIfAborted();
    const kind = secretInName(file.path);
    if (kind !== undefined) throw secretFound(file.path, kind);
    const before = doneBytes;
    const digest = await digestOf(context, file, cache, (bytes) => show(before + bytes));
    files.push({ ...releaseFile(file.path, digest), location: file.location });
    doneBytes += digest.bytes;
    show(doneBytes);
  }
  const digest = await releaseDigest(files);
  cache.keepOnly(new Set(files.map((file) => file.path)));
  const set = { dir, digest, files };
  await memory?.remember(found, set);
  return set;
}

function findFiles(context: Context, dir: string, isWanted: (path: string) => boolean): FoundFiles {
  refuseMissingModels(context, dir);
  const found = scanFolder(context.fs, dir, "follow");
  reportClutter(context.log, dir, found.clutter);
  const files = found.files.filter((file) => isWanted(file.path));
  if (files.length > 0) return { ...found, files };
  const what = found.files.length === 0 ? "it holds no files" : "the patterns leave out every file in it";
  throw new RefusedError(`Cannot publish ${dir}: ${what}`, {
    code: "MODELS_EMPTY",
    hint: "train first; an empty release would take the models away from every consumer",
  });
}

/** @throws {RefusedError} code `MODELS_MISSING` */
export function refuseMissingModels(context: Context, dir: string): void {
  if (ifFound(() => context.fs.statSync(dir))?.isDirectory !== true) {
    throw new RefusedError(`Cannot publish ${dir}: there is no such folder`, {
      code: "MODELS_MISSING",
      hint: "train first, or set model_sync.models_dir or --models-dir to the folder that holds the models",
    });
  }
}

async function digestOf(
  context: Context,
  file: FoundFile,
  cache: DigestCache,
  onRead: (bytes: number) => void,
): Promise<FileDigest> {
  const known = cache.find(file.path, file.info);
  // Chunk digests are not remembered: files that have them are read again when a manifest has to be written.
  if (known !== undefined) return { bytes: file.info.size, sha256: known };
  return await readFile(context, file, cache, onRead);
}

async function readFile(
  context: Context,
  file: FoundFile,
  cache: DigestCache,
  onRead: (bytes: number) => void,
): Promise<FileDigest> {
  const scanner = new SecretScanner();
  let readBytes = 0;
  let isPointer = false;
  const digest = await hashFile(context.fs, file.location, {
    signal: context.signal,
    onBytes(piece) {
      scanner.scan(piece);
      onRead(readBytes += piece.length);
      if (file.info.size < POINTER_BYTES_MAX) isPointer = parsePointer(piece) !== undefined;
    },
  });
  if (scanner.found !== undefined) throw secretFound(file.path, scanner.found);
  if (isPointer) {
    throw new RefusedError(`Cannot publish ${file.path}: it is a Git LFS pointer, not a model`, {
      code: "LFS_POINTER",
      hint: "fetch its content first: git lfs pull",
    });
  }
  cache.remember(file.path, file.info, digest.sha256, context.clock);
  return digest;
}

function secretFound(path: string, kind: string): RefusedError {
  return new RefusedError(`Cannot publish ${path}: it looks like ${kind}`, {
    code: "SECRET_FOUND",
    hint: "remove it from the model folder; if it was ever published, revoke it",
  });
}
