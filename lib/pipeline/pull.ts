import type { Revision, Source } from "../carriers/carrier.ts";
import type { Context } from "../core/context.ts";
import { messageOf, RefusedError } from "../core/errors.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import type { ReleaseIndex } from "../release/release_index.ts";
import { WITHDRAWN } from "../release/withdrawals.ts";
import { chooseMode, type ModeChoice } from "../store/model_folder.ts";
import { activeManifest } from "../store/pointers.ts";
import { findRevision, findRevisionOf, isFromElsewhere } from "../store/revisions.ts";
import type { Store } from "../store/store.ts";
import { actOnVerdict } from "./act_on_verdict.ts";
import { isNewestFor, mayStayActive, refuseUnwanted } from "./check_offer.ts";
import { NO_SIGNATURES } from "./check_signature.ts";
import type { CurrentRun } from "./current_run.ts";
import { finishSwap } from "./finish_swap.ts";
import type { PullOptions } from "./pull_options.ts";
import { type PullReport, pullReport } from "./pull_report.ts";
import { damageSeenByConsumers, rereadActive } from "./release_damage.ts";
import { RolledBackError } from "./run_report.ts";
import { NO_SAFEGUARDS, type SwapOptions } from "./safeguards.ts";
import { isUnreachable } from "./unreachable_carrier.ts";
import { leaveWithdrawn, replacedWithdrawn } from "./withdrawn_release.ts";

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
    if (error instanceof RolledBackError) {
      const { tidyUp } = await import("./pull_revision.ts");
      await tidyUp(context, store, options.keep);
    }
    if (options.isOfflineOk !== true || !isUnreachable(error)) throw error;
    const { adoptPresentModels } = await import("./activate.ts");
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
      ...pullReport(store, source, revision, active, NOTHING_NEW),
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
    const { isDiskFault, learnFromPreview } = await import("./learn_from_preview.ts");
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
  const { run, choice } = swapping;
  const revision = await run.step("resolve", () => source.resolve());
  // Checked only if it matters, and logged once.
  const known = new Map<Digest, boolean>();
  const isWhole = async (manifest: Manifest) => {
    const is = known.get(manifest.digest) ??
      await isActiveWhole(context, store, manifest, choice, source.index);
    known.set(manifest.digest, is);
    return is;
  };
  const nothingNew = await findUnchanged(context, store, source, revision, isWhole, options);
  if (nothingNew !== undefined) return nothingNew;
  // Loaded only for a new revision: an unchanged pull starts faster without it.
  const { pullRevision } = await import("./pull_revision.ts");
  return await pullRevision(context, store, source, revision, swapping, options, {
    leave,
    isActiveWhole: isWhole,
    isKnownDamaged: (digest) => known.get(digest) === false,
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
  if (options.force) {
    const active = activeManifest(store);
    if (active !== undefined) await rereadActive(context, store, active);
    return undefined;
  }
  const seen = findRevision(store, revision.source);
  if (seen?.revision !== revision.id) return undefined;
  const active = activeManifest(store);
  if (
    active !== undefined && isNewestFor(store, active, seen) && await isWhole(active) &&
    await mayStayActive(context, store, active, options)
  ) {
    return pullReport(store, source, revision.id, active, { ...NOTHING_NEW, otherWriter: seen.otherWriter });
  }
  refuseUnwanted(store, seen, active, options);
  return undefined;
}

const NOTHING_NEW = { outcome: "unchanged", changed: 0, writtenBytes: 0 } as const;

/** Whether consumers see the active release undamaged, as far as sizes and times show. */
async function isActiveWhole(
  context: Context,
  store: Store,
  active: Manifest,
  choice: ModeChoice,
  index?: ReleaseIndex,
): Promise<boolean> {
  const damage = await damageSeenByConsumers(context, store, active, choice.mode, index);
  if (damage !== undefined) {
    context.log.warn(`the active release is damaged and is downloaded again: ${damage}`);
  }
  return damage === undefined;
}
