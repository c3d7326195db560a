import type { CanaryDescription } from "../../lib/wire/schema.ts";
import { CanaryCourse, type MetricCourse } from "./rows.ts";
import { knownTime, reason, word } from "./row_values.ts";

/** Metrics per canary. */
const METRICS_MAX = 8;
/** Samples per metric: at least an hour at one a minute. When there are more, every second one is dropped. */
const SAMPLES_MAX = 240;
/** Samples of all metrics together. Each needs 50 bytes of a 64 KiB value, which also holds texts. */
const ALL_SAMPLES_MAX = 900;

/**
 * Returns the course of a canary after the node's newest heartbeat. A heartbeat has only the last sample of each
 * metric, so the course is assembled here.
 *
 * @param stored the course in the database
 */
export function nextCourse(
  stored: unknown,
  canary: CanaryDescription,
  node: string,
  saidAt: string,
): CanaryCourse {
  const before = CanaryCourse.safeParse(stored).data;
  return withHeartbeat(before?.runId === canary.runId ? before : undefined, canary, node, saidAt);
}

function withHeartbeat(
  before: CanaryCourse | undefined,
  canary: CanaryDescription,
  node: string,
  saidAt: string,
): CanaryCourse {
  const { digest, previous, runId, status, startedAt, concludedAt, metrics } = canary;
  const shown = metrics.slice(0, METRICS_MAX);
  const samplesMax = Math.min(SAMPLES_MAX, Math.floor(ALL_SAMPLES_MAX / shown.length));
  return {
    node,
    digest,
    previous,
    runId,
    status: word(status),
    reason: reason(canary.reason),
    startedAt: knownTime(startedAt) ?? saidAt,
    concludedAt: knownTime(concludedAt) ?? null,
    saidAt,
    metrics: shown.map((metric) =>
      withSample(before?.metrics.find(({ name }) => name === reason(metric.name)), metric, samplesMax)
    ),
  };
}

function withSample(
  before: MetricCourse | undefined,
  { name, direction, baseline, maxDegradation, catastrophic, last, lastAt }:
    CanaryDescription["metrics"][number],
  samplesMax: number,
): MetricCourse {
  const samples = before?.samples ?? [];
  const at = knownTime(lastAt);
  const isNew = at !== undefined && samples.at(-1)?.at !== at;
  const all = isNew ? [...samples, { at, value: last }] : samples;
  return {
    name: reason(name),
    direction: direction === null ? null : word(direction),
    baseline,
    maxDegradation,
    catastrophic,
    samples: all.length > samplesMax ? all.filter((_, index) => index % 2 === (all.length - 1) % 2) : all,
  };
}
