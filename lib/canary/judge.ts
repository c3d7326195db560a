import type { CanaryMetric, CanaryPolicy, CanarySettings } from "../config/sections/canary.ts";
import { type CanaryState, type CanaryStatus, type MetricState, SAMPLES_KEPT } from "./canary_state.ts";
import { plural } from "../core/format.ts";
import { formatNumber, formatPart, noData, type Reading } from "./reading.ts";

/** The assessment of one sample. */
export type Assessment =
  | { readonly kind: "good" }
  | { readonly kind: "ignored" | "waiting" | "degraded" | "catastrophic"; readonly reason: string };

/** The verdict of a round of samples. */
export interface RoundVerdict {
  readonly kind: "continue" | "paused" | "passed" | "degraded" | "catastrophic";
  /** For people. With `continue`: the tolerated degradation, empty for none. */
  readonly reason: string;
}

/** One sample of every metric. */
export interface Round {
  readonly readings: ReadonlyMap<string, Reading>;
  /** The wall-clock time, for display. */
  readonly at: string;
  /** The time since the previous round, or since the watcher started. */
  readonly elapsedMs: number;
}

/**
 * The longest time between two rounds that counts as watched, in intervals: while the machine was suspended or a
 * sample hung, the release was not watched.
 */
const INTERVALS_COUNTED_MAX = 2;

/** Below this a baseline counts as zero. The rounding error of a subtraction is about 1e-17. */
const ZERO = 1e-9;

/** The tolerance at a limit, which is itself allowed: 0.15 has no exact binary form. */
const ROUNDING = 1e-9;

/**
 * Returns how much worse than its baseline a value is, as a part of the baseline: 0.15 is 15 % worse, negative is
 * better. For a baseline of zero it is the difference.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { degradation } from "./judge.ts";
 * assert.equal(degradation("higher", 0.5, 0.25), 0.5);
 * assert.equal(degradation("lower", 200, 250), 0.25);
 * assert.equal(degradation("lower", 0, 0.1), 0.1);
 * assert.equal(degradation("higher", -2, -3), 0.5);
 * ```
 */
export function degradation(direction: "higher" | "lower", baseline: number, value: number): number {
  const worse = direction === "higher" ? baseline - value : value - baseline;
  return isZero(baseline) ? worse : worse / Math.abs(baseline);
}

/** Returns whether a baseline counts as zero: values are then compared by difference. */
export function isZero(baseline: number): boolean {
  return Math.abs(baseline) < ZERO;
}

/**
 * Assesses one sample. The catastrophic limit is absolute and needs no baseline. A metric whose baseline is not a
 * number counts as one without data: it says nothing about the new release.
 */
function assess(
  metric: CanaryMetric,
  baseline: Reading,
  reading: Reading,
  policies: Pick<CanarySettings, "no_data" | "nan">,
): Assessment {
  if (reading.kind === "nan") return byPolicy(policies.nan, `${metric.name} is not a number`);
  if (reading.kind === "no-data") {
    return byPolicy(policies.no_data, `${metric.name} has no data: ${reading.reason}`);
  }
  const { value } = reading;
  const { name, direction, catastrophic, max_degradation: allowed } = metric;
  if (catastrophic !== undefined && (direction === "higher" ? value < catastrophic : value > catastrophic)) {
    const side = direction === "higher" ? "below" : "above";
    return {
      kind: "catastrophic",
      reason: `${name} is ${formatNumber(value)}, ${side} its catastrophic limit ${
        formatNumber(catastrophic)
      }`,
    };
  }
  if (baseline.kind !== "value") {
    const why = baseline.kind === "nan" ? "it was not a number before the swap" : baseline.reason;
    return byPolicy(policies.no_data, `${name} has no baseline: ${why}`);
  }
  const worse = degradation(direction, baseline.value, value);
  if (worse <= allowed + ROUNDING) return { kind: "good" };
  const format = isZero(baseline.value) ? formatNumber : formatPart;
  return {
    kind: "degraded",
    reason: `${name} is ${formatNumber(value)}, ${format(worse)} worse than its baseline ${
      formatNumber(baseline.value)
    } (${format(allowed)} allowed)`,
  };
}

