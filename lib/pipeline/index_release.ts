import type { Offer } from "../carriers/carrier.ts";
import { ignoreDiskError } from "../core/errors.ts";
import { findEntry } from "../core/files.ts";
import { compareUtf8 } from "../core/portable_path.ts";
import { sha256At } from "../core/sha256_column.ts";
import type { Manifest } from "../release/manifest.ts";
import type { IndexedFile, ReleaseIndex } from "../release/release_index.ts";
import { releaseDir } from "../store/releases.ts";
import type { StagedFile } from "../store/staged_file.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { Store } from "../store/store.ts";

/**
 * Indexes the active release, if the next pull can use that: if there is a spare folder. Ignores a failure of the disk: the
 * next pull only takes longer.
 *
 * @param offer of this release
 * @param staged its files, without those of the replaced release that stayed where they were
 */
export async function indexRelease(
  store: Store,
  index: ReleaseIndex | undefined,
  { digest, files: { length } }: Manifest,
  { since }: Pick<Offer, "since">,
  staged: readonly StagedFile[],
): Promise<void> {
  if (index === undefined || length < index.filesMin) return;
  if (findEntry(store.fs, store.spare) === undefined) return;
  try {
    const others = staged.map(({ path }) => path);
    if (since !== undefined && index.follow(since.active.digest, digest, others)) return;
    const files = filesOf(StatCache.ofRelease(store, digest));
    const owner = findEntry(store.fs, `${releaseDir(store, digest)}/${files[0]?.path}`);
    if (owner !== undefined) await index.replace(digest, files, owner);
  } catch (error) {
    ignoreDiskError(error);
  }
}

/** Returns the files of a release as its stat cache has them, in the order of their paths' bytes. */
function filesOf(
  { listed: { paths, sizes, mtimesMs, ctimesMs, inodes, sha256s } }: StatCache,
): IndexedFile[] {
  const files = paths.list().map((path, row) => ({
    path,
    size: sizes[row] ?? 0,
    mtimeMs: mtimesMs[row] ?? 0,
    ctimeMs: ctimesMs[row] ?? 0,
    inode: inodes[row] ?? 0,
    sha256: sha256At(sha256s, row),
  }));
  return files.sort((a, b) => compareUtf8(a.path, b.path));
}
