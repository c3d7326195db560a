import type { ReportSettings } from "../config/sections/report.ts";
import type { Context } from "../core/context.ts";
import { messageAndHint, messageOf } from "../core/errors.ts";
import type { RunSink } from "../store/run_sink.ts";
import type { RunRecord } from "../store/history.ts";
import type { Store } from "../store/store.ts";
import type { BegunRun } from "./make_events.ts";

/**
 * A pull asks its remote within this time and waits for the answer. The code of reporting is loaded then, and the first
 * request of the process prepared, which takes ten milliseconds.
 */
const START_DELAY_MS = 50;

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
      // The run has its outcome already.
      context.log.warn(`cannot send reports: ${messageAndHint(error)}`);
    }
  }
}
