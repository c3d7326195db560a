import assert from "node:assert/strict";
import { nextDue, nodeState } from "../../../web/fleet/node_state.ts";
import { clockAheadMs } from "../../../web/store/node_clock.ts";
import type { NodeState } from "../../../web/fleet/node_view.ts";
import { unreportedNode } from "../../../web/store/reduce_node.ts";
import type { NodeRow } from "../../../web/store/rows.ts";
import { DAY_MS, HOUR_MS, laterBy, MINUTE_MS, rowOf, skewedRowOf } from "../../helpers/web_rows.ts";
import * as events from "../../helpers/web_events.ts";

const NODE = "bot-1/client";
const AT = "2026-11-29T06:00:00.000Z";

function stateAt(row: NodeRow, time: string): Pick<NodeState, "kind" | "reason"> {
  const { kind, reason } = nodeState(row, new Date(time));
  return { kind, reason };
}

/** A heartbeat whose client is due at 06:00. */
function dueAtSix(time: string, changes: events.HeartbeatChanges = {}) {
  return events.heartbeat(NODE, {
    time,
    ...changes,
    status: { next: { client: AT }, ...changes.status },
  });
}

Deno.test("a node with a token that has not reported is neither late nor down", () => {
  assert.deepEqual(stateAt(unreportedNode(NODE), AT), {
    kind: "never-reported",
    reason: "It has a token and has not reported yet.",
  });
});

Deno.test("a daemon is down once it has missed its heartbeats for longer than three minutes", () => {
  const row = rowOf(NODE, events.heartbeat(NODE, { time: AT }));
  const receivedAt = laterBy(AT, 1_000);
  assert.equal(stateAt(row, laterBy(receivedAt, 3 * MINUTE_MS)).kind, "up");
  assert.deepEqual(stateAt(row, laterBy(receivedAt, 3 * MINUTE_MS + 1_000)), {
    kind: "down",
    reason: "No heartbeat for 3 min 1 s; expected every 1 min.",
  });
});

Deno.test("a daemon with a long interval is down after three of them, also while runs report for themselves", () => {
  const row = rowOf(
    NODE,
    events.heartbeat(NODE, { time: AT, intervalSeconds: 600 }),
    events.finished(NODE, { startedAt: laterBy(AT, 20 * MINUTE_MS) }),
  );
  assert.equal(stateAt(row, laterBy(AT, 30 * MINUTE_MS)).kind, "up");
  assert.deepEqual(stateAt(row, laterBy(AT, 31 * MINUTE_MS + 1_000)), {
    kind: "down",
    reason: "No heartbeat for 31 min, though a run reported since; expected every 10 min.",
  });
});

Deno.test("a due run has two minutes and its splay to start", () => {
  const schedules = { client: events.schedule({ splaySeconds: 60 }) };
  const row = rowOf(NODE, dueAtSix(laterBy(AT, 2.5 * MINUTE_MS), { status: { schedules } }));
  assert.equal(stateAt(row, laterBy(AT, 3 * MINUTE_MS)).kind, "up");
  assert.deepEqual(stateAt(row, laterBy(AT, 3 * MINUTE_MS + 1)), {
    kind: "late",
    reason: "The client run did not start on time.",
  });
});

Deno.test("a run of the role that began serves the due time, a run of another role does not", () => {
  const beat = dueAtSix(laterBy(AT, -30_000));
  const now = laterBy(AT, 2.4 * MINUTE_MS);
  assert.equal(stateAt(rowOf(NODE, beat, events.started(NODE, { startedAt: AT })), now).kind, "up");
  assert.equal(stateAt(rowOf(NODE, beat, events.finished(NODE, { startedAt: AT })), now).kind, "up");
  const publish = events.finished(NODE, { startedAt: AT, command: "publish" });
  assert.equal(stateAt(rowOf(NODE, beat, publish), now).kind, "late");
});

Deno.test("of several roles, only those that are not paused are expected", () => {
  const pause = { since: laterBy(AT, -HOUR_MS), until: null, host: "bot-1" };
  const schedules = { client: events.schedule({ paused: pause }), references: events.schedule() };
  const time = laterBy(AT, 2.5 * MINUTE_MS);
  const partly = (next: Record<string, string>) =>
    stateAt(rowOf(NODE, dueAtSix(time, { status: { schedules, next } })), laterBy(time, MINUTE_MS));
  assert.equal(partly({ client: AT }).kind, "up");
  assert.deepEqual(partly({ references: AT }), {
    kind: "late",
    reason: "The references run did not start on time.",
  });
});

