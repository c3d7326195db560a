import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "../../lib/core/errors.ts";
import { PingSink } from "../../lib/reporting/ping_sink.ts";
import { appendHistory, type RunRecord } from "../../lib/store/history.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { runRecordOf } from "../helpers/report_world.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

const FAILURE = { code: "HTTP_401", message: "Cannot read the branch", hint: "check the token", exitCode: 3 };

function storeIn(path: string): Store {
  return openStore(Deno, { modelsDir: join(path, "models") });
}

function contextOf(address: string) {
  const clock = new QuickClock("2026-11-29T12:00:00Z", 1_000);
  return { ...testContext({ clock, env: fixedEnvironment({ PING_URL: address }) }), clock };
}

/** One run with its pings. @returns the requests of the monitor: method, path and body */
async function pings(path: string, style: "healthchecks" | "plain", changed: Partial<RunRecord>) {
  using dir = tempDir();
  await using monitor = startRecordingHost(() => new Response("OK"));
  const store = storeIn(dir.path);
  const sink = new PingSink(store, { url_env: "PING_URL", style });
  const context = contextOf(`${monitor.origin}${path}`);
  const record = runRecordOf(1, changed);
  await sink.started(context, record);
  appendHistory(store, record);
  appendHistory(store, runRecordOf(2));
  await sink.deliver(context, []);
  assert.deepEqual(context.log.lines, []);
  return monitor.requests.map(({ method, path, body }) => [method, path, body] as const);
}

