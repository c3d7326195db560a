import type { CanaryDescription, EventOf } from "../../lib/reporting/wire.ts";
import { compareAndSet } from "./commit.ts";
import { keys } from "./keys.ts";
import { CanaryCourse, type MetricCourse } from "./rows.ts";
import { reason, utc, word } from "./row_values.ts";

/** Metrics that are kept: people chart a few. */
const METRICS_MAX = 8;
/** Samples of each: with the others they fit into one value. Beyond that, every second one stays. */
const SAMPLES_MAX = 240;

/** Notes what a heartbeat says of a canary. A node sends the last sample of each metric: the course is put together here. */
export async function ingestCanary(
  kv: Deno.Kv,
  node: string,
  { time, data }: EventOf<"heartbeat">,
): Promise<void> {
  const { canary } = data.status;
  if (canary === null) return;
  const key = keys.canary(canary.digest, node);
  await compareAndSet(async () => {
    const entry = await kv.get(key);
    const before = CanaryCourse.safeParse(entry.value).data;
    if (before !== undefined && before.saidAt >= utc(time)) return undefined;
    const after = withHeartbeat(before?.runId === canary.runId ? before : undefined, canary, node, utc(time));
    return { guards: [entry], operation: kv.atomic().set(key, after) };
  });
}

function withHeartbeat(
  before: CanaryCourse | undefined,
  canary: CanaryDescription,
  node: string,
  saidAt: string,
): CanaryCourse {
  const { digest, previous, runId, status, startedAt, concludedAt, metrics } = canary;
  return {
    node,
    digest,
    previous,
    runId,
    status: word(status),
    reason: reason(canary.reason),
    startedAt,
    concludedAt,
    saidAt,
    metrics: metrics.slice(0, METRICS_MAX).map((metric) =>
      withSample(before?.metrics.find(({ name }) => name === reason(metric.name)), metric)
    ),
  };
}

function withSample(
  before: MetricCourse | undefined,
  { name, direction, baseline, maxDegradation, catastrophic, last, lastAt }:
    CanaryDescription["metrics"][number],
): MetricCourse {
  const samples = before?.samples ?? [];
  const isNew = lastAt !== null && samples.at(-1)?.at !== lastAt;
  const all = isNew ? [...samples, { at: lastAt.slice(0, 40), value: last }] : samples;
  return {
    name: reason(name),
    direction: direction === null ? null : word(direction),
    baseline,
    maxDegradation,
    catastrophic,
    samples: all.length > SAMPLES_MAX ? all.filter((_, index) => index % 2 === (all.length - 1) % 2) : all,
  };
}
