import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { messageAndHint } from "../core/errors.ts";
import { deliverReports, KEPT } from "./deliver_reports.ts";
import { type DaemonFacts, heartbeatTexts } from "./heartbeat_events.ts";
import { postEvents } from "./post_events.ts";
import { reportingOf } from "./report_run.ts";
import { isPaused, readReportState } from "./report_state.ts";

/** The time limit of one heartbeat. A slower dashboard gets the next one. */
const HEARTBEAT_TIMEOUT_MS = 10_000;

/** The time for the backlog in one heartbeat. Two deliver a month with a run every minute. */
const BACKLOG_BUDGET_MS = 30_000;

/** The time between two checks of the configuration while nothing is reported. */
const IDLE_SECONDS = 60;

export interface HeartbeatOptions extends DaemonFacts {
  /** Reads the current settings. */
  readonly readSettings: () => Promise<ModelSync>;
}

/**
 * Sends a daemon's heartbeats until the context's signal is aborted: at once, then every `report.interval_seconds`.
 * Each also delivers the runs that the dashboard does not have yet. Never throws: a problem is logged once until it
 * changes, and its end is logged.
 */
export async function heartbeatLoop(context: Context, options: HeartbeatOptions): Promise<void> {
  const { log, clock, signal } = context;
  let problem: string | undefined;
  while (!signal.aborted) {
    let intervalSeconds = IDLE_SECONDS;
    try {
      const settings = await options.readSettings();
      if (settings.report.url !== undefined) intervalSeconds = settings.report.interval_seconds;
      const found = await heartbeat(context, options, settings);
      if (signal.aborted) return;
      // The number of waiting runs grows each time: only the reason is compared.
      if (found !== undefined && reasonOf(found) !== reasonOf(problem)) log.warn(found);
      if (found === undefined && problem !== undefined) log.info("reports arrive again");
      problem = found;
    } catch (error) {
      if (signal.aborted) return;
      const found = messageAndHint(error);
      if (found !== problem) log.warn(found);
      problem = found;
    }
    // The signal may end the sleep.
    await clock.sleep(intervalSeconds * 1000, signal).catch(() => {});
  }
}

/** Sends a heartbeat. @returns what keeps reports from arriving, in one line */
async function heartbeat(
  context: Context,
  options: HeartbeatOptions,
  settings: ModelSync,
): Promise<string | undefined> {
  const { store } = options;
  const reporting = reportingOf(context, store, settings.report);
  if (reporting === undefined) return undefined;
  const { receiver } = reporting;
  if (isPaused(readReportState(store, receiver.url), context.clock.now())) return undefined;
  const texts = await heartbeatTexts(context, options, settings);
  if (texts.length > 0) await postEvents(context, receiver, texts, HEARTBEAT_TIMEOUT_MS);
  const { problem } = await deliverReports(context, reporting, BACKLOG_BUDGET_MS);
  return problem;
}

function reasonOf(problem: string | undefined): string | undefined {
  return problem?.split(KEPT)[0];
}
