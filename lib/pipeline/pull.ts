import type { Offer, Revision, Source } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { messageOf, RefusedError } from "../core/errors.ts";
import {
  type Carrier,
  type Digest,
  type Manifest,
  shareEntries,
  shortDigest,
  totalBytes,
} from "../release/manifest.ts";
import type { ActivationSetting } from "../config/choices.ts";
import { chooseMode, type ModeChoice } from "../store/model_folder.ts";
import { sweepPartials } from "../store/partials.ts";
import { checkMirrorFolder } from "../store/mirror_scratch.ts";
import { activeManifest, readPointer } from "../store/pointers.ts";
import type { RecordedWriter } from "../store/recorded_writer.ts";
import { findRevision, findRevisionOf, isFromElsewhere } from "../store/revisions.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import type { CurrentRun } from "./current_run.ts";
import { compareFiles, countChanges } from "../release/changes.ts";
import {
  checkKept,
  checkOffer,
  isNewestFor,
  mayStayActive,
  recordedWriter,
  refuseUnwanted,
  type TrustOptions,
} from "./check_offer.ts";
import { NO_SIGNATURES } from "./check_signature.ts";
import { indexRelease } from "./index_release.ts";
import { install } from "./install.ts";
import { isDiskFault, learnFromPreview, type OpenPreview } from "./learn_from_preview.ts";
import { rememberPulled, rememberRefused } from "./remember_pulled.ts";
import { planPrune, pruneAfterPull } from "./prune.ts";
import { damageSeenByConsumers, rereadActive } from "./release_damage.ts";
import { RolledBackError, type RunReport } from "./run_report.ts";
import { NO_SAFEGUARDS, type Safeguards, type SwapOptions } from "./safeguards.ts";
import { adoptPresentModels } from "./activate.ts";
import { refuseTrainedFolder } from "./trained_folder.ts";
import { stage } from "./stage_release.ts";
import { finishSwap, swap } from "./swap.ts";
import { isUnreachable } from "./unreachable_carrier.ts";
import { openValidation } from "./validation.ts";
import { actOnVerdict } from "./act_on_verdict.ts";
import { ValidRelease } from "./checked_release.ts";
import { WITHDRAWN } from "../release/withdrawals.ts";
import { findWithdrawal } from "../store/withdrawals.ts";
import { learnFrom, leaveWithdrawn, replacedWithdrawn } from "./withdrawn_release.ts";

export interface PullOptions extends TrustOptions {
  /** Accepts a release with a lower sequence than the active one. */
  readonly allowDowngrade: boolean;
  /** Accepts a quarantined release, and hashes and stages an unchanged one again. */
  readonly force: boolean;
  readonly activation: ActivationSetting;
  /** Checks before the activation, notifications and canary after it. */
  readonly safeguards?: Safeguards;
  /**
   * Succeeds with the active release if the carrier is unreachable. If none is active, the models that are already in
   * the model folder become the active release, unless signatures are required.
   */
  readonly isOfflineOk?: boolean;
  /** Whether a folder that this machine trains into may be replaced. */
  readonly adopts?: boolean;
  /** The number of releases to keep in the store. */
  readonly keep: number;
  /** Only for a source whose `inspect` writes to the disk, and does not download the models. */
  readonly openPreview?: OpenPreview;
}

export interface PullReport extends RunReport {
  readonly outcome: "activated" | "unchanged";
  readonly carrier: Carrier;
  /** The carrier's revision of the release; missing if the carrier was unreachable and none is on record. */
  readonly revision?: string;
  /** Why the pull could not check for a newer release. */
  readonly unreached?: string;
  readonly release: Digest;
  readonly sequence: number;
  readonly files: number;
  readonly bytes: number;
  readonly changed: number;
  /** Bytes that were written into the store. Files that it held already are linked. */
  readonly writtenBytes: number;
  readonly modelsDir: string;
}

/**
 * Pulls a source's newest release and activates it: resolve, inspect, stage, verify, validate, install, activate, reload.
 * A failure before the activation leaves the active release unchanged; a failure after it rolls back to that release.
 *
 * @throws {RolledBackError} if consumers could not load the release, an earlier release failed its canary, or the
 * active release is withdrawn;
 * {@link FailedError} code `RELOAD_FAILED` if consumers cannot load the active release; {@link RefusedError}, such as
 * `TRAINED_FOLDER`
 */
