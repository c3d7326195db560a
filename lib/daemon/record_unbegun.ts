import type { ModelSync } from "../config/schema.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { openSinks } from "../pipeline/open_sinks.ts";
import { recordedRun } from "../pipeline/run.ts";
import type { RunSink } from "../store/run_sink.ts";
import { readHistory } from "../store/history.ts";
import type { Store } from "../store/store.ts";

/** The runs that are searched for this one: other roles and commands may have run since the job began. */
const LOOKBACK = 50;

export interface UnbegunOptions {
  /** The command that the job runs. */
  readonly command: string;
  /** Reads the current settings, which name the alert channels. */
  readonly settings: () => Promise<ModelSync>;
}

/**
 * Does a job of a daemon. If the job fails before its recorded run begins, its failure is recorded here. Otherwise a
 * missing token or an invalid configuration would appear in the log only, and cause no alert.
 *
 * @throws what the job throws
 */
export async function recordUnbegun(
  context: Context,
  store: Store,
  { command, settings }: UnbegunOptions,
  job: () => Promise<void>,
): Promise<void> {
  const startedAt = isoSeconds(context.clock.now());
  try {
    await job();
  } catch (error) {
    const hasBegun = () =>
      readHistory(store, LOOKBACK).some((run) => run.command === command && run.startedAt >= startedAt);
    if (!context.signal.aborted && !hasBegun()) await recordFailure(context, store, command, settings, error);
    throw error;
  }
}

async function recordFailure(
  context: Context,
  store: Store,
  command: string,
  settings: () => Promise<ModelSync>,
  failure: unknown,
): Promise<void> {
  let sinks: RunSink[] = [];
  try {
    sinks = await openSinks(await settings(), store);
  } catch (error) {
    context.log.warn(`cannot send alerts of the failed ${command}: ${messageOf(error)}`);
  }
  // Other runs hold this lock for moments only. The caller throws the job's error.
  await recordedRun(context, store, { command, lock: "control", sinks }, () => Promise.reject(failure))
    .catch(() => {});
}
