import type { Context } from "../core/context.ts";
import { download, STALL_MS } from "../http/download.ts";
import type { DownloadLimits } from "../http/download_types.ts";
import { RefusedError } from "../core/errors.ts";
import { copyAndHash, type FileDigest } from "../core/hash.ts";
import { removePartial } from "../http/partial_file.ts";
import { repeatIfWrong } from "../http/repeat_wrong.ts";
import type { ReleaseFile } from "../release/manifest.ts";
import type { HeldChunks } from "../store/held_chunks.ts";
import { partialPath } from "../store/partials.ts";
import type { Store } from "../store/store.ts";
import { gitBlobId } from "./git_blob_id.ts";
import type { CommitId, Hub, HubFile } from "./hub.ts";
import type { HubCache } from "./hub_cache.ts";

/** A downloaded and verified file in the store's folder for partial files. */
export interface BroughtFile {
  readonly location: string;
  readonly digest: FileDigest;
}

/** Where files come from, and the limits of downloads. */
export interface Bringing {
  readonly hub: Hub;
  readonly commit: CommitId;
  readonly store: Store;
  readonly limits: Partial<Pick<DownloadLimits, "stallMs">> & Omit<DownloadLimits, "bytesMax" | "stallMs">;
  readonly cache: HubCache | undefined;
  readonly held: HeldChunks;
}

/**
 * Fetches a file of a commit: from the shared cache if its bytes are right there, else from the hub. Verifies the bytes
 * with the digest in the hub's list: SHA-256 for LFS files, git's SHA-1 for others.
 *
 * @param claimed the manifest's entry of this content: its chunks that the store holds are not downloaded
 * @throws {RefusedError} code `DIGEST_MISMATCH`; what {@link download} throws
 */
export async function bringFile(
  context: Context,
  { hub, commit, store, limits, cache, held }: Bringing,
  file: HubFile,
  claimed: ReleaseFile | undefined,
): Promise<BroughtFile> {
  const location = await partialPath(store, `huggingface ${file.sha256 ?? file.blob}`);
  const cached = cache?.find(file);
  if (cached !== undefined) {
    const digest = await takeFromCache(context, cached, location, file);
    if (digest !== undefined) return { location, digest };
    context.log.warn(
      `the Hugging Face cache does not match ${file.path}; downloading the file from the hub`,
    );
  }
  const what = nameOf(hub, file);
  const request = {
    what,
    locate: () => Promise.resolve(hub.locate(commit, file.path)),
    expected: { bytes: file.size, sha256: file.sha256, contentChunks: claimed?.contentChunks },
    findHeld: claimed && (() => held.spansOf(claimed)),
    limits: { stallMs: STALL_MS, ...limits, bytesMax: file.size },
    path: location,
  };
  const fetchFile = async () => {
    const { bytes, sha256 } = await download({ ...context, http: hub.context.http }, request);
    if (file.sha256 === undefined) await refuseOtherFile(context, what, file, location);
    return { bytes, sha256 };
  };
  // A download with a known SHA-256 repeats wrong bytes itself.
  const digest = file.sha256 === undefined ? await repeatIfWrong(context, fetchFile) : await fetchFile();
  return { location, digest };
}

async function refuseOtherFile(
  { fs, signal }: Context,
  what: string,
  file: HubFile,
  location: string,
): Promise<void> {
  try {
    refuseOtherBlob(what, file, await gitBlobId(fs, location, signal));
  } catch (error) {
    removePartial(fs, location);
    throw error;
  }
}

/** Returns a file's name for messages. */
export function nameOf(hub: Hub, { path }: HubFile): string {
  return `${path} of ${hub.settings.repoId}`;
}

/** Compares git's name of the received bytes. @throws {RefusedError} code `DIGEST_MISMATCH` */
export function refuseOtherBlob(what: string, file: HubFile, received: string): void {
  if (received === file.blob) return;
  throw new RefusedError(
    `Cannot accept ${what}: git names its bytes ${received}, the hub lists ${file.blob}`,
    { code: "DIGEST_MISMATCH", hint: "run again later; the active release is untouched" },
  );
}

async function takeFromCache(
  context: Context,
  cached: string,
  location: string,
  file: HubFile,
): Promise<FileDigest | undefined> {
  const { fs, signal } = context;
  removePartial(fs, location);
  const digest = await copyAndHash(fs, cached, location, { signal });
  const isRight = digest.bytes === file.size &&
    (file.sha256 === undefined
      ? await gitBlobId(fs, location, signal) === file.blob
      : digest.sha256 === file.sha256);
  if (isRight) return digest;
  removePartial(fs, location);
  return undefined;
}
