import type { Context } from "../lib/core/context.ts";
import type { CurrentRun } from "../lib/pipeline/current_run.ts";
import { openSinks } from "../lib/pipeline/open_sinks.ts";
import { recordedRun, type RunOptions, type RunReport, type Timed } from "../lib/pipeline/run.ts";
import type { Store } from "../lib/store/store.ts";
import type { Session } from "./_command.ts";
import type { CommandName } from "./_summaries.ts";

/** A recorded run, of which those hear that the configuration names. */
export async function runRecorded<Report extends RunReport>(
  { context, settings, waitsForLock = false }: Session,
  store: Store,
  command: CommandName,
  work: (run: CurrentRun, context: Context) => Promise<Report>,
  options: Partial<Pick<RunOptions, "lock" | "prepare">> = {},
): Promise<Timed<Report>> {
  const sinks = await openSinks(settings, store);
  return await recordedRun(context, store, { command, lock: "store", waitsForLock, ...options, sinks }, work);
}
