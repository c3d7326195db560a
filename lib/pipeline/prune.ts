import type { Context } from "../core/context.ts";
import { type Digest, shortDigest, totalBytes } from "../release/manifest.ts";
import { readIntent } from "../store/intent.ts";
import { readPointer } from "../store/pointers.ts";
import { readQuarantine } from "../store/quarantine.ts";
import { listReleases, removeRelease, type StoredRelease } from "../store/releases.ts";
import { judgedCanary, openCanary } from "../canary/find_canary.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { Store } from "../store/store.ts";

/** Which releases a prune keeps and which it removes, newest first. */
export interface PrunePlan {
  readonly kept: readonly StoredRelease[];
  readonly removed: readonly StoredRelease[];
}

/**
 * Decides what to remove: all but the newest `keep` releases, and never one that a pointer names. Those that are
 * quarantined count last: they are nothing to go back to, and must not drive out what is.
 *
 * @param keep at least 1
 */
export function planPrune(store: Store, keep: number): PrunePlan {
  const named = new Set<Digest | undefined | null>([
    readPointer(store, "current"),
    readPointer(store, "previous"),
    // What a canary goes back to may be older than both.
    openCanary(store)?.previous,
    judgedCanary(store)?.previous,
    ...namedByIntent(store),
  ]);
  const releases = listReleases(store);
  const quarantine = readQuarantine(store);
  const isForbidden = ({ manifest: { digest, sequence } }: StoredRelease) =>
    quarantine.some((entry) => entry.digest === digest && sequence <= entry.sequence);
  const byUse = [...releases.filter((one) => !isForbidden(one)), ...releases.filter(isForbidden)];
  const newest = byUse.slice(0, keep);
  const kept = releases.filter((one) => newest.includes(one) || named.has(one.manifest.digest));
  return { kept, removed: releases.filter((release) => !kept.includes(release)) };
}

/** What a run that was killed and is not settled yet may go to. */
function namedByIntent(store: Store): (Digest | null)[] {
  const intent = readIntent(store);
  if (intent?.phase === "activating") return [intent.from, intent.to, intent.previousBefore];
  return intent?.phase === "adopting" ? [intent.from, intent.digest] : [];
}

/** Removes what a plan says. */
export async function pruneReleases(context: Context, store: Store, plan: PrunePlan): Promise<void> {
  for (const { manifest } of plan.removed) {
    context.signal.throwIfAborted();
    context.log.info(`removing release ${shortDigest(manifest.digest)} (sequence ${manifest.sequence})`);
    await removeRelease(store, manifest.digest);
    StatCache.removeOfRelease(store, manifest.digest);
  }
}

/** Bytes that a plan frees: content that no kept release shares. */
export function freedBytes(plan: PrunePlan): number {
  const kept = new Set(plan.kept.flatMap(({ manifest }) => manifest.files.map((file) => file.sha256)));
  const freed = new Map(
    plan.removed.flatMap(({ manifest }) => manifest.files.map((file) => [file.sha256, file] as const)),
  );
  for (const sha256 of kept) freed.delete(sha256);
  return totalBytes(freed.values());
}
