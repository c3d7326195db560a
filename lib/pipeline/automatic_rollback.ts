import type { Context } from "../core/context.ts";
import { FailedError, messageOf } from "../core/errors.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { findWithdrawn, type Withdrawn } from "../release/withdrawals.ts";
import { findRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import { withdrawalsInForce } from "../store/withdrawals.ts";
import { rollBackTo } from "./activate.ts";
import { type ActivationEvent, notifyConsumers } from "./notify_consumers.ts";
import { RolledBackError } from "./run_report.ts";
import type { ActivationOptions, SwapOptions } from "./safeguards.ts";
import { rollbackTargets, warnOfUntrusted } from "./rollback_targets.ts";
import { ValidRelease, VerifiedRelease } from "./checked_release.ts";

/** An active release that failed, and the release to roll back to. */
export interface FailedRelease {
  readonly failed: Manifest;
  readonly to: Digest;
  /** Stable, for scripts: `RELOAD_FAILED`. */
  readonly code: string;
  /** The event, as the end of a sentence about the release. */
  readonly reason: string;
  readonly cause?: unknown;
  /** If its publisher withdrew it. Then `withdraw --undo` lifts the quarantine. */
  readonly withdrawal?: Withdrawn;
}

/**
 * Activates the release before the failed one, quarantines the failed one, and notifies consumers. If the release
 * before was withdrawn meanwhile, activates the first of the {@link rollbackTargets}.
 *
 * @returns the error to throw: the run did not do what it was started for
 * @throws {FailedError} code `CANNOT_GO_BACK` if the store holds no release to roll back to; the failed one stays
 * active
 */
export async function rollBackFailed(
  context: Context,
  store: Store,
  { failed, to: before, code, reason, cause, withdrawal }: FailedRelease,
  options: SwapOptions,
): Promise<RolledBackError> {
  const withdrawals = withdrawalsInForce(store);
  const withdrawn = findWithdrawn(withdrawals, before);
  const [other] = withdrawn === undefined
    ? []
    : await rollbackTargets(context, store, failed.digest, withdrawals, options.readSignatures);
  const stored = withdrawn === undefined ? findRelease(store, before) : other;
  if (stored === undefined) {
    const why = withdrawn === undefined ? "the store no longer holds it" : "it was withdrawn, too";
    throw new FailedError(
      `Cannot roll back from release ${shortDigest(failed.digest)}, which ${reason}, to ${
        shortDigest(before)
      }: ${why}`,
      {
        code: "CANNOT_GO_BACK",
        cause,
        hint: "model-sync releases lists the releases; choose one: model-sync rollback --to RELEASE",
      },
    );
  }
  const to = stored.manifest.digest;
  context.log.warn(`release ${shortDigest(failed.digest)} ${reason}; rolling back to ${shortDigest(to)}`);
  const release = ValidRelease.ofStored(await VerifiedRelease.ofStored(context, store, stored));
  const { digest, sequence } = failed;
  const replaced = {
    digest,
    sequence,
    reason: `it ${reason}`,
    ...(withdrawal === undefined ? {} : { isWithdrawn: true }),
  };
  await rollBackTo(context, store, release, replaced, options);
  if (other?.isTrusted === false) warnOfUntrusted(context, other.manifest);
  const activation = { event: "rolled-back", manifest: stored.manifest, previous: digest } as const;
  const problem = await notifyOfRollback(context, store, activation, options);
  const but = problem === undefined ? "" : `, but consumers may not have it: ${problem}`;
  const name = shortDigest(failed.digest);
  return new RolledBackError(
    `Cannot keep release ${name} active: it ${reason}; release ${shortDigest(to)} is active again${but}`,
    {
      code,
      cause,
      hint: withdrawal !== undefined
        ? `to activate ${name} anyway: model-sync rollback --to ${name} --force`
        : `fix it and publish again; to activate it anyway: model-sync rollback --to ${name}`,
      report: {
        outcome: "rolled-back",
        release: to,
        previous: failed.digest,
        sequence: stored.manifest.sequence,
        ...(withdrawal === undefined ? {} : { withdrawal }),
      },
    },
  );
}

/** @returns why consumers may not have loaded the release, if so. The next pull notifies them again */
async function notifyOfRollback(
  context: Context,
  store: Store,
  activation: ActivationEvent,
  { run, safeguards }: ActivationOptions,
): Promise<string | undefined> {
  try {
    await notifyConsumers(context, store, run, activation, safeguards);
    return undefined;
  } catch (error) {
    if (context.signal.aborted) throw error;
    const reason = messageOf(error);
    context.log.error(reason);
    return reason;
  }
}
