import { listOf, type Offer, type Source } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { plural } from "../core/format.ts";
import { filesOf } from "../release/file_list.ts";
import type { Manifest } from "../release/manifest.ts";
import type { ExaminedSpare } from "../store/kept_files.ts";
import type { Staging } from "../store/staging.ts";
import { explainMismatch, type TrustOptions } from "./check_offer.ts";
import { VerifiedRelease } from "./checked_release.ts";
import type { Validation } from "./validation.ts";

export interface StageOptions extends TrustOptions {
  /** Returns the validation of the release with this manifest; `undefined` if there is none to do. */
  readonly openChecks: (manifest: Manifest) => Promise<Validation | undefined>;
  readonly examinedSpare?: ExaminedSpare | undefined;
}

/** A staged release whose files match its manifest, with the validation that is still to be completed. */
export interface StagedRelease {
  readonly release: VerifiedRelease;
  readonly validation: Validation | undefined;
}

/**
 * Stages an offered release and compares its files with its manifest. If it has one, small files are checked while they
 * are staged; else a manifest is created from the files.
 *
 * @throws {RefusedError} code `DIGEST_MISMATCH`
 */
export async function stage(
  context: Context,
  source: Source,
  offer: Offer,
  staging: Staging,
  { openChecks, examinedSpare, ...options }: StageOptions,
): Promise<StagedRelease> {
  const { claim, since } = offer;
  const count = claim === undefined || since === undefined
    ? offer.files.length
    : filesOf(claim.manifest).count;
  context.log.info(`staging ${plural(count, "file")}`);
  if (offer.claim === undefined) {
    await fill(source, offer, staging, examinedSpare);
    const release = await VerifiedRelease.ofUnclaimed(staging, {
      carrier: source.carrier,
      revision: offer.revision.id,
      sequence: offer.sequence ?? 0,
      host: context.host,
      createdAt: context.clock.now(),
    });
    return { release, validation: await openChecks(release.manifest) };
  }
  const validation = await openChecks(offer.claim.manifest);
  if (validation !== undefined) {
    staging.checkSmallFiles((path, bytes, sha256) => validation.checks.checkBytes(path, bytes, sha256));
  }
  await fill(source, offer, staging, examinedSpare);
  try {
    return { release: VerifiedRelease.ofStaged(staging, offer.claim), validation };
  } catch (error) {
    throw await explainMismatch(offer, error, options);
  }
}

/** Stages all files, in the folder of a removed release if there is one. */
async function fill(
  source: Source,
  offer: Offer,
  staging: Staging,
  examined: ExaminedSpare | undefined,
): Promise<void> {
  const files = listOf(offer);
  await staging.takeSpare(files, offer.since);
  try {
    if (offer.since !== undefined) await staging.keepUnchanged(offer.since, examined);
    await source.stage(offer, staging);
    await staging.settle();
  } catch (error) {
    await staging.giveUp(error);
    throw error;
  }
  staging.removeLeftovers(files);
}