Deno.test("Healthchecks gets a ping for the start and one for the success, with the same rid", async () => {
  const [start, end, ...more] = await pings("/ping/5bf66975?create=1", "healthchecks", {});
  assert.equal(more.length, 0);
  const [, rid = ""] = /rid=([\da-f-]+)$/.exec(start?.[1] ?? "") ?? [];
  assert.match(rid, /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  assert.deepEqual(start, ["POST", `/ping/5bf66975/start?create=1&rid=${rid}`, ""]);
  assert.deepEqual(end, ["POST", `/ping/5bf66975?create=1&rid=${rid}`, "pull: unchanged"]);
});

Deno.test("Healthchecks gets the exit code of a failure, with the error, its hint and the end of the log", async () => {
  const log = Array.from({ length: 100 }, (_, index) => `line ${index} ${"x".repeat(200)}`);
  const [, end] = await pings("/abc/", "healthchecks", { outcome: "failed", error: FAILURE, log });
  assert.match(end?.[1] ?? "", /^\/abc\/3\?rid=/);
  const body = end?.[2] ?? "";
  assert.match(body, /^pull: failed: Cannot read the branch \(HTTP_401\)\ncheck the token\nline \d+ /);
  assert.match(body, /\nline 99 x+$/);
  assert.ok(body.length <= 10_000);
});

for (
  const [what, changed, code] of [
    [
      "interrupted",
      { outcome: "interrupted", error: { code: "INTERRUPTED", message: "m", exitCode: 130 } },
      130,
    ],
    [
      "an error without an exit code",
      { outcome: "failed", error: { code: "OLD", message: "m" } },
      EXIT.failed,
    ],
    ["a sync that proposed and failed in part", { outcome: "proposed", error: FAILURE }, 3],
  ] as const
) {
  Deno.test(`a run that ends with ${what} is a failure with the exit code ${code}`, async () => {
    const [, end] = await pings("/abc", "healthchecks", changed);
    assert.match(end?.[1] ?? "", new RegExp(`^/abc/${code}\\?`));
  });
}

Deno.test("Uptime Kuma gets one GET at the end, which replaces the values of the shown address", async () => {
  const copied = "/api/push/TOKEN123?status=up&msg=OK&ping=";
  const up = await pings(copied, "plain", { outcome: "activated", durationMs: 1_234 });
  assert.deepEqual(up, [["GET", "/api/push/TOKEN123?status=up&msg=pull%3A+activated&ping=1234", ""]]);
  const down = await pings(copied, "plain", { outcome: "failed", error: FAILURE, durationMs: 90_000_000 });
  const [, path = ""] = down[0] ?? [];
  const query = new URL(path, "http://h").searchParams;
  assert.deepEqual([query.get("status"), query.get("msg"), query.has("ping")], [
    "down",
    "pull: failed: Cannot read the branch (HTTP_401)",
    false,
  ]);
});

Deno.test("commands of an operator do not ping", async () => {
  for (
    const command of ["rollback", "pause", "resume", "run-now", "quarantine", "prune", "canary", "verify"]
  ) {
    assert.deepEqual(await pings("/abc", "healthchecks", { command }), [], command);
  }
});

Deno.test("a record that the disk did not take is pinged, too", async () => {
  using dir = tempDir();
  await using monitor = startRecordingHost(() => new Response("OK"));
  const sink = new PingSink(storeIn(dir.path), { url_env: "PING_URL", style: "plain" });
  const context = contextOf(monitor.origin);
  await sink.started(context, runRecordOf(1));
  await sink.deliver(context, [runRecordOf(1)]);
  assert.equal(monitor.requests.length, 1);
});

Deno.test("a ping that was not delivered is not sent later, when an old success would pass for a new one", async () => {
  using dir = tempDir();
  await using monitor = startRecordingHost(
    () => new Response("down", { status: 503 }),
    () => new Response("OK"),
  );
  const store = storeIn(dir.path);
  const context = contextOf(monitor.origin);
  for (const number of [1, 2]) {
    const sink = new PingSink(store, { url_env: "PING_URL", style: "plain" });
    const record = runRecordOf(number, { outcome: number === 1 ? "activated" : "unchanged" });
    await sink.started(context, record);
    appendHistory(store, record);
    await sink.deliver(context, []);
  }
  assert.deepEqual(monitor.requests.map(({ path }) => /msg=pull%3A\+(\w+)/.exec(path)?.[1]), [
    "activated",
    "unchanged",
  ]);
});

Deno.test("a monitor that refuses, hangs or has an invalid address is one warning that hides the address", async () => {
  using dir = tempDir();
  await using monitor = startRecordingHost((path) => new Response(`Cannot GET ${path}`, { status: 404 }));
  const store = storeIn(dir.path);
  const warningOf = async (address: string) => {
    const context = contextOf(address);
    const sink = new PingSink(store, { url_env: "PING_URL", style: "healthchecks" });
    await sink.started(context, runRecordOf(1));
    await sink.deliver(context, [runRecordOf(1)]);
    const told = context.log.lines.filter((line) => !line.startsWith("debug"));
    assert.equal(told.length, 1, told.join("\n"));
    assert.doesNotMatch(context.log.lines.join("\n"), /secret-path/);
    return told[0] ?? "";
  };
  assert.match(
    await warningOf(`${monitor.origin}/secret-path-1`),
    /^warn Cannot ping the monitor: 127\.0\.0\.1:\d+ answered 404: Cannot GET \[redacted\]/,
  );
  assert.match(await warningOf("http://127.0.0.1:9/secret-path-2"), /127\.0\.0\.1:9 did not answer/);
  assert.match(
    await warningOf("secret-path-3"),
    /the value of PING_URL is not an http address; put the ping address that the monitor shows into PING_URL/,
  );
  assert.match(
    await warningOf(""),
    /the variable PING_URL is set, but blank; set PING_URL in the environment/,
  );
});

Deno.test("a monitor that hangs costs a run five seconds", async () => {
  using dir = tempDir();
  const closing = Promise.withResolvers<Response>();
  await using monitor = startRecordingHost(() => {
    context.clock.advance(5_000);
    return closing.promise;
  });
  const context = contextOf(monitor.origin);
  const sink = new PingSink(storeIn(dir.path), { url_env: "PING_URL", style: "plain" });
  await sink.started(context, runRecordOf(1));
  await sink.deliver(context, [runRecordOf(1)]);
  closing.resolve(new Response());
  assert.match(context.log.lines.join("\n"), /no answer from .* in 5 s/);
});

Deno.test("the ping at the end comes after the one at the start, and does not wait for a start that hangs", async () => {
  using dir = tempDir();
  const release = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const order: string[] = [];
  await using monitor = startRecordingHost(async (path) => {
    if (!path.endsWith("/start")) order.push("end");
    else {
      asked.resolve();
      await release.promise;
      order.push("start");
    }
    return new Response("OK");
  });
  const store = storeIn(dir.path);
  const context = contextOf(`${monitor.origin}/abc`);
  const run = async () => {
    const sink = new PingSink(store, { url_env: "PING_URL", style: "healthchecks" });
    const record = runRecordOf(order.length);
    const begun = sink.started(context, record);
    await asked.promise;
    appendHistory(store, record);
    return { begun, ended: sink.deliver(context, []) };
  };
  const hanging = await run();
  context.clock.advance(2_000);
  await Promise.all([hanging.begun, hanging.ended]);
  assert.deepEqual(order, ["end"]);
  release.resolve();
  const quick = await run();
  await Promise.all([quick.begun, quick.ended]);
  assert.deepEqual(order.slice(-2), ["start", "end"]);
});
