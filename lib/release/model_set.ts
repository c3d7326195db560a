import type { Clock } from "../core/clock.ts";
import { changedFile, readListed } from "../core/changed_file.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { ifFound } from "../core/files.ts";
import { type FileDigest, hashFile, type Sha256 } from "../core/hash.ts";
import { endsLike } from "../core/path_ends.ts";
import { Turns } from "../core/turns.ts";
import { parsePointer, POINTER_BYTES_MAX } from "./lfs_pointer.ts";
import { type Digest, releaseDigest, type ReleaseFile, releaseFile, totalBytes } from "./manifest.ts";
import type { DigestedFile } from "./digest_lines.ts";
import { reportClutter } from "./clutter.ts";
import {
  countFiles,
  type FolderChanges,
  locationOf,
  mergeFiles,
  mergeRows,
  rescanFolder,
  type RescannedFiles,
} from "./rescan_folder.ts";
import { type FileStat, type FoundFile, type FoundFiles, scanFolder } from "./scan_folder.ts";
import { secretInName, SecretScanner } from "./secret_scan.ts";

/** Remembers a folder as a whole, so that only what changed need be read again. */
export interface FolderMemory {
  /** Returns how a folder differs from what is remembered; `undefined` if nothing is. Called before the folder is listed. */
  findChanges(dir: string): Promise<FolderChanges | undefined>;
  /** Remembers a folder. What changed a moment ago counts as changed the next time. */
  remember(found: FoundFiles | RescannedFiles, set: ModelSet): Promise<void>;
  /** Forgets the folder. */
  forget(): Promise<void>;
}

/** Remembers no folder, for a carrier that has to check every file anyway. */
export const NO_FOLDER_MEMORY: FolderMemory = {
  findChanges: () => Promise.resolve(undefined),
  remember: () => Promise.resolve(),
  forget: () => Promise.resolve(),
};

/** A file to publish. */
export interface SetFile extends ReleaseFile {
  /** The path of its bytes on this machine. */
  readonly location: string;
}

/** The present content of the published model folder. */
export interface ModelSet {
  readonly dir: string;
  readonly digest: Digest;
  /** Listed when they are needed, if only some of many were read. */
  readonly files: readonly SetFile[];
  readonly totals: SetTotals;
  /** Returns the first files. */
  firstFiles(count: number): SetFile[];
  /** What the file system told about each file before it was read, by path, for a publisher that asked for it. */
  readonly infos: ReadonlyMap<string, FileStat>;
  /** How it differs from the set that was read before; `undefined` if that is unknown. */
  readonly since: SetChanges | undefined;
}

/** What is known of the files of a set before they are listed. */
export interface SetTotals {
  readonly files: number;
  readonly bytes: number;
  /** No file is larger. If most files were not read again and none are listed, also a file that is gone counts. */
  readonly sizeMax: number;
}

/** The difference from an earlier set. */
export interface SetChanges {
  /** The release of the earlier set. */
  readonly digest: Digest;
  /** The files that it does not have, or has with other content. */
  readonly changed: ReadonlySet<string>;
  /** Those of {@link changed} that it does not have. */
  readonly added: readonly string[];
  /** Its files that are gone. */
  readonly removed: readonly string[];
  /** The files that were read again: those of {@link changed}, and others that only looked changed. */
  readonly seen: readonly SetFile[];
  /** Returns the files that end like one of these texts in lower case. */
  findEnding(ends: readonly string[]): SetFile[];
}

/** Remembers the digests of files. */
export interface DigestCache {
  find(path: string, info: FileStat): Sha256 | undefined;
  remember(path: string, info: FileStat, sha256: Sha256, clock: Clock): void;
  /** Forgets all other files. */
  keepOnly(set: Pick<ModelSet, "files">): void;
}

/** Remembers nothing, for a dry run before the first run. */
export const NO_CACHE: DigestCache = {
  find: () => undefined,
  remember: () => {},
  keepOnly: () => {},
};

/** The rules of a target for the names of a release's files. */
export interface NameRules {
  /** Selects the files; the others are not read. */
  isWanted(path: string): boolean;
  /** Refuses names that the target needs for itself. */
  refuseTaken(dir: string, paths: readonly string[]): void;
}

/** Any name is wanted and free. */
const ALL_NAMES: NameRules = { isWanted: () => true, refuseTaken: () => {} };

/**
 * Reads the model folder for a publish. Refuses an empty folder, links out of the folder, credentials, and Git LFS
 * pointers instead of models.
 *
 * @throws {RefusedError} codes `MODELS_MISSING`, `MODELS_EMPTY`, `FOLDER_UNFIT`, `SECRET_FOUND`, `LFS_POINTER`
 */
