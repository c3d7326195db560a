import type { CanaryMetric, CanarySettings } from "../config/sections/canary.ts";
import { shortDigest } from "../release/manifest.ts";
import type { CanaryDescription, MetricDescription } from "../wire/schema.ts";
import { type CanaryState, isOpen, type MetricState } from "./canary_state.ts";
import { formatDuration, plural } from "../core/format.ts";
import { formatNumber, formatPart, type Reading } from "./reading.ts";
import { isZero } from "./judge.ts";

/** Returns the state of a canary as plain data, for JSON and for people. */
export function describeCanary(state: CanaryState, settings: CanarySettings): CanaryDescription {
  const { digest, previous, sequence, runId, status, reason, startedAt, statusSince, concludedAt } = state;
  return {
    digest,
    previous,
    sequence,
    runId,
    status,
    reason,
    startedAt,
    statusSince,
    concludedAt,
    watchedMs: Math.round(state.watchedMs),
    leftMs: isOpen(state) ? Math.round(Math.max(0, state.durationMs - state.watchedMs)) : 0,
    intervalMs: state.intervalMs,
    rounds: state.rounds,
    waitsForOperator: status === "paused" && settings.no_data === "pause" && lacksBaseline(state, settings),
    failureLimit: settings.failure_limit,
    metrics: state.metrics.map((metric) =>
      describeMetric(metric, settings.metrics.find(({ name }) => name === metric.name))
    ),
  };
}

function lacksBaseline(state: CanaryState, settings: CanarySettings): boolean {
  return state.metrics.some(({ name, baseline }) =>
    baseline.kind !== "value" && settings.metrics.some((metric) => metric.name === name)
  );
}

function describeMetric(metric: MetricState, configured: CanaryMetric | undefined): MetricDescription {
  const { name, baseline, failures } = metric;
  const last = metric.samples.at(-1);
  return {
    name,
    direction: configured?.direction ?? null,
    baseline: baseline.kind === "value" ? baseline.value : null,
    baselineMissing: missing(baseline),
    last: last?.reading.kind === "value" ? last.reading.value : null,
    lastMissing: last === undefined ? null : missing(last.reading),
    lastAt: last?.at ?? null,
    change: baseline.kind === "value" && last?.reading.kind === "value"
      ? change(baseline.value, last.reading.value)
      : null,
    maxDegradation: configured?.max_degradation ?? null,
    catastrophic: configured?.catastrophic ?? null,
    failures,
  };
}

const NOT_A_NUMBER = "not a number";

function missing(reading: Reading): string | null {
  if (reading.kind === "value") return null;
  return reading.kind === "nan" ? NOT_A_NUMBER : reading.reason;
}

function change(baseline: number, value: number): number {
  return isZero(baseline) ? value - baseline : (value - baseline) / Math.abs(baseline);
}

/** Returns the lines that `model-sync canary status` prints. */
export function canaryLines(canary: CanaryDescription): string[] {
  const reason = canary.reason === "" ? "" : `: ${canary.reason}`;
  return [
    `release ${shortDigest(canary.digest)} (sequence ${canary.sequence}): ${canary.status}${reason}`,
    timeLine(canary),
    ...canary.metrics.map((metric) => `  ${metricLine(metric, canary.failureLimit)}`),
  ];
}

function timeLine(canary: CanaryDescription): string {
  const { status, statusSince, startedAt, concludedAt, watchedMs, leftMs, rounds } = canary;
  const watched = `watched for ${formatDuration(watchedMs)} since ${startedAt}, ${plural(rounds, "sample")}`;
  if (status === "watching") {
    // The time of the last sample shows whether a process watches.
    const lastAt = canary.metrics.map((metric) => metric.lastAt ?? "").toSorted().at(-1) ?? "";
    return `${watched}${lastAt === "" ? "" : `, the last at ${lastAt}`}, ${formatDuration(leftMs)} left`;
  }
  if (canary.waitsForOperator) {
    return `${watched}, ${
      formatDuration(leftMs)
    } left, paused since ${statusSince}: without a baseline only an operator can end ` +
      "it: model-sync canary promote, or abort";
  }
  if (status === "paused") {
    return `${watched}, ${formatDuration(leftMs)} left when there is data again, paused since ${statusSince}`;
  }
  const isPending = concludedAt === null && (status === "degraded" || status === "aborted");
  return `${watched}, ended at ${statusSince}${isPending ? ", to be rolled back by the next run" : ""}`;
}

function metricLine(metric: MetricDescription, failureLimit: number): string {
  const { name, baseline, baselineMissing, maxDegradation, catastrophic, failures } = metric;
  const parts = [
    `${name} ${lastText(metric)}`,
    baseline === null ? `no baseline (${baselineMissing})` : `baseline ${formatNumber(baseline)}`,
    ...(maxDegradation === null ? ["not configured any more"] : [`${limit(metric, maxDegradation)} allowed`]),
    ...(catastrophic === null ? [] : [`catastrophic ${formatNumber(catastrophic)}`]),
    `${failures} degraded, ${failureLimit} tolerated`,
  ];
  return parts.join(", ");
}

function limit({ direction, baseline }: MetricDescription, maxDegradation: number): string {
  const sign = direction === "higher" ? "-" : "+";
  return sign + (isPart(baseline) ? formatPart(maxDegradation) : formatNumber(maxDegradation));
}

function lastText({ last, lastMissing, change, baseline }: MetricDescription): string {
  if (last === null && lastMissing !== null) {
    return lastMissing === NOT_A_NUMBER ? NOT_A_NUMBER : `has no value (${lastMissing})`;
  }
  if (last === null) return "not sampled yet";
  if (change === null) return formatNumber(last);
  const text = isPart(baseline) ? formatPart(change) : formatNumber(change);
  return `${formatNumber(last)} (${change > 0 ? "+" : ""}${text})`;
}

function isPart(baseline: number | null): boolean {
  return baseline === null || !isZero(baseline);
}

/** Returns a round in one line: the last sample of each metric, and the remaining time. */
export function roundLine(state: CanaryState, settings: CanarySettings): string {
  const { metrics, leftMs } = describeCanary(state, settings);
  return `${metrics.map((metric) => `${metric.name} ${lastText(metric)}`).join(", ")}; ${
    formatDuration(leftMs)
  } left`;
}
