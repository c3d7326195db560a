import { sign } from "node:crypto";
import { formatBundle } from "./bundle.ts";
import { preAuthEncoding } from "./dsse.ts";
import type { SigningKey } from "./key_files.ts";
import { formatStatement, type SignedSet } from "./statement.ts";

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
