import type { Offer, Revision, Source } from "../carriers/carrier.ts";
import { settleAll } from "../core/concurrency.ts";
import type { Context } from "../core/context.ts";
import { compareFiles, countChanges } from "../release/changes.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { shareEntries } from "../release/share_entries.ts";
import { examineSpare } from "../store/kept_files.ts";
import { checkMirrorFolder } from "../store/mirror_scratch.ts";
import { sweepPartials } from "../store/partials.ts";
import { activeManifest } from "../store/pointers.ts";
import { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import { findWithdrawal } from "../store/withdrawals.ts";
import { checkKept, checkOffer, recordedWriter, refuseUnwanted } from "./check_offer.ts";
import { ValidRelease } from "./checked_release.ts";
import { indexRelease } from "./index_release.ts";
import { install } from "./install.ts";
import { planPrune, pruneAfterPull } from "./prune.ts";
import type { PullOptions } from "./pull_options.ts";
import { type PullReport, pullReport } from "./pull_report.ts";
import { rememberPulled, rememberRefused } from "./remember_pulled.ts";
import type { SwapOptions } from "./safeguards.ts";
import { stage } from "./stage_release.ts";
import { swap } from "./swap.ts";
import { refuseTrainedFolder } from "./trained_folder.ts";
import { openValidation } from "./validation.ts";
import { learnFrom } from "./withdrawn_release.ts";
/** What the pull knows about the active release. */
interface ActiveRelease {
  /** Rolls back from it if it is withdrawn; called when the withdrawals are known. */
  readonly leave: () => Promise<void>;
  /** Whether consumers see it undamaged. */
  readonly isActiveWhole: (manifest: Manifest) => Promise<boolean>;
  /** Whether that was checked, and it is damaged. */
  readonly isKnownDamaged: (digest: Digest) => boolean;
}

/** Pulls a revision: inspects, stages, checks, installs and activates its release. @throws as `pull` */
export async function pullRevision(
  context: Context,
  store: Store,
  source: Source,
  revision: Revision,
  swapping: SwapOptions,
  options: PullOptions,
  { leave, isActiveWhole, isKnownDamaged }: ActiveRelease,
): Promise<PullReport> {
  const { run, choice, safeguards } = swapping;
  context.log.info(`inspecting revision ${revision.id.slice(0, 12)}`);
  const inspect = async () => await checkOffer(context, await source.inspect(revision), options);
  const [{ offer: inspected, accepted, signer }, examinedSpare] = await settleAll([
    run.step("inspect", inspect),
    examineSpare(store, source.index),
  ]);
  learnFrom(context, store, accepted?.manifest ?? inspected.claim?.manifest);
  await leave();
  const active = activeManifest(store);
  const offer = sharingEntries(inspected, active);
  const refuse = (manifest: Manifest) => {
    if (findWithdrawal(store, manifest.digest) !== undefined) {
      rememberRefused(context, store, revision, manifest);
    }
    refuseUnwanted(store, manifest, active, options);
  };
  if (offer.claim !== undefined) refuse(offer.claim.manifest);

  refuseTrainedFolder(store, choice);
  if (choice.mode === "mirror") await checkMirrorFolder(context, store, offer.files);
  const assemble = async () => {
    await using staging = new Staging(context, store, run.runId, source.index);
    const openChecks = (manifest: Manifest) =>
      openValidation(context, store, staging.dir, manifest, active, safeguards, offer.since);
    const { release, validation } = await run.step(
      "stage",
      () => stage(context, source, offer, staging, { ...options, openChecks, examinedSpare }),
    );
    checkKept(offer, accepted, staging.files);
    if (offer.claim === undefined) refuse(release.manifest);
    const valid = await run.step(
      "validate",
      () => ValidRelease.ofStaged(context, store, release, validation),
    );
    const repaired = await run.step("install", () => install(context, store, staging, release));
    return { release, valid, repaired, ...summaryOf(staging) };
  };
  const { release, valid, repaired, paths, writtenBytes } = await assemble();
  if (repaired > 0 && !isKnownDamaged(release.digest)) {
    context.log.warn(describeRepair(release.digest, repaired));
  }
  await source.accept(offer);

  const unchanged = active?.digest === release.digest && repaired === 0 &&
    await isActiveWhole(active);
  if (!unchanged) {
    context.log.info(`activating release ${shortDigest(release.digest)}`);
    await swap(context, store, valid, { carrier: source.carrier, revision: revision.id }, swapping);
  }
  const otherWriter = accepted && recordedWriter(accepted.writer);
  rememberPulled(context, store, revision, release.manifest, unchanged, otherWriter);
  await tidyUp(context, store, unchanged ? undefined : options.keep);
  if (!unchanged) await indexRelease(store, source.index, release.manifest, offer, paths);
  return pullReport(store, source, revision.id, release.manifest, {
    outcome: unchanged ? "unchanged" : "activated",
    changed: repaired > 0 ? repaired : countChangesOf(offer, active, release.manifest),
    writtenBytes,
    otherWriter,
    signer,
  });
}

/** Returns how many files differ from those of the release that was active. */
function countChangesOf({ since }: Offer, active: Manifest | undefined, manifest: Manifest): number {
  if (since !== undefined && since.active === active) return since.changed.size + since.removed.size;
  return countChanges(compareFiles(active?.files ?? [], manifest.files));
}

function describeRepair(digest: Digest, files: number): string {
  return `release ${shortDigest(digest)} was damaged in the store and is repaired (files: ${files})`;
}

/**
 * Returns what the pull needs of a staging after its release is installed. The rest, 20 MB for 50,000 files, is free again
 * before old releases are removed.
 */
function summaryOf({ files }: Staging): { readonly paths: readonly string[]; readonly writtenBytes: number } {
  const writtenBytes = files.reduce((sum, { how, bytes }) => how === "written" ? sum + bytes : sum, 0);
  return { paths: files.map(({ path }) => path), writtenBytes };
}

/** Returns the offer with a manifest that shares its entries with that of the active release, which saves memory. */
function sharingEntries(offer: Offer, active: Manifest | undefined): Offer {
  // A source that compared the release with the active one shares them already.
  if (offer.claim === undefined || active === undefined || offer.since?.active === active) return offer;
  return { ...offer, claim: { ...offer.claim, manifest: shareEntries(offer.claim.manifest, active.files) } };
}

/**
 * Removes partial downloads after a pull, and old releases after a new one. A failure here does not fail the pull.
 *
 * @param keep the number of releases to keep; `undefined`: remove none
 */
export async function tidyUp(context: Context, store: Store, keep: number | undefined): Promise<void> {
  try {
    await sweepPartials(context, store, "all");
    if (keep !== undefined) await pruneAfterPull(context, store, planPrune(store, keep));
  } catch (error) {
    if (context.signal.aborted) return;
    context.log.warn(`cannot remove old releases: ${error instanceof Error ? error.message : String(error)}`);
  }
}
