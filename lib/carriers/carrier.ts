import type { Carrier, Digest, Manifest } from "../release/manifest.ts";
import type { Sha256 } from "../core/hash.ts";
import type { ModelSet } from "../release/model_set.ts";
import type { Staging } from "../store/staging.ts";

/** The carrier's immutable name for what is newest: everything later is read from exactly this. */
export interface Revision {
  /** A commit, a workflow run, a job. Equal ids of one source mean equal bytes. */
  readonly id: string;
  /** Tells this source from others whose revisions mean other things: carrier, URL, branch, folder. No secrets. */
  readonly source: string;
}

/** A manifest as a carrier brought it. */
export interface ManifestClaim {
  readonly manifest: Manifest;
  /** The very text, which is what a signature covers. */
  readonly text: string;
  /** The text of `model.sig` beside it, where there is one. Nobody has verified it yet. */
  readonly signature?: string | undefined;
}

/** A file that a revision offers, as far as that is known before its bytes. */
export interface OfferedFile {
  readonly path: string;
  /** As the manifest claims, or as measured when the same object was staged before. */
  readonly sha256: Sha256 | undefined;
  readonly size: number | undefined;
}

/** What a manifest says that its revision does not keep. */
export interface ClaimProblem {
  /** Completes "Cannot accept model-sync.json of …: ". */
  readonly what: string;
  /** What to do, where it is not just to publish again. */
  readonly hint?: string;
}

/** A change to a release's files by another program, which left their manifest as it was. */
export interface OtherWriter {
  /** The newest revision that changed them. */
  readonly revision: string;
  /** What it says of itself: one clean line each. */
  readonly author: string;
  readonly subject: string;
  /** The revision that the manifest describes. */
  readonly described: string;
  /** Files that are still as that revision has them. */
  readonly kept: readonly string[];
  /** What the change's revision offers, whatever the manifest lists. */
  readonly files: readonly OfferedFile[];
}

/** What a revision holds, before its bytes are brought. */
export interface Offer {
  readonly revision: Revision;
  /** Missing where a registry was written without one. */
  readonly claim: ManifestClaim | undefined;
  /** What of the files the manifest does not describe, where that shows before their bytes. */
  readonly problem?: ClaimProblem | undefined;
  /** Finds out who changed the files without the manifest; `undefined` where it was changed, too, or nobody did. */
  readonly findOtherWriter?: () => Promise<OtherWriter | undefined>;
  /** What orders the revisions of this source where there is no manifest to do it; nothing, where it is missing. */
  readonly sequence?: number | undefined;
  readonly files: readonly OfferedFile[];
}

/**
 * The pulling side of a carrier. A run calls `resolve`, `inspect`, `stage` and `accept` in this order, each at most
 * once, and then disposes of the source. The contract, which `tests/contract` holds against every carrier:
 *
 * - `resolve` costs one round trip where nothing is new, and writes nothing but what the source has to remember to ask
 *   so little. A carrier that has its release made, as `runpod` does, waits for it here;
 * - `inspect` may bring an archive that is the only way to look into it, into the store's folder for partial files;
 * - `inspect` refuses whatever no file system may get to see: paths, links, file types;
 * - `stage` writes below the staging folder and that for partial files only, links what the store holds instead of
 *   fetching it, and never trusts a name or a claim in place of bytes: a file is linked only if this very object was
 *   hashed before;
 * - errors are of the family, and name what is and what was wanted;
 * - nothing is remembered that would make a second call skip bytes that the first failed to bring.
 */
export interface Source extends AsyncDisposable {
  readonly carrier: Carrier;
  /** The advice for a refused release that the next pull would take again: how to get another one. */
  readonly otherThanRefused?: string | undefined;
  /** What is newest? */
  resolve(): Promise<Revision>;
  /** What does it hold? */
  inspect(revision: Revision): Promise<Offer>;
  /** Brings every file of the offer into staging. */
  stage(offer: Offer, staging: Staging): Promise<void>;
  /** The offer was verified and is about to be activated: what the source tracks may move to it. */
  accept(offer: Offer): Promise<void>;
}

/** What publishing did, whichever the carrier. */
export interface Publication {
  readonly outcome: "published" | "unchanged";
  readonly sequence: number;
  /** Files that were added, modified or removed. */
  readonly changed: number;
  /** The size of the files that were sent. */
  readonly sentBytes: number;
  /** The release that was published before. */
  readonly previous: Digest | undefined;
  /** The hint of the publisher's own key, where that signed the release. */
  readonly signer: string | undefined;
}

/** The pushing side of a carrier, opened on its target. */
export interface Publisher<Result extends Publication> extends Disposable {
  readonly carrier: Carrier;
  /** What publishing a release gives when the target is known to hold it already: its files need not be looked at. */
  findPublished(release: Digest): Result | undefined;
  /** Makes the target hold exactly this set. Nothing is sent when it does already. */
  publish(set: ModelSet): Promise<Result>;
}
