import type { ModelSync } from "../config/schema.ts";
import type { Context } from "../core/context.ts";
import { messageAndHint } from "../core/errors.ts";
import { absolutePath } from "../core/files.ts";
import type { RunSink } from "../store/run_sink.ts";
import type { RunRecord } from "../store/history.ts";
import type { Store } from "../store/store.ts";
import { lockMetrics } from "./lock_metrics.ts";
import { countNewRuns } from "./metrics_state.ts";
import { currentMetrics } from "./render_metrics.ts";
import { writeMetricsFile } from "./write_metrics_file.ts";

/**
 * Writes a store's metrics file after every run. A file that cannot be written is a warning: the old one stays, and the
 * next run writes what this one did not.
 */
export class MetricsSink implements RunSink {
  readonly #file: string;
  readonly #settings: ModelSync;
  readonly #store: Store;

  /** @param file as configured: a relative path starts at the working directory */
  constructor(file: string, settings: ModelSync, store: Store) {
    this.#file = file;
    this.#settings = settings;
    this.#store = store;
  }

  async deliver(context: Context, unwritten: readonly RunRecord[]): Promise<void> {
    try {
      await this.#write(context, unwritten);
    } catch (error) {
      context.log.warn(messageAndHint(error));
    }
  }

  async #write(context: Context, unwritten: readonly RunRecord[]): Promise<void> {
    const path = absolutePath(context.fs, this.#file);
    // Until the file is written: two runs that end at once must not leave the older text.
    using _lock = await lockMetrics(context, this.#store);
    const totals = await countNewRuns(context, this.#store, unwritten);
    const text = await currentMetrics(context, this.#store, () => Promise.resolve(this.#settings), totals);
    const other = writeMetricsFile(context.fs, path, text, this.#store);
    if (other === undefined) return;
    context.log.warn(
      `the metrics file ${path} held the metrics of another store, ${other}: set report.metrics_file to another ` +
        "file for each store",
    );
  }
}
