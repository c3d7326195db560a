import assert from "node:assert/strict";
import { recordEvents } from "../../lib/reporting/make_events.ts";
import { EVENT_TYPES } from "../../lib/wire/event_names.ts";
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

Deno.test("a withdrawal is reported as a run and as the publication of the release that is the newest again", () => {
  const [digest, release] = [events.digestOfRelease(2), events.digestOfRelease(1)];
  const withdrawal = { digest, state: "withdrawn", at: "2026-11-29T06:00:00Z", reason: "wrong labels" };
  const record = {
    ...{ runId: "run-1", command: "withdraw", outcome: "withdrawn", host: "trainer" } as const,
    ...{
      startedAt: "2026-11-29T06:00:00Z",
      durationMs: 5,
      carrier: "git",
      release,
      sequence: 3,
      withdrawal,
    } as const,
  };
  const facts = { name: undefined, host: "trainer", modelsDir: "/srv/models" };
  const { events: valid, invalid } = parseBatch(recordEvents(facts, record, undefined));
  assert.deepEqual(valid.map(({ type, source }) => [type, source]), [
    ["model-sync.release.published.v1", "trainer/publisher"],
    ["model-sync.run.finished.v1", "trainer/publisher"],
  ]);
  assert.equal(invalid, 0);
  const [published, run] = valid;
  assert.ok(published?.type === EVENT_TYPES.published && run?.type === EVENT_TYPES.finished);
  assert.deepEqual([published.data.digest, published.data.sequence, run.data.withdrawal], [
    release,
    3,
    withdrawal,
  ]);
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
