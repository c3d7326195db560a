import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import { type Digest, type Manifest, shortDigest } from "../release/manifest.ts";
import { findRelease } from "../store/releases.ts";
import type { Store } from "../store/store.ts";
import { leave } from "./leave.ts";
import { RolledBackError } from "./rolled_back_error.ts";
import type { SwapOptions } from "./swap_options.ts";
import { type News, tellConsumers } from "./tell_consumers.ts";
import { ValidRelease } from "./validate.ts";
import { VerifiedRelease } from "./verify.ts";

/** A release that disappointed its consumers, and where to go from it. */
export interface Disappointment {
  readonly failed: Manifest;
  readonly to: Digest;
  /** Stable, for scripts: `RELOAD_FAILED`. */
  readonly code: string;
  /** What happened, as the end of a sentence about the release. */
  readonly reason: string;
  readonly cause?: unknown;
}

/**
 * Makes the release before active again, tells consumers, and quarantines the one that failed.
 *
 * @returns what to throw: the run did not do what it was asked for
 * @throws {FailedError} code `CANNOT_GO_BACK` when the store holds the release before no longer; the failed one stays
 */
export async function goBack(
  context: Context,
  store: Store,
  { failed, to, code, reason, cause }: Disappointment,
  options: SwapOptions,
): Promise<RolledBackError> {
  const stored = findRelease(store, to);
  if (stored === undefined) {
    throw new FailedError(
      `Cannot go back from release ${
        shortDigest(failed.digest)
      }, which ${reason}: the store no longer holds ${shortDigest(to)}`,
      {
        code: "CANNOT_GO_BACK",
        cause,
        hint: "choose a release: model-sync status, model-sync rollback --to",
      },
    );
  }
  context.log.warn(`release ${shortDigest(failed.digest)} ${reason}; going back to ${shortDigest(to)}`);
  const release = ValidRelease.ofStored(await VerifiedRelease.ofStored(context, store, stored));
  const { digest, sequence } = failed;
  await leave(context, store, { digest, sequence, reason: `it ${reason}` }, release, options);
  const news = { event: "rolled-back", manifest: stored.manifest, previous: digest } as const;
  const untold = await tellOfWayBack(context, store, news, options);
  const but = untold === undefined ? "" : `, but consumers may not have it: ${untold}`;
  return new RolledBackError(
    `Cannot keep release ${shortDigest(failed.digest)} active: it ${reason}; release ${
      shortDigest(to)
    } is active again${but}`,
    {
      code,
      cause,
      hint: `mend it and publish anew; to take it after all: model-sync rollback --to ${
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

/** @returns why consumers may go on with what they had loaded, if so. The next run tells them again */
async function tellOfWayBack(
  context: Context,
  store: Store,
  news: News,
  { run, safeguards }: SwapOptions,
): Promise<string | undefined> {
  try {
    await tellConsumers(context, store, run, news, safeguards);
    return undefined;
  } catch (error) {
    if (context.signal.aborted) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    context.log.error(reason);
    return reason;
  }
}
