import assert from "node:assert/strict";
import { parseBatch } from "../../lib/wire/parse_batch.ts";
import * as events from "../helpers/web_events.ts";

const NAMES = ["bot-1", "bot 1/client", "böt"];

Deno.test("the events of the dashboard's tests are valid, and each is of one node", () => {
  for (const node of NAMES) {
    const batch = [
      events.started(node),
      events.finished(node),
      events.activated(node, 2),
      events.failed(node),
      events.published(node, 1),
      events.published(node, 2, { time: "2026-11-29T00:00:00.000Z" }),
      events.pullRequest(node),
      events.heartbeat(node, { status: { canary: events.canary(2), current: events.statusRelease(2) } }),
    ];
    assert.deepEqual(parseBatch(batch), { events: batch, unknownTypes: 0, invalid: 0 });
  }
});

Deno.test("runs with different times or commands have different ids, and equal arguments make equal events", () => {
  const later = "2026-11-29T06:00:01.000Z";
  const ids = [
    events.started("bot-1"),
    events.finished("bot-1"),
    events.finished("bot-1", { startedAt: later }),
    events.finished("bot-1", { command: "hf-pull" }),
    events.published("bot-1", 1),
    events.pullRequest("bot-1"),
    events.pullRequest("bot-1", { repository: "you/others" }),
    events.heartbeat("bot-1"),
    events.heartbeat("bot-1", { time: later }),
  ].map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.deepEqual(events.heartbeat("bot-1"), events.heartbeat("bot-1"));
});
