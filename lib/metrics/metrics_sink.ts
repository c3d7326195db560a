import type { Context } from "../core/context.ts";
import { messageOf, ModelSyncError } from "../core/errors.ts";
import { absolutePath } from "../core/files.ts";
import type { RunSink } from "../pipeline/run_sink.ts";
import type { RunRecord } from "../store/history.ts";
import { lockMetrics } from "./lock_metrics.ts";
import { countNewRuns } from "./metrics_state.ts";
import { currentMetrics, type MetricsParts } from "./render_metrics.ts";
import { writeMetricsFile } from "./write_metrics_file.ts";

/**
 * Returns a sink that writes the metrics file after every run. A file that cannot be written is a warning: the old one
 * stays, and the next run writes what this one did not.
 *
 * @param file as configured: a relative path starts at the working directory
 */
export function metricsSink(file: string, parts: MetricsParts): RunSink {
  return {
    async deliver(context, unwritten) {
      try {
        await writeMetrics(context, absolutePath(context.fs, file), parts, unwritten);
      } catch (error) {
        context.log.warn(describe(error));
      }
    },
  };
}

async function writeMetrics(
  context: Context,
  path: string,
  parts: MetricsParts,
  unwritten: readonly RunRecord[],
): Promise<void> {
  // Until the file is written: two runs that end at once must not leave the older text.
  using _lock = await lockMetrics(context, parts.store);
  const totals = await countNewRuns(context, parts.store, unwritten);
  const other = writeMetricsFile(context.fs, path, await currentMetrics(context, parts, totals));
  if (other === undefined) return;
  context.log.warn(
    `the metrics file ${path} also holds the metrics of the store ${other} at times: set report.metrics_file to ` +
      "another file for each store",
  );
}

function describe(error: unknown): string {
  const hint = error instanceof ModelSyncError && error.hint !== undefined ? `; ${error.hint}` : "";
  return `${messageOf(error)}${hint}`;
}
