import assert from "node:assert/strict";
import { keys, shardOf } from "../../../web/store/keys.ts";
import { readActivations } from "../../../web/store/read_activations.ts";
import { readRuns } from "../../../web/store/read_runs.ts";
import { sweep } from "../../../web/store/retention.ts";
import { changeSettings } from "../../../web/store/settings_row.ts";
import { DELETIONS_MAX } from "../../../web/store/sweep_step.ts";
import { openSwept } from "./swept_store.ts";
import * as events from "../../helpers/web_events.ts";

const BOT = "bot-1/client";
const { digestOfRelease } = events;

Deno.test("runs older than the retention are removed with their place, details and activity; others are kept", async () => {
  using store = await openSwept();
  const ages = [200, 100, 92, 88, 10, 0];
  await store.take(
    ...ages.map((days) => events.failed(BOT, { startedAt: store.daysAgo(days) })),
  );
  const young = [88, 10, 0].map((days) => store.daysAgo(days));
  const before = await store.keys();
  await store.round();
  const { rows } = await readRuns(store.kv, BOT, { limit: 10 });
  assert.deepEqual(rows.map(({ startedAt }) => startedAt), young.toReversed());
  const runIds = [200, 100, 92].map((days) => events.runIdOf(store.daysAgo(days + 1)));
  const after = await store.keys();
  assert.deepEqual(after, before.filter((key) => !runIds.some((runId) => key.includes(runId))));
  assert.equal(before.length - after.length, 3 * 4);
});

Deno.test("the retention comes from the settings", async () => {
  using store = await openSwept();
  await store.take(...[20, 9, 5].map((days) => events.finished(BOT, { startedAt: store.daysAgo(days) })));
  await changeSettings(store.kv, { retentionDays: 7 });
  await store.round();
  assert.equal((await readRuns(store.kv, BOT, { limit: 10 })).rows.length, 1);
});

Deno.test("the active release of a node is kept, and the one that was active at the start of the retention", async () => {
  using store = await openSwept();
  await store.take(
    ...[300, 200, 100, 50].map((days, index) =>
      events.activated(BOT, index + 1, { startedAt: store.daysAgo(days), durationMs: 0 })
    ),
    events.activated("bot-2", 9, { startedAt: store.daysAgo(400), durationMs: 0 }),
    events.activated("bot-2", 10, { startedAt: store.daysAgo(350), durationMs: 0 }),
  );
  await store.round();
  const digests = async (node: string) => (await readActivations(store.kv, node)).map(({ digest }) => digest);
  assert.deepEqual(await digests(BOT), [digestOfRelease(3), digestOfRelease(4)]);
  assert.deepEqual(await digests("bot-2"), [digestOfRelease(10)]);
  const ofReleases = await store.keysWith("activation_of");
  assert.equal(ofReleases.length, 3);
});

Deno.test("an old release is removed with its files when no node has or publishes it and no entry refers to it", async () => {
  using store = await openSwept();
  await store.take(
    ...[1, 2, 3, 4].map((number) =>
      events.published("trainer", number, { time: store.daysAgo(300 - number) })
    ),
    events.activated(BOT, 1, { startedAt: store.daysAgo(290), durationMs: 0 }),
    events.activated(BOT, 2, { startedAt: store.daysAgo(280), durationMs: 0 }),
    events.heartbeat("bot-2", {
      time: store.daysAgo(0),
      status: { current: events.statusRelease(3, { createdAt: store.daysAgo(297) }), activatedAt: null },
    }),
  );
  await store.round();
  for (const number of [1, 2, 3, 4]) {
    assert.notDeepEqual(await store.keysWith(`release ${digestOfRelease(number)}`), []);
  }
  // The publisher was removed: no node uses releases 1 and 4.
  await store.kv.atomic().delete(keys.node("trainer")).set(keys.pulse(shardOf("trainer")), "").commit();
  await store.round();
  for (const number of [1, 4]) assert.deepEqual(await store.keysWith(digestOfRelease(number)), []);
  for (const number of [2, 3]) {
    const kept = (await store.keysWith(digestOfRelease(number))).map((key) => key.split(" ")[0]);
    assert.ok(kept.includes("release") && kept.includes("release_files") && kept.includes("publication"));
  }
});

Deno.test("old closed incidents, pull requests and canaries are removed", async () => {
  using store = await openSwept();
  const incident = (days: number, endedAt: string | null) => ({
    node: BOT,
    kind: "down",
    reason: "",
    startedAt: store.daysAgo(days),
    endedAt,
  });
  const rows = [incident(100, store.daysAgo(99)), incident(95, null), incident(50, store.daysAgo(49))];
  for (const row of rows) {
    const full = {
      ...row,
      ending: null,
      heard: "",
      alertedAt: null,
      alertedTo: [],
      recoveryAlertedTo: [],
      claimedUntil: null,
    };
    await store.kv.atomic().set(keys.incident(row.startedAt, BOT), full)
      .set(keys.incidentOf(BOT, row.startedAt), full).commit();
  }
  await store.take(
    events.pullRequest("sync", { time: store.daysAgo(100), number: 1 }),
    events.pullRequest("sync", { time: store.daysAgo(10), number: 2 }),
    events.heartbeat(BOT, { time: store.daysAgo(100), status: { canary: events.canary(2) } }),
    events.heartbeat(BOT, { time: store.daysAgo(1), status: { canary: events.canary(3) } }),
  );
  await store.round();
  assert.equal((await store.keysWith("incident ")).length, 2);
  assert.equal((await store.keysWith("incident_of ")).length, 2);
  assert.deepEqual((await store.keysWith("pull_request")).map((key) => key.split(" ").at(-1)), ["2"]);
  assert.deepEqual(await store.keysWith("canary"), [`canary ${digestOfRelease(3)} ${BOT}`]);
});

Deno.test("each step is bounded, the next one continues, and a round begins once a day", async () => {
  using store = await openSwept();
  for (let node = 0; node < 5; node++) {
    const runs = Array.from(
      { length: 300 },
      (_, index) => events.finished(`bot-${node}`, { startedAt: store.daysAgo(120 + index / 100) }),
    );
    await store.take(...runs);
  }
  const removed = await store.round();
  assert.equal(removed.reduce((sum, count) => sum + count, 0), 5 * 300 * 3);
  assert.ok(removed.length >= 3);
  for (const count of removed) assert.ok(count <= DELETIONS_MAX + 25, `${count}`);
  await store.take(events.finished("bot-1", { startedAt: store.daysAgo(100) }));
  assert.equal(await sweep(store), 0);
  assert.deepEqual(await store.round(), [3]);
});

Deno.test("two concurrent sweeps remove the same entries", async () => {
  using store = await openSwept();
  await store.take(
    ...Array.from(
      { length: 200 },
      (_, index) => events.finished(BOT, { startedAt: store.daysAgo(100 + index / 100) }),
    ),
  );
  store.clock.advance(24 * 3_600_000);
  await Promise.all([sweep(store), sweep(store)]);
  assert.deepEqual((await readRuns(store.kv, BOT, { limit: 10 })).rows, []);
});
