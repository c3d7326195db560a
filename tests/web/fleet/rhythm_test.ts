import assert from "node:assert/strict";
import { nodeState } from "../../../web/fleet/node_state.ts";
import type { NodeRow } from "../../../web/store/rows.ts";
import { DAY_MS, HOUR_MS, laterBy, MINUTE_MS, rowOf, skewedRowOf } from "../../helpers/web_rows.ts";
import * as events from "../../helpers/web_events.ts";

const NODE = "bot-1";
const MONDAY = "2026-11-02T06:00:00.000Z";

function runs(startsMs: readonly number[]) {
  return startsMs.map((ms) => events.finished(NODE, { startedAt: laterBy(MONDAY, ms) }));
}

function kindAt(row: NodeRow, ms: number): string {
  return nodeState(row, new Date(laterBy(MONDAY, ms))).kind;
}

const hourly = Array.from({ length: 24 }, (_, hour) => hour * HOUR_MS);

Deno.test("a machine that a timer starts every hour is late a quarter of an hour after, and down after two more", () => {
  const row = rowOf(NODE, ...runs(hourly));
  const lastMs = 23 * HOUR_MS;
  assert.equal(kindAt(row, lastMs + 75 * MINUTE_MS), "up");
  const { kind, reason, since } = nodeState(row, new Date(laterBy(MONDAY, lastMs + 90 * MINUTE_MS)));
  assert.deepEqual([kind, reason, since], [
    "late",
    "No run for 1 h 29 min; usually at most 1 h between runs.",
    laterBy(MONDAY, lastMs + 75 * MINUTE_MS + 1_000),
  ]);
  assert.equal(kindAt(row, lastMs + 195 * MINUTE_MS), "late");
  assert.equal(kindAt(row, lastMs + 196 * MINUTE_MS), "down");
});

Deno.test("runs on working days are not late at weekends, once one weekend has passed", () => {
  const days = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11].map((day) => day * DAY_MS);
  const row = rowOf(NODE, ...runs(days));
  assert.equal(kindAt(row, 14 * DAY_MS), "up");
  assert.equal(kindAt(row, 15 * DAY_MS), "late");
});

Deno.test("commands that an operator starts give no schedule: nothing is expected", () => {
  const typed = [0, 3_000, 8_000, 45_000, 60_000, 400_000];
  assert.equal(kindAt(rowOf(NODE, ...runs(typed)), 30 * DAY_MS), "up");
  const overDays = [0, 10 * MINUTE_MS, 3 * HOUR_MS, 26 * HOUR_MS, 27 * HOUR_MS, 5 * DAY_MS, 9 * DAY_MS];
  assert.equal(kindAt(rowOf(NODE, ...runs(overDays)), 60 * DAY_MS), "up");
});

Deno.test("four runs do not give a schedule yet", () => {
  assert.equal(kindAt(rowOf(NODE, ...runs(hourly.slice(0, 4))), 30 * DAY_MS), "up");
});

Deno.test("a timer on a machine whose clock is a day off is on time while its runs arrive", () => {
  for (const aheadMs of [DAY_MS, -DAY_MS]) {
    const row = skewedRowOf(NODE, aheadMs, ...runs(hourly));
    const lastArrivalMs = 23 * HOUR_MS - aheadMs;
    assert.equal(kindAt(row, lastArrivalMs + HOUR_MS), "up");
    assert.equal(kindAt(row, lastArrivalMs + 80 * MINUTE_MS), "late");
  }
});

Deno.test("overlapping runs and clock changes do not change the schedule", () => {
  // In UTC the gaps of a daily run at 06:00 in Paris are 25 and 23 hours when clocks change.
  const starts = [0, 1, 2, 3, 4, 5].map((day) => day * DAY_MS + (day >= 3 ? HOUR_MS : 0));
  const row = rowOf(
    NODE,
    ...runs(starts),
    events.finished(NODE, {
      startedAt: laterBy(MONDAY, HOUR_MS),
      command: "verify",
      durationMs: 2 * DAY_MS,
    }),
  );
  assert.equal(kindAt(row, 6 * DAY_MS + HOUR_MS), "up");
});
