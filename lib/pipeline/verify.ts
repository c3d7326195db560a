import type { ManifestClaim } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { isoSeconds } from "../core/clock.ts";
import { RefusedError } from "../core/errors.ts";
import {
  type Carrier,
  createManifest,
  type Digest,
  formatManifest,
  type Manifest,
  type ReleaseFile,
  releaseFile,
  shortDigest,
} from "../release/manifest.ts";
import type { ActivationMode } from "../config/choices.ts";
import { problemSeenByConsumers } from "../store/consumer_view.ts";
import { inspectModelFolder } from "../store/model_folder.ts";
import { type CheckDepth, type CheckedFolder, checkFiles, type FileProblem } from "../store/release_files.ts";
import { findSignature, releaseDir, type StoredRelease } from "../store/releases.ts";
import type { StagedFile, Staging } from "../store/staging.ts";
import { StatCache } from "../store/stat_cache.ts";
import type { Store } from "../store/store.ts";

/** A release whose every byte was compared with its manifest. Only this file makes one. */
export class VerifiedRelease {
  readonly manifest: Manifest;
  // Being private, it also makes the type nominal: no object literal passes for a verified release.
  readonly #text: string;
  readonly #signature: string | undefined;

  private constructor(manifest: Manifest, text: string, signature?: string) {
    this.manifest = manifest;
    this.#text = text;
    this.#signature = signature;
  }

  get digest(): Digest {
    return this.manifest.digest;
  }

  /** The manifest as it came, byte for byte. */
  get text(): string {
    return this.#text;
  }

  /** The signature that came with the manifest; whether it is good is `checkSignature`'s to say. */
  get signature(): string | undefined {
    return this.#signature;
  }

  /** Compares what was staged with what was claimed. @throws {RefusedError} code `DIGEST_MISMATCH` */
  static ofStaged(staging: Staging, claim: ManifestClaim): VerifiedRelease {
    const problem = firstDifference(staging.files, claim.manifest.files);
    if (problem !== undefined) throw mismatch(claim.manifest.digest, problem);
    return new VerifiedRelease(claim.manifest, claim.text, claim.signature);
  }

  /** Names what was staged from a source that has no manifest: its digests are what was measured. */
  static async ofUnclaimed(staging: Staging, origin: Origin): Promise<VerifiedRelease> {
    const manifest = await createManifest(staging.files.map((file) => releaseFile(file.path, file)), {
      sequence: origin.sequence,
      createdAt: isoSeconds(origin.createdAt),
      origin: { carrier: origin.carrier, revision: origin.revision, host: origin.host },
    });
    return new VerifiedRelease(manifest, formatManifest(manifest));
  }

  /** Looks again at a release that the store holds. @throws {RefusedError} code `RELEASE_DAMAGED` */
  static async ofStored(context: Context, store: Store, release: StoredRelease): Promise<VerifiedRelease> {
    const [problem] = await checkStored(context, store, release.manifest);
    if (problem !== undefined) {
      throw new RefusedError(
        `Cannot use release ${shortDigest(release.manifest.digest)}: ${problem.path} ${problem.problem}`,
        { code: "RELEASE_DAMAGED", hint: "choose another release with --to, or pull again" },
      );
    }
    return new VerifiedRelease(release.manifest, release.text, findSignature(store, release.manifest.digest));
  }
}

export interface Origin {
  readonly carrier: Carrier;
  readonly revision: string;
  readonly sequence: number;
  readonly host: string;
  readonly createdAt: Date;
}

/** What is wrong with the files of a release in the store, by size, time and inode; only suspects are read. */
export async function checkStored(
  context: Context,
  store: Store,
  manifest: Manifest,
): Promise<FileProblem[]> {
  const folder = {
    dir: releaseDir(store, manifest.digest),
    cache: StatCache.ofRelease(store, manifest.digest),
  };
  return await checkAndRemember(context, folder, manifest, "stat");
}

/** As `checkFiles`; what was read is remembered, so that the next check need not read it again. */
export async function checkAndRemember(
  context: Context,
  folder: CheckedFolder,
  manifest: Manifest,
  depth: CheckDepth,
): Promise<FileProblem[]> {
  const problems = await checkFiles(context, folder, manifest, depth);
  folder.cache.save();
  return problems;
}

/**
 * The first thing wrong with what consumers open, compared with the release that should be active; `undefined` when
 * nothing is. Looks at sizes, times and inodes; only suspects are read.
 */
export async function damageSeenByConsumers(
  context: Context,
  store: Store,
  active: Manifest,
  mode: ActivationMode,
): Promise<string | undefined> {
  if (mode === "symlink" && inspectModelFolder(store).kind !== "linked") {
    return `${store.modelsDir} is not the link to it`;
  }
  const [problem] = mode === "symlink" ? await checkStored(context, store, active) : await checkAndRemember(
    context,
    { dir: store.modelsDir, cache: StatCache.ofModels(store) },
    active,
    "stat",
  );
  if (problem !== undefined) return `${problem.path} ${problem.problem}`;
  const unseen = problemSeenByConsumers(store, active);
  return unseen === undefined ? undefined : `${store.modelsDir} ${unseen}`;
}

function firstDifference(staged: readonly StagedFile[], claimed: readonly ReleaseFile[]): string | undefined {
  const measured = new Map(staged.map((file) => [file.path, file]));
  for (const file of claimed) {
    const found = measured.get(file.path);
    if (found === undefined) return `${file.path} is missing, manifest lists it`;
    if (found.bytes !== file.size) return `${file.path} is ${found.bytes} bytes, manifest says ${file.size}`;
    if (found.sha256 !== file.sha256) {
      return `${file.path} has SHA-256 ${found.sha256}, manifest says ${file.sha256}`;
    }
    measured.delete(file.path);
  }
  const [extra] = measured.keys();
  return extra === undefined ? undefined : `${extra} is there, manifest does not list it`;
}

function mismatch(digest: Digest, problem: string): RefusedError {
  return new RefusedError(`Cannot accept release ${shortDigest(digest)}: ${problem}`, {
    code: "DIGEST_MISMATCH",
    hint: "publish again from the training side; the active release is untouched",
  });
}
