import type { ModelSync } from "../config/schema.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { openSinks } from "../pipeline/open_sinks.ts";
import { recordedRun } from "../pipeline/run.ts";
import type { RunSink } from "../store/run_sink.ts";
import { readHistory } from "../store/history.ts";
import type { Store } from "../store/store.ts";

/** Runs of other roles and commands may have ended since the job began. */
const LOOKBACK = 50;

export interface UnbegunOptions {
  /** The command whose run the job is. */
  readonly command: string;
  /** The current settings: they name the channels to notify. */
  readonly settings: () => Promise<ModelSync>;
}

/**
 * Does a job of a daemon. If it fails before it has begun a recorded run, its failure is recorded here: a token that is
 * missing or a configuration that is broken would otherwise appear in the log alone.
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
    context.log.warn(`cannot notify of the failed ${command}: ${messageOf(error)}`);
  }
  // Its lock is held for moments only, and by none that works. The job's error is thrown by the caller.
  await recordedRun(context, store, { command, lock: "control", sinks }, () => Promise.reject(failure))
    .catch(() => {});
}