export async function readModelSet(
  context: Context,
  dir: string,
  cache: DigestCache,
  memory?: FolderMemory,
  names?: NameRules,
): Promise<ModelSet> {
  return await hashModelFiles(context, dir, findModelFiles(context, dir, names), cache, { memory });
}

/**
 * Lists the files that {@link hashModelFiles} reads.
 *
 * @throws {RefusedError} for what the names show, codes `MODELS_MISSING`, `MODELS_EMPTY`, `FOLDER_UNFIT`, `SECRET_FOUND`
 */
export function findModelFiles(context: Context, dir: string, names: NameRules = ALL_NAMES): FoundFiles {
  refuseMissingModels(context, dir);
  const found = scanFolder(context.fs, dir, "follow", changedFile);
  reportClutter(context.log, dir, found.clutter);
  const files = found.files.filter((file) => names.isWanted(file.path));
  if (files.length === 0) throw nothingFound(dir, found.files.length > 0);
  refuseSecretNames(files);
  names.refuseTaken(dir, files.map(({ path }) => path));
  return { ...found, files };
}

/**
 * Lists the files that {@link hashModelFiles} reads, and those that are known to be unchanged.
 *
 * @returns `undefined` if the whole folder has to be listed
 * @throws {RefusedError} as {@link findModelFiles}
 */
export async function findChangedFiles(
  context: Context,
  dir: string,
  changes: FolderChanges,
): Promise<RescannedFiles | undefined> {
  const found = await rescanFolder(context.fs, changes);
  if (found === undefined) return undefined;
  reportClutter(context.log, dir, found.clutter);
  if (countFiles(found) === 0) throw nothingFound(dir, false);
  refuseSecretNames(found.seen);
  return found;
}

function refuseSecretNames(files: readonly { readonly path: string }[]): void {
  for (const { path } of files) {
    const kind = secretInName(path);
    if (kind !== undefined) throw secretFound(path, kind);
  }
}

export interface HashingOptions {
  readonly memory?: FolderMemory | undefined;
  /**
   * Whether files that are read get the list of their chunks, for a publisher that does not read them again. A cache has
   * no lists.
   */
  readonly listsChunks?: boolean;
  /** Whether the set gets {@link ModelSet.infos}. Default: yes. */
  readonly keepsInfos?: boolean;
}

/**
 * Returns the release of the listed files.
 *
 * @throws {RefusedError} for what their content shows, codes `SECRET_FOUND`, `LFS_POINTER`; {@link FailedError} code
 * `MODELS_CHANGING`
 */
export async function hashModelFiles(
  context: Context,
  dir: string,
  found: FoundFiles | RescannedFiles,
  cache: DigestCache,
  options: HashingOptions = {},
): Promise<ModelSet> {
  const read = await readFiles(context, "base" in found ? found.seen : found.files, cache, options);
  const set = "base" in found ? await changedSet(dir, found, read) : await wholeSet(dir, read);
  cache.keepOnly(set);
  await options.memory?.remember(found, set);
  return set;
}

/** Files that were read, and what the file system told about them before. */
type ReadFiles = Pick<ModelSet, "files" | "infos">;

async function readFiles(
  context: Context,
  found: readonly FoundFile[],
  cache: DigestCache,
  { listsChunks = false, keepsInfos = true }: HashingOptions,
): Promise<ReadFiles> {
  const files: SetFile[] = [];
  const infos = new Map<string, FileStat>();
  let doneBytes = 0;
  const foundBytes = totalBytes(found.map(({ info }) => info));
  const show = (bytes: number) => context.log.progress("hashing", bytes, foundBytes);
  const turns = new Turns(context);
  for (const file of found) {
    const before = doneBytes;
    const { path, location, info } = file;
    doneBytes += info.size;
    await turns.next();
    const known = cache.find(path, info);
    const digest = known === undefined
      ? await readFile(context, file, cache, { listsChunks, onRead: (bytes) => show(before + bytes) })
      : { bytes: info.size, sha256: known };
    files.push({ ...releaseFile(path, digest), location });
    if (keepsInfos) infos.set(path, info);
    show(doneBytes);
  }
  return { files, infos };
}

async function wholeSet(dir: string, { files, infos }: ReadFiles): Promise<ModelSet> {
  const digest = await releaseDigest(files);
  const firstFiles = (count: number) => files.slice(0, count);
  return { dir, digest, files, totals: totalsOf(files), firstFiles, infos, since: undefined };
}

