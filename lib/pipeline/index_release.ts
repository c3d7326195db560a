import type { Offer } from "../carriers/carrier.ts";
import { ignoreDiskError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { filesOf } from "../release/file_list.ts";
import type { Manifest } from "../release/manifest.ts";
import type { ReleaseIndex } from "../release/release_index.ts";
import { rememberFollowed } from "../store/followed_release.ts";
import { releaseDir } from "../store/releases.ts";
import { StatCache } from "../store/stat_cache.ts";
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
  manifest: Manifest,
  { since, claim }: Pick<Offer, "since" | "claim">,
  others: readonly string[],
): Promise<void> {
  if (index === undefined || filesOf(manifest).count < index.filesMin) return;
  if (findEntry(store.fs, store.spare) === undefined) return;
  const { digest } = manifest;
  try {
    if (claim?.following !== undefined) await rememberFollowed(store, claim.following);
    if (since !== undefined && index.follow(since.active.digest, digest, others)) return;
    const { listed } = StatCache.ofRelease(store, digest);
    // Pulls without news examine indexed files only: a damaged cache must not hide one.
    if (!manifest.files.every(({ path }) => listed.paths.find(path) !== undefined)) return;
    const paths = listed.paths.list();
    const owner = findEntry(store.fs, `${releaseDir(store, digest)}/${paths[0]}`);
    if (owner !== undefined) {
      await index.replace(digest, { ...listed, paths, rows: rowsInOrder(paths) }, owner);
    }
  } catch (error) {
    ignoreDiskError(error);
  }
}

/** Returns the rows in the order of their paths' bytes. Manifests of this program have that order, and so have most caches. */
function rowsInOrder(paths: readonly string[]): Uint32Array {
  const rows = Uint32Array.from(paths.keys());
  const pathOf = (row: number) => paths[row] ?? "";
  const isSorted = rows.every((row) => row === 0 || compareUtf8(pathOf(row - 1), pathOf(row)) < 0);
  return isSorted ? rows : rows.sort((a, b) => compareUtf8(pathOf(a), pathOf(b)));
}
