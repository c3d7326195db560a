import { neverAborted } from "../../../lib/core/context.ts";
import { hashFile } from "../../../lib/core/hash.ts";
import { ifFound } from "../../../lib/core/files.ts";
import { type Digest, releaseDigest, releaseFile } from "../../../lib/release/manifest.ts";
import { scanFolder } from "../../../lib/release/scan_folder.ts";

/** The models that a consumer has loaded. */
export interface LoadedRelease {
  /** The digest of the files as they were read: the name of the release. */
  readonly release: Digest;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Reads every file of a model folder, as a consumer loads it. All files come from one resolved path, because the release
 * behind the folder's name may change meanwhile. A consumer would keep the models; this one keeps only their digest.
 *
 * @returns `undefined` while there is no such folder
 */
export async function loadRelease(modelsDir: string): Promise<LoadedRelease | undefined> {
  const found = ifFound(() => scanFolder(Deno, modelsDir, "follow"));
  if (found === undefined) return undefined;
  const files = [];
  for (const { path, location } of found.files) {
    files.push(releaseFile(path, await hashFile(Deno, location, { signal: neverAborted() })));
  }
  return {
    release: await releaseDigest(files),
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
  };
}
