import assert from "node:assert/strict";
import { ModelSync } from "../../lib/config/schema.ts";
import { heartbeatTexts } from "../../lib/reporting/heartbeat_events.ts";
import { heartbeatLoop } from "../../lib/reporting/heartbeat_loop.ts";
import { parseBatch } from "../../lib/wire/parse_batch.ts";
import type { EventOf } from "../../lib/wire/schema.ts";
import { announceDaemon } from "../../lib/store/daemons.ts";
import { pauseRoles } from "../../lib/store/pauses.ts";
import { addQuarantine } from "../../lib/store/quarantine.ts";
import { markRun } from "../../lib/store/running.ts";
import { digestOf } from "../helpers/report_events.ts";
import { finished, ReportWorld } from "../helpers/report_world.ts";

/** Returns the heartbeats of a daemon with these roles, as the dashboard reads them. */
async function heartbeats(world: ReportWorld, roles: readonly string[], settings: object, at?: string) {
  const context = world.context({ freeBytes: () => Promise.resolve(123) });
  const texts = await heartbeatTexts(context, { store: world.store, roles, at }, ModelSync.parse(settings));
  const { events, invalid } = parseBatch(texts.map((text) => JSON.parse(text)));
  assert.equal(invalid, 0);
  return events.map((event) => {
    assert.ok(event.type === "model-sync.heartbeat.v1");
    return event;
  });
}

function dataOf(events: readonly EventOf<"heartbeat">[]): EventOf<"heartbeat">["data"] {
  const [event] = events;
  assert.ok(event !== undefined && events.length === 1);
  return event.data;
}

Deno.test("a heartbeat has the active release, the due times, the node and its interval", async () => {
  await using world = new ReportWorld();
  const events = await heartbeats(world, ["client"], {
    time_zone: "Asia/Kolkata",
    client: { schedule: "06:30" },
    report: { interval_seconds: 30 },
  });
  const { status, ...data } = dataOf(events);
  assert.deepEqual([events[0]?.source, events[0]?.time], ["test-host/client", "2026-11-29T12:00:00.000Z"]);
  assert.deepEqual([data.host, data.intervalSeconds, data.leftOut], ["test-host", 30, {
    releases: 0,
    quarantine: 0,
  }]);
  assert.match(data.version, /^\d+\.\d+\.\d+$/);
  assert.deepEqual([status.runs, status.freeBytes, status.current], [[], 123, null]);
  assert.deepEqual(status.next, { client: "2026-11-30T01:00:00.000Z" });
  assert.deepEqual([status.schedules["client"]?.times, status.schedules["client"]?.timeZone], [
    ["06:30"],
    "Asia/Kolkata",
  ]);
});

Deno.test("a daemon with --at reports those times", async () => {
  await using world = new ReportWorld();
  const { status } = dataOf(await heartbeats(world, ["client"], { time_zone: "UTC" }, "13:15"));
  assert.deepEqual([status.next, status.schedules["client"]?.times], [
    { client: "2026-11-29T13:15:00.000Z" },
    ["13:15"],
  ]);
});

Deno.test("a machine that publishes and pulls is two nodes with a heartbeat each, unless it has a name", async () => {
  await using world = new ReportWorld();
  const [first, second, ...more] = await heartbeats(world, ["publisher", "client"], {});
  assert.deepEqual([first?.source, second?.source, more.length], [
    "test-host/publisher",
    "test-host/client",
    0,
  ]);
  assert.deepEqual(Object.keys(first?.data.status.next ?? {}), ["publisher"]);
  assert.deepEqual(Object.keys(second?.data.status.schedules ?? {}), ["client"]);
  const named = await heartbeats(world, ["publisher", "client"], { report: { node: "one" } });
  assert.equal(named[0]?.source, "one");
  assert.deepEqual(Object.keys(dataOf(named).status.next), ["publisher", "client"]);
});

Deno.test("the roles of other daemons with the same store belong to the node, roles without a daemon do not", async () => {
  await using world = new ReportWorld();
  using _other = await announceDaemon(world.context(), world.store, ["publisher"]);
  const named = await heartbeats(world, ["references"], { report: { node: "one" } });
  assert.deepEqual(Object.keys(dataOf(named).status.next), ["publisher"]);
  assert.deepEqual(dataOf(named).status.daemons.map(({ role }) => role), ["publisher"]);
});

Deno.test("a heartbeat stays small and shows no secrets, whatever the store holds", async () => {
  await using world = new ReportWorld();
  for (let number = 0; number < 60; number++) {
    addQuarantine(world.store, {
      digest: `sha256:${String(number).padStart(64, "0")}`,
      sequence: number,
      reason: `https://me:hunter22@host/ ${"x".repeat(3_000)}`,
      at: "2026-11-20T00:00:00Z",
    });
  }
  const events = await heartbeats(world, ["client"], {});
  const { status, leftOut } = dataOf(events);
  assert.deepEqual([status.quarantine.length, leftOut.quarantine], [40, 20]);
  assert.equal(status.quarantine.at(-1)?.digest, `sha256:${"59".padStart(64, "0")}`);
  const text = JSON.stringify(events);
  assert.ok(text.length < 64 * 1024, String(text.length));
  assert.doesNotMatch(text, /hunter22/);
});

