import type { Context } from "../core/context.ts";
import { RefusedError, UsageError } from "../core/errors.ts";
import { type Digest, type Manifest, shortDigest, totalBytes } from "../release/manifest.ts";
import type { ActivationSetting } from "../config/choices.ts";
import { WITHDRAWN, withdrawnWords } from "../release/withdrawals.ts";
import { findWithdrawal, overrideWithdrawal } from "../store/withdrawals.ts";
import { matchRelease } from "../release/match_digest.ts";
import { chooseMode } from "../store/model_folder.ts";
import { readPointer } from "../store/pointers.ts";
import { readCurrent } from "../store/restore_current.ts";
import { findQuarantineEntry, liftQuarantine, type QuarantineEntry } from "../store/quarantine.ts";
import { writePendingReload } from "../store/pending_reload.ts";
import { withReserve } from "../store/reserve.ts";
import { findRelease, listReleases, releasesOf, type StoredRelease } from "../store/releases.ts";
import { signOfTraining } from "../store/training_signs.ts";
import type { Store } from "../store/store.ts";
import { clearCanary } from "../canary/canary_state.ts";
import { canaryPath } from "../canary/find_canary.ts";
import { type ActivationOptions, NO_SAFEGUARDS, type Safeguards } from "./safeguards.ts";
import { notifyConsumers } from "./notify_consumers.ts";
import { activate, type Activation, rollBackTo } from "./activate.ts";
import type { CurrentRun } from "./current_run.ts";
import { compareFiles, countChanges } from "../release/changes.ts";
import { isOlder, previousRelease } from "./rollback_targets.ts";
import type { RunReport } from "./run_report.ts";
import { ValidRelease, VerifiedRelease } from "./checked_release.ts";

/** The release that the command activates, and the one that it replaces. */
export interface RollbackPlan {
  /** `activated`: the release is newer than the active one, so the replaced release is not quarantined. */
  readonly outcome: "rolled-back" | "activated" | "unchanged";
  readonly from: Digest | undefined;
  readonly fromSequence: number;
  readonly target: StoredRelease;
  /** The quarantine of the target, which the command lifts. */
  readonly lifted: QuarantineEntry | undefined;
  readonly changed: number;
}

export interface RollbackReport extends RunReport {
  readonly outcome: RollbackPlan["outcome"];
  readonly release: Digest;
  readonly sequence: number;
  readonly files: number;
  readonly bytes: number;
  readonly changed: number;
  /** The quarantine of the release until this run. */
  readonly lifted: QuarantineEntry | undefined;
  readonly modelsDir: string;
}

/**
 * Decides which release a rollback activates.
 *
 * @param to a sequence number, a digest or a prefix of one. Default: the previous release, or if that is quarantined, the
 * newest older release that is not. Withdrawn releases count as quarantined
 * @param isForced whether to allow a release that is withdrawn
 * @throws {UsageError} codes `NOTHING_TO_ROLL_BACK_TO`, `SEQUENCE_AMBIGUOUS`, `DIGEST_INVALID`, `DIGEST_AMBIGUOUS`;
 * {@link RefusedError} codes `RELEASE_MISSING`, `RELEASE_DAMAGED`, `WITHDRAWN`
 */
export function planRollback(store: Store, to: string | undefined, isForced = false): RollbackPlan {
  const from = readCurrent(store);
  const active = from === undefined ? undefined : findRelease(store, from)?.manifest;
  const target = to === undefined ? findPrevious(store, from, active) : findNamed(store, to);
  if (!isForced) refuseWithdrawn(store, target.manifest.digest);
  return {
    outcome: outcomeOf(from, active, target.manifest),
    from,
    fromSequence: active?.sequence ?? 0,
    target,
    lifted: findQuarantineEntry(store, target.manifest.digest),
    changed: countChanges(compareFiles(active?.files ?? [], target.manifest.files)),
  };
}

/**
 * Activates a release of the store, releases it from quarantine, and notifies consumers. Quarantines the replaced
 * release if it is the newer one, so that the next scheduled pull does not activate it again. A withdrawn release stays
 * active until its publisher changes the withdrawal.
 *
 * @throws {FailedError} code `RELOAD_FAILED` if a consumer could not load the release: it is active nevertheless, and the
 * next pull notifies consumers again
 */
