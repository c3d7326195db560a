import type { ReportSettings } from "../config/sections/report.ts";
import type { Context } from "../core/context.ts";
import { messageOf, ModelSyncError } from "../core/errors.ts";
import type { RunSink } from "../pipeline/run_sink.ts";
import type { RunRecord } from "../store/history.ts";
import type { Store } from "../store/store.ts";
import { deliverReports, type Reporting } from "./deliver_reports.ts";
import { type BegunRun, startedEvent } from "./make_events.ts";
import { postEvents } from "./post_events.ts";
import { receiverOf } from "./receiver.ts";
import { isPaused, readReportState } from "./report_state.ts";

/** A run does not wait for a dashboard: this is all that one that hangs can add to it. */
export const RUN_BUDGET_MS = 5_000;

/**
 * The first request of a process takes ten milliseconds to prepare. By then a run has started its first program or
 * request and waits for it.
 */
const START_DELAY_MS = 25;

/** Reports runs to the configured dashboard. */
export class ReportSink implements RunSink {
  readonly #store: Store;
  readonly #settings: ReportSettings;
  /** Aborted when the run has ended: of one that was that short, its end says everything. */
  readonly #ended = new AbortController();

  constructor(store: Store, settings: ReportSettings) {
    this.#store = store;
    this.#settings = settings;
  }

  /** Best effort: the record of the run's end is what counts, and the heartbeat names what runs. */
  async started(context: Context, run: BegunRun): Promise<void> {
    try {
      await context.clock.sleep(START_DELAY_MS, this.#ended.signal);
      const reporting = reportingOf(context, this.#store, this.#settings);
      if (reporting === undefined) return;
      const { receiver, facts } = reporting;
      if (isPaused(readReportState(this.#store, receiver.url), context.clock.now())) return;
      await postEvents(context, receiver, [JSON.stringify(startedEvent(facts, run))], RUN_BUDGET_MS);
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      context.log.debug(`the start of the run is not reported: ${messageOf(error)}`);
    }
  }

  async deliver(context: Context, unwritten: readonly RunRecord[]): Promise<void> {
    this.#ended.abort();
    try {
      const reporting = reportingOf(context, this.#store, this.#settings);
      if (reporting === undefined) return;
      const { problem } = await deliverReports(context, reporting, RUN_BUDGET_MS, unwritten);
      if (problem !== undefined) context.log.warn(problem);
    } catch (error) {
      // The run has its outcome already.
      const hint = error instanceof ModelSyncError && error.hint !== undefined ? `; ${error.hint}` : "";
      context.log.warn(`cannot send reports: ${messageOf(error)}${hint}`);
    }
  }
}

/** Returns where and as whom a store's runs are reported; `undefined` where nothing is configured. */
export function reportingOf(
  { env, host }: Pick<Context, "env" | "host">,
  store: Store,
  settings: ReportSettings,
): Reporting | undefined {
  const receiver = receiverOf(env, settings);
  if (receiver === undefined) return undefined;
  return { store, receiver, facts: { name: settings.node, host, modelsDir: store.modelsDir } };
}
