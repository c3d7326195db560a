import { RefusedError } from "../core/errors.ts";

/**
 * Returns the refusal of a signature. It quarantines no release: otherwise anyone who can push a bad signature could
 * block a good release.
 *
 * @param where names the signature: `the signature of release 3f9a`
 */
export function invalidSignature(where: string, problem: string, cause?: unknown): RefusedError {
  return new RefusedError(`Cannot accept ${where}: ${problem}`, {
    code: "SIGNATURE_INVALID",
    cause,
    hint: "sign again on the publishing side with a key that is trusted here",
  });
}

/** Returns the refusal of files that differ from those that a trusted key signed. */
export function signatureMismatch(where: string, problem: string): RefusedError {
  return new RefusedError(`Cannot accept ${where}: ${problem}`, {
    code: "SIGNATURE_MISMATCH",
    hint:
      "the files differ from the signed ones: download them again, or sign them again on the publishing side",
  });
}
