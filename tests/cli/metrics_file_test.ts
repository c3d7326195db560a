import assert from "node:assert/strict";
import { join } from "node:path";
import { announceDaemon } from "../../lib/store/daemons.ts";
import { openStore } from "../../lib/store/store.ts";
import { configuredPair } from "../helpers/machines.ts";
import { familyIn, parseMetrics, valueOf } from "../helpers/parse_metrics.ts";
import { HAS_PROMTOOL, promtoolSays } from "../helpers/promtool.ts";
import { runCli, spawnCli } from "../helpers/run_cli.ts";
import { type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** A bot that writes its metrics into a folder of its own, and a trainer that has published one release. */
async function botWithMetrics(dir: TempDir) {
  const { registry, trainer, bot } = configuredPair(dir.path);
  const file = join(dir.path, "textfile/model_sync.prom");
  const settings = { repo_url: registry, report: { metrics_file: file } };
  writeFiles(bot, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
  writeFiles(trainer, { "models/BTC/rf.bin": "four" });
  assert.equal((await runCli("publish", [], { cwd: trainer })).code, 0);
  return { bot, registry, file, read: () => parseMetrics(Deno.readTextFileSync(file)) };
}

Deno.test("every run rewrites the metrics file, even if it fails, and promtool accepts the file", async () => {
  using dir = tempDir();
  const { bot, registry, file, read } = await botWithMetrics(dir);
  Deno.mkdirSync(join(dir.path, "textfile"));
  const pulls = (outcome: string) => valueOf(read(), "model_sync_runs_total", { command: "pull", outcome });

  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  assert.equal(pulls("activated"), 1);
  assert.equal(valueOf(read(), "model_sync_transferred_bytes_total", { carrier: "git" }), 4);
  assert.equal(valueOf(read(), "model_sync_active_release_sequence"), 1);
  assert.ok((valueOf(read(), "model_sync_active_release_activated_timestamp_seconds") ?? 0) > 1.7e9);
  assert.equal(read().has("model_sync_next_run_timestamp_seconds"), false);
  {
    const store = openStore(Deno, { modelsDir: join(bot, "models") });
    using _daemon = await announceDaemon(testContext(), store, ["client"]);
    assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
    assert.ok(familyIn(read(), "model_sync_next_run_timestamp_seconds").samples.length > 0);
  }

  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  assert.deepEqual([pulls("activated"), pulls("unchanged"), pulls("failed")], [1, 2, 0]);
  const success = { command: "pull" };
  const before = valueOf(read(), "model_sync_last_success_timestamp_seconds", success);

  Deno.renameSync(registry, `${registry}.away`);
  assert.notEqual((await runCli("pull", [], { cwd: bot })).code, 0);
  assert.equal(pulls("failed"), 1);
  assert.equal(valueOf(read(), "model_sync_last_outcome", { command: "pull", outcome: "failed" }), 1);
  assert.equal(valueOf(read(), "model_sync_last_success_timestamp_seconds", success), before);
  if (HAS_PROMTOOL) assert.equal(await promtoolSays(Deno.readTextFileSync(file)), "");
});

Deno.test("a command writes the metrics with the permissions that it has, free space included", async () => {
  using dir = tempDir();
  const { bot, read } = await botWithMetrics(dir);
  Deno.mkdirSync(join(dir.path, "textfile"));
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const { code, stderr } = await spawnCli("prune", [], { cwd: bot, entry: "script" });
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /warn/);
  assert.equal(valueOf(read(), "model_sync_run_duration_seconds_count", { command: "prune" }), 1);
  if (Deno.build.os !== "windows") assert.ok((valueOf(read(), "model_sync_store_free_bytes") ?? 0) > 0);
});

Deno.test("a missing folder of the metrics file is one warning, and does not change how the run ends", async () => {
  using dir = tempDir();
  const { bot } = await botWithMetrics(dir);
  const { code, stderr } = await runCli("pull", [], { cwd: bot });
  assert.equal(code, 0, stderr);
  const warnings = stderr.split("\n").filter((line) => /warn/.test(line));
  assert.equal(warnings.length, 1, stderr);
  assert.match(
    warnings[0] ?? "",
    /Cannot write the metrics file .*textfile does not exist; create the folder/,
  );
});

Deno.test("a metrics file inside the model folder or the store is refused, also by doctor, and is part of no release", async () => {
  using dir = tempDir();
  const { bot, registry } = await botWithMetrics(dir);
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  for (
    const file of ["models/x.prom", "models/BTC/x.prom", ".model-sync/x.prom", ".model-sync/current/x.prom"]
  ) {
    const settings = { repo_url: registry, report: { metrics_file: file } };
    writeFiles(bot, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
    const pull = await runCli("pull", [], { cwd: bot });
    assert.equal(pull.code, 0);
    assert.match(
      pull.stderr,
      /Cannot write the metrics file .*x\.prom: it is inside the (model folder|store) /,
      file,
    );
    assert.match(
      (await runCli("doctor", [], { cwd: bot })).stdout,
      /fail {2}metrics file: .*it is inside the/,
      file,
    );
    assert.equal((await runCli("verify", [], { cwd: bot })).code, 0);
  }
});