Deno.test("odd marks of runs, pauses and hosts leave a valid heartbeat", async () => {
  await using world = new ReportWorld();
  const context = world.context();
  using _odd = markRun(context, world.store, {
    runId: "r1",
    command: "c".repeat(900),
    startedAt: "2026-11-21",
  });
  using _timeless = markRun(context, world.store, { runId: "r2", command: "pull", startedAt: "yesterday" });
  pauseRoles(world.store, ["client"], {
    since: "2026-11-21T06:00:00Z",
    until: null,
    host: "h".repeat(3_000),
  });
  addQuarantine(world.store, { digest: digestOf("a"), sequence: -1, reason: "", at: "" });
  const { status } = dataOf(await heartbeats(world, ["client"], {}));
  assert.deepEqual(status.running.map(({ runId, startedAt }) => [runId, startedAt]), [
    ["r1", "2026-11-21T00:00:00.000Z"],
  ]);
  assert.equal(status.paused["client"]?.host.length, 255);
  assert.equal(status.schedules["client"]?.paused?.host.length, 255);
});

Deno.test("equal settings have equal fingerprints, different ones different fingerprints", async () => {
  await using world = new ReportWorld();
  const fingerprint = async (settings: object) =>
    dataOf(await heartbeats(world, ["client"], settings)).configFingerprint;
  const one = await fingerprint({ keep: 7, branch: "main" });
  assert.match(one, /^[0-9a-f]{16}$/);
  assert.equal(await fingerprint({ branch: "main", keep: 7 }), one);
  assert.notEqual(await fingerprint({ branch: "main", keep: 8 }), one);
});

Deno.test("the loop sends a heartbeat at once and at each interval, with the backlog, until it is stopped", async () => {
  await using world = new ReportWorld();
  world.record(1);
  const stop = new AbortController();
  const context = world.context({ signal: stop.signal });
  const settings = ModelSync.parse({ report: { url: world.dashboard.origin, interval_seconds: 17 } });
  const loop = heartbeatLoop(context, {
    store: world.store,
    roles: ["client"],
    readSettings: () => Promise.resolve(settings),
  });
  await world.until(() => world.clock.sleepsMs.includes(17_000));
  assert.deepEqual([world.dashboard.ids("heartbeat").length, world.dashboard.ids("finished")], [
    1,
    finished(1),
  ]);
  world.record(2);
  world.clock.advance(16_000);
  assert.equal(world.dashboard.ids("heartbeat").length, 1);
  world.clock.advance(1_000);
  await world.until(() => world.dashboard.ids("finished").length === 2);
  assert.deepEqual([world.dashboard.ids("heartbeat").length, world.dashboard.ids("finished")], [
    2,
    finished(1, 2),
  ]);
  stop.abort();
  await loop;
});

Deno.test("an unreachable dashboard is one warning, however often it is tried, and its return is logged", async () => {
  await using world = new ReportWorld();
  world.record(1);
  const stop = new AbortController();
  const context = world.context({ signal: stop.signal });
  const settings = ModelSync.parse({ report: { url: world.dashboard.origin, interval_seconds: 17 } });
  world.dashboard.fault = () => new Response("", { status: 502 });
  const readSettings = () => Promise.resolve(settings);
  const loop = heartbeatLoop(context, { store: world.store, roles: ["client"], readSettings });
  for (let tries = 1; tries <= 3; tries++) {
    await world.until(() =>
      world.dashboard.requests.length === tries && world.clock.sleepsMs.includes(17_000)
    );
    if (tries === 3) world.dashboard.fault = () => undefined;
    world.clock.advance(17_000);
  }
  await world.until(() =>
    world.clock.sleepsMs.includes(17_000) && world.dashboard.ids("finished").length === 1
  );
  stop.abort();
  await loop;
  const told = context.log.lines.filter((line) => !line.startsWith("debug"));
  assert.equal(told.length, 2, told.join("\n"));
  assert.match(told[0] ?? "", /^warn Cannot send reports: .* answered 502/);
  assert.equal(told[1], "info reports arrive again");
});

Deno.test("settings that cannot be read, or that name no dashboard, do not end the loop", async () => {
  await using world = new ReportWorld();
  const stop = new AbortController();
  const context = world.context({ signal: stop.signal });
  let reads = 0;
  const readSettings = () => {
    reads++;
    if (reads === 1) return Promise.reject(new Error("the file is broken"));
    return Promise.resolve(ModelSync.parse(reads === 2 ? {} : { report: { url: world.dashboard.origin } }));
  };
  const loop = heartbeatLoop(context, { store: world.store, roles: ["client"], readSettings });
  for (let round = 1; round <= 2; round++) {
    await world.until(() => reads === round && world.clock.sleepsMs.includes(60_000));
    world.clock.advance(60_000);
  }
  await world.until(() => world.dashboard.ids("heartbeat").length === 1);
  stop.abort();
  await loop;
  assert.match(context.log.lines[0] ?? "", /the file is broken/);
});
