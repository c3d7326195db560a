import assert from "node:assert/strict";
import { createToken } from "../../../web/access/tokens.ts";
import { addresses } from "../../../web/shared/addresses.ts";
import { OPERATIONS } from "../../../web/api/openapi.ts";
import { SUBSCRIBERS_MAX } from "../../../web/routes/live_feed.ts";
import { changeSettings } from "../../../web/store/settings_row.ts";
import { WITH_PASSWORD } from "../../helpers/access_world.ts";
import { type ApiWorld, apiWorld } from "../../helpers/api_world.ts";
import { DescribedAnswers } from "./described_answers.ts";
import * as events from "../../helpers/web_events.ts";

const HOSTILE = ["bot 1/client", "100%", "a%2Fb", 'q"<script>', "böt/💥", "__proto__", "bot-1"];
const BATCH = "application/cloudevents-batch+json";

/** A fleet in which every field of every answer has a value in one place and is missing in another. */
async function fill(world: ApiWorld): Promise<void> {
  for (const node of HOSTILE) {
    await world.fill(
      events.published(node, 2, { signer: "abc" }),
      events.activated(node, 2, {
        revision: "r",
        otherWriter: { revision: "r", author: "a", subject: "s", described: "d" },
        steps: [{ name: "resolve", startMs: 0, durationMs: 1 }],
        signer: "abc",
        pullRequests: [{ repository: "you/bots", outcome: "created", changes: 1 }],
      }),
      events.failed(node, { startedAt: "2026-11-29T06:30:00.000Z" }),
      events.started(node, { startedAt: "2026-11-29T06:59:00.000Z" }),
      events.heartbeat(node, {
        time: "2026-11-29T06:59:50.000Z",
        status: {
          canary: events.canary(2),
          modelFolderFault: "fault",
          quarantine: [{
            digest: events.digestOfRelease(2),
            sequence: 2,
            reason: "bad",
            at: events.EVENT_TIME,
          }],
          schedules: {
            client: events.schedule(),
            publisher: events.schedule({
              paused: { since: events.EVENT_TIME, until: null, host: "h", reason: "holiday" },
            }),
          },
        },
      }),
    );
  }
  await world.token("announced");
}

/** All readable addresses, and some unknown ones. */
function readPaths(nodes: readonly string[]): string[] {
  const runId = events.runIdOf();
  return [
    ...nodes.flatMap((node) => [
      `/api/v1${addresses.node(node)}`,
      `/api/v1${addresses.node(node)}?limit=1`,
      `/api/v1${addresses.node(node)}?limit=0`,
      `/api/v1${addresses.run(runId, node)}`,
      addresses.node(node),
      addresses.run(runId, node),
      addresses.badge(node),
      `${addresses.badge(node)}?show=release`,
      `${addresses.badge(node)}?show=x`,
      `/api/v1/fleet?q=${encodeURIComponent(node)}&limit=1`,
      `/api/v1/runs/${events.runIdOf("2026-11-29T06:59:00.000Z")}?node=${encodeURIComponent(node)}`,
    ]),
    ...[1, 2, 9].flatMap((number) => {
      const digest = events.digestOfRelease(number);
      return [`/api/v1/releases/${digest}`, addresses.release(digest)];
    }),
    ...[
      "/api/v1/fleet",
      "/api/v1/fleet?state=x",
      "/api/v1/fleet?cursor=bot",
      "/api/v1/fleet?group=publishers",
    ],
    ...["/api/v1/nodes/none", "/api/v1/nodes/%ff", "/api/v1/nodes/bot-1?before=x", "/api/v1/runs/none"],
    ...["/api/v1/releases/none", "/badge/none", "/status.json", "/healthz", "/metrics", "/incidents.atom"],
    ...[
      "/api/v1/openapi.json",
      "/",
      "/news",
      "/releases",
      "/pull-requests",
      "/incidents",
      "/settings",
      "/sign-in",
    ],
    ...["/static/style.css", "/static/none", "/favicon.svg", "/favicon.ico", "/robots.txt"],
  ];
}

