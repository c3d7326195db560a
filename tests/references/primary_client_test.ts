import assert from "node:assert/strict";
import {
  AuthenticationError,
  InterruptedError,
  TransientError,
  UnreachableError,
} from "../../lib/core/errors.ts";
import { PrimaryClient } from "../../lib/references/primary_client.ts";
import { type FakePrimary, page, problem, startPrimary } from "../../fakes/primary_server.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { testContext } from "../helpers/test_context.ts";
import { assertPause } from "../helpers/assert_pause.ts";

const TIMEOUT_MS = 30_000;
const CLIP = '{\n    "ViT-L/14": {"size": 3.0, "big": 12345678901234567890, "name": "\\ud83d\\ude00 ü"}\n}\n';
const LAST_UPDATED = "/model_references/v1/metadata/last_updated";

interface Scene extends AsyncDisposable {
  readonly server: FakePrimary;
  readonly clock: QuickClock;
  readonly stop: AbortController;
  client(baseUrl?: string): PrimaryClient;
}

/** A server with the records of one category, and a clock whose pauses end at once. */
function scene(): Scene {
  const server = startPrimary();
  server.records.set("clip", CLIP);
  server.lastUpdated = 1_729_864_800;
  const clock = new QuickClock("2026-11-21T00:00:00Z", TIMEOUT_MS - 1);
  const stop = new AbortController();
  return {
    server,
    clock,
    stop,
    client: (baseUrl = server.origin) =>
      new PrimaryClient(testContext({ clock, signal: stop.signal }), { baseUrl, timeoutMs: TIMEOUT_MS }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

Deno.test("records() returns the server's text unchanged", async () => {
  await using world = scene();
  assert.equal(await world.client().records("clip"), CLIP);
  assert.equal(await world.client().records("lora"), "{}");
  world.server.records.set("blip", `\ufeff{"a": 1}`);
  assert.equal(await world.client().records("blip"), '{"a": 1}');
});

Deno.test("lastUpdated() returns the server's number, or null", async () => {
  await using world = scene();
  assert.equal(await world.client().lastUpdated(), 1_729_864_800);
  world.server.lastUpdated = null;
  assert.equal(await world.client().lastUpdated(), null);
});

Deno.test("an address may end in /api or not, with any slashes, whatever the server's paths", async () => {
  await using world = scene();
  for (const prefixes of [[""], ["/api"], ["", "/api"]]) {
    for (const end of ["", "/", "/api", "/api//"]) {
      world.server.prefixes = prefixes;
      const client = world.client(world.server.origin + end);
      assert.equal(await client.records("clip"), CLIP, `${prefixes.join()} ${end}`);
    }
  }
});

Deno.test("a server whose host is called api is also tried at its root", async () => {
  const asked: string[] = [];
  const http = (url: string | URL | Request) => {
    asked.push(String(url));
    return Promise.resolve(problem(404, "Not Found"));
  };
  const client = new PrimaryClient(testContext({ http }), { baseUrl: "http://api", timeoutMs: TIMEOUT_MS });
  await assert.rejects(client.records("clip"), { code: "RECORDS_MISSING" });
  assert.deepEqual(asked, [
    "http://api/model_references/v1/clip",
    "http://api/api/model_references/v1/clip",
  ]);
});

Deno.test("after an answer, only that address is used", async () => {
  await using world = scene();
  world.server.prefixes = ["/api"];
  const client = world.client();
  await assert.rejects(client.records("blip"), { code: "RECORDS_MISSING" });
  await client.lastUpdated();
  await assert.rejects(client.records("blip"), { code: "RECORDS_MISSING" });
  await client.records("clip");
  assert.deepEqual(world.server.requests, [
    "/model_references/v1/blip",
    "/api/model_references/v1/blip",
    LAST_UPDATED,
    `/api${LAST_UPDATED}`,
    "/api/model_references/v1/blip",
    "/api/model_references/v1/clip",
  ]);
});

Deno.test("a front page that answers every path does not hide the API below /api", async () => {
  await using world = scene();
  world.server.prefixes = ["/api"];
  world.server.elsewhere = "page";
  await assert.rejects(world.client().records("blip"), { code: "RECORDS_MISSING" });
  assert.equal(await world.client().records("clip"), CLIP);
  world.server.prefixes = [];
  await assert.rejects(world.client().records("clip"), {
    code: "ANSWER_INVALID",
    message: /answered a page \(HTML\) instead of JSON/,
  });
});

Deno.test("a missing, an empty and an unknown category are distinguished, without retries", async () => {
  await using world = scene();
  world.server.records.set("blip", " {} ");
  for (const category of ["blip", "esrgan"] as const) {
    await assert.rejects(world.client().records(category), {
      code: "RECORDS_MISSING",
      exitCode: 4,
      message:
        `Cannot read the records of ${category}: PRIMARY has no records for ${category} (missing or empty there)`,
    });
  }
  world.server.faults.push({ kind: "answer", make: () => problem(422, "Invalid model category: 'clip'.") });
  await assert.rejects(world.client().records("clip"), {
    code: "CATEGORY_UNKNOWN",
    message: /PRIMARY does not know the category clip$/,
  });
  assert.deepEqual(world.clock.pausesMs, []);
});

Deno.test("a server without timestamps of changes is reported with the reason and a hint", async () => {
  await using world = scene();
  for (const [mode, reason] of [["replica", /REPLICA mode/], ["v2", /canonical_format='v2'/]] as const) {
    world.server.mode = mode;
    await assert.rejects(world.client().lastUpdated(), (error) => {
      assert.ok(error instanceof TransientError);
      assert.match(error.message, reason);
      assert.equal(error.hint, "PRIMARY must not be a replica, and its canonical format must be legacy");
      return true;
    });
  }
  world.server.prefixes = [];
  await assert.rejects(world.client().lastUpdated(), { code: "METADATA_MISSING" });
});

Deno.test("temporary faults are tried three times, 1 to 15 s apart, and others once", async () => {
  const passing = [429, 500, 501, 502, 503, 504, 507, 520].map((status) => () => problem(status, "busy"));
  for (const make of [...passing, () => page(502)]) {
    await using world = scene();
    for (let attempt = 0; attempt < 2; attempt++) world.server.faults.push({ kind: "answer", make });
    assert.equal(await world.client().records("clip"), CLIP);
    const [first = 0, second = 0, ...rest] = world.clock.pausesMs;
    assert.ok(1_000 <= first && first <= 2_000 && 2_000 <= second && second <= 4_000 && rest.length === 0);
    for (let attempt = 0; attempt < 3; attempt++) world.server.faults.push({ kind: "answer", make });
    await assert.rejects(world.client().records("clip"), TransientError);
    assert.equal(world.server.requests.length, 6);
  }
  await using world = scene();
  world.server.faults.push({ kind: "answer", make: () => problem(400, "no") });
  await assert.rejects(world.client().records("clip"), { code: "HTTP_400" });
  assert.equal(world.server.requests.length, 1);
});

Deno.test("a pause that the server requires is kept, up to a minute", async () => {
  await using world = scene();
  const busy = (seconds: string) => () => problem(429, "slow down", { "retry-after": seconds });
  world.server.faults.push({ kind: "answer", make: busy("7") });
  assert.equal(await world.client().records("clip"), CLIP);
  assert.equal(world.clock.pausesMs.length, 1);
  assertPause(world.clock.pausesMs[0], 7_000);
  world.server.faults.push({ kind: "answer", make: busy("61") });
  await assert.rejects(world.client().records("clip"), { code: "HTTP_429", retryAfterMs: 61_000 });
});

Deno.test("a request is retried if its answer breaks off or the server does not answer", async () => {
  await using world = scene();
  world.server.faults.push({ kind: "reset" });
  assert.equal(await world.client().records("clip"), CLIP);
  const { origin } = world.server;
  await world.server[Symbol.asyncDispose]();
  await assert.rejects(world.client(origin).records("clip"), { code: "UNREACHABLE" });
  assert.equal(world.clock.pausesMs.length, 1 + 2);
});

Deno.test("a server that does not answer is requested once for each further category, until it answers", async () => {
  await using world = scene();
  const client = world.client();
  world.server.faults.push({ kind: "reset" }, { kind: "reset" }, { kind: "reset" }, { kind: "reset" });
  for (let category = 0; category < 2; category++) {
    await assert.rejects(client.records("clip"), { code: "UNREACHABLE" });
    assert.equal(world.server.requests.length, 3 + category);
  }
  assert.equal(await client.records("clip"), CLIP);
  world.server.faults.push({ kind: "reset" });
  assert.equal(await client.records("clip"), CLIP);
});

Deno.test("a request to a hanging server ends at the time limit and is retried", async () => {
  await using world = scene();
  world.server.faults.push({ kind: "hang" });
  const arrived = world.server.nextRequest();
  const text = world.client().records("clip");
  await arrived;
  world.clock.advance(TIMEOUT_MS);
  assert.equal(await text, CLIP);
});

Deno.test("an abort ends a request at once", async () => {
  await using world = scene();
  world.server.faults.push({ kind: "hang" });
  const arrived = world.server.nextRequest();
  const failed = assert.rejects(world.client().records("clip"), InterruptedError);
  await arrived;
  world.stop.abort(new InterruptedError("Cannot continue", { code: "INTERRUPTED" }));
  await failed;
});

Deno.test("answers that are not JSON of the API are refused with what they are", async () => {
  await using world = scene();
  const answers: readonly (readonly [BodyInit, RegExp])[] = [
    [new Uint8Array([0x22, 0xe4, 0x22]), /sent an answer that is not UTF-8$/],
    [" \n", /sent an empty answer$/],
  ];
  for (const [body, message] of answers) {
    world.server.faults.push({ kind: "answer", make: () => new Response(body) });
    await assert.rejects(world.client().records("clip"), { code: "ANSWER_INVALID", message });
  }
  for (const body of ["[]", '{"last_updated": "yesterday"}', "{}", "{", '{"last_updated": 1.5}']) {
    world.server.faults.push({ kind: "answer", make: () => new Response(body) });
    await assert.rejects(world.client().lastUpdated(), {
      code: "ANSWER_INVALID",
      message: /did not answer \{"last_updated": seconds or null\}$/,
    });
  }
});

Deno.test("an endless answer is aborted at the size limit", async () => {
  await using world = scene();
  const endless = () =>
    new Response(new ReadableStream({ pull: (it) => it.enqueue(new Uint8Array(65_536).fill(32)) }));
  world.server.faults.push({ kind: "answer", make: endless });
  await assert.rejects(world.client().lastUpdated(), (error) => {
    assert.ok(error instanceof UnreachableError && error.code === "ANSWER_TOO_LARGE", String(error));
    return true;
  });
});

Deno.test("a redirect on the same server is followed, and one to another host refused", async () => {
  await using world = scene();
  const to = (location: string) => () => new Response(null, { status: 307, headers: { location } });
  world.server.faults.push({ kind: "answer", make: to("/api/model_references/v1/clip") });
  assert.equal(await world.client().records("clip"), CLIP);
  const elsewhere = world.server.origin.replace("127.0.0.1", "localhost");
  world.server.faults.push({ kind: "answer", make: to(`${elsewhere}/model_references/v1/clip`) });
  await assert.rejects(world.client().records("clip"), {
    code: "REDIRECT_REFUSED",
    message: `Cannot read the records of clip: ${
      new URL(world.server.origin).host
    } redirects to ${elsewhere}`,
  });
});

Deno.test("credentials of the address are sent, and never shown", async () => {
  await using world = scene();
  world.server.authorization = `Basic ${btoa("horde:pa%ss@word")}`;
  const url = (password: string) => world.server.origin.replace("//", `//horde:${password}@`);
  const client = world.client(`${url("pa%25ss%40word")}/`);
  assert.equal(await client.records("clip"), CLIP);
  assert.equal(client.shownUrl, world.server.origin);
  const wrong = world.client(url("hunter2%zz"));
  world.server.faults.push({ kind: "answer", make: () => problem(401, `no: ${btoa("horde:hunter2%zz")}`) });
  await assert.rejects(wrong.records("clip"), (error) => {
    assert.ok(error instanceof AuthenticationError);
    assert.doesNotMatch(`${error.message} ${Deno.inspect(error)}`, /hunter2|aG9yZGU/);
    return true;
  });
  assert.throws(
    () => world.client("ftp://a:hunter2@b"),
    (error: Error) => !error.message.includes("hunter2"),
  );
});