export async function pull(
  context: Context,
  store: Store,
  source: Source,
  run: CurrentRun,
  options: PullOptions,
): Promise<PullReport> {
  const { safeguards = NO_SAFEGUARDS, signatures = NO_SIGNATURES, adopts = false } = options;
  const choice = { ...chooseMode(store, options.activation), adopts };
  const swapping = { run, choice, safeguards, readSignatures: () => Promise.resolve(signatures) };
  try {
    const { activated, reloadError } = await finishSwap(context, store, swapping);
    await actOnVerdict(context, store, swapping);
    const pulled = await pullNewest(context, store, source, swapping, options);
    if (pulled.outcome === "unchanged" && reloadError !== undefined) throw reloadError;
    // This pull has finished the activation that an earlier run began, so it reports it.
    return pulled.release === activated ? { ...pulled, outcome: "activated" } : pulled;
  } catch (error) {
    if (error instanceof RefusedError && source.otherThanRefused !== undefined) {
      error.addHint(source.otherThanRefused);
    }
    // Without this, a release that fails every day would fill the disk.
    if (error instanceof RolledBackError) await tidyUp(context, store, options.keep);
    if (options.isOfflineOk !== true || !isUnreachable(error)) throw error;
    const areRequired = options.signatures?.isRequired === true;
    const isAdopted = await adoptPresentModels(context, store, swapping, areRequired);
    const active = activeManifest(store);
    if (active === undefined || !await isActiveWhole(context, store, active, swapping.choice)) throw error;
    if (!await mayStayActive(context, store, active, options)) throw error;
    if (source.place !== undefined && isFromElsewhere(store, active.digest, source.place)) {
      error.addHint("the active release was not pulled from there");
      throw error;
    }
    context.log.warn(`${error.message}; keeping the active release ${shortDigest(active.digest)}`);
    const revision = findRevisionOf(store, active.digest);
    return {
      ...report(store, source, revision, active, NOTHING_NEW),
      ...(isAdopted ? { outcome: "activated", carrier: "local" } : {}),
      unreached: error.message,
    };
  }
}

/**
 * Pulls the newest release. If the active release is withdrawn, rolls back from it first, as soon as that is known: a
 * download may take long or fail.
 *
 * @throws {RolledBackError} code `WITHDRAWN` when another release replaced a withdrawn one
 */
async function pullNewest(
  context: Context,
  store: Store,
  source: Source,
  swapping: SwapOptions,
  options: PullOptions,
): Promise<PullReport> {
  let left = await leaveWithdrawn(context, store, swapping);
  let hasLearnt = false;
  const leave = async () => {
    hasLearnt = true;
    left = await leaveWithdrawn(context, store, swapping) ?? left;
  };
  try {
    const pulled = await pullOffered(context, store, source, swapping, options, leave);
    if (left === undefined) return pulled;
    if (pulled.outcome === "activated") throw replacedWithdrawn(left, pulled);
    if (left.rolledBack === undefined) return pulled;
  } catch (error) {
    const isUnlearnt = !hasLearnt && isDiskFault(error);
    if (isUnlearnt && await learnFromPreview(context, store, options.openPreview, options)) await leave();
    const isOther = error instanceof RolledBackError || context.signal.aborted;
    if (left?.rolledBack === undefined || isOther) throw error;
    // The error of the rollback says the same about the withdrawn release.
    const isSaid = error instanceof RefusedError && error.code === WITHDRAWN;
    if (!isSaid) context.log.warn(messageOf(error));
  }
  throw left.rolledBack;
}

/** @param leave rolls back from the active release if it is withdrawn; called when the withdrawals are known */
async function pullOffered(
  context: Context,
  store: Store,
  source: Source,
  swapping: SwapOptions,
  options: PullOptions,
  leave: () => Promise<void>,
): Promise<PullReport> {
  const { run, choice, safeguards } = swapping;
  const revision = await run.step("resolve", () => source.resolve());
  // Checked only if it matters, and logged once.
  const known = new Map<Digest, boolean>();
  const isWhole = async (manifest: Manifest) => {
    const is = known.get(manifest.digest) ?? await isActiveWhole(context, store, manifest, choice);
    known.set(manifest.digest, is);
    return is;
  };
  const nothingNew = await findUnchanged(context, store, source, revision, isWhole, options);
  if (nothingNew !== undefined) return nothingNew;
  context.log.info(`inspecting revision ${revision.id.slice(0, 12)}`);
  const inspect = async () => await checkOffer(context, await source.inspect(revision), options);
  const { offer: inspected, accepted, signer } = await run.step("inspect", inspect);
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
  await using staging = await openStaging(context, store, run.runId, source.index);
  const openChecks = (manifest: Manifest) =>
    openValidation(context, store, staging.dir, manifest, active, safeguards);
  const { release, validation } = await run.step(
    "stage",
    () => stage(context, source, offer, staging, { ...options, openChecks }),
  );
  checkKept(offer, accepted, staging.files);
  if (offer.claim === undefined) refuse(release.manifest);
  const valid = await run.step("validate", () => ValidRelease.ofStaged(context, store, release, validation));
  const repaired = await run.step("install", () => install(context, store, staging, release));
  const wasWhole = known.get(release.digest) !== false;
  if (repaired > 0 && wasWhole) context.log.warn(describeRepair(release.digest, repaired));
  await source.accept(offer);

  const unchanged = active?.digest === release.digest && repaired === 0 &&
    await isWhole(active);
  if (!unchanged) {
    context.log.info(`activating release ${shortDigest(release.digest)}`);
    await swap(context, store, valid, { carrier: source.carrier, revision: revision.id }, swapping);
  }
  const otherWriter = accepted && recordedWriter(accepted.writer);
  rememberPulled(context, store, revision, release.manifest, unchanged, otherWriter);
  await tidyUp(context, store, unchanged ? undefined : options.keep);
  if (!unchanged) await indexRelease(store, source.index, release.manifest, offer, staging.files);
  return report(store, source, revision.id, release.manifest, {
    outcome: unchanged ? "unchanged" : "activated",
    changed: repaired > 0
      ? repaired
      : countChanges(compareFiles(active?.files ?? [], release.manifest.files)),
    writtenBytes: writtenBytesOf(staging),
    otherWriter,
    signer,
  });
}

