import assert from "node:assert/strict";
import { DashboardServer } from "../../fakes/dashboard_server.ts";
import { cliArgs } from "../helpers/run_cli.ts";
import { runJson, world } from "../helpers/seed_world.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

Deno.test("a daemon sends heartbeats and reports its runs, under its own permission set, until it is stopped", async () => {
  using dir = tempDir();
  await using dashboard = new DashboardServer();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  const child = new Deno.Command(Deno.execPath(), {
    args: cliArgs("daemon", ["--role", "client", "--run-on-start"], { entry: "script" }),
    cwd: bot,
    env: {
      ...GIT_ENV,
      NO_COLOR: "1",
      MODEL_SYNC_REPORT_URL: dashboard.origin,
      MODEL_SYNC_REPORT_NODE: "bot 1",
      MODEL_SYNC_REPORT_TOKEN: dashboard.token,
      MODEL_SYNC_REPORT_INTERVAL_SECONDS: "10",
    },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const log = new Response(child.stderr).text();
  const stopped = dashboard.until(() =>
    dashboard.ids("heartbeat").length > 0 && dashboard.ids("finished").length > 0
  );
  await Promise.race([stopped, child.status]);
  child.kill("SIGTERM");
  const { code } = await child.status;
  assert.equal(code, 0, await log);
  assert.doesNotMatch(await log, /report|error/);
  assert.equal(dashboard.unusable, 0);
  const [heartbeat] = Array.from(dashboard.events.values()).filter(({ type }) => type.includes("heartbeat"));
  assert.ok(heartbeat?.type === "model-sync.heartbeat.v1");
  assert.equal(heartbeat.source, "bot%201");
  assert.equal(heartbeat.data.intervalSeconds, 10);
  assert.deepEqual(Object.keys(heartbeat.data.status.next), ["client"]);
  assert.deepEqual(heartbeat.data.status.daemons.map(({ role, pid }) => [role, pid]), [[
    "client",
    child.pid,
  ]]);
});
