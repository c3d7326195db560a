import type { CanaryMetric, CanarySettings } from "../config/sections/canary.ts";
import type { Context } from "../core/context.ts";
import { sha256Hex } from "../core/hash.ts";
import type { MetricState } from "./canary_state.ts";
import { formatNumber, noData, type Reading } from "./reading.ts";
import { sampleMetrics } from "./sample_metric.ts";

/** A restarting source answers after some seconds. The swap waits no longer. */
const ATTEMPTS_MAX = 3;
const PAUSE_MS = 2_000;

/**
 * Samples every metric before the swap, while the old release is active. A metric without a number is tried again, and
 * then has no baseline: the policy `no_data` decides what that means. Needs what each metric needs: net, run or read
 * permission.
 *
 * @throws the signal's reason
 */
export async function takeBaseline(context: Context, settings: CanarySettings): Promise<MetricState[]> {
  const readings = new Map<string, Reading>();
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const missing = settings.metrics.filter(({ name }) => readings.get(name)?.kind !== "value");
    if (missing.length === 0) break;
    if (attempt > 1) await context.clock.sleep(PAUSE_MS, context.signal);
    for (const [name, reading] of await sampleMetrics(context, missing)) readings.set(name, reading);
  }
  for (const { name } of settings.metrics) logBaseline(context, name, readings.get(name));
  return await Promise.all(
    settings.metrics.map((metric) =>
      newMetric(metric, readings.get(metric.name) ?? noData("it was not sampled"))
    ),
  );
}

function logBaseline({ log }: Context, name: string, reading: Reading | undefined): void {
  if (reading?.kind === "value") {
    log.info(`canary: the baseline of ${name} is ${formatNumber(reading.value)}`);
  } else if (reading?.kind === "nan") log.warn(`canary: ${name} has no baseline: it is not a number`);
  else log.warn(`canary: ${name} has no baseline: ${reading?.reason}`);
}

async function newMetric(metric: CanaryMetric, baseline: Reading): Promise<MetricState> {
  return { name: metric.name, source: await metricSource(metric), baseline, failures: 0, samples: [] };
}

/** Returns the source of a metric as a short hash. Its limits and direction may change during the canary. */
async function metricSource(metric: CanaryMetric): Promise<string> {
  const { name: _name, direction: _direction, max_degradation: _max, catastrophic: _limit, ...source } =
    metric;
  const keys = Object.entries(source).sort(([a], [b]) => a < b ? -1 : 1);
  return (await sha256Hex(JSON.stringify(keys))).slice(0, 16);
}

/**
 * Returns an entry for every metric of the current configuration. A metric that is new, or whose source changed, has no
 * baseline.
 */
export async function alignMetrics(
  known: readonly MetricState[],
  settings: CanarySettings,
): Promise<MetricState[]> {
  const reason = "it was configured after the swap";
  return await Promise.all(settings.metrics.map(async (metric) => {
    const before = known.find(({ name }) => name === metric.name);
    if (before === undefined) return await newMetric(metric, noData(reason));
    const source = await metricSource(metric);
    return source === before.source ? before : { ...before, source, baseline: noData(reason) };
  }));
}
