import assert from "node:assert/strict";
import type { LiveMessage } from "../../../web/routes/live_feed.ts";
import { readRuns } from "../../../web/store/read_runs.ts";
import { type ApiWorld, apiWorld } from "../../helpers/api_world.ts";
import * as events from "../../helpers/web_events.ts";

async function failureOf(response: Response, status: number): Promise<Record<string, unknown>> {
  assert.equal(response.status, status);
  const { error } = await response.json();
  for (const key of ["code", "message", "hint"]) assert.equal(typeof error[key], "string", key);
  return error;
}

async function runsOf(world: ApiWorld, node: string): Promise<number> {
  return (await readRuns(world.kv, node, { limit: 200 })).rows.length;
}

const LIMITS = { events: 1_000, bytes: 1024 * 1024 };

Deno.test("a batch is stored, a repeated one has no effect, and both are counted", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const batch = [
    events.failed("bot-1/client"),
    events.heartbeat("bot-1/client"),
    events.published("bot-1", 1),
  ];
  for (let time = 0; time < 2; time++) {
    const response = await world.post(secret, batch);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { accepted: 3, unknownTypes: 0, invalid: 0 });
  }
  assert.equal(await runsOf(world, "bot-1/client"), 1);
  assert.equal(world.dashboard.counts.accepted, 6);
  assert.equal(world.dashboard.counts.durations.reduce((sum, count) => sum + count), 2);
});

Deno.test("an empty batch is accepted and changes nothing", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const { version } = await world.dashboard.fleet.read();
  const response = await world.post(secret, []);
  assert.deepEqual(await response.json(), { accepted: 0, unknownTypes: 0, invalid: 0 });
  assert.equal((await world.dashboard.fleet.read()).version, version);
});

Deno.test("open pages are notified of a batch immediately", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const { version } = await world.dashboard.fleet.read();
  const leaving = new AbortController();
  const heard = new Promise<readonly string[] | undefined>((resolve) => {
    const { signal } = leaving;
    const send = ({ nodes }: LiveMessage) => resolve(nodes);
    world.dashboard.live.subscribe({ version, isOperator: true, signal, send, end: () => {} });
  });
  await world.post(secret, [events.failed("bot-1")]);
  assert.deepEqual(await heard, ["bot-1"]);
  leaving.abort();
});

Deno.test("unknown and invalid events are counted, and do not affect other events of their batch", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const good = events.failed("bot-1");
  const later = { ...good, type: "model-sync.run.finished.v2", data: { anything: 1 } };
  const broken = { ...good, data: { ...good.data, runId: 5 } };
  const batch = [later, good, broken, null, 7, "text", [], {}, { ...good, source: "%ff" }];
  const response = await world.post(secret, batch);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { accepted: 1, unknownTypes: 1, invalid: 7 });
  assert.equal(await runsOf(world, "bot-1"), 1);
  assert.equal(world.dashboard.counts.invalid, 7);
});

Deno.test("a batch with an event of another node is rejected completely, and the answer names the node", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const others = [
    "bot-2",
    "bot-10",
    "bot",
    "bot-1x/client",
    "BOT-1",
    "bot-1/../bot-2",
    "x\nbot-1",
    "bot-2/bot-1",
  ];
  for (const other of others) {
    const theirs = events.failed(other);
    for (
      const event of [theirs, { ...theirs, type: "later.v9" }, { ...theirs, data: {} }, { source: other }]
    ) {
      const error = await failureOf(await world.post(secret, [events.failed("bot-1"), event]), 403);
      assert.ok(String(error["message"]).includes(JSON.stringify(other)), String(error["message"]));
      assert.ok(!String(error["message"]).includes("\n"));
    }
  }
  assert.equal(await runsOf(world, "bot-1"), 0);
});

Deno.test("without a valid node token, events get 401 with how to authenticate", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const batch = JSON.stringify([events.failed("bot-1")]);
  const wrong = [
    "",
    "Basic Ym90OnB3",
    "Bearer",
    `Bearer ${secret}x`,
    `Bearer ${"y".repeat(10_000)}`,
    `Token ${secret}`,
  ];
  for (const authorization of wrong) {
    const response = await world.post(secret, batch, { authorization });
    assert.equal(response.headers.get("www-authenticate"), "Bearer", authorization);
    await failureOf(response, 401);
  }
  assert.equal(await runsOf(world, "bot-1"), 0);
});

Deno.test("10,000 events in one request get 413 with the limits, however small they are", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  for (const batch of [new Array(10_000).fill(0), new Array(1_001).fill({})]) {
    const error = await failureOf(await world.post(secret, batch), 413);
    assert.deepEqual(error["limits"], LIMITS);
    assert.match(
      String(error["message"]),
      new RegExp(`${batch.length} events in one request: the limit is 1000`),
    );
  }
  assert.equal((await world.post(secret, new Array(1_000).fill(0))).status, 200);
});

Deno.test("a body of more than 1 MiB gets 413 with the limits, whatever its Content-Length", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const piece = new TextEncoder().encode(`[${" ".repeat(64 * 1024)}`);
  for (const headers of [{}, { "content-length": "10" }]) {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        controller.enqueue(piece);
        sent += piece.length;
      },
    });
    const error = await failureOf(await world.post(secret, body, headers), 413);
    assert.deepEqual(error["limits"], LIMITS);
    assert.ok(sent < LIMITS.bytes + 4 * piece.length);
  }
  const whole = await world.post(secret, `[${" ".repeat(LIMITS.bytes - 2)}]`);
  assert.equal(whole.status, 200);
});

Deno.test("a body that is not a JSON list gets 400", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const bodies = [
    "",
    "{",
    "{}",
    "null",
    "5",
    '"x"',
    "[1,]",
    JSON.stringify(events.failed("bot-1")),
    new Uint8Array([0xff]),
  ];
  for (const body of bodies) {
    await failureOf(await world.post(secret, body), 400);
  }
});

Deno.test("a wrong content type and a compressed body get 415", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  for (
    const type of ["application/json", "application/cloudevents+json", "text/plain", "multipart/form-data"]
  ) {
    await failureOf(await world.post(secret, "[]", { "content-type": type }), 415);
  }
  for (const encoding of ["gzip", "br", "gzip, identity"]) {
    await failureOf(await world.post(secret, "[]", { "content-encoding": encoding }), 415);
  }
  const fine = { "content-type": "Application/CloudEvents-Batch+JSON; charset=utf-8" };
  assert.equal((await world.post(secret, "[]", fine)).status, 200);
});

Deno.test("an event that is larger than a batch is skipped, so that no node resends it for ever", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const releases = Array.from(
    { length: 4_000 },
    (_, number) => events.statusRelease(number, { sequence: 1e15, bytes: 1e15, files: 1e15 }),
  );
  const large = events.heartbeat("bot-1", { status: { releases } });
  const response = await world.post(secret, [large, events.failed("bot-1")]);
  assert.deepEqual(await response.json(), { accepted: 1, unknownTypes: 0, invalid: 1 });
});

Deno.test("lists that are nested as deep as a request allows are skipped", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const deep = "[".repeat(500_000) + "]".repeat(500_000);
  for (
    const body of [
      `[${deep}]`,
      `[{"source":${deep}}]`,
      `[${JSON.stringify(events.failed("bot-1"))}, ${deep}]`,
    ]
  ) {
    const response = await world.post(secret, body);
    assert.equal(response.status, 200);
    assert.equal((await response.json()).invalid, 1);
  }
});
