import { settleAll } from "../core/concurrency.ts";
import type { Git } from "../git/git.ts";
import type { ObjectId } from "../git/object_id.ts";
import { type ModelTreeChanges, readTreeChanges } from "../git/tree_changes.ts";
import { changesOfLines, changesSince, type ReleaseChanges } from "../release/changes.ts";
import type { KnownManifest } from "../release/follow_manifest.ts";
import { findFollowed } from "../store/followed_release.ts";
import { readPointer } from "../store/pointers.ts";
import { findRevision } from "../store/revisions.ts";
import type { Store } from "../store/store.ts";
import type { ManifestClaim, Offer, Revision } from "./carrier.ts";
import type { ClaimBlobs } from "./git_manifest.ts";

/** A commit, compared with that of the active release. */
export interface ComparedCommit {
  readonly claim: ManifestClaim;
  readonly since: ReleaseChanges;
  /** The objects of the files that changed. */
  readonly blobs: ReadonlyMap<string, ObjectId>;
}

/**
 * Compares a commit with that of the active release, if that was pulled from the same source: then only what changed is
 * listed.
 *
 * @param readClaim reads the commit's manifest, which is compared with the known one; `undefined` if it cannot
 * @returns `undefined` if the whole commit has to be listed, also if its manifest lists other changes
 */
export async function compareWithActive(
  store: Store,
  { git, commit, subdir }: { readonly git: Git; readonly commit: ObjectId; readonly subdir: string },
  source: string,
  readClaim: (blobs: ClaimBlobs, known: KnownManifest) => Promise<ManifestClaim | undefined>,
): Promise<ComparedCommit | undefined> {
  const current = readPointer(store, "current");
  const seen = findRevision(store, source);
  if (current === undefined || seen?.digest !== current || seen.otherWriter !== undefined) return undefined;
  // Git works while the manifest is read.
  const [changes, active] = await settleAll([
    readTreeChanges(git, seen.revision, commit, subdir),
    findFollowed(store, current),
  ]);
  if (changes === undefined || active === undefined) return undefined;
  const { manifest } = active;
  const claim = await readClaim(changes, active);
  if (claim === undefined) return undefined;
  const { following } = claim;
  const since = following === undefined
    ? changesSince(manifest, claim.manifest)
    : changesOfLines(manifest, following.changes);
  return isSameChange(since, changes) ? { claim, since, blobs: changes.written } : undefined;
}

/** Returns the offer of a compared commit. Of very many files, few are wanted: all are listed when they are. */
export function offerOf(
  revision: Revision,
  { claim, since }: ComparedCommit,
  findOtherWriter: NonNullable<Offer["findOtherWriter"]>,
): Offer {
  return {
    revision,
    claim,
    since,
    findOtherWriter,
    get files() {
      return claim.manifest.files;
    },
  };
}

/** Whether a manifest and the commit's files differ in the same files from those of another commit. */
function isSameChange({ changed, removed }: ReleaseChanges, inCommit: ModelTreeChanges): boolean {
  return changed.size === inCommit.written.size && removed.size === inCommit.removed.size &&
    [...changed].every((path) => inCommit.written.has(path)) &&
    [...removed].every((path) => inCommit.removed.has(path));
}
