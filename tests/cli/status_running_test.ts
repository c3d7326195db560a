import assert from "node:assert/strict";
import { join } from "node:path";
import { recordKilled } from "../../lib/pipeline/record_killed.ts";
import { markRun } from "../../lib/store/running.ts";
import { openStore } from "../../lib/store/store.ts";
import { runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

Deno.test("status shows a killed run until the next run has settled and recorded it", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const run = { runId: "20261121T060000Z-aaaaaa", command: "pull", startedAt: "2026-11-21T06:00:00Z" };
  const mark = { ...run, host: "bot-1", pid: 1, step: "stage", at: run.startedAt };
  writeFiles(store.root, { [`running/${run.runId}.json`]: `${JSON.stringify(mark)}\n` });
  const status = async (...args: string[]) => (await runCli("status", args, { cwd: dir.path })).stdout;
  assert.match(
    await status(),
    /interrupted: the next run undoes or completes their work\n {2}2026-11-21T06:00:00Z {2}pull {2}stage {2}\(run 2026/,
  );
  assert.deepEqual(JSON.parse(await status("--json")).interrupted, [{ ...run, step: "stage" }]);
  await recordKilled(testContext(), store);
  assert.doesNotMatch(await status(), /interrupted:/);
});

Deno.test("status shows the running commands with their steps, in columns, and none after they have ended", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  {
    using mark = markRun(testContext(), store, {
      runId: "r1",
      command: "pull",
      startedAt: "2026-11-21T06:00:00Z",
    });
    mark.note("stage", []);
    {
      using other = markRun(testContext(), store, {
        runId: "r2",
        command: "references-sync",
        startedAt: "2026-11-21T06:05:00Z",
      });
      other.note("plan", []);
      const { stdout } = await runCli("status", [], { cwd: dir.path });
      assert.match(stdout, / {2}pull {13}stage {2}\(started /);
      assert.match(stdout, / {2}references-sync {2}plan {2}\(started /);
    }
    const { stdout } = await runCli("status", [], { cwd: dir.path });
    assert.match(stdout, /running now\n {2}2026-11-21T06:00:00Z {2}pull {2}stage {2}\(started /);
    const { running } = JSON.parse((await runCli("status", ["--json"], { cwd: dir.path })).stdout);
    assert.deepEqual(running, [{
      runId: "r1",
      command: "pull",
      startedAt: "2026-11-21T06:00:00Z",
      step: "stage",
    }]);
  }
  assert.doesNotMatch((await runCli("status", [], { cwd: dir.path })).stdout, /running now/);
});
