import type { Context } from "../core/context.ts";
import { openCanary } from "../canary/find_canary.ts";
import type { Digest, Manifest, Withdrawal } from "../release/manifest.ts";
import { findWithdrawn } from "../release/withdrawals.ts";
import { findQuarantine } from "../store/quarantine.ts";
import { listReleases, type StoredRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import { hasRequiredSignature, type SignaturePolicy } from "./check_signature.ts";

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

/** A release to roll back to, and whether the store has the signature that the policy requires. */
export interface RollbackTarget {
  readonly manifest: Manifest;
  readonly isTrusted: boolean;
}

/**
 * Returns {@link rollbackTargets} with those first that have the required signature. A store holds others if signatures
 * were not required when it pulled them.
 */
export async function trustedFirst(
  context: Context,
  store: Store,
  targets: readonly StoredRelease[],
  policy: SignaturePolicy,
): Promise<readonly RollbackTarget[]> {
  const judged: RollbackTarget[] = [];
  for (const { manifest } of targets) {
    judged.push({ manifest, isTrusted: await hasRequiredSignature(context, store, manifest.digest, policy) });
  }
  return [...judged.filter(({ isTrusted }) => isTrusted), ...judged.filter(({ isTrusted }) => !isTrusted)];
}
