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

/** A verified release that may be activated: it passed every check that is configured. Only this file makes one. */
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
   * Looks at staged files before anybody loads them. A release that fails is quarantined.
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
    // What is active has passed, or was made active by an operator.
    if (settings === undefined || active?.digest === release.digest) return new ValidRelease(release);
    const { manifest } = release;
    // Loaded where there is something to look at: an unchanged pull need not wait for it.
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
        throw withWayBack(error, manifest.digest);
      }
      throw error;
    }
    return new ValidRelease(release);
  }

  /** A release that was active before, or that an operator names: it passed when it came. */
  static ofStored(release: VerifiedRelease): ValidRelease {
    return new ValidRelease(release);
  }
}

/** Where a setting would allow the release, changing it is not enough: the release is quarantined by now. */
function withWayBack(error: InvalidModelError, digest: Digest): InvalidModelError {
  if (error.hint?.includes("activation.validate.") !== true) return error;
  const lift = `model-sync quarantine lift ${shortDigest(digest)}`;
  return new InvalidModelError(error.path, error.problem, {
    cause: error,
    hint: `${error.hint}. The release is quarantined: after a change of settings, allow it again by ${lift}`,
  });
}

function modelFiles(dir: string, manifest: Manifest): ModelFile[] {
  return manifest.files.map(({ path, size, sha256 }) => ({ path, size, sha256, location: join(dir, path) }));
}