/** Returns the set of a folder of which most is known. Its files are listed only if they are needed. */
async function changedSet(dir: string, found: RescannedFiles, read: ReadFiles): Promise<ModelSet> {
  const { remembered, root, base, dropped, seen, removed } = found;
  const located = (file: DigestedFile) => ({ ...file, location: locationOf(root, file.path) });
  const isChanged = ({ sha256 }: SetFile, row: number) => seen[row]?.before !== sha256;
  const gone = totalBytes(Array.from(dropped, (row) => remembered.fileAt(row)));
  const own = totalsOf(read.files);
  let files: readonly SetFile[] | undefined;
  return {
    dir,
    digest: await remembered.digestWith(dropped, read.files),
    get files() {
      return files ??= mergeFiles(found, remembered.files().map(located), read.files);
    },
    get totals() {
      return {
        files: countFiles(found),
        bytes: base.remembered.bytes - gone + own.bytes,
        // The largest file may be gone. To find the next one, all files would have to be listed.
        sizeMax: files === undefined
          ? Math.max(base.remembered.sizeMax, own.sizeMax)
          : totalsOf(files).sizeMax,
      };
    },
    firstFiles(count) {
      const first: SetFile[] = [];
      for (const part of mergeRows(found)) {
        if (typeof part === "number") first.push(...read.files.slice(part, part + 1));
        else {
          const end = Math.min(part.end, part.row + count - first.length);
          for (let { row } = part; row < end; row++) first.push(located(remembered.fileAt(row)));
        }
        if (first.length >= count) break;
      }
      return first;
    },
    infos: read.infos,
    since: {
      digest: base.remembered.digest,
      changed: new Set(read.files.filter(isChanged).map(({ path }) => path)),
      added: seen.filter(({ before }) => before === undefined).map(({ path }) => path),
      removed,
      seen: read.files,
      findEnding(ends) {
        const rows = remembered.rowsEnding(ends).filter((row) => !dropped.has(row));
        const others = rows.map((row) => located(remembered.fileAt(row)));
        return [...others, ...read.files.filter(({ path }) => endsLike(path, ends))];
      },
    },
  };
}

function totalsOf(files: readonly SetFile[]): SetTotals {
  const sizeMax = files.reduce((max, { size }) => Math.max(max, size), 0);
  return { files: files.length, bytes: totalBytes(files), sizeMax };
}

function nothingFound(dir: string, hasOthers: boolean): RefusedError {
  const what = hasOthers ? "the patterns exclude every file in it" : "it contains no files";
  return new RefusedError(`Cannot make a release of ${dir}: ${what}`, {
    code: "MODELS_EMPTY",
    hint: "train into it first; an empty release would remove the models from every consumer",
  });
}

/** @throws {RefusedError} code `MODELS_MISSING` */
export function refuseMissingModels(context: Context, dir: string): void {
  if (ifFound(() => context.fs.statSync(dir))?.isDirectory !== true) {
    throw new RefusedError(`Cannot make a release of ${dir}: there is no such folder`, {
      code: "MODELS_MISSING",
      hint: "train into it, or set model_sync.models_dir or --models-dir to the folder that holds the models",
    });
  }
}

async function readFile(
  context: Context,
  file: FoundFile,
  cache: DigestCache,
  { listsChunks, onRead }: { readonly listsChunks: boolean; readonly onRead: (bytes: number) => void },
): Promise<FileDigest> {
  const scanner = new SecretScanner();
  let readBytes = 0;
  let isPointer = false;
  const options = {
    signal: context.signal,
    isForManifest: listsChunks,
    onBytes(piece: Uint8Array) {
      scanner.scan(piece);
      onRead(readBytes += piece.length);
      if (file.info.size < POINTER_BYTES_MAX) isPointer = parsePointer(piece) !== undefined;
    },
  };
  const digest = await readListed(context.fs, file, () => hashFile(context.fs, file.location, options));
  if (scanner.found !== undefined) throw secretFound(file.path, scanner.found);
  if (isPointer) {
    throw new RefusedError(`Cannot make a release of ${file.path}: it is a Git LFS pointer, not a model`, {
      code: "LFS_POINTER",
      hint: "fetch its content first: git lfs pull",
    });
  }
  cache.remember(file.path, file.info, digest.sha256, context.clock);
  return digest;
}

function secretFound(path: string, kind: string): RefusedError {
  return new RefusedError(`Cannot make a release of ${path}: it looks like ${kind}`, {
    code: "SECRET_FOUND",
    hint: "remove it from the model folder; if it was ever published, revoke it",
  });
}