Deno.test("a node all of whose roles are paused is paused, with the operator's reason", () => {
  const pause = { since: AT, until: null, host: "bot-1", reason: "exchange maintenance." };
  const schedules = { client: events.schedule({ paused: pause }) };
  const row = rowOf(NODE, dueAtSix(laterBy(AT, -DAY_MS), { status: { schedules } }));
  const now = laterBy(AT, -DAY_MS + MINUTE_MS);
  assert.deepEqual(stateAt(row, now), {
    kind: "paused",
    reason: "An operator paused it: exchange maintenance.",
  });
  assert.equal(stateAt(row, laterBy(now, HOUR_MS)).kind, "down", "a paused daemon still sends heartbeats");
});

Deno.test("a clock that is a day off makes a node neither down nor late, and its due times are shown right", () => {
  for (const aheadMs of [DAY_MS, -DAY_MS]) {
    const row = skewedRowOf(NODE, aheadMs, dueAtSix(laterBy(AT, -HOUR_MS)));
    const now = laterBy(AT, -HOUR_MS - aheadMs + MINUTE_MS);
    assert.equal(clockAheadMs(row), aheadMs);
    assert.equal(stateAt(row, now).kind, "up");
    assert.deepEqual(nextDue(row, new Date(now)), { role: "client", at: laterBy(AT, -aheadMs) });
  }
});

Deno.test("a heartbeat that was delayed by minutes does not mean a wrong clock", () => {
  assert.equal(clockAheadMs(skewedRowOf(NODE, -5 * MINUTE_MS, events.heartbeat(NODE))), 0);
  assert.equal(
    clockAheadMs(skewedRowOf(NODE, -5 * MINUTE_MS - 1, events.heartbeat(NODE))),
    -5 * MINUTE_MS - 1,
  );
});

Deno.test("a run takes too long after twice the longest run before, and at least a quarter of an hour", () => {
  const before = events.finished(NODE, { startedAt: laterBy(AT, -DAY_MS), durationMs: 10 * MINUTE_MS });
  const begun = events.started(NODE, { startedAt: AT });
  const beat = events.heartbeat(NODE, {
    time: laterBy(AT, 20 * MINUTE_MS),
    status: { running: [{ runId: begun.data.runId, command: "pull", startedAt: AT, step: "download" }] },
  });
  const row = rowOf(NODE, before, begun, beat);
  assert.equal(stateAt(row, laterBy(AT, 20 * MINUTE_MS)).kind, "up");
  assert.deepEqual(stateAt(row, laterBy(AT, 21 * MINUTE_MS)), {
    kind: "late",
    reason: "Its pull has been running for 21 min; the longest run before took 10 min.",
  });
});

Deno.test("a run of a command without earlier runs may take six hours", () => {
  const row = rowOf("trainer", events.started("trainer", { startedAt: AT, command: "train" }));
  assert.equal(stateAt(row, laterBy(AT, 6 * HOUR_MS)).kind, "up");
  assert.deepEqual(stateAt(row, laterBy(AT, 7 * HOUR_MS)), {
    kind: "late",
    reason: "Its train has been running for 7 h.",
  });
});

Deno.test("a canary is a state, and a paused one shows the reason", () => {
  const stateOf = (changes: Parameters<typeof events.canary>[1]) =>
    stateAt(
      rowOf(NODE, events.heartbeat(NODE, { time: AT, status: { canary: events.canary(2, changes) } })),
      AT,
    );
  assert.deepEqual(stateOf({}), {
    kind: "canary",
    reason: "Its release is in canary, 20 min left when it last reported.",
  });
  assert.equal(
    stateOf({ status: "paused", reason: "no baseline" }).reason,
    "Its canary is paused: no baseline.",
  );
  assert.equal(stateOf({ status: "paused" }).reason, "Its canary is paused.");
  assert.equal(stateOf({ status: "promoted" }).kind, "up");
});
