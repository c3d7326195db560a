import { isoSeconds } from "../core/clock.ts";
import type { Manifest, Withdrawal } from "../release/manifest.ts";

/** Signs releases with one key, and recognises its own signatures. */
export interface ReleaseSigner {
  /** Names the key in its signatures. */
  readonly keyHint: string;
  /**
   * Signs the files of a release and the text of its manifest.
   *
   * @param folder the models' folder beside the manifest; "" if the models are beside it
   * @returns the text of `model.sig`
   * @throws {UsageError} code `UNSIGNABLE` for a path that verifiers ignore
   */
  sign(manifest: Manifest, text: string, folder: string): Promise<string>;
  /** Returns whether a signature was made by this key for this release. */
  hasSigned(signature: string, manifest: Manifest, text: string): Promise<boolean>;
}

/** How a publisher signs its releases, and when they expire. */
export interface Seal {
  readonly signer: ReleaseSigner | undefined;
  /** The validity in days, with fractions. Without it, releases do not expire. */
  readonly validDays: number | undefined;
}

/** The signature and the expiry of a published release. */
export interface Sealed {
  /** The hint of the key, if it is the publisher's own. */
  readonly signedBy?: string | undefined;
  readonly expiresAt?: string | undefined;
}

const DAY_MS = 86_400_000;

/** An unchanged release gets a new expiry when less than this part of its validity is left. */
const RENEWED_BELOW = 1 / 2;

/** Returns the expiry of a release that is published now, for its manifest. */
export function expiryOf(seal: Seal | undefined, now: Date): Pick<Manifest, "expiresAt"> {
  if (seal?.validDays === undefined) return {};
  return { expiresAt: isoSeconds(new Date(now.getTime() + seal.validDays * DAY_MS)) };
}

/**
 * Returns whether an unchanged release has to be published again with the next sequence: because it is not signed by this
 * key, or because its expiry is near. A different signature is no reason: ECDSA signatures differ each time.
 */
export function isSealDue(seal: Seal | undefined, held: Sealed, now: Date): boolean {
  if (seal === undefined) return false;
  if (seal.signer !== undefined && held.signedBy !== seal.signer.keyHint) return true;
  if (seal.validDays === undefined) return seal.signer !== undefined && held.expiresAt !== undefined;
  if (held.expiresAt === undefined) return true;
  return Date.parse(held.expiresAt) - now.getTime() < seal.validDays * DAY_MS * RENEWED_BELOW;
}

/** Returns whether a manifest is this publisher's own: signed by its key, or the publisher signs nothing. */
export function isOwn(seal: Seal | undefined, { signedBy }: Sealed): boolean {
  return seal?.signer === undefined || signedBy === seal.signer.keyHint;
}

/**
 * Returns the withdrawals that a publisher may carry from a manifest into its next one. Any writer of the registry can
 * write a list. If a publisher signed a list that its key did not sign before, clients would trust that writer.
 */
export function ownWithdrawals(
  seal: Seal | undefined,
  held: Sealed,
  manifest: Pick<Manifest, "withdrawals"> | undefined,
): readonly Withdrawal[] {
  return isOwn(seal, held) ? manifest?.withdrawals ?? [] : [];
}

/** Returns the signature and the expiry of a published release, as the publisher with this seal sees them. */
export async function readSeal(
  seal: Seal | undefined,
  manifest: Manifest,
  text: string,
  signature: string | undefined,
): Promise<Sealed> {
  const { expiresAt } = manifest;
  const signer = seal?.signer;
  if (signer === undefined || signature === undefined) return { expiresAt };
  return await signer.hasSigned(signature, manifest, text)
    ? { expiresAt, signedBy: signer.keyHint }
    : { expiresAt };
}
