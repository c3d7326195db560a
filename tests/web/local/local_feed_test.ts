import assert from "node:assert/strict";
import { ModelSync } from "../../../lib/config/schema.ts";
import { announceDaemon } from "../../../lib/store/daemons.ts";
import { pauseRoles, resumeRoles } from "../../../lib/store/pauses.ts";
import { addQuarantine, liftQuarantine } from "../../../lib/store/quarantine.ts";
import { markRun } from "../../../lib/store/running.ts";
import { rememberRoleTimes } from "../../../lib/store/schedule_state.ts";
import { WatchedStore } from "./watched_store.ts";
import { digestOfRelease } from "../../helpers/web_events.ts";

const MINUTE_MS = 60_000;
const entry = {
  digest: digestOfRelease(2),
  sequence: 2,
  reason: "a check failed",
  at: "2026-11-29T11:00:00Z",
};

Deno.test("the state of a store is shown without a daemon, for the nodes that have runs", async () => {
  await using world = await WatchedStore.open();
  addQuarantine(world.store, entry);
  await world.look();
  assert.deepEqual(await world.nodes(), [], "a machine on which nothing ever ran is no node");
  world.record(1);
  await world.look();
  assert.deepEqual(await world.nodes(), ["test-host/client"]);
  const { report } = await world.row();
  assert.deepEqual([report?.quarantine, report?.freeBytes, report?.roles], [
    [entry.digest],
    50_000_000_000,
    [],
  ]);
  assert.match(report?.version ?? "", /^\d/);
  world.record(2, "publish");
  await world.look();
  assert.deepEqual(await world.nodes(), ["test-host/client", "test-host/publisher"]);
  assert.deepEqual((await world.row("test-host/publisher")).report?.quarantine, [entry.digest]);
});

Deno.test("a machine without a daemon is not down without heartbeats, with and without a name", async () => {
  for (const [settings, node] of [[{}, "test-host/client"], [{ report: { node: "bot" } }, "bot"]] as const) {
    await using world = await WatchedStore.open(settings);
    world.record(1);
    await world.look();
    await world.look(10 * MINUTE_MS);
    assert.notEqual((await world.row(node)).report, null);
    assert.equal((await world.state(node)).kind, "up");
  }
});

Deno.test("a stopped daemon is down within three minutes, with and without a name, and its store stays current", async () => {
  for (const [settings, node] of [[{}, "test-host/client"], [{ report: { node: "bot" } }, "bot"]] as const) {
    await using world = await WatchedStore.open(settings);
    {
      using _daemon = await announceDaemon(world.context, world.store, ["client"]);
      for (let minute = 0; minute < 5; minute++) await world.look(MINUTE_MS);
      assert.equal((await world.state(node)).kind, "up");
    }
    for (let minute = 0; minute < 4; minute++) await world.look(MINUTE_MS);
    const { kind, reason } = await world.state(node);
    assert.equal(kind, "down");
    assert.match(reason, /^Its daemon has stopped: no heartbeat for 4 min/);
    addQuarantine(world.store, entry);
    await world.look();
    assert.deepEqual((await world.row(node)).report?.quarantine, [entry.digest]);
    assert.equal((await world.state(node)).kind, "down");
    using _again = await announceDaemon(world.context, world.store, ["client"]);
    await world.look();
    assert.equal((await world.state(node)).kind, "up");
  }
});

Deno.test("of a machine with two daemons, only the stopped one is down", async () => {
  await using world = await WatchedStore.open();
  using _client = await announceDaemon(world.context, world.store, ["client"]);
  {
    using _publisher = await announceDaemon(world.context, world.store, ["publisher"]);
    await world.look();
  }
  for (let minute = 0; minute < 4; minute++) await world.look(MINUTE_MS);
  const kinds = [
    (await world.state("test-host/client")).kind,
    (await world.state("test-host/publisher")).kind,
  ];
  assert.deepEqual(kinds, ["up", "down"]);
});

Deno.test("a change in the store is shown a second later, not with the next heartbeat", async () => {
  await using world = await WatchedStore.open();
  const { store, context } = world;
  using daemon = await announceDaemon(context, store, ["client"]);
  await world.look();
  const report = async () => (await world.row()).report;
  pauseRoles(store, ["client"], { since: "2026-11-29T12:00:00.000Z", until: null, host: "test-host" });
  assert.equal(await world.look(), true);
  assert.equal((await world.state()).kind, "paused");
  resumeRoles(store, ["client"]);
  await world.look();
  assert.equal((await world.state()).kind, "up");
  addQuarantine(store, entry);
  await world.look();
  assert.deepEqual((await report())?.quarantine, [entry.digest]);
  liftQuarantine(store, entry.digest);
  await world.look();
  assert.deepEqual((await report())?.quarantine, []);
  const next = new Date("2026-11-29T18:00:00.000Z");
  rememberRoleTimes(store, "client", { next, due: next, served: [] });
  await world.look();
  assert.equal((await report())?.roles[0]?.next, next.toISOString());
  world.settings = ModelSync.parse({ time_zone: "Asia/Kolkata" });
  await world.look();
  assert.equal((await report())?.roles[0]?.timeZone, "Asia/Kolkata");
  daemon[Symbol.dispose]();
  assert.equal(await world.look(), true, "that a daemon has stopped");
  using _other = await announceDaemon(context, store, ["references"]);
  await world.look();
  assert.deepEqual(await world.nodes(), ["test-host/client", "test-host/references"]);
});

Deno.test("a run's step and its end are shown a second later", async () => {
  await using world = await WatchedStore.open();
  const run = { runId: "20261129T120000Z-abcdef", command: "pull", startedAt: "2026-11-29T12:00:00.000Z" };
  {
    using mark = markRun(world.context, world.store, run);
    await world.look();
    mark.note("fetching", []);
    await world.look();
    assert.equal((await world.row()).running[0]?.step, "fetching");
  }
  await world.look();
  assert.deepEqual((await world.row()).running, [], "also of a run that was killed, which leaves no record");
});

Deno.test("without changes, the state is read once a minute and the checks of each second write nothing", async () => {
  await using world = await WatchedStore.open();
  world.record(1);
  await world.look();
  const reads = [];
  for (let second = 0; second < 120; second++) reads.push(await world.look());
  assert.equal(reads.filter((taken) => taken).length, 2);
});

Deno.test("a removed node without a daemon does not come back by itself", async () => {
  await using world = await WatchedStore.open();
  world.record(1);
  await world.look();
  for await (const { key } of world.kv.list({ prefix: [] })) {
    if (key.includes("test-host/client")) await world.kv.delete(key);
  }
  await world.look(MINUTE_MS);
  assert.deepEqual(await world.nodes(), []);
});
