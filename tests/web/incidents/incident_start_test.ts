import assert from "node:assert/strict";
import { nodeState } from "../../../web/fleet/node_state.ts";
import { ingest } from "../../../web/store/ingest.ts";
import { readIncidents } from "../../../web/store/incident_rows.ts";
import { sweep } from "../../../web/store/retention.ts";
import { startRecordingHost } from "../../../fakes/recording_host.ts";
import { alertingTo, startWatch, type WatchedFleet } from "../../helpers/watched_fleet.ts";
import * as events from "../../helpers/web_events.ts";

const BOT = "bot-paris/client";
const OTHER = "bot-oslo/client";
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Returns since when the node has its state on the fleet page. */
async function sinceOf({ fleet, clock }: WatchedFleet, node: string): Promise<string | null> {
  const row = (await fleet.read()).rows.get(node);
  assert.ok(row !== undefined);
  return nodeState(row, clock.now()).since;
}

Deno.test("an incident begins with the last heartbeat, as the fleet page shows, and ends with the next one", async () => {
  using dashboard = await startWatch();
  await dashboard.minutes(10, [BOT, OTHER]);
  await dashboard.minutes(5, [OTHER]);
  const [open] = await dashboard.open();
  assert.equal(open?.startedAt, "2026-11-29T07:10:00.000Z");
  assert.equal(open.startedAt, await sinceOf(dashboard, BOT));
  await dashboard.minutes(1, [BOT, OTHER]);
  const [over] = await dashboard.all();
  assert.deepEqual([over?.startedAt, over?.endedAt], [open.startedAt, "2026-11-29T07:16:00.000Z"]);
});

Deno.test("an incident of a run that did not start begins at the due time", async () => {
  using dashboard = await startWatch();
  const next = { client: "2026-11-29T07:02:00.000Z" };
  for (let minute = 0; minute < 8; minute++) {
    await dashboard.minutes(1, []);
    await ingest(dashboard, [events.heartbeat(BOT, { time: dashboard.now, status: { next } })]);
  }
  assert.deepEqual((await dashboard.open()).map(({ startedAt }) => startedAt), [next.client]);
});

Deno.test("an open incident keeps its start when the node gets worse or its state starts again", async () => {
  using dashboard = await startWatch();
  const beat = async () =>
    await ingest(dashboard, [events.heartbeat(BOT, {
      time: dashboard.now,
      status: { next: { client: "2026-11-29T07:02:00.000Z" } },
    })]);
  for (let minute = 0; minute < 8; minute++) {
    await dashboard.minutes(1, []);
    await beat();
  }
  await dashboard.minutes(10, []);
  const [down, ...others] = await dashboard.all();
  assert.deepEqual([down?.kind, down?.startedAt, others], ["down", "2026-11-29T07:02:00.000Z", []]);
  assert.notEqual(await sinceOf(dashboard, BOT), down?.startedAt);
  await beat();
  await dashboard.minutes(10, []);
  assert.deepEqual(await dashboard.all(), [down]);
});

Deno.test("an incident does not begin before the previous one of its node ended, and both stay in order", async () => {
  using dashboard = await startWatch();
  const due = { client: "2026-11-29T07:02:00.000Z" };
  const paused = events.schedule({ paused: { since: dashboard.now, until: null, host: "bot-paris" } });
  const report = async (minutes: number, status: Parameters<typeof events.heartbeat>[1]) => {
    for (let minute = 0; minute < minutes; minute++) {
      dashboard.clock.advance(60_000);
      await ingest(dashboard, [events.heartbeat(BOT, { ...status, time: dashboard.now })]);
      await dashboard.look();
    }
  };
  await report(8, { status: { next: due } });
  await report(5, { status: { schedules: { client: paused }, next: {} } });
  await report(5, { status: { next: due } });
  const [second, first, ...others] = await dashboard.all();
  assert.deepEqual([first?.startedAt, first?.ending, others], [due.client, "paused", []]);
  assert.equal(first?.endedAt, "2026-11-29T07:09:00.000Z");
  assert.deepEqual([second?.startedAt, second?.endedAt], ["2026-11-29T07:09:00.000Z", null]);
  const ofNode = await readIncidents(dashboard.kv, { node: BOT, limit: 10 });
  assert.deepEqual(ofNode.rows, [second, first]);
});

Deno.test("an incident does not begin before the node's first report, nor after it was detected", async () => {
  using dashboard = await startWatch();
  for (const next of ["2026-11-20T07:00:00.000Z", "2026-11-29T06:59:00.000Z"]) {
    const node = `bot-${next.slice(8, 10)}`;
    for (let minute = 0; minute < 6; minute++) {
      await dashboard.minutes(1, []);
      await ingest(dashboard, [
        events.heartbeat(node, { time: dashboard.now, status: { next: { client: next } } }),
      ]);
    }
  }
  const found = (await dashboard.open()).map(({ node, startedAt }) => [node, startedAt]).sort();
  assert.deepEqual(found, [
    ["bot-20", "2026-11-29T07:01:00.000Z"],
    ["bot-29", "2026-11-29T07:07:00.000Z"],
  ]);
});

Deno.test("a node that went down hours before the dashboard started has one incident, with its true start in its alert", async () => {
  await using host = startRecordingHost();
  using dashboard = await startWatch();
  const alerting = alertingTo(dashboard, `${host.origin}/hook`);
  await dashboard.beat(BOT);
  dashboard.clock.advance(9 * HOUR_MS);
  await dashboard.minutes(10, [], alerting);
  assert.deepEqual((await dashboard.all()).map(({ startedAt }) => startedAt), ["2026-11-29T07:00:00.000Z"]);
  assert.equal(host.requests.length, 1);
  const { data } = JSON.parse(host.requests[0]?.body ?? "");
  assert.equal(data.startedAt, "2026-11-29T07:00:00.000Z");
  await dashboard.minutes(1, [BOT], alerting);
  assert.equal(JSON.parse(host.requests[1]?.body ?? "").data.durationMs, 9 * HOUR_MS + 11 * 60_000);
});

Deno.test("an incident that began before the retention is kept until it ended that long ago", async () => {
  using dashboard = await startWatch();
  await dashboard.minutes(10, [BOT]);
  await dashboard.minutes(5, []);
  dashboard.clock.advance(120 * DAY_MS);
  await dashboard.minutes(10, []);
  await dashboard.minutes(1, [BOT]);
  await sweep(dashboard);
  assert.deepEqual((await dashboard.all()).map(({ ending }) => ending), ["recovered"]);
  dashboard.clock.advance(91 * DAY_MS);
  await sweep(dashboard);
  assert.deepEqual(await dashboard.all(), []);
});
