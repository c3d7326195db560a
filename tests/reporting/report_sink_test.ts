import assert from "node:assert/strict";
import { join } from "node:path";
import { BATCH_EVENTS_MAX } from "../../lib/wire/event_names.ts";
import { ReportSink } from "../../lib/reporting/report_sink.ts";
import { DashboardServer } from "../../fakes/dashboard_server.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { ReportWorld, runRecordOf } from "../helpers/report_world.ts";
import { runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository } from "../helpers/test_git.ts";
import { appendHistory } from "../../lib/store/history.ts";

/** A trainer and a bot that report to one dashboard. */
function machines(root: string, dashboard: DashboardServer, report: object = {}) {
  const registry = bareRepository(join(root, "registry.git"));
  const settings = {
    repo_url: registry,
    publisher: { train_before_push: false },
    report: { url: dashboard.origin, ...report },
  };
  for (const name of ["trainer", "bot"]) {
    writeFiles(join(root, name), { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
  }
  writeFiles(join(root, "trainer"), { "models/a/x.bin": "one", "models/b.bin": "two" });
  return async (machine: string, command: string, ...args: string[]) =>
    await runCli(command, args, {
      cwd: join(root, machine),
      env: { MODEL_SYNC_REPORT_TOKEN: dashboard.token },
    });
}

Deno.test("commands report that they began and how they ended, and a publish its release with the files", async () => {
  using dir = tempDir();
  await using dashboard = new DashboardServer();
  const run = machines(dir.path, dashboard);
  assert.equal((await run("trainer", "publish")).code, 0);
  assert.equal((await run("bot", "pull")).code, 0);
  assert.equal(dashboard.unusable, 0);
  const kinds = dashboard.ids().map((id) => id.split("/")[1]);
  // The report of the start may arrive after that of the end.
  assert.deepEqual(kinds.sort(), ["finished", "finished", "published", "started", "started"]);
  const published = Array.from(dashboard.events.values()).find(({ id }) => id.endsWith("/published"));
  assert.ok(published?.type === "model-sync.release.published.v1");
  assert.match(published.source, /\/publisher$/);
  const { files, filesTotal, filesLeftOut, bytes } = published.data;
  assert.deepEqual(files.map(({ path, size }) => [path, size]), [["a/x.bin", 3], ["b.bin", 3]]);
  assert.deepEqual([filesTotal, filesLeftOut, bytes], [2, 0, 6]);
});

Deno.test("an unreachable dashboard does not change the result of a command, and is one log line", async () => {
  using dir = tempDir();
  await using dashboard = new DashboardServer();
  const run = machines(dir.path, dashboard, { url: "http://127.0.0.1:9" });
  const { code, stdout, stderr } = await run("trainer", "publish");
  assert.equal(code, 0);
  assert.match(stdout, /published release/);
  const lines = stderr.split("\n").filter((line) => /report/.test(line));
  assert.equal(lines.length, 1, stderr);
  assert.match(lines[0] ?? "", /Cannot send reports: 127\.0\.0\.1:9 did not answer .*sent later: 1 run/);
});

Deno.test("an invalid token is a warning that does not show it", async () => {
  await using world = new ReportWorld();
  world.record(1);
  const env = { get: () => "two words", toObject: () => ({}) };
  const context = world.context({ env });
  const sink = new ReportSink(world.store, world.settings());
  await sink.started(context, runRecordOf(1));
  await sink.deliver(context, []);
  assert.equal(world.dashboard.requests.length, 0);
  const warnings = context.log.lines.filter((line) => line.startsWith("warn"));
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0] ?? "",
    /Cannot use MODEL_SYNC_REPORT_TOKEN: .*; set MODEL_SYNC_REPORT_TOKEN to the token/,
  );
  assert.doesNotMatch(warnings.join(), /two words/);
});

Deno.test("without a token none is sent, and the refusal says which variable to set", async () => {
  await using world = new ReportWorld();
  world.record(1);
  const context = world.context({ env: { get: () => undefined, toObject: () => ({}) } });
  await new ReportSink(world.store, world.settings()).deliver(context, []);
  assert.equal(world.dashboard.requests[0]?.headers.get("authorization"), null);
  assert.match(context.log.lines.join("\n"), /set MODEL_SYNC_REPORT_TOKEN to this node's token/);
});

Deno.test("the start of a run is reported once, best effort, and not to a dashboard that requested a pause", async () => {
  await using world = new ReportWorld();
  const context = world.context();
  const sink = new ReportSink(world.store, world.settings({ node: "my bot" }));
  await sink.started(context, runRecordOf(1));
  const [event] = world.dashboard.events.values();
  assert.deepEqual([event?.id, event?.source], ["run-1/started", "my%20bot"]);
  world.record(1);
  world.dashboard.fault = () => new Response("", { status: 429, headers: { "retry-after": "60" } });
  await sink.started(context, runRecordOf(2));
  await sink.deliver(context, []);
  const { length } = world.dashboard.requests;
  await new ReportSink(world.store, world.settings()).started(context, runRecordOf(3));
  assert.equal(world.dashboard.requests.length, length);
  assert.equal(context.log.lines.filter((line) => line.startsWith("warn")).length, 1);
});

Deno.test("a run that ends before its start is reported has only the report of its end", async () => {
  await using world = new ReportWorld();
  const sink = new ReportSink(world.store, world.settings());
  const context = world.context();
  const starting = sink.started({ ...context, clock: new FakeClock("2026-11-29T12:00:00Z") }, runRecordOf(1));
  world.record(1);
  await Promise.all([sink.deliver(context, []), starting]);
  assert.deepEqual(world.dashboard.ids(), ["run-1/finished"]);
  assert.deepEqual(context.log.lines, []);
});

Deno.test("secrets are hidden in reports, wherever a record repeats them", async () => {
  await using world = new ReportWorld();
  const context = world.context();
  await new ReportSink(world.store, world.settings()).deliver(context, []);
  // The token of this node is known by now; the other one is recognised by its shape.
  const message = `fatal: https://me:hunter22@host/x and ${world.dashboard.token} and ghp_${
    "a1B2".repeat(9)
  }`;
  const line = { ...runRecordOf(1), error: { code: "X", message }, log: [message] };
  Deno.writeTextFileSync(world.store.history, `${JSON.stringify(line)}\n`, { append: true });
  await new ReportSink(world.store, world.settings()).deliver(context, []);
  const sent = world.dashboard.requests.map(({ body }) => body).join();
  assert.match(sent, /fatal: https:\/\/\[redacted\]@host\/x and \[redacted\] and \[redacted\]/);
  assert.doesNotMatch(sent, /hunter22|node-token-1|ghp_/);
});

Deno.test("a batch holds what its bounds allow", async () => {
  await using world = new ReportWorld();
  const log = Array.from({ length: 20 }, () => "x".repeat(700));
  for (let number = 1; number <= 60; number++) appendHistory(world.store, runRecordOf(number, { log }));
  world.recordMany(61, 700);
  await world.deliver();
  for (const { count, body } of world.dashboard.requests) {
    assert.ok(
      count <= BATCH_EVENTS_MAX && body.length <= 512 * 1024,
      `${count} events, ${body.length} bytes`,
    );
  }
  assert.equal(world.dashboard.events.size, 700);
});
