import { isoSeconds } from "../core/clock.ts";
import type { Manifest } from "../release/manifest.ts";

/** Signs releases with one key, and knows its own signatures again. */
export interface ReleaseSigner {
  /** Names the key, as its signatures do. */
  readonly keyHint: string;
  /**
   * Signs a release: its files and the very text of its manifest.
   *
   * @param folder the models' folder beside the manifest, "" where they lie beside it
   * @returns the text of `model.sig`
   * @throws {UsageError} code `UNSIGNABLE` for a path that verifiers leave out
   */
  sign(manifest: Manifest, text: string, folder: string): Promise<string>;
  /** Whether a signature is this key's, and of this very release. */
  hasSigned(signature: string, manifest: Manifest, text: string): Promise<boolean>;
}

/** What a publisher adds to a release: until when clients may take it, and a signature. */
export interface Seal {
  readonly signer: ReleaseSigner | undefined;
  /** Fractions are possible; without it a release does not expire. */
  readonly validDays: number | undefined;
}

/** What a published release has of that. */
export interface Sealed {
  /** The key, where it is the publisher's own. */
  readonly signedBy?: string | undefined;
  readonly expiresAt?: string | undefined;
}

const DAY_MS = 86_400_000;

/** A release that is published again unchanged gets a new term when less than this part of its term is left. */
const RENEWED_BELOW = 1 / 2;

/** The expiry of a release that is made now, as a part of its manifest. */
export function expiryOf(seal: Seal | undefined, now: Date): Pick<Manifest, "expiresAt"> {
  if (seal?.validDays === undefined) return {};
  return { expiresAt: isoSeconds(new Date(now.getTime() + seal.validDays * DAY_MS)) };
}

/**
 * Whether a release that did not change is published again, with the next sequence, for its seal's sake: it is not
 * signed by this key yet, or its term draws to an end. ECDSA gives another signature each time, so that a signature
 * which differs is no reason.
 */
export function isSealDue(seal: Seal | undefined, held: Sealed, now: Date): boolean {
  if (seal === undefined) return false;
  if (seal.signer !== undefined && held.signedBy !== seal.signer.keyHint) return true;
  if (seal.validDays === undefined) return seal.signer !== undefined && held.expiresAt !== undefined;
  if (held.expiresAt === undefined) return true;
  return Date.parse(held.expiresAt) - now.getTime() < seal.validDays * DAY_MS * RENEWED_BELOW;
}

/** What a published release has, told by who would seal it anew. */
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
