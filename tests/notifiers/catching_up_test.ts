import assert from "node:assert/strict";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { FailedError } from "../../lib/core/errors.ts";
import { AlertSink } from "../../lib/notifiers/alert_sink.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { appendHistory, type RunRecord } from "../../lib/store/history.ts";
import { markRun } from "../../lib/store/running.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { alerts } from "../helpers/alert_world.ts";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { mountObstacle, tmpfsAt } from "../helpers/small_disk.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

function storeIn(dir: TempDir): Store {
  return openStore(Deno, { modelsDir: join(dir.path, "models") });
}

/** Pauses between two attempts are over at once. */
function hurried(): Context & ReturnType<typeof testContext> {
  return testContext({ clock: new HurriedClock(), host: "bot-1" });
}

/** A run of a command, and the alerts that follow it. */
async function runOf(
  context: Context,
  store: Store,
  settings: ReturnType<typeof alerts>,
  command: string,
  failure?: string,
): Promise<void> {
  const sinks = [new AlertSink(settings, store)];
  const run = recordedRun(
    context,
    store,
    { command, lock: "store", sinks },
    () =>
      failure === undefined
        ? Promise.resolve({ outcome: "activated" })
        : Promise.reject(new FailedError(failure, { code: failure })),
  );
  await run.catch((error: unknown) => assert.ok(error instanceof FailedError, String(error)));
}

const titlesOf = (host: ReturnType<typeof startRecordingHost>) =>
  host.requests.map(({ body }) => /"text":"\*(.*?)\*/.exec(body)?.[1]);

Deno.test("an unreachable channel gets its alerts at the next run, once and in order; others get none twice", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  let isAway = true;
  await using away = startRecordingHost(() => new Response("", { status: isAway ? 403 : 200 }));
  await using there = startRecordingHost(() => new Response("ok"));
  const settings = alerts({
    chat: [{ type: "slack", url: `${away.origin}/a` }, { type: "slack", url: `${there.origin}/b` }],
  });
  const run = async (command: string, failure?: string) =>
    await runOf(hurried(), store, settings, command, failure);
  await run("pull", "DISK");
  await run("publish", "NETWORK");
  await run("publish");
  away.requests.length = 0;
  isAway = false;
  await run("prune");
  const expected = [
    "Model sync failed on bot-1 (pull): DISK",
    "Model sync failed on bot-1 (publish): NETWORK",
    "New models installed",
    "New models installed",
  ];
  for (const host of [away, there]) {
    assert.deepEqual(titlesOf(host).map((title = "") => title.split(" - ")[0]), expected);
  }
  await run("quarantine");
  assert.deepEqual([away.requests.length, there.requests.length], [5, 5]);
});

Deno.test("an alert that the next run sends again has the same webhook-id", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  let status = 403;
  await using host = startRecordingHost(() => new Response("", { status }));
  const settings = alerts({ webhook: { url: host.origin, secret_env: "ALERTS_SECRET" } });
  const context = { ...hurried(), env: fixedEnvironment({ ALERTS_SECRET: "s3cret" }) };
  await runOf(context, store, settings, "pull", "DISK");
  status = 200;
  await runOf(context, store, settings, "prune");
  const ids = host.requests.map(({ headers }) => headers.get("webhook-id"));
  assert.equal(ids.length, 3);
  assert.equal(ids[1], ids[0]);
  assert.notEqual(ids[2], ids[0]);
  await runOf(context, store, settings, "quarantine");
  assert.equal(host.requests.length, 4);
});

Deno.test("the next run sends the alert of a killed run, and the recovery after it", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  await using host = startRecordingHost(() => new Response("ok"));
  const settings = alerts({ on: ["failed", "recovered"], chat: [{ type: "slack", url: host.origin }] });
  leaveKilled(store, "20260101T000000Z-abcdef", "pull");
  await runOf(hurried(), store, settings, "prune");
  await runOf(hurried(), store, settings, "pull");
  await runOf(hurried(), store, settings, "pull");
  const [killed, works, ...others] = titlesOf(host);
  assert.equal(killed, "Model sync failed on bot-1 (pull): KILLED");
  assert.match(works ?? "", /^Model sync works again on bot-1 \(pull\), after /);
  assert.deepEqual(others, []);
});

/** What a process leaves that is killed before it announces anything. */
function leaveKilled(store: Store, runId: string, command: string): void {
  const context = testContext({ host: "bot-1" });
  const path = join(store.root, "running", `${runId}.json`);
  const mark = markRun(context, store, { runId, command, startedAt: "2026-01-01T00:00:00Z" });
  const text = Deno.readTextFileSync(path);
  mark[Symbol.dispose]();
  Deno.writeTextFileSync(path, text);
}

Deno.test("alerts that a killed run did not send are sent by the next one", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  await using host = startRecordingHost(() => new Response("ok"));
  const settings = alerts({ chat: [{ type: "slack", url: host.origin }] });
  await runOf(hurried(), store, settings, "pull");
  // It wrote its record, and was killed before it sent alerts.
  appendHistory(store, recordOf("r1", { outcome: "refused", error: { code: "DIGEST", message: "x" } }));
  await runOf(hurried(), store, settings, "prune", "DISK");
  assert.deepEqual(titlesOf(host).slice(1), [
    "New models refused on bot-1 (pull): DIGEST",
    "Model sync failed on bot-1 (prune): DISK",
  ]);
});

