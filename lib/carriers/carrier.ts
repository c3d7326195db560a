import type { Carrier, Digest, Manifest } from "../release/manifest.ts";
import type { Sha256 } from "../core/hash.ts";
import type { ModelSet } from "../release/model_set.ts";
import type { ReleaseChanges } from "../release/changes.ts";
import { filesOf, type Listed, listed } from "../release/file_list.ts";
import type { FollowingManifest } from "../release/follow_manifest.ts";
import type { ReleaseIndex } from "../release/release_index.ts";
import type { Staging } from "../store/staging.ts";

/** The carrier's immutable name for the newest release. Every later step reads exactly this revision. */
export interface Revision {
  /** A commit, a workflow run, a job. Equal ids of one source mean equal bytes. */
  readonly id: string;
  /** Identifies the source, because ids of different sources may be equal: carrier, URL, branch, folder. No secrets. */
  readonly source: string;
}

/** A manifest as the carrier sent it, not verified. */
export interface ManifestClaim {
  readonly manifest: Manifest;
  /** Its text, byte for byte: the signature covers it. */
  readonly text: string;
  /** The text of `model.sig` beside it, if there is one. It is not verified yet. */
  readonly signature?: string | undefined;
  /** How it differs from the active release's manifest, if their lines were compared. */
  readonly following?: FollowingManifest | undefined;
}

/** A file of a revision, with the facts that are known before its download. */
export interface OfferedFile {
  readonly path: string;
  /** As the manifest claims, or as computed when the same object was staged before. */
  readonly sha256: Sha256 | undefined;
  readonly size: number | undefined;
}

/** A difference between a manifest and the files of its revision. */
export interface ClaimProblem {
  /** Completes "Cannot accept model-sync.json of …: ". */
  readonly what: string;
  /** Advice to add before "publish again". */
  readonly hint?: string;
}

/** A change of a release's files by another program, which did not update the manifest. */
export interface OtherWriter {
  /** The newest revision that changed them. */
  readonly revision: string;
  /** The author and the subject of the change: one clean line each. */
  readonly author: string;
  readonly subject: string;
  /** The revision that the manifest describes. */
  readonly described: string;
  /** The files that are unchanged since that revision. */
  readonly kept: readonly string[];
  /** All files of the changed revision, whatever the manifest lists. */
  readonly files: readonly OfferedFile[];
}

/** The content of a revision, before its files are downloaded. */
export interface Offer {
  readonly revision: Revision;
  /** `undefined` if the registry has no manifest. */
  readonly claim: ManifestClaim | undefined;
  /** How the files differ from the manifest, if that shows before the download. */
  readonly problem?: ClaimProblem | undefined;
  /** Finds the program that changed the files without the manifest; `undefined` if there was no change of that kind. */
  readonly findOtherWriter?: () => Promise<OtherWriter | undefined>;
  /** Orders the revisions of this source when there is no manifest. Without it, they have no order. */
  readonly sequence?: number | undefined;
  readonly files: readonly OfferedFile[];
  /** How the files differ from those of the active release, if the source compared them. */
  readonly since?: ReleaseChanges | undefined;
}

/** Returns the files of an offer: one that was compared with the active release has those of its manifest. */
export function listOf(offer: Offer): Listed<OfferedFile> {
  const { claim, since } = offer;
  return claim !== undefined && since !== undefined ? filesOf(claim.manifest) : listed(offer.files);
}

/**
 * The pulling side of a carrier. A run calls `resolve`, `inspect`, `stage` and `accept` in this order, each at most
 * once, and then disposes of the source. The contract, which `tests/contract` holds against every carrier:
 *
 * - `resolve` costs one round trip if nothing is new, and writes only what the next `resolve` needs for that. A carrier
 *   that starts a training, as `runpod` does, waits for it here;
 * - `inspect` may download an archive into the store's folder for partial files, if its content is not known otherwise;
 * - `inspect` refuses unsafe paths, links and file types before they reach a file system;
 * - `stage` need not stage what is staged already. It writes only into the staging folder and the folder for partial files. It links files that the store holds. It
 *   never trusts a name or a claim: a file is linked only if the same object was hashed before, or if its size and
 *   CRC-32 are those in an archive's directory;
 * - errors are {@link ModelSyncError}s, and name the actual and the expected value;
 * - after a failed call, a second call does not skip bytes that the first did not write.
 */
export interface Source extends AsyncDisposable {
  readonly carrier: Carrier;
  /** The hint for a refused release that the next pull would use again: how to get another one. */
  readonly otherThanRefused?: string | undefined;
  /** What it pulls from: a part of {@link Revision.source} without the server's address, which is known offline, too. */
  readonly place?: string;
  /** Knows the files of the active release, so that only those that changed are examined. */
  readonly index?: ReleaseIndex | undefined;
  /** Returns the newest revision. */
  resolve(): Promise<Revision>;
  /** Returns the content of a revision. */
  inspect(revision: Revision): Promise<Offer>;
  /** Stages every file of the offer. */
  stage(offer: Offer, staging: Staging): Promise<void>;
  /** Called when the offer is verified, before its activation: the source may move its own state to it, as a branch. */
  accept(offer: Offer): Promise<void>;
}

/** The result of a publish. */
export interface Publication {
  readonly outcome: "published" | "unchanged";
  readonly sequence: number;
  /** The number of files that were added, modified or removed. */
  readonly changed: number;
  /** The size of the files that were sent. */
  readonly sentBytes: number;
  /** The release that was published before. */
  readonly previous: Digest | undefined;
  /** The hint of the publisher's key, if it signed the release. */
  readonly signer: string | undefined;
  /** The commit that holds the release, or that a pull request proposes; `undefined` if there is none. */
  readonly commit: string | undefined;
}

/** The pushing side of a carrier, opened on its target. */
export interface Publisher<Result extends Publication> extends Disposable {
  readonly carrier: Carrier;
  /** Returns the result for a release that the target is known to hold already, without reading its files. */
  findPublished(release: Digest): Result | undefined;
  /** Reads what a publish builds on, while the models are read and checked. Never fails: the publish reads it again then. */
  prepare?(): Promise<void>;
  /**
   * Makes the target hold exactly this set. Sends nothing if it does already.
   *
   * @param onSend called when only the target works
   */
  publish(set: ModelSet, onSend?: () => void): Promise<Result>;
}
