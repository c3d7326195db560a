import { sign, verify } from "node:crypto";
import { isoSeconds } from "../core/clock.ts";
import { quote } from "../core/quote.ts";
import { formatBundle, parseBundle, preAuthEncoding } from "./bundle.ts";
import type { SigningKey, VerificationKey } from "./key_files.ts";
import { invalidSignature } from "./signature_error.ts";
import { formatStatement, parseStatement, type SignedSet } from "./statement.ts";

/**
 * A public key that is trusted, for as long as it is. The range is held against the verifier's clock and not against
 * the time that a release says it was made: whoever holds a key that was retired writes whatever time it takes.
 */
export interface TrustedKey extends VerificationKey {
  /** Where it came from, for messages. */
  readonly source: string;
  readonly notBefore?: Date | undefined;
  readonly notAfter?: Date | undefined;
}

/** What a trusted key signed. */
export interface VerifiedSet extends SignedSet {
  readonly key: TrustedKey;
}

/**
 * Verifies a signature: the trusted key by the bundle's hint, then the signature, and only then what was signed.
 *
 * @param now decides which keys are trusted
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
    // Bytes that are no DER at all.
    if (error instanceof Error) return false;
    throw error;
  }
}

function refuseOutOfRange({ notBefore, notAfter, source }: TrustedKey, now: Date, where: string): void {
  if (notBefore !== undefined && now < notBefore) {
    throw invalidSignature(where, `its key ${source} is trusted from ${isoSeconds(notBefore)} only`);
  }
  if (notAfter !== undefined && now > notAfter) {
    throw invalidSignature(where, `its key ${source} is trusted no more since ${isoSeconds(notAfter)}`);
  }
}

/**
 * Signs a set of files whose digests are known: OpenSSF Model Signing 1.0, key method. No file is read.
 *
 * @param subject names the set to people
 * @returns the text of the signature file
 */
export function signFiles({ key, verification }: SigningKey, subject: string, set: SignedSet): string {
  const payload = new TextEncoder().encode(formatStatement(subject, set));
  const signature = sign(verification.hash, preAuthEncoding(payload), key);
  return formatBundle({ keyHint: verification.hint, payload, signature });
}
