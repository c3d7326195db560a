import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { join } from "node:path";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { addQuarantine } from "../store/quarantine.ts";
import { releaseDir } from "../store/releases.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import { InvalidModelError } from "../validators/invalid_model.ts";
import type { ModelFile } from "../validators/checker.ts";
import type { Safeguards } from "./safeguards.ts";
import type { VerifiedRelease } from "./verified_release.ts";

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
   * @throws {InvalidModelError} naming the file, what was found and what was expected
   */
  static async ofStaged(
    context: Context,
    store: Store,
    staging: Staging,
    release: VerifiedRelease,
    active: Manifest | undefined,
    { validate: settings }: Safeguards,
  ): Promise<ValidRelease> {
    // The active release has passed the checks, or an operator activated it.
    if (settings === undefined || active?.digest === release.digest) return new ValidRelease(release);
    const { manifest } = release;
    // Loaded only for a changed release: an unchanged pull starts faster without it.
    const { validateRelease } = await import("../validators/validate_release.ts");
    try {
      await validateRelease(context, {
        dir: staging.dir,
        files: modelFiles(staging.dir, manifest),
        digest: manifest.digest,
        createdAt: manifest.createdAt,
        active: active === undefined ? undefined : {
          dir: releaseDir(store, active.digest),
          files: modelFiles(releaseDir(store, active.digest), active),
        },
        settings,
      });
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
    hint: `${error.hint}. The release is quarantined: after a change of settings, also run ${lift}`,
  });
}

function modelFiles(dir: string, manifest: Manifest): ModelFile[] {
  return manifest.files.map(({ path, size, sha256 }) => ({ path, size, sha256, location: join(dir, path) }));
}
