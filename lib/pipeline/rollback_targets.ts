import type { Context } from "../core/context.ts";
import { openCanary } from "../canary/find_canary.ts";
import { type Digest, type Manifest, shortDigest, type Withdrawal } from "../release/manifest.ts";
import { findWithdrawn } from "../release/withdrawals.ts";
import { readPointer } from "../store/pointers.ts";
import { findQuarantine } from "../store/quarantine.ts";
import { findRelease, listReleases, type StoredRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import { withdrawalsInForce } from "../store/withdrawals.ts";
import { hasRequiredSignature, type ReadSignatures } from "./check_signature.ts";

/** A release to roll back to, and whether the store has the signature that the policy requires. */
export interface RollbackTarget extends StoredRelease {
  readonly isTrusted: boolean;
}

/**
 * Returns the releases that may replace the active one if it is bad, the best first: those with the required signature,
 * then by age, the newest first. A store holds others if signatures were not required when it pulled them. During a
 * canary, the release before it is the newest.
 */
export async function rollbackTargets(
  context: Context,
  store: Store,
  active: Digest,
  withdrawals: readonly Withdrawal[],
  readSignatures: ReadSignatures,
): Promise<readonly RollbackTarget[]> {
  const good = listReleases(store).filter(isGood(store, active, withdrawals));
  if (good.length === 0) return [];
  // Releases without a verdict of their canary are no targets, as in every rollback of a canary.
  const before = openCanary(store)?.previous;
  const first = good.filter(({ manifest }) => manifest.digest === before);
  const policy = await readSignatures();
  const judged: RollbackTarget[] = [];
  for (const release of [...first, ...good.filter((release) => !first.includes(release))]) {
    const isTrusted = await hasRequiredSignature(context, store, release.manifest.digest, policy);
    judged.push({ ...release, isTrusted });
  }
  return [...judged.filter(({ isTrusted }) => isTrusted), ...judged.filter(({ isTrusted }) => !isTrusted)];
}

/** Returns the previous release, or if that may not be activated, the newest older one that may. */
export function previousRelease(
  store: Store,
  from: Digest | undefined,
  active: Manifest | undefined,
): StoredRelease | undefined {
  const isAllowed = isGood(store, from, withdrawalsInForce(store));
  const pointer = readPointer(store, "previous");
  const previous = pointer === undefined ? undefined : findRelease(store, pointer);
  if (previous !== undefined && isAllowed(previous)) return previous;
  return listReleases(store).find((release) => isOlder(release.manifest, active) && isAllowed(release));
}

/** Whether a release is older than the active one. Without an active release, all are. */
export function isOlder(release: Manifest, active: Manifest | undefined): boolean {
  if (active === undefined) return true;
  if (release.digest === active.digest) return false;
  if (release.sequence !== active.sequence) return release.sequence < active.sequence;
  return Date.parse(release.createdAt) <= Date.parse(active.createdAt);
}

/** Logs that a rollback activated a release without the signature that the settings require. */
export function warnOfUntrusted({ log }: Pick<Context, "log">, { digest }: Manifest): void {
  log.warn(
    `release ${shortDigest(digest)} has no signature of a trusted key, although signing.required is set; ` +
      "it is active, because the store holds no usable release with one",
  );
}

/** Returns whether a release may be rolled back to: not the active one, and neither withdrawn nor quarantined. */
function isGood(store: Store, active: Digest | undefined, withdrawals: readonly Withdrawal[]) {
  return ({ manifest: { digest, sequence } }: StoredRelease): boolean =>
    digest !== active && findWithdrawn(withdrawals, digest) === undefined &&
    findQuarantine(store, digest, sequence) === undefined;
}
