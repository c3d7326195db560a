import type { BlobMemory } from "../store/blob_memory.ts";
import type { TreeFile } from "../git/tree.ts";
import type { ManifestClaim, Offer } from "./carrier.ts";

/** Returns what a commit offers: its files, with the digests that were read before or that the manifest says. */
export function offeredFiles(
  files: readonly TreeFile[],
  claim: ManifestClaim | undefined,
  memory: BlobMemory | undefined,
): Offer["files"] {
  const claimed = new Map(claim?.manifest.files.map((file) => [file.path, file]));
  return files.map(({ path, blob }) => {
    const file = claimed.get(path);
    return { path, sha256: memory?.find(blob) ?? file?.sha256, size: file?.size };
  });
}