Deno.test("a new channel gets alerts from the run on in which it is new", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  for (let count = 0; count < 3; count++) {
    appendHistory(store, recordOf(`r${count}`, { outcome: "activated" }));
  }
  await using host = startRecordingHost(() => new Response("ok"));
  await runOf(hurried(), store, alerts({ chat: [{ type: "slack", url: host.origin }] }), "prune", "DISK");
  assert.deepEqual(titlesOf(host), ["Model sync failed on bot-1 (prune): DISK"]);
});

Deno.test("failures that an earlier version alerted are not alerted again", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  Deno.writeTextFileSync(
    join(store.root, "alerts.json"),
    JSON.stringify({ pull: { what: "failed DISK ", since: "2026-01-01T00:00:00Z" } }),
  );
  await using host = startRecordingHost(() => new Response("ok"));
  const settings = alerts({ chat: [{ type: "slack", url: host.origin }] });
  await runOf(hurried(), store, settings, "pull", "DISK");
  assert.deepEqual(titlesOf(host), []);
});

Deno.test("an alert that a channel never accepts is given up after a week, and blocks no later one", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  await using host = startRecordingHost(
    () => new Response("ok"),
    () => new Response("no_text", { status: 400 }),
    () => new Response("ok"),
  );
  const settings = alerts({ chat: [{ type: "slack", url: host.origin }] });
  await runOf(hurried(), store, settings, "pull");
  const old = { startedAt: "2026-01-01T00:00:00Z", outcome: "failed" } as const;
  appendHistory(store, recordOf("r1", { ...old, error: { code: "OLD", message: "x" } }));
  const context = hurried();
  await runOf(context, store, settings, "prune", "DISK");
  assert.equal(titlesOf(host).at(-1), "Model sync failed on bot-1 (prune): DISK");
  assert.match(context.log.lines.join("\n"), /of 2026-01-01T00:00:00Z, which is given up/);
});

Deno.test("two runs that end at once send each alert once", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  await using host = startRecordingHost(() => new Response("ok"));
  const settings = alerts({ on: ["failed"], chat: [{ type: "slack", url: host.origin }] });
  const sinks = Array.from({ length: 4 }, () => new AlertSink(settings, store));
  for (const sink of sinks) await sink.started();
  const failed = { outcome: "failed", error: { code: "DISK", message: "x" } } as const;
  for (const command of ["pull", "prune"]) appendHistory(store, recordOf(command, { ...failed, command }));
  await Promise.all(sinks.map((sink) => sink.deliver(testContext(), [])));
  assert.equal(host.requests.length, 2);
});

function recordOf(runId: string, changed: Partial<RunRecord>): RunRecord {
  return {
    runId,
    command: "pull",
    outcome: "unchanged",
    startedAt: new Date().toISOString(),
    durationMs: 5,
    host: "bot-1",
    ...changed,
  };
}

Deno.test("an unreadable history is a warning, and no run fails because of it", async () => {
  using dir = tempDir();
  const real = storeIn(dir);
  appendHistory(real, recordOf("r1", {}));
  await using host = startRecordingHost(() => new Response("ok"));
  const openSync: typeof Deno.openSync = (path, options) => {
    if (String(path).endsWith("history.jsonl")) throw new Deno.errors.PermissionDenied("not yours");
    return Deno.openSync(path, options);
  };
  const store = { ...real, fs: { ...Deno, openSync } };
  const context = hurried();
  await runOf(context, store, alerts({ chat: [{ type: "slack", url: host.origin }] }), "pull");
  assert.match(context.log.lines.join("\n"), /^warn cannot send alerts: /m);
});

Deno.test("a channel that missed very many alerts gets twenty with each run, besides records that are not on disk", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  await using host = startRecordingHost(() => new Response("ok"));
  const settings = alerts({ chat: [{ type: "slack", url: host.origin }] });
  await runOf(hurried(), store, settings, "pull");
  for (let count = 0; count < 30; count++) {
    appendHistory(store, recordOf(`r${count}`, { outcome: "activated" }));
  }
  const unwritten = recordOf("unwritten", { outcome: "failed", error: { code: "DISK", message: "full" } });
  await new AlertSink(settings, store).deliver(hurried(), [unwritten]);
  assert.equal(host.requests.length, 22);
  assert.equal(titlesOf(host).at(-1), "Model sync failed on bot-1 (pull): DISK");
  await new AlertSink(settings, store).deliver(hurried(), []);
  assert.equal(host.requests.length, 32);
});

const obstacle = mountObstacle("tmpfs");
const name = "on a full disk an alert is sent once, although the state cannot grow";

Deno.test({
  name: obstacle === undefined ? name : `${name} (skipped: ${obstacle})`,
  ignore: obstacle !== undefined,
  fn: async () => {
    using dir = tempDir();
    using disk = tmpfsAt(join(dir.path, "disk"), "size=2m");
    const store = openStore(Deno, { modelsDir: join(disk.path, "models") });
    await using host = startRecordingHost(() => new Response("ok"));
    const settings = alerts({ chat: [{ type: "slack", url: host.origin }] });
    await runOf(hurried(), store, settings, "pull");
    const free = disk.fill();
    for (let count = 0; count < 3; count++) await runOf(hurried(), store, settings, "pull", "DISK");
    assert.deepEqual(titlesOf(host).slice(1), ["Model sync failed on bot-1 (pull): DISK"]);
    free();
    await runOf(hurried(), store, settings, "pull");
    assert.equal(host.requests.length, 3);
  },
});