/**
 * Returns the report of a pull that has nothing to do, because an earlier one pulled or refused the same revision;
 * `undefined` if the revision has to be inspected.
 *
 * @throws {RefusedError} if the revision's release is not wanted
 */
async function findUnchanged(
  context: Context,
  store: Store,
  source: Source,
  revision: Revision,
  isWhole: (manifest: Manifest) => Promise<boolean>,
  options: PullOptions,
): Promise<PullReport | undefined> {
  const active = activeManifest(store);
  if (options.force) {
    if (active !== undefined) await rereadActive(context, store, active);
    return undefined;
  }
  const seen = findRevision(store, revision.source);
  if (seen?.revision !== revision.id) return undefined;
  if (
    active !== undefined && isNewestFor(store, active, seen) && await isWhole(active) &&
    await mayStayActive(context, store, active, options)
  ) {
    return report(store, source, revision.id, active, { ...NOTHING_NEW, otherWriter: seen.otherWriter });
  }
  refuseUnwanted(store, seen, active, options);
  return undefined;
}

function describeRepair(digest: Digest, files: number): string {
  return `release ${shortDigest(digest)} was damaged in the store and is repaired (files: ${files})`;
}

const NOTHING_NEW = { outcome: "unchanged", changed: 0, writtenBytes: 0 } as const;

/** Loaded only for a new release: an unchanged pull starts faster without it. */
async function openStaging(context: Context, store: Store, runId: string, index: Source["index"]) {
  const { Staging } = await import("../store/staging.ts");
  return new Staging(context, store, runId, index);
}

function writtenBytesOf({ files }: Staging): number {
  return files.reduce((sum, { how, bytes }) => how === "written" ? sum + bytes : sum, 0);
}

/** Returns the offer with a manifest that shares its entries with that of the active release, which saves memory. */
function sharingEntries(offer: Offer, active: Manifest | undefined): Offer {
  if (offer.claim === undefined || active === undefined) return offer;
  return { ...offer, claim: { ...offer.claim, manifest: shareEntries(offer.claim.manifest, active.files) } };
}

/** Whether consumers see the active release undamaged, as far as sizes and times show. */
async function isActiveWhole(
  context: Context,
  store: Store,
  active: Manifest,
  choice: ModeChoice,
): Promise<boolean> {
  const damage = await damageSeenByConsumers(context, store, active, choice.mode);
  if (damage !== undefined) {
    context.log.warn(`the active release is damaged and is downloaded again: ${damage}`);
  }
  return damage === undefined;
}

/**
 * Removes partial downloads after a pull, and old releases after a new one. A failure here does not fail the pull.
 *
 * @param keep the number of releases to keep; `undefined`: remove none
 */
async function tidyUp(context: Context, store: Store, keep: number | undefined): Promise<void> {
  try {
    await sweepPartials(context, store, "all");
    if (keep !== undefined) await pruneAfterPull(context, store, planPrune(store, keep));
  } catch (error) {
    if (context.signal.aborted) return;
    context.log.warn(`cannot remove old releases: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function report(
  store: Store,
  source: Source,
  revision: string | undefined,
  manifest: Manifest,
  { otherWriter, signer, ...result }: Pick<PullReport, "outcome" | "changed" | "writtenBytes"> & {
    readonly otherWriter?: RecordedWriter | undefined;
    readonly signer?: string | undefined;
  },
): PullReport {
  const previous = readPointer(store, "previous");
  return {
    ...result,
    carrier: source.carrier,
    ...(revision === undefined ? {} : { revision }),
    release: manifest.digest,
    ...(previous === undefined ? {} : { previous }),
    ...(otherWriter === undefined ? {} : { otherWriter }),
    ...(signer === undefined ? {} : { signer }),
    sequence: manifest.sequence,
    files: manifest.files.length,
    bytes: totalBytes(manifest.files),
    modelsDir: store.modelsDir,
  };
}
