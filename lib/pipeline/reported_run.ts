import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { makeControlLock } from "../store/reserve.ts";
import type { Store, StoreLocation } from "../store/store.ts";
import type { CurrentRun } from "./current_run.ts";
import { openSinks } from "./open_sinks.ts";
import { recordedRun, type RunOptions } from "./run.ts";
import type { RunReport, Timed } from "./run_report.ts";

/** The outside world and the settings of a command that runs in a store. */
export interface CommandScope {
  readonly context: Context;
  readonly settings: ModelSync;
  /** The model folder and its store. */
  readonly location: StoreLocation;
  /** Whether a run waits for another one that holds its lock, as in a daemon, instead of failing. */
  readonly waitsForLock?: boolean;
}

/** Runs a command's work as one recorded run, and reports the run to the sinks that the settings name. */
export async function reportedRun<Report extends RunReport>(
  { context, settings, waitsForLock = false }: CommandScope,
  store: Store,
  command: string,
  work: (run: CurrentRun, context: Context) => Promise<Report>,
  options: Partial<Pick<RunOptions, "lock" | "prepare" | "asksFirst">> = {},
): Promise<Timed<Report>> {
  const sinks = await openSinks(settings, store);
  return await recordedRun(context, store, { command, lock: "store", waitsForLock, ...options, sinks }, work);
}

/** As {@link reportedRun}, for a command that controls a daemon: it waits for no other run, and works on a full disk. */
export async function controlRun<Report extends RunReport>(
  scope: CommandScope,
  store: Store,
  command: string,
  work: () => Report,
): Promise<Timed<Report>> {
  return await reportedRun(scope, store, command, () => Promise.resolve(work()), {
    lock: "control",
    prepare: () => {
      makeControlLock(store);
      return Promise.resolve(undefined);
    },
  });
}
