import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { findEntry } from "../core/files.ts";
import { isChunked, type Sha256 } from "../core/hash.ts";
import { findSha256, sha256At } from "../core/sha256_column.ts";
import type { Digest, ReleaseFile } from "../release/manifest.ts";
import { linkFile } from "./link_file.ts";
import { readPointer } from "./pointers.ts";
import { checkFile } from "./release_files.ts";
import { findRelease, hasReleaseDir, listReleaseNames, releaseDir } from "./releases.ts";
import { type FileStamp, stampOf, StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/** A file of an installed release. */
export interface HeldFile {
  readonly file: ReleaseFile;
  readonly dir: string;
  readonly cache: StatCache;
}

/** A file with the content that it had when it was hashed. */
type ListedFile = Pick<ReleaseFile, "path" | "size" | "sha256">;

/** This many contents are searched for one by one. Then an index of all is faster. */
const SEARCHES_MAX = 32;

/**
 * Finds files of installed releases by their content. Most are at the same path in the active release. The stat caches
 * are searched, which takes a tenth of the time of reading the manifests.
 */
export class HeldFiles {
  readonly #context: Context;
  readonly #store: Store;
  #releases: readonly HeldRelease[] | undefined;

  constructor(context: Context, store: Store) {
    this.#context = context;
    this.#store = store;
  }

  /**
   * Returns a file with this content, whose bytes may have changed since it was hashed.
   *
   * @param path where it is, if it is unchanged
   */
  find(sha256: Sha256, path?: string): HeldFile | undefined {
    const releases = this.#releases ??= openReleases(this.#store);
    const same = path === undefined ? undefined : releases[0]?.findAt(path, sha256);
    if (same !== undefined) return same;
    for (const release of releases) {
      const other = release.find(sha256);
      if (other !== undefined) return other;
    }
    return undefined;
  }

  /** Returns the stamps and digests of a release's files. */
  cacheOf(digest: Digest): StatCache {
    const releases = this.#releases ??= openReleases(this.#store);
    return releases.find((release) => release.digest === digest)?.cache ??
      StatCache.ofRelease(this.#store, digest);
  }

  /** Returns whether an installed release has a file with this content. */
  holds(sha256: Sha256): boolean {
    const releases = this.#releases ??= openReleases(this.#store);
    return releases.some((release) => release.holds(sha256));
  }

  /** Returns the stamp of a file of the spare folder if it is a file of an installed release, and intact. */
  stampOfSame(location: string, { file, cache }: HeldFile): FileStamp | undefined {
    const info = findEntry(this.#store.fs, location);
    return info?.isFile === true && cache.find(file.path, info) === file.sha256 ? stampOf(info) : undefined;
  }

  /** Returns the stamp of a file that has its digest still: with one call if the stat cache knows it. */
  async stampOfIntact({ file, dir, cache }: HeldFile): Promise<FileStamp | undefined> {
    const info = findEntry(this.#store.fs, `${dir}/${file.path}`);
    if (info?.isFile !== true) return undefined;
    if (cache.find(file.path, info) === file.sha256) return stampOf(info);
    const problem = await checkFile(this.#context, { dir, cache }, file, "stat");
    return problem === undefined ? stampOf(info) : undefined;
  }

  /** Returns where an intact file with this content is. */
  async pathOfIntact(sha256: Sha256, path?: string): Promise<string | undefined> {
    const held = this.find(sha256, path);
    if (held === undefined || await this.stampOfIntact(held) === undefined) return undefined;
    return join(held.dir, held.file.path);
  }

  /**
   * Replaces a file by a link to an intact one with this content. Returns whether there is one, and the disk has links.
   *
   * @param path of the replaced file, as in a release
   * @param scratch an unused path, where the link is created
   */
  async linkOver(target: string, sha256: Sha256, path: string, scratch: string): Promise<boolean> {
    const source = await this.pathOfIntact(sha256, path);
    const { fs } = this.#store;
    if (source === undefined || !linkFile(fs, source, scratch, `write ${path} into the store`)) return false;
    fs.renameSync(scratch, target);
    return true;
  }

  /** Saves the digests of files that had to be hashed. */
  save(): void {
    for (const release of this.#releases ?? []) release.save();
  }
}

/** Opens all releases, the active one first. */
function openReleases(store: Store): HeldRelease[] {
  const active = readPointer(store, "current");
  return listReleaseNames(store).sort((a, b) => Number(b === active) - Number(a === active))
    .map((digest) => new HeldRelease(store, digest));
}

class HeldRelease {
  readonly #store: Store;
  readonly digest: Digest;
  readonly #dir: string;
  #cache: StatCache | undefined;
  #searches = 0;
  #index: Map<Sha256, ListedFile> | undefined;

  constructor(store: Store, digest: Digest) {
    this.#store = store;
    this.digest = digest;
    this.#dir = releaseDir(store, digest);
  }

  /** Read only if it is needed: that of 50,000 files takes 10 MB. */
  get cache(): StatCache {
    return this.#cache ??= StatCache.ofRelease(this.#store, this.digest);
  }

  /** A release that was removed since it was opened must not get a cache again. */
  save(): void {
    if (hasReleaseDir(this.#store, this.digest)) this.#cache?.save();
  }

  findAt(path: string, sha256: Sha256): HeldFile | undefined {
    const entry = this.cache.entryOf(path);
    return entry?.sha256 === sha256 ? this.#held({ path, size: entry.size, sha256 }) : undefined;
  }

  find(sha256: Sha256): HeldFile | undefined {
    const found = this.holds(sha256) ? this.#search(sha256) : undefined;
    return found && this.#held(found);
  }

  #search(sha256: Sha256): ListedFile | undefined {
    const isIndexed = this.#index !== undefined || this.#searches > SEARCHES_MAX;
    if (isIndexed || !this.#isListed) return (this.#index ??= this.#createIndex()).get(sha256);
    const { paths, sizes, sha256s } = this.cache.listed;
    const row = findSha256(sha256s, sha256);
    // Few contents are at another path, and the paths of many files take some milliseconds.
    if (row === undefined) return undefined;
    const [path, size] = [paths.list()[row], sizes[row]];
    return path === undefined || size === undefined ? undefined : { path, size, sha256 };
  }

  /** Whether the release has a file with this content: without its cache, if that need not be read for it. */
  holds(sha256: Sha256): boolean {
    const isIndexed = this.#index !== undefined || ++this.#searches > SEARCHES_MAX;
    const isUnread = !isIndexed && this.#cache === undefined;
    const known = isUnread ? StatCache.holds(this.#store, this.digest, sha256) : "unknown";
    return known === "unknown" ? this.#search(sha256) !== undefined : known;
  }

  /** A full disk may have cost the stat cache. Then the manifest lists the files. */
  get #isListed(): boolean {
    return this.cache.listed.paths.count > 0;
  }

  #createIndex(): Map<Sha256, ListedFile> {
    if (!this.#isListed) return new Map(this.#manifestFiles.map((file) => [file.sha256, file]));
    const { paths, sizes, sha256s } = this.cache.listed;
    return new Map(
      paths.list().map((path, row) => {
        const sha256 = sha256At(sha256s, row);
        return [sha256, { path, size: sizes[row] ?? -1, sha256 }];
      }),
    );
  }

  #held(listed: ListedFile): HeldFile {
    // Only the manifest has the chunks of a large file.
    const entry = isChunked(listed.size)
      ? this.#manifestFiles.find(({ path }) => path === listed.path)
      : undefined;
    return { file: entry?.sha256 === listed.sha256 ? entry : listed, dir: this.#dir, cache: this.cache };
  }

  get #manifestFiles(): readonly ReleaseFile[] {
    return findRelease(this.#store, this.digest)?.manifest.files ?? [];
  }
}
