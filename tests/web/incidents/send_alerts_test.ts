import assert from "node:assert/strict";
import { keys } from "../../../web/store/keys.ts";
import { type RecordingHost, startRecordingHost } from "../../../fakes/recording_host.ts";
import { alertingTo, startWatch } from "../../helpers/watched_fleet.ts";

const BOT = "bot-paris/client";
const OTHER = "bot-oslo/client";

function types({ requests }: RecordingHost): string[] {
  return requests.map(({ body }) => `${JSON.parse(body).type} ${JSON.parse(body).data.node}`);
}

Deno.test("an incident is alerted once, and its recovery once, with the duration", async () => {
  await using host = startRecordingHost();
  using dashboard = await startWatch();
  const alerting = alertingTo(dashboard, `${host.origin}/hook`);
  await dashboard.minutes(10, [BOT, OTHER], alerting);
  await dashboard.minutes(30, [OTHER], alerting);
  assert.deepEqual(types(host), [`model_sync.node-down ${BOT}`]);
  assert.equal((await dashboard.open())[0]?.alertedAt, "2026-11-29T07:14:00.000Z");
  await dashboard.minutes(10, [OTHER, BOT], alerting);
  assert.deepEqual(types(host), [`model_sync.node-down ${BOT}`, `model_sync.node-recovered ${BOT}`]);
  assert.equal(JSON.parse(host.requests[1]?.body ?? "").data.durationMs, 31 * 60_000);
  assert.deepEqual(alerting.context.signal.aborted, false);
});

Deno.test("a channel that rejects an alert is tried again, and the others get it once", async () => {
  await using good = startRecordingHost();
  await using broken = startRecordingHost(
    ...Array.from({ length: 3 }, () => () => new Response("no", { status: 403 })),
    () => new Response("ok"),
  );
  using dashboard = await startWatch();
  const alerting = alertingTo(dashboard, `${good.origin}/hook`, `${broken.origin}/services/s3cretS3cret`);
  await dashboard.minutes(10, [BOT], alerting);
  await dashboard.minutes(30, [], alerting);
  assert.equal(good.requests.length, 1);
  assert.equal(broken.requests.length, 4);
  const warnings = dashboard.log.lines.filter((line) => line.startsWith("warn"));
  assert.equal(warnings.length, 3);
  assert.match(
    warnings[0] ?? "",
    /^warn cannot send the alert to slack that bot-paris\/client is down: .*403/,
  );
  assert.doesNotMatch(dashboard.log.lines.join("\n"), /s3cretS3cret/);
});

Deno.test("a channel that does not answer is given up after 30 s and tried again", async () => {
  using dashboard = await startWatch();
  const released = Promise.withResolvers<Response>();
  await using host = startRecordingHost(
    () => {
      dashboard.clock.advance(31_000);
      return released.promise;
    },
    () => new Response("ok"),
  );
  const alerting = alertingTo(dashboard, `${host.origin}/hook`);
  await dashboard.minutes(10, [BOT], alerting);
  await dashboard.minutes(10, [], alerting);
  released.resolve(new Response("too late"));
  assert.equal(host.requests.length, 2);
  assert.match(dashboard.log.lines.join("\n"), /warn cannot send .*: it took longer than 30 s/);
});

Deno.test("a node that recovers before its alert could be sent gets one alert: its recovery", async () => {
  await using host = startRecordingHost(
    () => new Response("no", { status: 403 }),
    () => new Response("ok"),
  );
  using dashboard = await startWatch();
  const alerting = alertingTo(dashboard, `${host.origin}/hook`);
  await dashboard.minutes(10, [BOT], alerting);
  await dashboard.minutes(5, [], alerting);
  await dashboard.minutes(20, [BOT], alerting);
  assert.deepEqual(types(host), [`model_sync.node-down ${BOT}`, `model_sync.node-recovered ${BOT}`]);
  assert.equal((await dashboard.all())[0]?.alertedAt, null);
});

Deno.test("a recovery that no channel accepts is given up after a day, and delays no other alert", async () => {
  await using host = startRecordingHost(
    () => new Response("ok"),
    () => new Response("no", { status: 403 }),
  );
  using dashboard = await startWatch();
  const alerting = alertingTo(dashboard, `${host.origin}/hook`);
  await dashboard.minutes(10, [BOT], alerting);
  await dashboard.minutes(5, [], alerting);
  await dashboard.minutes(10, [BOT], alerting);
  dashboard.clock.advance(25 * 3_600_000);
  await dashboard.minutes(10, [BOT], alerting);
  const requests = host.requests.length;
  await dashboard.minutes(30, [BOT], alerting);
  assert.equal(host.requests.length, requests);
  assert.ok(dashboard.log.lines.includes(`warn gave up alerting that ${BOT} works again`));
});

Deno.test("if an instance dies between opening an incident and alerting, the next check sends the alert", async () => {
  await using host = startRecordingHost();
  using dashboard = await startWatch();
  const alerting = alertingTo(dashboard, `${host.origin}/hook`);
  await dashboard.minutes(10, [BOT]);
  await dashboard.minutes(5, []);
  assert.deepEqual((await dashboard.open()).map(({ alertedAt }) => alertedAt), [null]);
  await dashboard.minutes(1, [], alerting);
  assert.deepEqual(types(host), [`model_sync.node-down ${BOT}`]);
});

Deno.test("an alert that an instance claimed and never sent is sent when the claim expires", async () => {
  await using host = startRecordingHost();
  using dashboard = await startWatch();
  const alerting = alertingTo(dashboard, `${host.origin}/hook`);
  await dashboard.minutes(10, [BOT]);
  await dashboard.minutes(5, []);
  const [open] = await dashboard.open();
  assert.ok(open !== undefined);
  const claimed = { ...open, claimedUntil: new Date(Date.parse(dashboard.now) + 5 * 60_000).toISOString() };
  await dashboard.kv.atomic().set(keys.openIncident(BOT), claimed).set(
    keys.incident(open.startedAt, BOT),
    claimed,
  )
    .commit();
  await dashboard.minutes(4, [], alerting);
  assert.deepEqual(types(host), []);
  await dashboard.minutes(1, [], alerting);
  assert.deepEqual(types(host), [`model_sync.node-down ${BOT}`]);
});

Deno.test("a pause sends no recovery, and without channels no recovery is kept for later", async () => {
  await using host = startRecordingHost();
  using dashboard = await startWatch();
  await dashboard.minutes(10, [BOT]);
  await dashboard.minutes(5, []);
  await dashboard.minutes(5, [BOT]);
  const alerting = alertingTo(dashboard, `${host.origin}/hook`);
  await dashboard.minutes(5, [BOT], alerting);
  assert.deepEqual((await dashboard.all()).map(({ ending }) => ending), ["recovered"]);
  assert.deepEqual(types(host), []);
});

Deno.test("many alerts are sent over several checks, those of nodes that are down first", async () => {
  await using host = startRecordingHost();
  using dashboard = await startWatch();
  const alerting = alertingTo(dashboard, `${host.origin}/hook`);
  const nodes = Array.from({ length: 45 }, (_, index) => `bot-${index}`);
  await dashboard.minutes(5, nodes, alerting);
  await dashboard.minutes(4, [], alerting);
  assert.equal(host.requests.length, 20);
  await dashboard.minutes(1, [], alerting);
  assert.equal(host.requests.length, 40);
  await dashboard.minutes(3, [], alerting);
  assert.equal(new Set(types(host)).size, 45);
  assert.equal(host.requests.length, 45);
});
