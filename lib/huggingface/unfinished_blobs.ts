import { loadSha256Of } from "../core/hash.ts";
import type { BlobMemory } from "../store/blob_memory.ts";
import type { Store } from "../store/store.ts";
import { readUnfinished } from "../store/unfinished.ts";
import { gitBlobIdOf } from "./git_blob_id.ts";
import type { HubFile } from "./hub.ts";

/** Above 10 MB, the hub requires Git LFS, whose files it names by SHA-256. */
const GIT_FILE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Remembers the SHA-256 of files that a killed pull received, and that the hub names only by a git SHA-1: the pull had
 * verified them with it, but could not remember them.
 */
export async function rememberUnfinished(
  store: Store,
  memory: BlobMemory,
  files: readonly { readonly path: string; readonly file: HubFile }[],
): Promise<void> {
  const sha256Of = await loadSha256Of();
  for (const { path, file: { sha256, blob, size } } of files) {
    if (sha256 !== undefined || size > GIT_FILE_BYTES_MAX || memory.find(blob) !== undefined) continue;
    const content = await readUnfinished(store, path, size);
    if (content !== undefined && await gitBlobIdOf(content) === blob) {
      memory.remember(blob, sha256Of(content));
    }
  }
}
