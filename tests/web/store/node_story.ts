import fc from "fast-check";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import {
  activated,
  digestOfRelease,
  failed,
  finished,
  heartbeat,
  published,
  started,
} from "../../helpers/web_events.ts";

/** The start of the stories of nodes. */
const BEGIN_MS = Date.parse("2026-11-01T00:00:00Z");
const MINUTE_MS = 60_000;

/** An action of a node in a story: a run or a heartbeat. */
const step = fc.record({
  kind: fc.constantFrom("unchanged", "activated", "failed", "publish", "heartbeat", "idle"),
  release: fc.integer({ min: 1, max: 4 }),
  minutes: fc.integer({ min: 1, max: 50 }),
  command: fc.constantFrom("pull", "hf-pull", "rollback"),
  namesSequence: fc.boolean(),
});

/**
 * Events of one node by one clock, oldest first: consecutive runs with their starts, publications, and heartbeats with
 * the active release and the run in progress.
 */
export function nodeStory(node: string): fc.Arbitrary<readonly ReportEvent[]> {
  return fc.array(step, { minLength: 1, maxLength: 60 }).map((steps) => {
    const events: ReportEvent[] = [];
    let atMs = BEGIN_MS;
    let [active, activatedAt]: [number | undefined, string] = [undefined, ""];
    for (const { kind, release, minutes, command, namesSequence } of steps) {
      const startedAt = new Date(atMs).toISOString();
      const durationMs = minutes * MINUTE_MS;
      const endedAt = new Date(atMs + durationMs).toISOString();
      const runs = { startedAt, durationMs, command };
      const sequence = namesSequence ? {} : { sequence: undefined };
      switch (kind) {
        case "activated":
          events.push(started(node, runs), activated(node, release, runs));
          [active, activatedAt] = [release, startedAt];
          break;
        case "unchanged":
          events.push(started(node, runs));
          // A heartbeat during the run names it.
          events.push(beat(node, atMs + durationMs / 2, active, activatedAt, [{ ...runs, step: "check" }]));
          events.push(
            finished(node, {
              ...runs,
              ...(active === undefined ? { release: undefined } : { release: digestOfRelease(active) }),
              ...sequence,
            }),
          );
          break;
        case "failed":
          events.push(started(node, runs), failed(node, runs));
          break;
        case "publish":
          events.push(published(node, release, { time: endedAt, sequence: events.length }));
          break;
        case "heartbeat":
          events.push(beat(node, atMs, active, activatedAt, []));
          break;
        case "idle":
          // A run that never ends, because its machine was switched off.
          if (minutes > 45) events.push(started(node, runs));
          break;
      }
      atMs += durationMs + MINUTE_MS;
    }
    return events;
  });
}

function beat(
  node: string,
  ms: number,
  active: number | undefined,
  activatedAt: string,
  running: readonly { startedAt: string; command: string; step: string }[],
): ReportEvent {
  const time = new Date(ms).toISOString();
  const event = heartbeat(node, { time, host: `host-${ms % 3}` });
  const { current } = event.data.status;
  const named = current === null || active === undefined
    ? null
    : { ...current, digest: digestOfRelease(active), sequence: active };
  return {
    ...event,
    data: {
      ...event.data,
      status: {
        ...event.data.status,
        current: named,
        activatedAt: named === null ? null : activatedAt,
        running: running.map((run) => ({ ...run, runId: started(node, run).data.runId })),
      },
    },
  };
}
