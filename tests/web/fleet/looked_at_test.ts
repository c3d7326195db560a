import assert from "node:assert/strict";
import { nodeState, patienceOf } from "../../../web/fleet/node_state.ts";
import { DAY_MS, HOUR_MS, laterBy, MINUTE_MS, rowOf } from "../../helpers/web_rows.ts";
import * as events from "../../helpers/web_events.ts";

/** Reports of a store's state without a daemon: the next one is due in 0 seconds, and they have no roles. */

const NODE = "bot-1/client";
const AT = "2026-11-29T06:00:00.000Z";

function look(time: string, status: events.HeartbeatChanges["status"] = {}) {
  return events.heartbeat(NODE, {
    time,
    intervalSeconds: 0,
    status: { next: {}, schedules: {}, daemons: [], ...status },
  });
}

Deno.test("a machine that never had a daemon misses no heartbeats", () => {
  const row = rowOf(NODE, events.finished(NODE, { startedAt: laterBy(AT, -HOUR_MS) }), look(AT));
  assert.deepEqual([row.report?.roles, row.report?.freeBytes], [[], 50_000_000_000]);
  assert.equal(nodeState(row, new Date(laterBy(AT, 30 * DAY_MS))).kind, "up");
});

Deno.test("reading the store of a timer's machine does not hide that its runs stopped", () => {
  const runs = Array.from(
    { length: 10 },
    (_, hour) => events.finished(NODE, { startedAt: laterBy(AT, hour * HOUR_MS) }),
  );
  const looks = Array.from(
    { length: 200 },
    (_, minute) => look(laterBy(AT, 9 * HOUR_MS + minute * MINUTE_MS)),
  );
  const row = rowOf(NODE, ...runs, ...looks);
  const now = (minutes: number) => new Date(laterBy(AT, 9 * HOUR_MS + minutes * MINUTE_MS));
  assert.equal(nodeState(row, now(70)).kind, "up");
  assert.equal(nodeState(row, now(80)).kind, "late");
  assert.equal(nodeState(row, now(200)).kind, "down");
  assert.equal(patienceOf(row), 75 * MINUTE_MS);
});

Deno.test("a stopped daemon is down after its time limit, even if its store is read, and the reason says that it stopped", () => {
  const beats = [0, 1, 2].map((minute) => events.heartbeat(NODE, { time: laterBy(AT, minute * MINUTE_MS) }));
  const goneAt = laterBy(AT, 2 * MINUTE_MS);
  const looks = [1, 2, 3, 4].map((minute) =>
    look(laterBy(goneAt, minute * MINUTE_MS), { freeBytes: minute })
  );
  const row = rowOf(NODE, ...beats, ...looks);
  const { report } = row;
  assert.deepEqual(report?.roles.map(({ role }) => role), ["client"], "what it was for stays known");
  assert.equal(report?.freeBytes, 4, "its state is as it is now");
  assert.equal(nodeState(row, new Date(laterBy(goneAt, 3 * MINUTE_MS))).kind, "up");
  assert.deepEqual(nodeState(row, new Date(laterBy(goneAt, 4 * MINUTE_MS))), {
    kind: "down",
    since: laterBy(goneAt, 1_000),
    reason: "Its daemon has stopped: no heartbeat for 3 min 59 s.",
  });
});

Deno.test("a restarted daemon is up with its next heartbeat", () => {
  const row = rowOf(
    NODE,
    events.heartbeat(NODE, { time: AT }),
    look(laterBy(AT, 10 * MINUTE_MS)),
    events.heartbeat(NODE, { time: laterBy(AT, 11 * MINUTE_MS) }),
  );
  assert.equal(nodeState(row, new Date(laterBy(AT, 11.5 * MINUTE_MS))).kind, "up");
  assert.equal(row.report?.heartbeatAt, undefined);
});
