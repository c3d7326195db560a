import { sign, verify } from "node:crypto";
import { isoSeconds } from "../core/clock.ts";
import { quote } from "../core/quote.ts";
import { formatBundle, parseBundle, preAuthEncoding } from "./bundle.ts";
import type { SigningKey, VerificationKey } from "./key_files.ts";
import { invalidSignature } from "./signature_error.ts";
import { formatStatement, parseStatement, type SignedSet } from "./statement.ts";

/**
 * A public key, and the period in which it is trusted. The verifier compares the period with its own clock, not with the
 * creation time of a release: the owner of a retired key could write any time into a release.
 */
export interface TrustedKey extends VerificationKey {
  /** The file of the key, for messages. */
  readonly source: string;
  readonly notBefore?: Date | undefined;
  readonly notAfter?: Date | undefined;
}

/** The files that a trusted key signed. */
export interface VerifiedSet extends SignedSet {
  readonly key: TrustedKey;
}

/**
 * Verifies a signature: finds the trusted key by the bundle's hint, verifies the signature, and only then parses the
 * statement.
 *
 * @param now the time for the trusted periods of the keys
 * @param where named in errors: `the signature of release 3f9a`
 * @throws {RefusedError} code `SIGNATURE_INVALID`
 */
export function verifyFiles(
  text: string,
  keys: readonly TrustedKey[],
  now: Date,
  where: string,
): VerifiedSet {
  const { keyHint, payload, signature } = parseBundle(text, where);
  const candidates = keys.filter(({ hint }) => keyHint === undefined || hint === keyHint);
  if (candidates.length === 0) {
    throw invalidSignature(
      where,
      `it was made by the key ${quote(keyHint ?? "")}, which is not trusted here`,
    );
  }
  const signed = preAuthEncoding(payload);
  const signer = candidates.find(({ hash, key }) => isSignedBy(hash, signed, key, signature));
  if (signer === undefined) {
    const names = candidates.map(({ source }) => source).join(", ");
    throw invalidSignature(where, `it is not a signature by ${names}`);
  }
  refuseOutOfRange(signer, now, where);
  return { ...parseStatement(payload, where), key: signer };
}

function isSignedBy(
  hash: TrustedKey["hash"],
  signed: Uint8Array,
  key: TrustedKey["key"],
  signature: Uint8Array,
): boolean {
  try {
    return verify(hash, signed, key, signature);
  } catch (error) {
    // The bytes are not DER.
    if (error instanceof Error) return false;
    throw error;
  }
}

function refuseOutOfRange({ notBefore, notAfter, source }: TrustedKey, now: Date, where: string): void {
  if (notBefore !== undefined && now < notBefore) {
    throw invalidSignature(where, `its key ${source} is only trusted from ${isoSeconds(notBefore)}`);
  }
  if (notAfter !== undefined && now > notAfter) {
    throw invalidSignature(where, `its key ${source} is no longer trusted since ${isoSeconds(notAfter)}`);
  }
}

/**
 * Signs a set of files whose digests are known: OpenSSF Model Signing 1.0, key method. No file is read.
 *
 * @param subject the name of the set, for people
 * @returns the text of the signature file
 */
export function signFiles({ key, verification }: SigningKey, subject: string, set: SignedSet): string {
  const payload = new TextEncoder().encode(formatStatement(subject, set));
  const signature = sign(verification.hash, preAuthEncoding(payload), key);
  return formatBundle({ keyHint: verification.hint, payload, signature });
}
