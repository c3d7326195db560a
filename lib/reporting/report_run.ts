import type { ReportSettings } from "../config/sections/report.ts";
import type { Context } from "../core/context.ts";
import type { RunRecord } from "../store/history.ts";
import type { Store } from "../store/store.ts";
import { deliverReports, type Reporting } from "./deliver_reports.ts";
import { type BegunRun, startedEvent } from "./make_events.ts";
import { postEvents } from "./post_events.ts";
import { receiverOf } from "./receiver.ts";
import { isPaused, readReportState } from "./report_state.ts";

/** The most that a hanging dashboard adds to a run. */
export const RUN_BUDGET_MS = 5_000;

/** Reports that a run began. @throws {ModelSyncError} when the dashboard does not accept the report */
export async function reportStart(
  context: Context,
  store: Store,
  settings: ReportSettings,
  run: BegunRun,
): Promise<void> {
  const reporting = reportingOf(context, store, settings);
  if (reporting === undefined) return;
  const { receiver, facts } = reporting;
  if (isPaused(readReportState(store, receiver.url), context.clock.now())) return;
  await postEvents(context, receiver, [JSON.stringify(startedEvent(facts, run))], RUN_BUDGET_MS);
}

/**
 * Reports the runs after the dashboard's cursor, at the end of a run.
 *
 * @returns what keeps reports from arriving, with a hint, in one line; `undefined` for no problem
 * @throws {AuthenticationError} code `TOKEN_INVALID`
 */
export async function reportEnd(
  context: Context,
  store: Store,
  settings: ReportSettings,
  unwritten: readonly RunRecord[],
): Promise<string | undefined> {
  const reporting = reportingOf(context, store, settings);
  if (reporting === undefined) return undefined;
  return (await deliverReports(context, reporting, RUN_BUDGET_MS, unwritten)).problem;
}

/** Returns the receiver and the node of a store's reports; `undefined` where no dashboard is configured. */
export function reportingOf(
  { env, host }: Pick<Context, "env" | "host">,
  store: Store,
  settings: ReportSettings,
): Reporting | undefined {
  const receiver = receiverOf(env, settings);
  if (receiver === undefined) return undefined;
  return { store, receiver, facts: { name: settings.node, host, modelsDir: store.modelsDir } };
}
