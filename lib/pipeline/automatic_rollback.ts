import type { Context } from "../core/context.ts";
import { FailedError, messageOf } from "../core/errors.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { findRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import { rollBackTo } from "./activate.ts";
import { type ActivationEvent, notifyConsumers } from "./notify_consumers.ts";
import { RolledBackError } from "./run_report.ts";
import type { SwapOptions } from "./safeguards.ts";
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
}

/**
 * Activates the release before the failed one, quarantines the failed one, and notifies consumers.
 *
 * @returns the error to throw: the run did not do what it was started for
 * @throws {FailedError} code `CANNOT_GO_BACK` if the store no longer holds the release before; the failed one stays
 * active
 */
export async function rollBackFailed(
  context: Context,
  store: Store,
  { failed, to, code, reason, cause }: FailedRelease,
  options: SwapOptions,
): Promise<RolledBackError> {
  const stored = findRelease(store, to);
  if (stored === undefined) {
    throw new FailedError(
      `Cannot roll back from release ${
        shortDigest(failed.digest)
      }, which ${reason}: the store no longer holds ${shortDigest(to)}`,
      {
        code: "CANNOT_GO_BACK",
        cause,
        hint: "choose a release: model-sync status, model-sync rollback --to",
      },
    );
  }
  context.log.warn(`release ${shortDigest(failed.digest)} ${reason}; rolling back to ${shortDigest(to)}`);
  const release = ValidRelease.ofStored(await VerifiedRelease.ofStored(context, store, stored));
  const { digest, sequence } = failed;
  await rollBackTo(context, store, release, { digest, sequence, reason: `it ${reason}` }, options);
  const activation = { event: "rolled-back", manifest: stored.manifest, previous: digest } as const;
  const problem = await notifyOfRollback(context, store, activation, options);
  const but = problem === undefined ? "" : `, but consumers may not have it: ${problem}`;
  return new RolledBackError(
    `Cannot keep release ${shortDigest(failed.digest)} active: it ${reason}; release ${
      shortDigest(to)
    } is active again${but}`,
    {
      code,
      cause,
      hint: `fix it and publish again; to activate it anyway: model-sync rollback --to ${
        shortDigest(failed.digest)
      }`,
      report: {
        outcome: "rolled-back",
        release: to,
        previous: failed.digest,
        sequence: stored.manifest.sequence,
      },
    },
  );
}

/** @returns why consumers may not have loaded the release, if so. The next pull notifies them again */
async function notifyOfRollback(
  context: Context,
  store: Store,
  activation: ActivationEvent,
  { run, safeguards }: SwapOptions,
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
