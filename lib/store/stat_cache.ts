import { join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { ignoreDiskError } from "../core/errors.ts";
import { type FileSystem, findBytes, findEntry } from "../core/files.ts";
import { replaceContent, replaceFile } from "../core/replace_file.ts";
import type { Sha256 } from "../core/hash.ts";
import { SHA256_DIGITS, sha256At } from "../core/sha256_column.ts";
import { clearWay, removeState } from "../core/set_aside.ts";
import { filesOf } from "../release/file_list.ts";
import type { Digest, Manifest, ReleaseFile } from "../release/manifest.ts";
import type { DigestCache } from "../release/model_set.ts";
import { type FileStat, timesOf } from "../release/scan_folder.ts";
import { releaseDirName } from "./releases.ts";
import { changeColumns, type FileStamp, joinColumns, type StampedFile } from "./join_columns.ts";
import { PathColumn } from "./path_column.ts";
import {
  decodeColumns,
  encodeColumns,
  findDigestRow,
  findOtherInodes,
  type OtherRows,
  type ReadColumns,
  type StatColumns,
} from "./stat_columns.ts";
import type { Store } from "./store.ts";

export type { FileStamp };

/** A file of a release, with its digest. */
interface CachedFile extends StampedFile {
  readonly path: string;
}

interface Entry extends FileStamp {
  readonly sha256: Sha256;
}

/** Returns the stamp of a file. For many files, it takes a tenth of the memory of the `FileInfo`. */
export function stampOf(info: FileStat | Deno.FileInfo): FileStamp {
  const { mtimeMs, ctimeMs } = timesOf(info);
  // Spread properties would take half as much memory again.
  return { size: info.size, mtimeMs, ctimeMs, inode: info.ino ?? 0 };
}

/**
 * How long a file must be unchanged before its digest is remembered: within the clock's resolution, a second write would
 * show the same time. Kernels have a resolution of 4 to 10 ms, file systems without fractions one of 1 or 2 s.
 */
const SETTLED_MS = 50;
const SETTLED_COARSE_MS = 2_500;

/**
 * Remembers the SHA-256 of files by path, size, mtime, ctime and inode, so that unchanged files are not hashed again.
 * Each cache is for one folder. Deleting it costs only time.
 */
export class StatCache implements DigestCache {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #comparesCtime: boolean;
  /** As read from the disk. */
  readonly #columns: ReadColumns | undefined;
  /** The entries that differ from the columns; `undefined` for a path that is forgotten. */
  readonly #changes = new Map<string, Entry | undefined>();
  #isChanged = false;

  private constructor(store: Store, name: string, options: { readonly comparesCtime: boolean }) {
    this.#fs = store.fs;
    this.#path = cachePath(store, name);
    this.#comparesCtime = options.comparesCtime;
    this.#columns = readColumns(store, this.#path);
  }

  /** The cache of the published model folder: every file in it was also scanned for secrets. */
  static ofPublished(store: Store): StatCache {
    return new StatCache(store, "published", { comparesCtime: true });
  }

  /** The cache of the model folder that releases are mirrored into. */
  static ofModels(store: Store): StatCache {
    return new StatCache(store, "models", { comparesCtime: true });
  }

  /** The cache of a release. It ignores the ctime, which changes when another release links the file. */
  static ofRelease(store: Store, digest: Digest): StatCache {
    return new StatCache(store, releaseDirName(digest), { comparesCtime: false });
  }

  /**
   * Replaces the cache of a release that was just installed. The renames have kept the stamps of its files. Ignores a
   * failure of the disk, as {@link save}.
   *
   * @param files those that are not the ones of `base`
   * @param base the cache of another release, most of whose files this release has, too
   * @returns the paths of all files, in the order of the manifest: two lists of the same paths are compared without reading
   * them
   */
  static replaceOfRelease(
    store: Store,
    manifest: Manifest,
    files: ReadonlyMap<string, CachedFile>,
    base?: StatCache,
  ): readonly string[] {
    const { listed = NOTHING_LISTED } = base ?? {};
    const changed = changeColumns(listed, filesOf(manifest).count, files);
    const paths = changed === undefined ? manifest.files.map(({ path }) => path) : listed.paths.list();
    const columns = changed ?? joinColumns(listed, paths, files);
    const path = cachePath(store, releaseDirName(manifest.digest));
    writeColumns(store.fs, path, { ...columns, isWhole: true }, replaceContent);
    return paths;
  }

  /** Returns the files of a release that are not certainly the same files on the disk in another release. */
  static filesOfOthers(store: Store, digest: Digest, release: Digest): OtherRows {
    const rows = readOthers(store, digest, release);
    if (rows !== undefined) return rows;
    const [own, other] = [StatCache.ofRelease(store, digest), StatCache.ofRelease(store, release)];
    const { inodes } = own.listed;
    const paths = own.listed.paths.list();
    const isOther = (path: string, row: number) => inodes[row] === 0 || other.#inodeOf(path) !== inodes[row];
    return { paths: paths.filter(isOther), count: paths.length };
  }

  /** Removes the cache of a removed release. */
  static removeOfRelease(store: Store, digest: Digest): void {
    removeState(store.fs, cachePath(store, releaseDirName(digest)));
  }

  /** Returns whether a release's file has a digest, without reading its cache; `unknown` without a usable cache. */
  static holds(store: Store, digest: Digest, sha256: Sha256): boolean | "unknown" {
    try {
      using file = openCache(store, digest);
      const row = file === undefined ? "damaged" : findDigestRow(file, sha256);
      return row === "damaged" ? "unknown" : row !== undefined;
    } catch (error) {
      ignoreDiskError(error);
      return "unknown";
    }
  }

  /** Returns the digest of a file that is unchanged since it was hashed; `undefined` if it has to be hashed. */
  find(path: string, info: FileStat | Deno.FileInfo): Sha256 | undefined {
    const entry = this.#find(path);
    if (entry === undefined) return undefined;
    const { mtimeMs, ctimeMs } = timesOf(info);
    const same = entry.size === info.size && entry.mtimeMs === mtimeMs &&
      entry.inode === (info.ino ?? 0) && (!this.#comparesCtime || entry.ctimeMs === ctimeMs);
    return same ? entry.sha256 : undefined;
  }

  /** Returns the size and the digest of a file when it was hashed, whether or not the file has changed since. */
  entryOf(path: string): { readonly size: number; readonly sha256: Sha256 } | undefined {
    return this.#find(path);
  }

  /**
   * Returns which files of this cache's release did not have their digests when they were hashed. They are compared only if
   * the cache has changed since the release was installed.
   */
  othersThan(manifest: Manifest): readonly ReleaseFile[] {
    const { paths, isWhole } = this.listed;
    const isUnchanged = isWhole && this.#changes.size === 0 && paths.count === filesOf(manifest).count;
    return isUnchanged ? [] : manifest.files.filter(({ path, sha256 }) => !this.#hadDigest(path, sha256));
  }

  /** Returns the stamp that a file had when it was hashed. */
  stampOf(path: string): FileStamp | undefined {
    return this.#find(path);
  }

  /** The files on the disk's list, each with its digest when it was hashed. */
  get listed(): ReadColumns {
    return this.#columns ?? NOTHING_LISTED;
  }

  /** Remembers a digest, unless the file was written so recently that a later write could show the same time. */
  remember(path: string, info: FileStat | Deno.FileInfo, sha256: Sha256, clock: Clock): void {
    if (isSettled(info, clock)) this.rememberOwn(path, stampOf(info), sha256);
    else this.forget(path);
  }

  /** Remembers a file that this program wrote and made read-only itself. */
  rememberOwn(path: string, { size, mtimeMs, ctimeMs, inode }: FileStamp, sha256: Sha256): void {
    this.#change(path, { size, mtimeMs, ctimeMs, inode, sha256 });
  }

  forget(path: string): void {
    if (this.#find(path) !== undefined) this.#change(path, undefined);
  }

  /** Forgets all other paths. */
  keepOnly({ files }: { readonly files: readonly { readonly path: string }[] }): void {
    const paths = new Set(files.map(({ path }) => path));
    for (const known of [this.listed.paths.list(), this.#changes.keys()]) {
      for (const path of known) if (!paths.has(path)) this.forget(path);
    }
  }

  /** Writes the cache if it changed. Ignores a failure of the disk: the cache only saves time. */
  save(): void {
    if (!this.#isChanged) return;
    const columns = toColumns(this.#entries(), this.listed.paths.count + this.#changes.size);
    // After a power cut, a forgotten digest must not be back: the file may be damaged.
    this.#isChanged = !writeColumns(this.#fs, this.#path, columns, replaceFile);
  }

  #change(path: string, entry: Entry | undefined): void {
    this.#changes.set(path, entry);
    this.#isChanged = true;
  }

  #find(path: string): Entry | undefined {
    if (this.#changes.has(path)) return this.#changes.get(path);
    if (this.#columns === undefined) return undefined;
    const row = this.#columns.paths.find(path);
    return row === undefined ? undefined : entryOf(this.#columns, row);
  }

  /** Without the other columns, which takes a third of the time. */
  #inodeOf(path: string): number | undefined {
    if (this.#columns === undefined || this.#changes.has(path)) return this.#find(path)?.inode;
    const row = this.#columns.paths.find(path);
    return row === undefined ? undefined : this.#columns.inodes[row];
  }

  /** Takes a third of the time of {@link entryOf}. */
  #hadDigest(path: string, sha256: Sha256): boolean {
    if (this.#columns === undefined || this.#changes.has(path)) return this.#find(path)?.sha256 === sha256;
    const row = this.#columns.paths.find(path) ?? -1;
    return row >= 0 && this.#columns.sha256s.startsWith(sha256, row * SHA256_DIGITS);
  }

  *#entries(): Generator<readonly [path: string, entry: Entry]> {
    for (const [row, path] of this.listed.paths.list().entries()) {
      if (!this.#changes.has(path)) yield [path, entryOf(this.listed, row)];
    }
    for (const [path, entry] of this.#changes) if (entry !== undefined) yield [path, entry];
  }
}

const NONE = new Float64Array();
const NOTHING_LISTED: ReadColumns = {
  paths: new PathColumn(""),
  sizes: NONE,
  mtimesMs: NONE,
  ctimesMs: NONE,
  inodes: NONE,
  sha256s: "",
  isWhole: false,
};

function entryOf(columns: ReadColumns, row: number): Entry {
  return {
    size: columns.sizes[row] ?? -1,
    mtimeMs: columns.mtimesMs[row] ?? -1,
    ctimeMs: columns.ctimesMs[row] ?? -1,
    inode: columns.inodes[row] ?? -1,
    sha256: sha256At(columns.sha256s, row),
  };
}

/** Reads a cache; `undefined` if it is damaged, which costs only time. */
function readColumns(store: Store, path: string): ReadColumns | undefined {
  try {
    const bytes = findBytes(store.fs, path);
    return bytes === undefined ? undefined : decodeColumns(bytes);
  } catch (error) {
    store.warn(
      `${path} cannot be read and is rebuilt: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

/** Opens the cache of a release; `undefined` if there is no file. */
function openCache(store: Store, digest: Digest): Deno.FsFile | undefined {
  const path = cachePath(store, releaseDirName(digest));
  return findEntry(store.fs, path)?.isFile === true ? store.fs.openSync(path, { read: true }) : undefined;
}

/** As {@link StatCache.filesOfOthers}; `undefined` if the caches have to be decoded, which says what is wrong with them. */
function readOthers(store: Store, digest: Digest, release: Digest): OtherRows | undefined {
  try {
    using own = openCache(store, digest);
    using other = openCache(store, release);
    return own && other && findOtherInodes(own, other);
  } catch {
    return undefined;
  }
}

/** Returns whether the disk took the cache. Without it, the next run only takes longer. */
function writeColumns(
  fs: FileSystem,
  path: string,
  columns: StatColumns,
  replace: typeof replaceFile | typeof replaceContent,
): boolean {
  try {
    clearWay(fs, path);
    replace(fs, path, encodeColumns(columns));
    return true;
  } catch (error) {
    ignoreDiskError(error);
    return false;
  }
}

function cachePath(store: Store, name: string): string {
  return join(store.statCache, `${name}.bin`);
}

/** Whether an entry did not change so recently that a later change could show the same time. */
export function isSettled(info: FileStat | Deno.FileInfo, clock: Clock): boolean {
  const { mtimeMs } = timesOf(info);
  const settledMs = mtimeMs % 1000 === 0 ? SETTLED_COARSE_MS : SETTLED_MS;
  return Math.abs(clock.now().getTime() - mtimeMs) >= settledMs;
}

/**
 * @param entries are not kept: those of many files take more memory than the columns
 * @param rowsMax the most entries: growing columns would be in memory several times
 */
function toColumns(
  entries: Iterable<readonly [path: string, entry: Entry]>,
  rowsMax: number,
): StatColumns {
  const paths: string[] = [];
  const sha256s: string[] = [];
  const sizes = new Float64Array(rowsMax);
  const mtimesMs = new Float64Array(rowsMax);
  const ctimesMs = new Float64Array(rowsMax);
  const inodes = new Float64Array(rowsMax);
  for (const [path, entry] of entries) {
    const row = paths.push(path) - 1;
    sha256s.push(entry.sha256);
    sizes[row] = entry.size;
    mtimesMs[row] = entry.mtimeMs;
    ctimesMs[row] = entry.ctimeMs;
    inodes[row] = entry.inode;
  }
  return {
    paths,
    sizes: sizes.subarray(0, paths.length),
    mtimesMs: mtimesMs.subarray(0, paths.length),
    ctimesMs: ctimesMs.subarray(0, paths.length),
    inodes: inodes.subarray(0, paths.length),
    sha256s,
    isWhole: false,
  };
}
