import assert from "node:assert/strict";
import { addresses } from "../../../web/shared/addresses.ts";
import { sourceOf } from "../../../lib/wire/event_names.ts";
import { type ApiWorld, apiWorld } from "../../helpers/api_world.ts";
import * as events from "../../helpers/web_events.ts";

const HOSTILE = [
  "bot 1/client",
  "100%",
  "a%2Fb",
  'q"<script>alert(1)</script>',
  "?x=1&y#z",
  "böt/💥",
  "__proto__",
  "a\nb",
];

async function json(world: ApiWorld, path: string, status = 200): Promise<Record<string, unknown>> {
  const response = await world.send(path);
  assert.equal(response.status, status, path);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  return await response.json();
}

async function names(world: ApiWorld, query: string): Promise<unknown[]> {
  const { nodes } = await json(world, `/api/v1/fleet?${query}`);
  assert.ok(Array.isArray(nodes));
  return nodes.map(({ node }) => node);
}

async function filledWorld(): Promise<ApiWorld> {
  const world = await apiWorld();
  await world.fill(
    events.published("trainer/publisher", 1, { time: "2026-11-27T00:00:00.000Z" }),
    events.published("trainer/publisher", 2, { time: "2026-11-29T06:30:00.000Z" }),
    events.activated("bot-1", 1, { startedAt: "2026-11-27T06:00:00.000Z" }),
    events.finished("bot-1"),
    events.heartbeat("bot-1", { time: "2026-11-29T06:59:30.000Z" }),
    events.failed("bot-2"),
    events.heartbeat("bot-3", { time: "2026-11-29T06:59:30.000Z", status: { canary: events.canary(1) } }),
  );
  return world;
}

Deno.test("the answer for the fleet has states, lag, active releases, next and last runs, and a sentence", async () => {
  await using world = await filledWorld();
  const { nodes, status, newest, next } = await json(world, "/api/v1/fleet");
  assert.ok(Array.isArray(nodes) && Array.isArray(newest));
  assert.deepEqual(nodes.map(({ node, group, state }) => [node, group, state.kind]), [
    ["bot-1", "consumers", "up"],
    ["bot-2", "consumers", "up"],
    ["bot-3", "consumers", "canary"],
    ["trainer/publisher", "publishers", "up"],
  ]);
  const [bot1, bot2] = nodes;
  assert.deepEqual([bot1.lag.releases, bot1.lag.newest.sequence, bot1.active.sequence], [1, 2, 1]);
  assert.deepEqual([bot1.next.role, bot1.last.outcome], ["client", "unchanged"]);
  assert.equal(bot2.troubles[0].kind, "failed");
  assert.match(bot2.last.error.message, /Could not resolve host/);
  assert.deepEqual(newest.map(({ publisher, sequence }) => [publisher, sequence]), [[
    "trainer/publisher",
    2,
  ]]);
  assert.deepEqual(status, await json(world, "/status.json"));
  assert.equal(next, null);
});

Deno.test("the fleet is filtered by group, state and text, and paged by name", async () => {
  await using world = await filledWorld();
  assert.deepEqual(await names(world, "group=publishers"), ["trainer/publisher"]);
  assert.deepEqual(await names(world, "state=canary"), ["bot-3"]);
  assert.deepEqual(await names(world, "q=BOT-2"), ["bot-2"]);
  assert.deepEqual(await names(world, "state=down&group=publishers"), []);
  const seen: unknown[] = [];
  let cursor: unknown = "";
  do {
    const page: Record<string, unknown> = await json(
      world,
      `/api/v1/fleet?limit=1&cursor=${encodeURIComponent(String(cursor))}`,
    );
    assert.ok(Array.isArray(page["nodes"]) && page["nodes"].length === 1);
    seen.push(page["nodes"][0].node);
    cursor = page["next"];
  } while (cursor !== null);
  assert.deepEqual(seen, ["bot-1", "bot-2", "bot-3", "trainer/publisher"]);
});

Deno.test("an invalid query gets 400 with the invalid parameter", async () => {
  await using world = await filledWorld();
  const queries = [
    ["/api/v1/fleet?group=x", /group/],
    ["/api/v1/fleet?state=gone", /state/],
    ["/api/v1/fleet?limit=0", /limit/],
    ["/api/v1/fleet?limit=1e9", /limit/],
    ["/api/v1/fleet?limit=abc", /limit/],
    [`/api/v1/fleet?q=${"x".repeat(5_000)}`, /q/],
    ["/api/v1/nodes/bot-1?limit=-1", /limit/],
    ["/api/v1/nodes/bot-1?before=yesterday", /cursor/],
    [`/api/v1/nodes/bot-1?before=2026-11-29T00:00:00.000Z,${"x".repeat(3_000)}`, /cursor/],
    ["/api/v1/nodes/bot-1?before=2026-11-29T00:00:00.000Z,a,b,c", /cursor/],
    ["/badge/bot-1.svg?show=host", /show/],
  ] as const;
  for (const [path, pattern] of queries) {
    const { error } = await json(world, path, 400);
    assert.match(JSON.stringify(error), pattern, path);
  }
});

Deno.test("an unchanged answer gives 304, a changed one does not", async () => {
  await using world = await filledWorld();
  const first = await world.send("/api/v1/fleet");
  const tag = first.headers.get("etag") ?? "";
  assert.match(tag, /^"[0-9a-f]+"$/);
  const headers = { "if-none-match": `"other", W/${tag}` };
  const again = await world.send("/api/v1/fleet", { headers });
  assert.deepEqual([again.status, await again.text()], [304, ""]);
  assert.equal((await world.send("/api/v1/fleet?q=bot-1", { headers })).status, 200);
  await world.fill(events.finished("bot-1", { startedAt: "2026-11-29T06:50:00.000Z" }));
  assert.equal((await world.send("/api/v1/fleet", { headers })).status, 200);
});

