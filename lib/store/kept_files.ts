import { findEntry } from "../core/files.ts";
import type { ReleaseChanges } from "../release/changes.ts";
import { type FileList, filesOf, type Listed } from "../release/file_list.ts";
import type { Digest, ReleaseFile } from "../release/manifest.ts";
import type { ReleaseIndex } from "../release/release_index.ts";
import { readPointer } from "./pointers.ts";
import type { StagedFile } from "./staged_file.ts";
import type { StatCache } from "./stat_cache.ts";
import type { Store } from "./store.ts";

/** What is known of the spare folder's files. */
export interface ExaminedSpare {
  readonly release: Digest;
  /** The paths of the files of this release that the folder may lack, or have with another content. */
  readonly unsure: ReadonlySet<string>;
}

/**
 * Compares the spare folder with the active release. It needs only the index of that release, so a pull does it while it
 * asks for the new one.
 *
 * @returns `undefined` without a spare folder, or if each of its files has to be examined
 */
export async function examineSpare(
  store: Store,
  index: ReleaseIndex | undefined,
): Promise<ExaminedSpare | undefined> {
  if (index === undefined || findEntry(store.fs, store.spare)?.isDirectory !== true) return undefined;
  const release = readPointer(store, "current");
  const unsure = release && await index.findUnsure(release, store.spare);
  return release && unsure && { release, unsure };
}

/**
 * The files of the active release that stay where they are in the spare folder. They are not listed one by one: of 50,000,
 * a list takes 20 MB.
 */
export class KeptFiles {
  /** The stamps and digests of the active release's files. */
  readonly cache: StatCache;
  readonly #active: FileList;
  /** The paths of the other files of both releases. */
  readonly #others: ReadonlySet<string>;

  /**
   * Finds the files that stay in what was the spare folder.
   *
   * @param cache of the active release. A digest that it has forgotten, or found changed, is not trusted
   * @returns `undefined` if each file has to be examined
   */
  static find(
    examined: ExaminedSpare | undefined,
    { active, changed, removed }: ReleaseChanges,
    cache: StatCache,
  ): KeptFiles | undefined {
    // A pull may have rolled back from the release that was compared.
    if (examined?.release !== active.digest) return undefined;
    const others = new Set([...changed, ...removed, ...examined.unsure]);
    for (const { path } of cache.othersThan(active)) others.add(path);
    return new KeptFiles(filesOf(active), cache, others);
  }

  private constructor(active: FileList, cache: StatCache, others: ReadonlySet<string>) {
    this.#active = active;
    this.cache = cache;
    this.#others = others;
  }

  /** Returns the active release's entry of a file that stays. */
  entryOf(path: string): ReleaseFile | undefined {
    return this.#others.has(path) ? undefined : this.#active.find(path);
  }

  /** Returns the files of a list, of either release, that do not stay: few of very many. */
  othersOf<File>(files: Listed<File>): readonly File[] {
    return Array.from(this.#others, (path) => files.find(path)).filter((file) => file !== undefined);
  }

  find(path: string): StagedFile | undefined {
    const entry = this.entryOf(path);
    const stamp = entry && this.cache.stampOf(path);
    if (entry === undefined || stamp === undefined) return undefined;
    const { size: bytes, sha256, contentChunks } = entry;
    const chunks = contentChunks === undefined ? {} : { contentChunks };
    return { path, bytes, sha256, how: "linked", stamp, ...chunks };
  }
}

/** Whether a release of so many files is indexed. */
export function isIndexed(index: ReleaseIndex | undefined, fileCount: number): boolean {
  return index !== undefined && fileCount >= index.filesMin;
}
