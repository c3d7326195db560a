import { openCanary } from "../canary/find_canary.ts";
import type { Digest, Withdrawal } from "../release/manifest.ts";
import { findWithdrawn } from "../release/withdrawals.ts";
import { findQuarantine } from "../store/quarantine.ts";
import { listReleases, type StoredRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";

/**
 * Returns the releases that are neither withdrawn nor quarantined, newest first, without the active one. During a canary,
 * the release before it comes first.
 */
export function rollbackTargets(
  store: Store,
  active: Digest,
  withdrawals: readonly Withdrawal[],
): readonly StoredRelease[] {
  const good = listReleases(store).filter(({ manifest: { digest, sequence } }) =>
    digest !== active && findWithdrawn(withdrawals, digest) === undefined &&
    findQuarantine(store, digest, sequence) === undefined
  );
  // Releases without a verdict of their canary are no targets, as in every rollback of a canary.
  const before = openCanary(store)?.previous;
  const first = good.filter(({ manifest }) => manifest.digest === before);
  return [...first, ...good.filter(({ manifest }) => manifest.digest !== before)];
}
