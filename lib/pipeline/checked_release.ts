import type { ManifestClaim } from "../carriers/carrier.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { RefusedError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import { type FileList, filesOf } from "../release/file_list.ts";
import { formatManifest } from "../release/format_manifest.ts";
import {
  type Carrier,
  createManifest,
  type Digest,
  type Manifest,
  releaseFile,
  shortDigest,
} from "../release/manifest.ts";
import { findSignature, type StoredRelease } from "../store/releases.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import { checkStored } from "./release_damage.ts";
import { rememberPassed } from "../store/passed_releases.ts";
import { addQuarantine } from "../store/quarantine.ts";
import { InvalidModelError } from "../validators/invalid_model.ts";
import type { Validation } from "./validation.ts";

/** A release whose files match its manifest. Only this file creates one. */
export class VerifiedRelease {
  readonly manifest: Manifest;
  // Private fields make the type nominal: no object literal passes for a verified release.
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

  /** The manifest's text, byte for byte as the carrier sent it. */
  get text(): string {
    return this.#text;
  }

  /** The signature that came with the manifest. `checkSignature` decides whether it is good. */
  get signature(): string | undefined {
    return this.#signature;
  }

  /** Compares the staged files with the manifest. @throws {RefusedError} code `DIGEST_MISMATCH` */
  static ofStaged(staging: Staging, claim: ManifestClaim): VerifiedRelease {
    const problem = firstDifference(staging, filesOf(claim.manifest));
    if (problem !== undefined) throw mismatch(claim.manifest.digest, problem);
    return new VerifiedRelease(claim.manifest, claim.text, claim.signature);
  }

  /** Creates the manifest of files that came without one, from the digests that were computed while they were staged. */
  static async ofUnclaimed(staging: Staging, origin: Origin): Promise<VerifiedRelease> {
    const manifest = await createManifest(staging.files.map((file) => releaseFile(file.path, file)), {
      sequence: origin.sequence,
      createdAt: isoSeconds(origin.createdAt),
      origin: { carrier: origin.carrier, revision: origin.revision, host: origin.host },
    });
    return new VerifiedRelease(manifest, formatManifest(manifest));
  }

  /** Checks a release in the store once more. @throws {RefusedError} code `RELEASE_DAMAGED` */
  static async ofStored(context: Context, store: Store, release: StoredRelease): Promise<VerifiedRelease> {
    const [problem] = await checkStored(context, store, release.manifest);
    if (problem !== undefined) {
      throw new RefusedError(
        `Cannot use release ${shortDigest(release.manifest.digest)}: ${problem.path} ${problem.problem}`,
        { code: "RELEASE_DAMAGED", hint: "choose another release: model-sync rollback --to RELEASE" },
      );
    }
    return new VerifiedRelease(release.manifest, release.text, findSignature(store, release.manifest.digest));
  }
}

/** Where a release without a manifest comes from. */
export interface Origin {
  readonly carrier: Carrier;
  readonly revision: string;
  readonly sequence: number;
  readonly host: string;
  readonly createdAt: Date;
}

/** A verified release that passed the configured checks and may be activated. Only this file creates one. */
export class ValidRelease {
  readonly #release: VerifiedRelease;

  private constructor(release: VerifiedRelease) {
    this.#release = release;
  }

  get manifest(): Manifest {
    return this.#release.manifest;
  }

  get digest(): Digest {
    return this.#release.digest;
  }

  /**
   * Validates staged files before a consumer loads them. A release that fails is quarantined.
   *
   * @param validation of this release; `undefined` if it needs none
   * @throws {InvalidModelError} naming the file, what was found and what was expected
   */
  static async ofStaged(
    context: Context,
    store: Store,
    release: VerifiedRelease,
    validation: Validation | undefined,
  ): Promise<ValidRelease> {
    if (validation === undefined) return new ValidRelease(release);
    const { manifest } = release;
    const { validateRelease } = await import("../validators/validate_release.ts");
    try {
      await validateRelease(context, validation.request, validation.checks);
      rememberPassed(store, manifest.digest, validation.rules);
    } catch (error) {
      if (error instanceof InvalidModelError) {
        addQuarantine(store, {
          digest: manifest.digest,
          sequence: manifest.sequence,
          reason: `it failed validation: ${error.message}`,
          at: isoSeconds(context.clock.now()),
        });
        throw withLiftHint(error, manifest.digest);
      }
      throw error;
    }
    return new ValidRelease(release);
  }

  /** A release that was active before, or that an operator names: it passed the checks when it was pulled. */
  static ofStored(release: VerifiedRelease): ValidRelease {
    return new ValidRelease(release);
  }
}

/** Adds to a hint about a setting that the release is quarantined by now, so that changing the setting is not enough. */
function withLiftHint(error: InvalidModelError, digest: Digest): InvalidModelError {
  if (error.hint?.includes("activation.validate.") !== true) return error;
  const lift = `model-sync quarantine lift ${shortDigest(digest)}`;
  return new InvalidModelError(error.path, error.problem, {
    cause: error,
    hint: `${error.hint}. The refused release is quarantined: after a change of settings, also run ${lift}`,
  });
}

function firstDifference(staging: Staging, claimed: FileList): string | undefined {
  const others = staging.unkept(claimed);
  for (const file of others) {
    const found = staging.find(file.path);
    if (found === undefined) return `${file.path} is missing, manifest lists it`;
    if (found.bytes !== file.size) {
      return `${file.path} is ${plural(found.bytes, "byte")}, manifest says ${file.size}`;
    }
    if (found.sha256 !== file.sha256) {
      return `${file.path} has SHA-256 ${found.sha256}, manifest says ${file.sha256}`;
    }
  }
  // No path is listed twice, so as many staged files are all listed.
  const { files } = staging;
  if (files.length === others.length) return undefined;
  const listed = new Set(others.map(({ path }) => path));
  return `${files.find(({ path }) => !listed.has(path))?.path} is there, manifest does not list it`;
}

function mismatch(digest: Digest, problem: string): RefusedError {
  return new RefusedError(`Cannot accept release ${shortDigest(digest)}: ${problem}`, {
    code: "DIGEST_MISMATCH",
    hint: "publish again from the training side; the active release is untouched",
  });
}