export async function rollback(
  context: Context,
  store: Store,
  run: CurrentRun,
  plan: RollbackPlan,
  setting: ActivationSetting,
  safeguards: Safeguards = NO_SAFEGUARDS,
): Promise<RollbackReport> {
  const options = { run, choice: chooseMode(store, setting), safeguards };
  const release = ValidRelease.ofStored(
    await run.step("verify", () => VerifiedRelease.ofStored(context, store, plan.target)),
  );
  const { previous } = await activatePlanned(context, store, release, plan, options);
  liftQuarantine(store, release.digest);
  // Without this, the next pull would roll back from what the operator has just chosen.
  overrideWithdrawal(store, release.digest);
  withReserve(store, () => clearCanary(context.fs, canaryPath(store)));
  const { manifest } = release;
  const { outcome } = plan;
  if (outcome !== "unchanged") {
    await notifyConsumers(context, store, run, { event: outcome, manifest, previous }, safeguards);
  }
  return {
    outcome,
    release: release.digest,
    ...(previous === undefined ? {} : { previous }),
    sequence: manifest.sequence,
    files: manifest.files.length,
    bytes: totalBytes(manifest.files),
    changed: plan.changed,
    lifted: plan.lifted,
    modelsDir: store.modelsDir,
  };
}

async function activatePlanned(
  context: Context,
  store: Store,
  release: ValidRelease,
  { outcome, from, fromSequence }: RollbackPlan,
  options: ActivationOptions,
): Promise<Activation> {
  const { run, choice, safeguards } = options;
  if (outcome === "rolled-back" && from !== undefined) {
    const reason = `rolled back to ${shortDigest(release.digest)}`;
    return await rollBackTo(
      context,
      store,
      release,
      { digest: from, sequence: fromSequence, reason },
      options,
    );
  }
  if (outcome === "activated" && safeguards.reload.length > 0) {
    // After a kill, the next pull notifies consumers.
    writePendingReload(store, { digest: release.digest, previous: from ?? null });
  }
  return await run.step("activate", () => activate(context, store, release, run, choice));
}

/** A release that is newer than the active one replaces a release that no pull activates again: pulls refuse downgrades. */
function outcomeOf(
  from: Digest | undefined,
  active: Manifest | undefined,
  target: Manifest,
): RollbackPlan["outcome"] {
  if (from === target.digest) return "unchanged";
  return isOlder(target, active) ? "rolled-back" : "activated";
}

/** @throws {UsageError} code `NOTHING_TO_ROLL_BACK_TO` */
function findPrevious(store: Store, from: Digest | undefined, active: Manifest | undefined): StoredRelease {
  const found = previousRelease(store, from, active);
  if (found !== undefined) return found;
  const previous = readPointer(store, "previous");
  const isHeld = previous !== undefined && findRelease(store, previous) !== undefined;
  const but = isHeld ? " that is neither quarantined nor withdrawn" : "";
  throw new UsageError(`Cannot roll back ${store.modelsDir}: the store holds no earlier release${but}`, {
    code: "NOTHING_TO_ROLL_BACK_TO",
    hint: otherWay(store, active),
  });
}

/** Returns what to do where no rollback is possible. */
function otherWay(store: Store, active: Manifest | undefined): string {
  if (active === undefined && signOfTraining(store) !== undefined) {
    return "this machine publishes: run the command on a machine that pulls, or model-sync withdraw RELEASE for all machines";
  }
  return listReleases(store).some(({ manifest }) => manifest.digest !== active?.digest)
    ? "model-sync releases lists the releases; choose one: model-sync rollback --to RELEASE"
    : "publish a good release, and pull it";
}

/** @throws {RefusedError} code `WITHDRAWN` */
function refuseWithdrawn(store: Store, digest: Digest): void {
  const withdrawn = findWithdrawal(store, digest);
  if (withdrawn === undefined) return;
  const name = shortDigest(digest);
  throw new RefusedError(
    `Cannot roll back to ${name}: its publisher withdrew it ${withdrawnWords(withdrawn)}`,
    {
      code: WITHDRAWN,
      hint: `to activate it anyway, on this machine only: model-sync rollback --to ${name} --force`,
    },
  );
}

function findNamed(store: Store, to: string): StoredRelease {
  const digest = matchRelease(to, "roll back to", releasesOf(store));
  const release = findRelease(store, digest);
  if (release !== undefined) return release;
  throw new RefusedError(`Cannot roll back to ${shortDigest(digest)}: its manifest is damaged`, {
    code: "RELEASE_DAMAGED",
    hint: "choose another release: model-sync rollback --to RELEASE",
  });
}
