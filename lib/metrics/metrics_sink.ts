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
 * Writes a store's metrics file after every run. If it cannot be written, a warning is logged and the old file stays.
 * The next run counts this run, too.
 */
export class MetricsSink implements RunSink {
  readonly #file: string;
  readonly #settings: ModelSync;
  readonly #store: Store;

  /** @param file the configured path, relative to the working directory */
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
    // Held until the file is written: of two runs that end at once, the later one must write last.
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