async function described(world: ApiWorld): Promise<DescribedAnswers> {
  return new DescribedAnswers(await (await world.send("/api/v1/openapi.json")).json());
}

async function assertDescribed(
  world: ApiWorld,
  answers: DescribedAnswers,
  path: string,
  init: RequestInit = {},
): Promise<number> {
  const response = await world.send(path, init);
  const { status } = response;
  const request = new Request(new URL(path, "http://localhost:8080"), { method: init.method ?? "GET" });
  assert.deepEqual(await answers.problems(request, response), [], path);
  return status;
}

Deno.test("every answer matches the description, with an empty and a filled database, for operators and the public", async () => {
  for (const env of [{}, WITH_PASSWORD]) {
    for (const isFilled of [false, true]) {
      await using world = await apiWorld({ env });
      await changeSettings(world.kv, { isPublic: true });
      if (isFilled) await fill(world);
      const answers = await described(world);
      const { nodes } = await (await world.send("/api/v1/fleet")).json();
      assert.ok(Array.isArray(nodes));
      assert.equal(nodes.length, isFilled ? HOSTILE.length + 1 : 0);
      for (const path of readPaths([...nodes.map(({ node }) => String(node)), "bot-9"])) {
        assert.ok(await assertDescribed(world, answers, path) < 500, path);
      }
      const isSeen = (name: string) => answers.seen.get(name)?.has(200) === true;
      const unseen = answers.operations.filter((name) => name.startsWith("get /api/") && !isSeen(name));
      const isOperator = env !== WITH_PASSWORD;
      assert.deepEqual(unseen, [
        ...(isFilled ? [] : ["get /api/v1/nodes/{node}"]),
        ...(isFilled && isOperator ? [] : ["get /api/v1/runs/{run}"]),
        ...(isFilled ? [] : ["get /api/v1/releases/{digest}"]),
        "get /api/v1/live",
      ]);
    }
  }
});

Deno.test("the answers of a private dashboard to readers without a sign-in match the description", async () => {
  await using world = await apiWorld({ env: WITH_PASSWORD });
  await fill(world);
  const answers = await described(world);
  for (const path of readPaths(["bot-1"])) {
    const status = await assertDescribed(world, answers, path);
    assert.ok(status !== 500, path);
  }
  const { secret } = await createToken(world.dashboard, "read", "Grafana");
  const headers = { authorization: `Bearer ${secret}` };
  assert.equal(await assertDescribed(world, answers, "/api/v1/fleet", { headers }), 200);
});

Deno.test("every answer to events matches the description, and so do the requests of nodes", async () => {
  await using world = await apiWorld();
  const secret = await world.token("bot-1");
  const answers = await described(world);
  const batch = [events.failed("bot-1"), events.heartbeat("bot-1"), events.published("bot-1", 1)];
  assert.deepEqual(answers.bodyProblems("/api/v1/events", batch), []);
  assert.notDeepEqual(answers.bodyProblems("/api/v1/events", [{ id: "x" }]), []);
  const send = (body: BodyInit, headers: Readonly<Record<string, string>> = {}) =>
    assertDescribed(world, answers, "/api/v1/events", {
      method: "POST",
      body,
      headers: { authorization: `Bearer ${secret}`, "content-type": BATCH, ...headers },
    });
  assert.equal(await send(JSON.stringify([...batch, 5])), 200);
  assert.equal(await send("[]"), 200);
  assert.equal(await send("{"), 400);
  assert.equal(await send("[]", { authorization: "" }), 401);
  assert.equal(await send(JSON.stringify([events.failed("bot-2")])), 403);
  assert.equal(await send(JSON.stringify(new Array(10_000).fill(0))), 413);
  assert.equal(await send(" ".repeat(2_000_000)), 413);
  assert.equal(await send("[]", { "content-type": "text/plain" }), 415);
  const atomic = world.kv.atomic.bind(world.kv);
  world.kv.atomic = () => {
    throw new TypeError("database or disk is full");
  };
  assert.equal(await send(JSON.stringify(batch)), 503);
  world.kv.atomic = atomic;
});

