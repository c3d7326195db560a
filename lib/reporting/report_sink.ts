import type { ReportSettings } from "../config/sections/report.ts";
import type { Context } from "../core/context.ts";
import { messageAndHint, messageOf } from "../core/errors.ts";
import type { RunSink } from "../store/run_sink.ts";
import type { RunRecord } from "../store/history.ts";
import type { Store } from "../store/store.ts";
import type { BegunRun } from "./make_events.ts";

/**
 * The delay of the report at the start. By then a pull waits for its remote: loading the code of reporting and
 * preparing the first request of the process take ten milliseconds.
 */
const START_DELAY_MS = 50;

/** Reports runs to the configured dashboard. */
export class ReportSink implements RunSink {
  readonly #store: Store;
  readonly #settings: ReportSettings;
  /** Aborted when the run has ended: for a short run the report at the end is enough. */
  readonly #ended = new AbortController();

  constructor(store: Store, settings: ReportSettings) {
    this.#store = store;
    this.#settings = settings;
  }

  /** Best effort: the record at the end counts, and heartbeats name running commands. */
  async started(context: Context, run: BegunRun): Promise<void> {
    try {
      await context.clock.sleep(START_DELAY_MS, this.#ended.signal);
      const { reportStart } = await import("./report_run.ts");
      await reportStart(context, this.#store, this.#settings, run);
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      context.log.debug(`the start of the run is not reported: ${messageOf(error)}`);
    }
  }

  async deliver(context: Context, unwritten: readonly RunRecord[]): Promise<void> {
    this.#ended.abort();
    try {
      const { reportEnd } = await import("./report_run.ts");
      const problem = await reportEnd(context, this.#store, this.#settings, unwritten);
      if (problem !== undefined) context.log.warn(problem);
    } catch (error) {
      // A failed report does not change the outcome of the run.
      context.log.warn(`cannot send reports: ${messageAndHint(error)}`);
    }
  }
}