Deno.test("a node that goes silent changes the answer, although nothing arrived", async () => {
  await using world = await filledWorld();
  const tag = (await world.send("/api/v1/fleet")).headers.get("etag") ?? "";
  world.clock.advance(3_600_000);
  const later = await world.send("/api/v1/fleet", { headers: { "if-none-match": tag } });
  assert.equal(later.status, 200);
  assert.equal((await later.json()).nodes[0].state.kind, "down");
});

Deno.test("the answer for a node has its history, whatever its name", async () => {
  await using world = await apiWorld();
  for (const name of HOSTILE) {
    await world.fill(
      events.activated(name, 1, { startedAt: "2026-11-28T06:00:00.000Z" }),
      events.activated(name, 2),
      events.heartbeat(name, {
        time: "2026-11-29T06:59:30.000Z",
        status: { current: events.statusRelease(2) },
      }),
    );
    const first = await json(world, `/api/v1/nodes/${sourceOf(name)}?limit=1`);
    assert.equal(first["node"], name);
    assert.ok(Array.isArray(first["runs"]) && Array.isArray(first["periods"]));
    assert.deepEqual(first["periods"].map(({ sequence }) => sequence), [1, 2]);
    const older = encodeURIComponent(String(first["older"]));
    const second = await json(world, `/api/v1/nodes/${sourceOf(name)}?limit=1&before=${older}`);
    assert.ok(Array.isArray(second["runs"]));
    assert.deepEqual([first["runs"][0].sequence, second["runs"][0].sequence], [2, 1]);
    assert.equal(second["older"], null);

    const runId = events.runIdOf();
    const run = await json(world, `/api/v1${addresses.run(runId, name)}`);
    assert.ok(typeof run["run"] === "object" && run["run"] !== null && "node" in run["run"]);
    assert.equal(run["run"].node, name);
  }
});

Deno.test("a run in progress is answered as running", async () => {
  await using world = await apiWorld();
  await world.fill(events.started("bot-1"));
  const { run, details } = await json(world, `/api/v1/runs/${events.runIdOf()}`);
  assert.ok(typeof run === "object" && run !== null && "outcome" in run);
  assert.deepEqual([run.outcome, details], ["running", null]);
});

Deno.test("the answer for a release has its periods, files and publishers", async () => {
  await using world = await filledWorld();
  const release = await json(world, `/api/v1/releases/${events.digestOfRelease(1)}`);
  assert.deepEqual(release["files"], events.filesOfRelease(1));
  assert.ok(Array.isArray(release["active"]) && Array.isArray(release["publications"]));
  assert.deepEqual(release["active"].map(({ node, until }) => [node, until]), [["bot-3", null], [
    "bot-1",
    null,
  ]]);
  assert.deepEqual(release["publications"].map(({ node }) => node), ["trainer/publisher"]);
});

Deno.test("a release without a sequence has none in any answer, and a withdrawn one its withdrawal", async () => {
  await using world = await apiWorld();
  const digest = events.digestOfRelease(1);
  const pulled = events.finished("bot-1", { outcome: "activated", carrier: "github-actions" });
  const { sequence: _sequence, files: _files, bytes: _bytes, ...data } = pulled.data;
  await world.fill({ ...pulled, data });
  const { periods } = await json(world, "/api/v1/nodes/bot-1");
  assert.partialDeepStrictEqual(periods, [{ digest, sequence: null }]);
  assert.partialDeepStrictEqual(await json(world, `/api/v1/releases/${digest}`), {
    sequence: null,
    filesTotal: null,
    bytes: null,
    withdrawal: null,
  });
  const name = digest.slice("sha256:".length).slice(0, 12);
  const badge = await (await world.send("/badge/bot-1.svg?show=release")).text();
  assert.ok(badge.includes(`<title>bot-1: ${name}</title>`), badge);
  const metrics = await (await world.send("/metrics")).text();
  assert.ok(
    metrics.includes(`node_active_release_info{node="bot-1",release="${name}",sequence=""} 1\n`),
    metrics,
  );

  const at = "2026-11-29T06:30:00.000Z";
  const withdrawal = { digest, state: "withdrawn", at } as const;
  await world.fill(events.finished("train-1", { command: "withdraw", outcome: "withdrawn", withdrawal }));
  const withdrawn = await json(world, `/api/v1/releases/${digest}`);
  assert.deepEqual(withdrawn["withdrawal"], { at, reason: "" });
});

Deno.test("any unknown item gets 404 with a hint", async () => {
  await using world = await filledWorld();
  const long = "x".repeat(5_000);
  const paths = [
    "/api/v1/nodes/bot-9",
    "/api/v1/nodes/%ff",
    "/api/v1/nodes/%",
    `/api/v1/nodes/${long}`,
    "/api/v1/nodes/__proto__",
    "/api/v1/runs/none",
    `/api/v1/runs/${long}`,
    `/api/v1/runs/${events.runIdOf()}?node=bot-9`,
    "/api/v1/releases/x",
    `/api/v1/releases/${events.digestOfRelease(9)}`,
    `/api/v1/releases/${long}`,
  ];
  for (const path of paths) {
    const { error } = await json(world, path, 404);
    assert.ok(typeof error === "object" && error !== null && "hint" in error, path);
  }
});

Deno.test("a database that fails gets a JSON error, and the log has the reason", async () => {
  const kv = await Deno.openKv(":memory:");
  await using world = await apiWorld({ kv });
  kv.close();
  const { error } = await json(world, "/api/v1/nodes/bot-1", 503);
  assert.ok(typeof error === "object" && error !== null && "code" in error);
  assert.match(world.log.lines.join("\n"), /cannot/);
});
