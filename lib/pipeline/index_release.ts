import type { Offer } from "../carriers/carrier.ts";
import { ignoreDiskError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { sha256At } from "../core/sha256_column.ts";
import type { Manifest } from "../release/manifest.ts";
import type { IndexedFile, ReleaseIndex } from "../release/release_index.ts";
import { releaseDir } from "../store/releases.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { ReadColumns } from "../store/stat_columns.ts";
import type { Store } from "../store/store.ts";

/**
 * Indexes the active release, if the next pull can use that: if there is a spare folder. Ignores a failure of the disk: the
 * next pull only takes longer.
 *
 * @param offer of this release
 * @param others the paths of its files, without those of the replaced release that stayed where they were
 */
export async function indexRelease(
  store: Store,
  index: ReleaseIndex | undefined,
  { digest, files: { length } }: Manifest,
  { since }: Pick<Offer, "since">,
  others: readonly string[],
): Promise<void> {
  if (index === undefined || length < index.filesMin) return;
  if (findEntry(store.fs, store.spare) === undefined) return;
  try {
    if (since !== undefined && index.follow(since.active.digest, digest, others)) return;
    const { listed } = StatCache.ofRelease(store, digest);
    const paths = listed.paths.list();
    const owner = findEntry(store.fs, `${releaseDir(store, digest)}/${paths[0]}`);
    if (owner !== undefined) await index.replace(digest, filesOf(listed, paths), owner);
  } catch (error) {
    ignoreDiskError(error);
  }
}

/** Returns the files of a release in the order of their paths' bytes. Objects of all of them would take 10 MB for 50,000. */
function filesOf(
  { sizes, mtimesMs, ctimesMs, inodes, sha256s }: ReadColumns,
  paths: readonly string[],
): Iterable<IndexedFile> {
  const rows = rowsInOrder(paths);
  return {
    *[Symbol.iterator]() {
      for (const row of rows) {
        yield {
          path: paths[row] ?? "",
          size: sizes[row] ?? 0,
          mtimeMs: mtimesMs[row] ?? 0,
          ctimeMs: ctimesMs[row] ?? 0,
          inode: inodes[row] ?? 0,
          sha256: sha256At(sha256s, row),
        };
      }
    },
  };
}

/** Returns the rows in the order of their paths' bytes. Manifests of this program have that order, and so have most caches. */
function rowsInOrder(paths: readonly string[]): Uint32Array {
  const rows = Uint32Array.from(paths.keys());
  const pathOf = (row: number) => paths[row] ?? "";
  const isSorted = rows.every((row) => row === 0 || compareUtf8(pathOf(row - 1), pathOf(row)) < 0);
  return isSorted ? rows : rows.sort((a, b) => compareUtf8(pathOf(a), pathOf(b)));
}
