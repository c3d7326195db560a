import { RefusedError, UsageError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import {
  type Carrier,
  type Digest,
  type Manifest,
  shortDigest,
  type Withdrawal,
} from "../release/manifest.ts";
import {
  findWithdrawn,
  isSameList,
  mergeWithdrawals,
  type WithdrawalChange,
  withWithdrawal,
} from "../release/withdrawals.ts";
import { isOwn, isSealDue, ownWithdrawals, readSeal, type Seal } from "../signing/seal.ts";
import type { ManifestClaim } from "./carrier.ts";

/** A release as a registry knows it. */
export interface NamedRelease {
  readonly digest: Digest;
  /** Missing for a release that only the list of withdrawals names. */
  readonly sequence?: number | undefined;
}

/** The change of a registry by a withdrawal, or by its end. */
export interface WithdrawalResult {
  readonly carrier: Carrier;
  /** For messages: `origin/main`, `owner/name main`. */
  readonly target: string;
  /** `unchanged`: the registry says so already. */
  readonly outcome: "published" | "unchanged";
  /** The newest release of the registry afterwards. */
  readonly release: Digest;
  readonly sequence: number;
  /** The newest release before, if another one is the newest now. */
  readonly replaced: Digest | undefined;
  readonly files: number;
  /** The commit of the registry; `undefined` in a dry run. */
  readonly commit: string | undefined;
  /** The hint of the publisher's key, if it signed the manifest. */
  readonly signer: string | undefined;
}

/** A registry whose list of withdrawals can be changed. */
export interface WithdrawalTarget extends Disposable {
  /** The list of the newest manifest, as far as this publisher may carry it on. */
  readonly withdrawals: readonly Withdrawal[];
  /** The newest release. */
  readonly newest: NamedRelease;
  /** Returns the first release in the registry's history that fits; `undefined` if none does. */
  find(isWanted: (release: NamedRelease) => boolean): Promise<Digest | undefined>;
  /**
   * Publishes a change of the list. If the newest release is withdrawn, the newest earlier one that is not withdrawn
   * becomes the newest again, so that new clients get a good one.
   *
   * @param known the withdrawals that this machine knows, which are published, too
   */
  publish(change: WithdrawalChange, known: readonly Withdrawal[]): Promise<WithdrawalResult>;
  /** Returns what {@link publish} would do. */
  preview(change: WithdrawalChange, known: readonly Withdrawal[]): Promise<WithdrawalResult>;
}

/** The newest manifest of a registry, and what its publisher may take from it. */
export interface NewestManifest {
  readonly manifest: Manifest;
  /** Whether this publisher's key signed it, or the publisher signs nothing. */
  readonly isOwn: boolean;
  /** The list, if the manifest is the publisher's own. */
  readonly withdrawals: readonly Withdrawal[];
  readonly isSigned: boolean;
  /** Whether it needs a new signature or expiry. */
  readonly isSealDue: boolean;
}

/** Returns what a publisher may take from the newest manifest of its registry. */
export async function readNewestManifest(
  { manifest, text, signature }: ManifestClaim,
  seal: Seal | undefined,
  now: Date,
): Promise<NewestManifest> {
  const held = await readSeal(seal, manifest, text, signature);
  return {
    manifest,
    isOwn: isOwn(seal, held),
    withdrawals: ownWithdrawals(seal, held, manifest),
    isSigned: signature !== undefined,
    isSealDue: isSealDue(seal, held, now),
  };
}

/** A change of the list of a manifest. */
export interface PlannedList {
  readonly withdrawals: readonly Withdrawal[];
  /** Whether a new manifest is needed. */
  readonly isChanged: boolean;
  /** Whether another release should take the newest one's place: that is withdrawn, or not the publisher's own. */
  readonly replacesNewest: boolean;
}

/** Returns the list of a manifest with a change. @param known what this machine knows besides */
export function planList(
  { manifest, isOwn, withdrawals, isSealDue }: NewestManifest,
  known: readonly Withdrawal[],
  change: WithdrawalChange,
  now: Date,
): PlannedList {
  const merged = mergeWithdrawals(withdrawals, known);
  const list = withWithdrawal(merged, change, now) ?? merged;
  return {
    withdrawals: list,
    isChanged: isSealDue || !isSameList(list, manifest.withdrawals ?? []),
    replacesNewest: !isOwn || findWithdrawn(list, manifest.digest) !== undefined,
  };
}

/** @throws {UsageError} code `NOTHING_PUBLISHED` */
export function requireManifest<Found>(found: Found | undefined, target: string): Found {
  if (found !== undefined) return found;
  throw new UsageError(`Cannot change the withdrawals of ${target}: it has no usable model-sync.json`, {
    code: "NOTHING_PUBLISHED",
    hint: "publish a release first; that publish carries the withdrawals that this machine knows",
  });
}

/**
 * Returns the warning of a withdrawal that restores no release.
 *
 * @param foreign the number of earlier releases that the publisher's key has not signed
 */
export function nothingRestored(target: string, foreign: number, next: "publish" | "upload"): string {
  const effect = `clients without another release get none until the next ${next}`;
  if (foreign === 0) {
    return `${target} has no earlier release to take the place of the withdrawn one: ${effect}`;
  }
  const verb = foreign === 1 ? "is" : "are";
  return `${target} has no earlier release that this publisher's key signed: ` +
    `${plural(foreign, "earlier release")} with another signature or none ${verb} not restored; ${effect}`;
}

/**
 * Refuses what a signature must not change: to replace a signed manifest by an unsigned one, because clients that require
 * signatures would refuse everything; and to sign a newest release that this publisher's key has not signed, because
 * another program may have written it.
 *
 * @param restored whether an earlier release takes the newest one's place
 * @throws {RefusedError} codes `SIGNATURE_MISSING`, `SIGNATURE_INVALID`
 */
export function refuseUnsigned(
  { isOwn, isSigned, manifest }: NewestManifest,
  seal: Seal | undefined,
  restored: boolean,
  target: string,
): void {
  const failure = `Cannot change the withdrawals of ${target}`;
  if (isSigned && seal?.signer === undefined) {
    throw new RefusedError(`${failure}: its manifest is signed, and no signing key is configured here`, {
      code: "SIGNATURE_MISSING",
      hint: "set model_sync.signing.private_key to the publisher's key",
    });
  }
  if (isOwn || restored) return;
  throw new RefusedError(
    `${failure}: the key of this publisher has not signed the newest release ${shortDigest(manifest.digest)}`,
    { code: "SIGNATURE_INVALID", hint: "publish first, which signs the release, and withdraw then" },
  );
}

/** Returns the subject of the commit that changes the list. */
export function commitSubject({ digest, state }: WithdrawalChange): string {
  return `chore(models): ${state === "withdrawn" ? "withdraw" : "reinstate"} ${shortDigest(digest)}`;
}
