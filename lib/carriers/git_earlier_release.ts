import type { Context } from "../core/context.ts";
import { ModelSyncError } from "../core/errors.ts";
import { fetchBlobs, readSmallBlob } from "../git/blobs.ts";
import type { Git } from "../git/git.ts";
import type { ObjectId } from "../git/object_id.ts";
import type { Registry } from "../git/registry.ts";
import type { PublishedCommit, ReleaseHistory } from "../git/release_history.ts";
import { type ModelTree, readModelTree, releaseFilesOf } from "../git/tree.ts";
import type { Digest, Manifest, Withdrawal } from "../release/manifest.ts";
import { findWithdrawn } from "../release/withdrawals.ts";
import { isOwn, readSeal, type Seal } from "../signing/seal.ts";
import type { ManifestClaim } from "./carrier.ts";
import { readClaim } from "./git_manifest.ts";

/** An earlier release that a registry can publish again. */
export interface EarlierRelease {
  /** Reads the commit. */
  readonly git: Git;
  readonly commit: ObjectId;
  readonly manifest: Manifest;
}

/** A registry, and the git that reads it with the objects that were fetched for this run. */
export interface EarlierPlace {
  readonly registry: Registry;
  readonly git: Git;
  readonly subdir: string;
  /** Of the publisher: only releases that its key signed are found. Without a key, all are. */
  readonly seal?: Seal | undefined;
  /** Receives each release that is left out because that key has not signed it. */
  readonly onForeign: (release: Digest) => void;
}

/** Returns the newest whole release of a history that is not withdrawn. */
export async function findEarlierRelease(
  context: Context,
  place: EarlierPlace,
  history: ReleaseHistory,
  withdrawals: readonly Withdrawal[],
): Promise<EarlierRelease | undefined> {
  for (const candidate of history.commits) {
    if (findWithdrawn(withdrawals, candidate.release) !== undefined) continue;
    const found = await readRelease(context, place, history.git, candidate);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Returns a release of the history; `undefined` if its manifest or its files are not what was published. */
async function readRelease(
  { log, signal }: Context,
  place: EarlierPlace,
  git: Git,
  { commit, release }: PublishedCommit,
): Promise<EarlierRelease | undefined> {
  try {
    const tree = await readModelTree(git, commit, place.subdir);
    const claim = await fetchClaim(place, tree, commit);
    if (claim?.manifest.digest !== release) return undefined;
    const { manifest, text, signature } = claim;
    if (!isOwn(place.seal, await readSeal(place.seal, manifest, text, signature))) {
      place.onForeign(release);
      return undefined;
    }
    const present = new Set(releaseFilesOf(tree, manifest).map(({ path }) => path));
    const isWhole = present.size === manifest.files.length &&
      manifest.files.every(({ path }) => present.has(path));
    return isWhole ? { git, commit, manifest } : undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ModelSyncError)) throw error;
    log.debug(`cannot restore commit ${commit.slice(0, 12)}: ${error.message}`);
    return undefined;
  }
}

/** Reads the manifest of a commit and its signature. Fetches them if the clone does not hold them. */
export async function fetchClaim(
  { registry, git, subdir }: Pick<EarlierPlace, "registry" | "git" | "subdir">,
  tree: ModelTree,
  commit: ObjectId,
): Promise<ManifestClaim | undefined> {
  const blobs = [tree.manifestBlob, tree.signatureBlob].filter((blob) => blob !== undefined);
  await fetchBlobs(registry, blobs, git);
  const { manifestBlob, signatureBlob } = tree;
  if (manifestBlob === undefined) return undefined;
  const place = { blobs: { manifestBlob, signatureBlob }, commit, subdir };
  return await readClaim((id, file) => readSmallBlob(git, id, file), place);
}
