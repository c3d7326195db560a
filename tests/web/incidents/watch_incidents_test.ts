import assert from "node:assert/strict";
import { ingest } from "../../../web/store/ingest.ts";
import { keys, shardOf } from "../../../web/store/keys.ts";
import * as events from "../../helpers/web_events.ts";
import { startWatch } from "../../helpers/watched_fleet.ts";

const BOT = "bot-paris/client";
const OTHER = "bot-oslo/client";
const HOUR_MS = 3_600_000;

Deno.test("a node whose heartbeats stop is down from its last one until it reports again", async () => {
  using dashboard = await startWatch();
  await dashboard.minutes(10, [BOT, OTHER]);
  assert.deepEqual(await dashboard.all(), []);
  await dashboard.minutes(5, [OTHER]);
  const [open] = await dashboard.open();
  assert.equal(open?.node, BOT);
  assert.equal(open?.kind, "down");
  assert.match(open?.reason ?? "", /^No heartbeat for 4 min; expected every 1 min\.$/);
  assert.equal(open?.startedAt, "2026-11-29T07:10:00.000Z");
  await dashboard.minutes(60, [OTHER]);
  assert.deepEqual(await dashboard.open(), [open]);
  await dashboard.minutes(1, [OTHER, BOT]);
  assert.deepEqual(await dashboard.open(), []);
  const [closed, ...others] = await dashboard.all();
  assert.deepEqual(others, []);
  assert.deepEqual([closed?.ending, closed?.endedAt], ["recovered", dashboard.now]);
  assert.deepEqual(dashboard.log.lines, [
    `info ${BOT} is down: ${open?.reason}`,
    `info ${BOT} works again`,
  ]);
});

Deno.test("a late node that goes down keeps its incident, which becomes and stays `down`", async () => {
  using dashboard = await startWatch();
  const lateNow = async (node: string) =>
    await ingest(dashboard, [events.heartbeat(node, {
      time: dashboard.now,
      status: { next: { client: "2026-11-29T07:02:00.000Z" } },
    })]);
  for (let minute = 0; minute < 8; minute++) {
    await dashboard.minutes(1, []);
    await lateNow(BOT);
  }
  const [late] = await dashboard.open();
  assert.deepEqual([late?.kind, late?.startedAt], ["late", "2026-11-29T07:02:00.000Z"]);
  assert.equal(late?.reason, "The client run did not start on time.");
  await dashboard.minutes(5, []);
  const [down] = await dashboard.open();
  assert.deepEqual([down?.kind, down?.startedAt], ["down", late?.startedAt]);
  await lateNow(BOT);
  await dashboard.minutes(1, []);
  assert.deepEqual((await dashboard.open()).map(({ kind }) => kind), ["down"]);
  await dashboard.minutes(1, [BOT]);
  assert.deepEqual((await dashboard.all()).map(({ ending }) => ending), ["recovered"]);
});

Deno.test("pausing or removing a node closes its incident without a recovery", async () => {
  using dashboard = await startWatch();
  const due = { client: "2026-11-29T07:02:00.000Z" };
  for (let minute = 0; minute < 6; minute++) {
    await dashboard.minutes(1, [OTHER]);
    await ingest(dashboard, [events.heartbeat(BOT, { time: dashboard.now, status: { next: due } })]);
  }
  await dashboard.minutes(4, []);
  assert.equal((await dashboard.open()).length, 2);
  const paused = events.schedule({ paused: { since: dashboard.now, until: null, host: "bot-paris" } });
  await ingest(dashboard, [
    events.heartbeat(BOT, { time: dashboard.now, status: { schedules: { client: paused }, next: {} } }),
  ]);
  await dashboard.kv.atomic().delete(keys.node(OTHER)).set(keys.pulse(shardOf(OTHER)), OTHER).commit();
  await dashboard.minutes(1, []);
  const endings = (await dashboard.all()).map(({ node, ending }) => [node, ending]);
  assert.deepEqual(endings.sort(), [[OTHER, "forgotten"], [BOT, "paused"]]);
});

Deno.test("a dashboard that was down waits for heartbeats before it opens incidents", async () => {
  using dashboard = await startWatch();
  await dashboard.minutes(10, [BOT, OTHER]);
  dashboard.clock.advance(5 * HOUR_MS);
  await dashboard.look();
  await dashboard.minutes(3, [BOT]);
  assert.deepEqual(await dashboard.all(), []);
  await dashboard.minutes(1, [BOT]);
  assert.deepEqual((await dashboard.open()).map(({ node }) => node), [OTHER]);
});

Deno.test("a dashboard that was down closes an incident only after the node reports", async () => {
  using dashboard = await startWatch();
  await dashboard.minutes(10, [BOT]);
  await dashboard.minutes(5, []);
  dashboard.clock.advance(5 * HOUR_MS);
  await dashboard.minutes(10, []);
  assert.equal((await dashboard.open()).length, 1);
});

Deno.test("a clock that jumps forwards or backwards opens and closes no incident", async () => {
  for (const jumpMs of [26 * HOUR_MS, -26 * HOUR_MS, 3 * 60_000, -3 * 60_000]) {
    using dashboard = await startWatch();
    await dashboard.minutes(10, [BOT, OTHER]);
    await dashboard.minutes(5, [OTHER]);
    const before = await dashboard.all();
    assert.equal(before.length, 1);
    dashboard.clock.advance(jumpMs);
    await dashboard.look();
    await dashboard.minutes(10, [OTHER]);
    assert.deepEqual(await dashboard.all(), before, `a jump by ${jumpMs}`);
  }
});

Deno.test("a dashboard that reads a long history when it starts opens no incident in the past", async () => {
  using dashboard = await startWatch();
  const runs = Array.from(
    { length: 20 },
    (_, day) => events.finished(BOT, { startedAt: new Date(Date.UTC(2026, 9, 1 + day, 6)).toISOString() }),
  );
  await dashboard.look();
  await ingest(dashboard, runs);
  await dashboard.minutes(60, []);
  assert.deepEqual(await dashboard.all(), []);
  // A day and a quarter without another run: the machine's timer has stopped.
  for (let minute = 0; minute < 31 * 60; minute++) await dashboard.minutes(1, []);
  const [open] = await dashboard.open();
  assert.ok(open !== undefined && open.startedAt > "2026-11-30T12:00:00.000Z");
});

Deno.test("one check opens an incident for each of 1,000 nodes that are down", async () => {
  using dashboard = await startWatch();
  const nodes = Array.from({ length: 1_000 }, (_, index) => `bot-${index}`);
  await dashboard.beat(...nodes);
  for (let minute = 0; minute < 5; minute++) await dashboard.minutes(1, []);
  assert.equal((await dashboard.open()).length, 1_000);
  await dashboard.beat(...nodes);
  await dashboard.minutes(1, []);
  assert.equal((await dashboard.open()).length, 0);
});
