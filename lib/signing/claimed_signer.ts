import { RefusedError } from "../core/errors.ts";
import { parseBundle } from "./bundle.ts";

/**
 * Returns the hint of the key in a signature, which is not verified; `null` without a signature, and a description in
 * place of a hint that cannot be read.
 */
export function claimedSigner(signature: string | undefined): string | null {
  if (signature === undefined) return null;
  try {
    return parseBundle(signature, "the signature").keyHint ?? "a key without a hint";
  } catch (error) {
    if (error instanceof RefusedError) return "unreadable";
    throw error;
  }
}
