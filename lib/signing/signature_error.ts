import { RefusedError } from "../core/errors.ts";

/**
 * The refusal of a signature. It says nothing about the files: whoever can push a bad signature must not be able to
 * ban a good release, so that no digest is quarantined for it.
 *
 * @param where what the signature is of: `the signature of release 3f9a`
 */
export function invalidSignature(where: string, problem: string, cause?: unknown): RefusedError {
  return new RefusedError(`Cannot accept ${where}: ${problem}`, {
    code: "SIGNATURE_INVALID",
    cause,
    hint: "sign again on the publishing side with a key that is trusted here",
  });
}

/** The refusal of files that are not those that a trusted key signed. */
export function signatureMismatch(where: string, problem: string): RefusedError {
  return new RefusedError(`Cannot accept ${where}: ${problem}`, {
    code: "SIGNATURE_MISMATCH",
    hint:
      "what is there is not what was signed: bring it again from the publishing side, or sign it there again",
  });
}