Deno.test("an unchanged answer and a failing database match the description", async () => {
  const kv = await Deno.openKv(":memory:");
  await using world = await apiWorld({ kv });
  await fill(world);
  const answers = await described(world);
  const tag = (await world.send("/api/v1/fleet")).headers.get("etag") ?? "";
  const headers = { "if-none-match": tag };
  assert.equal(await assertDescribed(world, answers, "/api/v1/fleet", { headers }), 304);

  const list = kv.list.bind(kv);
  const paths = ["/api/v1/fleet", "/api/v1/nodes/bot-1", "/status.json", "/metrics", "/badge/bot-1.svg"];
  for (const [message, status] of [["database disk image is malformed", 503], ["a bug", 500]] as const) {
    kv.list = () => {
      throw new TypeError(message);
    };
    for (const path of paths) assert.equal(await assertDescribed(world, answers, path), status, path);
  }
  kv.list = list;
  kv.close();
  for (const path of ["/api/v1/fleet", "/healthz", "/status.json", "/metrics"]) {
    assert.equal(await assertDescribed(world, answers, path), 503, path);
  }
});

Deno.test("the live stream, and its rejection when too many pages are open, match the description", async () => {
  await using world = await apiWorld();
  const answers = await described(world);
  const stream = await world.send("/api/v1/live?since=x");
  const request = new Request("http://localhost:8080/api/v1/live");
  const { status, headers } = stream;
  assert.deepEqual(await answers.problems(request, new Response("", { status, headers })), []);
  await stream.body?.cancel();

  const leaving = new AbortController();
  for (let page = 0; page < SUBSCRIBERS_MAX; page++) {
    const { signal } = leaving;
    world.dashboard.live.subscribe({ version: "", isOperator: true, signal, send: () => {}, end: () => {} });
  }
  assert.equal(await assertDescribed(world, answers, "/api/v1/live"), 503);
  leaving.abort();
});

Deno.test("every route of the dashboard is described, and every operation of the API is a route", async () => {
  await using world = await apiWorld();
  const routes = new Set(
    world.app.routes.filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method.toLowerCase()} ${path.replaceAll(/\{.*\}$/g, "")}`),
  );
  const operations = new Set(OPERATIONS.map(({ method, route }) => `${method} ${route}`));
  assert.deepEqual([...routes].filter((route) => !operations.has(route)), []);
  const ofApi = OPERATIONS.filter(({ tag }) => tag !== "pages").map(({ method, route }) =>
    `${method} ${route}`
  );
  assert.deepEqual(ofApi.filter((operation) => !routes.has(operation)), []);
  const answers = await described(world);
  assert.equal(answers.operations.length, OPERATIONS.length);
});

Deno.test("the description names each parameter of its paths, and ids of operations are unique", async () => {
  await using world = await apiWorld();
  const { openapi, paths, components } = await (await world.send("/api/v1/openapi.json")).json();
  assert.match(openapi, /^3\.1\./);
  const ids: string[] = [];
  for (const [path, methods] of Object.entries<Record<string, Record<string, unknown>>>(paths)) {
    for (const { operationId, parameters = [], responses } of Object.values(methods)) {
      ids.push(String(operationId));
      assert.ok(Array.isArray(parameters) && typeof responses === "object");
      const places = parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name);
      assert.deepEqual(places, Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name));
    }
  }
  assert.equal(new Set(ids).size, ids.length);
  const text = JSON.stringify(paths) + JSON.stringify(components);
  for (const [, name = ""] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    assert.ok(name in components.schemas, name);
  }
  assert.ok(!text.includes("$defs"));
});
