import type { CanaryMetric, CanarySettings } from "../config/sections/canary.ts";
import type { Context } from "../core/context.ts";
import { sha256Hex } from "../core/hash.ts";
import type { MetricState } from "./canary_state.ts";
import { formatNumber } from "./format.ts";
import { noData, type Reading } from "./reading.ts";
import { sampleMetrics } from "./sample_metric.ts";

/** A source that was restarted just now answers a moment later; a swap is not kept waiting for longer. */
const ATTEMPTS_MAX = 3;
const PAUSE_MS = 2_000;

/**
 * Measures every metric before the swap, at the release that is still active. One without a number is tried again, and
 * has no baseline in the end: the `no_data` policy decides what that means. Needs what each metric needs: net, run or
 * read permission.
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

/** What a metric is measured at, as a short hash. Its limits and its direction may change while it is watched. */
async function metricSource(metric: CanaryMetric): Promise<string> {
  const { name: _name, direction: _direction, max_degradation: _max, catastrophic: _limit, ...source } =
    metric;
  const keys = Object.entries(source).sort(([a], [b]) => a < b ? -1 : 1);
  return (await sha256Hex(JSON.stringify(keys))).slice(0, 16);
}

/**
 * An entry for every metric that the configuration names now. One that is new, or is measured elsewhere than its
 * baseline was, has none.
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
