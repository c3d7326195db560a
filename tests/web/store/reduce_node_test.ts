import assert from "node:assert/strict";
import fc from "fast-check";
import { parseBatch } from "../../../lib/wire/parse_batch.ts";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import { reduceNode, unreportedNode } from "../../../web/store/reduce_node.ts";
import type { NodeRow } from "../../../web/store/rows.ts";
import { nodeStory } from "./node_story.ts";
import { anyEvent } from "../../helpers/report_events.ts";
import { activated, digestOfRelease, finished, heartbeat, started } from "../../helpers/web_events.ts";

const NODE = "bot-1/client";
/** Later than all times of the stories. */
const RECEIVED_AT = "2101-01-01T00:00:00.000Z";

/** The row without times of arrival. */
function rowOf(events: readonly ReportEvent[], receivedAt = RECEIVED_AT): Partial<NodeRow> {
  const row = events.reduce((row, event) => reduceNode(row, event, receivedAt), unreportedNode(NODE));
  const { firstReceivedAt: _first, lastReceivedAt: _last, ...rest } = row;
  return rest;
}

Deno.test("events of a node give the same row in any order and any number of times", () => {
  const shuffled = nodeStory(NODE).chain((events) =>
    fc.tuple(
      fc.constant(events),
      fc.shuffledSubarray([...events], { minLength: events.length }),
      fc.subarray([...events]),
    )
  );
  fc.assert(
    fc.property(shuffled, ([events, reordered, repeated]) => {
      assert.deepEqual(rowOf([...reordered, ...repeated]), rowOf(events));
    }),
    { numRuns: 300 },
  );
});

Deno.test("a repeated event changes nothing, not even the time of arrival", () => {
  fc.assert(
    fc.property(nodeStory(NODE), (events) => {
      const row = events.reduce(
        (row, event) => reduceNode(row, event, RECEIVED_AT),
        unreportedNode(NODE),
      );
      for (const event of events) {
        assert.deepEqual(reduceNode(row, event, "2101-01-01T00:00:10.000Z"), row);
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("any valid event gives a valid row", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), (batch) => {
      const { events, invalid } = parseBatch(batch);
      assert.deepEqual(invalid, 0);
      rowOf(events);
    }),
    { numRuns: 200 },
  );
});

Deno.test("a role may be named like an inherited property", () => {
  const row = rowOf([
    heartbeat(NODE, {
      status: {
        schedules: {
          constructor: {
            times: ["06:00"],
            timeZone: "UTC",
            splaySeconds: 0,
            catchUpSeconds: null,
            deny: [],
            paused: null,
          },
        },
        next: {},
        paused: {},
      },
    }),
  ]);
  assert.deepEqual(row.report?.roles.map(({ role, next, pause }) => ({ role, next, pause })), [
    { role: "constructor", next: null, pause: null },
  ]);
});

Deno.test("a heartbeat without an active release overrides an older run", () => {
  const row = rowOf([
    activated(NODE, 2, { startedAt: "2026-11-29T06:00:00Z" }),
    heartbeat(NODE, { time: "2026-11-29T07:00:00Z", status: { current: null, activatedAt: null } }),
  ]);
  assert.deepEqual(row.active, null);
  assert.deepEqual(row.activation?.digest, digestOfRelease(2));
});

Deno.test("a pull that finds nothing new keeps the sequence of the activation", () => {
  const row = rowOf([
    activated(NODE, 2, { startedAt: "2026-11-29T06:00:00Z" }),
    finished(NODE, {
      startedAt: "2026-11-29T07:00:00Z",
      release: digestOfRelease(2),
      sequence: undefined,
    }),
  ]);
  assert.deepEqual(row.active?.sequence, 2);
});

Deno.test("a run that ended and left the strip does not count as running when its start arrives late", () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 29, 0, minute)).toISOString();
  const runs = Array.from({ length: 31 }, (_, minute) => finished(NODE, { startedAt: at(minute) }));
  assert.deepEqual(rowOf([...runs, started(NODE, { startedAt: at(0) })]).running, []);
});

Deno.test("of more than ten runs at once, ten are shown, depending on the order of arrival", () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 29, 0, minute)).toISOString();
  const starts = Array.from({ length: 11 }, (_, minute) => started(NODE, { startedAt: at(minute) }));
  const end = finished(NODE, { startedAt: at(10) });
  assert.deepEqual(rowOf([...starts, end]).running?.length, 9);
  assert.deepEqual(rowOf([end, ...starts]).running?.length, 10);
});