function byPolicy(policy: CanaryPolicy, reason: string): Assessment {
  const kind = ({ pause: "waiting", rollback: "degraded", ignore: "ignored" } as const)[policy];
  return { kind, reason };
}

/**
 * Adds a round of samples to the state of a canary, and returns its verdict. Pure. The first rule that applies decides:
 *
 * 1. One catastrophic sample ends the canary.
 * 2. A metric with more degraded samples than `failure_limit`, over the whole time and not only in a row, is degraded.
 * 3. A metric to wait for pauses the canary: the time does not count.
 * 4. When the time is over, the release passes on a round without a degraded sample, never on a tolerated one.
 *
 * @param state has an entry for every metric of `settings`
 */
export function judge(
  state: CanaryState,
  settings: CanarySettings,
  round: Round,
): { readonly state: CanaryState; readonly verdict: RoundVerdict } {
  const samples = settings.metrics.map((metric) => sampleOf(metric, state, settings, round));
  const metrics = samples.map((sample) => sample.state);
  const countedMs = Math.min(Math.max(round.elapsedMs, 0), INTERVALS_COUNTED_MAX * state.intervalMs);
  const verdictAt = (watchedMs: number) => verdictOf(samples, settings, watchedMs >= state.durationMs);
  const verdict = verdictAt(state.watchedMs + countedMs);
  const watchedMs = verdict.kind === "paused" ? state.watchedMs : state.watchedMs + countedMs;
  const status = STATUS_OF[verdict.kind];
  return {
    verdict,
    state: {
      ...state,
      metrics,
      watchedMs,
      rounds: state.rounds + 1,
      status,
      reason: verdict.reason,
      statusSince: status === state.status ? state.statusSince : round.at,
    },
  };
}

const STATUS_OF: Readonly<Record<RoundVerdict["kind"], CanaryStatus>> = {
  continue: "watching",
  paused: "paused",
  passed: "passed",
  degraded: "degraded",
  catastrophic: "degraded",
};

interface Sample {
  readonly state: MetricState;
  readonly assessment: Assessment;
}

function sampleOf(metric: CanaryMetric, canary: CanaryState, settings: CanarySettings, round: Round): Sample {
  const before = canary.metrics.find(({ name }) => name === metric.name);
  if (before === undefined) throw new TypeError(`the state has no metric ${metric.name}`);
  const reading = round.readings.get(metric.name) ?? noData("it was not sampled");
  const assessment = assess(metric, before.baseline, reading, settings);
  return {
    assessment,
    state: {
      ...before,
      failures: before.failures + (assessment.kind === "degraded" ? 1 : 0),
      samples: [...before.samples, { at: round.at, reading }].slice(-SAMPLES_KEPT),
    },
  };
}

function verdictOf(
  samples: readonly Sample[],
  { failure_limit: tolerated }: CanarySettings,
  isTimeUp: boolean,
): RoundVerdict {
  const reasons = (kind: Assessment["kind"]) =>
    samples.flatMap(({ assessment }) =>
      assessment.kind === kind && assessment.kind !== "good" ? [assessment.reason] : []
    );
  const catastrophic = reasons("catastrophic");
  if (catastrophic.length > 0) return { kind: "catastrophic", reason: catastrophic.join("; ") };
  const degraded = reasons("degraded");
  const over = samples.filter(({ state }) => state.failures > tolerated).map(({ state }) =>
    `${state.name} was degraded in ${plural(state.failures, "sample")}, ` +
    `${tolerated} ${tolerated === 1 ? "is" : "are"} tolerated`
  );
  if (over.length > 0) return { kind: "degraded", reason: [...over, ...degraded].join("; ") };
  const waiting = reasons("waiting");
  if (waiting.length > 0) return { kind: "paused", reason: waiting.join("; ") };
  if (!isTimeUp || degraded.length > 0) return { kind: "continue", reason: degraded.join("; ") };
  const ignored = reasons("ignored").map((reason) => `ignored: ${reason}`);
  return { kind: "passed", reason: ["no metric is degraded", ...ignored].join("; ") };
}
