import { createHash } from "node:crypto";
import type { Sha256 } from "../core/hash.ts";

/**
 * The digest of a set of files: SHA-256 over their raw digests, 32 bytes each, in the order given.
 *
 * @example In a shell: `printf %s "$(sha256sum < a | cut -c-64)" | xxd -r -p | sha256sum`
 * ```ts
 * import assert from "node:assert/strict";
 * import { rootDigest } from "./root_digest.ts";
 * const a = { sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" };
 * assert.equal(rootDigest([a]), "4f8b42c22dd3729b519ba6f68d2da7cc5b2d606d05daed5ad5128cc03e6c6358");
 * ```
 */
export function rootDigest(files: Iterable<{ readonly sha256: Sha256 }>): Sha256 {
  const hash = createHash("sha256");
  for (const { sha256 } of files) hash.update(sha256, "hex");
  return hash.digest("hex");
}
