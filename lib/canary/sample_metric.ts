import type { CanaryMetric } from "../config/sections/canary.ts";
import type { Context } from "../core/context.ts";
import { ModelSyncError, osErrorCode } from "../core/errors.ts";
import { noData, type Reading } from "./reading.ts";
import { sampleCommand } from "./sample_command.ts";
import { sampleFile } from "./sample_file.ts";
import { sampleHttp } from "./sample_http.ts";
import { samplePrometheus } from "./sample_prometheus.ts";

/** Half of the usual interval of a minute. A slower source does not describe the present. */
export const SAMPLE_TIMEOUT_MS = 30_000;

/**
 * Samples a metric once. A source that fails, hangs, or is not permitted yields no data, never an error: the policy
 * `no_data` decides.
 *
 * @throws only the signal's reason
 */
export async function sampleMetric(
  context: Context,
  metric: CanaryMetric,
  timeoutMs: number = SAMPLE_TIMEOUT_MS,
): Promise<Reading> {
  try {
    return await sample(context, metric, timeoutMs);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!isSourceFault(error)) throw error;
    return noData(error.message);
  }
}

/**
 * Samples every metric, side by side.
 *
 * @returns the readings by the metrics' names
 * @throws the signal's reason, when no sample runs any more
 */
export async function sampleMetrics(
  context: Context,
  metrics: readonly CanaryMetric[],
): Promise<ReadonlyMap<string, Reading>> {
  const samples = await Promise.allSettled(metrics.map((metric) => sampleMetric(context, metric)));
  const readings = new Map<string, Reading>();
  for (const [index, { name }] of metrics.entries()) {
    const sample = samples[index];
    if (sample?.status === "rejected") throw sample.reason;
    if (sample !== undefined) readings.set(name, sample.value);
  }
  return readings;
}

async function sample(context: Context, metric: CanaryMetric, timeoutMs: number): Promise<Reading> {
  switch (metric.type) {
    case "http":
      return await sampleHttp(context, metric, timeoutMs);
    case "prometheus":
      return await samplePrometheus(context, metric, timeoutMs);
    case "file":
      return sampleFile(context, metric);
    case "command":
      return await sampleCommand(context, metric, timeoutMs);
  }
}

/** Errors of the network, the system and missing permissions are faults of the source; others are our bugs. */
function isSourceFault(error: unknown): error is Error {
  return error instanceof ModelSyncError || error instanceof Deno.errors.NotCapable ||
    osErrorCode(error) !== undefined;
}
