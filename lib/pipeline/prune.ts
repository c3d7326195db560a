import type { Context } from "../core/context.ts";
import { type Digest, shortDigest, totalBytes } from "../release/manifest.ts";
import { readIntent } from "../store/intent.ts";
import { readPointer } from "../store/pointers.ts";
import { readQuarantine } from "../store/quarantine.ts";
import {
  findRelease,
  hasWholeManifest,
  listReleaseHeads,
  type ReleaseHead,
  removeRelease,
} from "../store/releases.ts";
import { judgedCanary, openCanary } from "../canary/find_canary.ts";
import { removeFolderStamps } from "../store/folder_stamps.ts";
import { removeSpare, retireRelease } from "../store/spare.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { Store } from "../store/store.ts";
import { wholeManifests } from "../store/whole_manifests.ts";

/** Which releases a prune keeps and which it removes, newest first. */
export interface PrunePlan {
  readonly kept: readonly ReleaseHead[];
  readonly removed: readonly ReleaseHead[];
}

/**
 * Decides which releases to remove: all but the newest `keep`, and never one that a pointer names. Quarantined releases
 * count as the oldest: no rollback activates them, so they must not replace releases that a rollback can activate.
 *
 * @param keep at least 1
 */
export function planPrune(store: Store, keep: number): PrunePlan {
  const named = new Set<Digest | undefined | null>([
    readPointer(store, "current"),
    readPointer(store, "previous"),
    // The release that a failed canary rolls back to may be older than both.
    openCanary(store)?.previous,
    judgedCanary(store)?.previous,
    ...namedByIntent(store),
  ]);
  const releases = listReleaseHeads(store);
  const quarantine = readQuarantine(store);
  const isForbidden = ({ digest, sequence }: ReleaseHead) =>
    quarantine.some((entry) => entry.digest === digest && sequence <= entry.sequence);
  const byUse = [...releases.filter((one) => !isForbidden(one)), ...releases.filter(isForbidden)];
  const { newest, damaged } = newestWhole(store, byUse, keep);
  const kept = releases.filter((one) => newest.includes(one) || named.has(one.digest));
  return { kept, removed: releases.filter((one) => !kept.includes(one) && !damaged.includes(one)) };
}

interface NewestReleases {
  readonly newest: readonly ReleaseHead[];
  /** Those that were passed over. */
  readonly damaged: readonly ReleaseHead[];
}

/**
 * Returns the first `count` releases whose manifests are whole: a damaged one must not take the place of a release that
 * a rollback can activate. Manifests are read only if some release would be removed, and only those that changed.
 */
function newestWhole(store: Store, releases: readonly ReleaseHead[], count: number): NewestReleases {
  if (releases.length <= count) return { newest: releases, damaged: [] };
  const identities = wholeManifests(store);
  const newest: ReleaseHead[] = [];
  const damaged: ReleaseHead[] = [];
  for (const release of releases) {
    if (newest.length === count) break;
    const isWhole = hasWholeManifest(store, release.digest, identities);
    (isWhole ? newest : damaged).push(release);
  }
  return { newest, damaged };
}

/** Returns the releases that settling a killed run may activate. */
function namedByIntent(store: Store): (Digest | null)[] {
  const intent = readIntent(store);
  if (intent?.phase === "activating") return [intent.from, intent.to, intent.previousBefore];
  return intent?.phase === "adopting" ? [intent.from, intent.digest] : [];
}

/** Removes the releases of a plan, the spare folder, and the files of unfinished pulls. */
export async function pruneReleases(context: Context, store: Store, plan: PrunePlan): Promise<void> {
  await removeSpare(store);
  const { dropUnfinished } = await import("../store/unfinished.ts");
  await dropUnfinished(store);
  await removeEach(context, store, plan, removeRelease);
}

/** Removes the releases of a plan. The folder of one becomes the spare folder, for the next pull. */
export async function pruneAfterPull(context: Context, store: Store, plan: PrunePlan): Promise<void> {
  await removeEach(context, store, plan, retireRelease);
}

async function removeEach(
  context: Context,
  store: Store,
  plan: PrunePlan,
  remove: (store: Store, digest: Digest) => Promise<void>,
): Promise<void> {
  for (const { digest, sequence } of plan.removed) {
    context.signal.throwIfAborted();
    context.log.info(`removing release ${shortDigest(digest)} (sequence ${sequence})`);
    await remove(store, digest);
    StatCache.removeOfRelease(store, digest);
    removeFolderStamps(store, digest);
  }
}

/** Returns the bytes that a plan frees: content that no kept release shares. */
export function freedBytes(store: Store, plan: PrunePlan): number {
  if (plan.removed.length === 0) return 0;
  const filesOf = ({ digest }: ReleaseHead) => findRelease(store, digest)?.manifest.files ?? [];
  const kept = new Set(plan.kept.flatMap((head) => filesOf(head).map((file) => file.sha256)));
  const freed = new Map(
    plan.removed.flatMap((head) => filesOf(head).map((file) => [file.sha256, file] as const)),
  );
  for (const sha256 of kept) freed.delete(sha256);
  return totalBytes(freed.values());
}
