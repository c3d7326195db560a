import assert from "node:assert/strict";
import { join } from "node:path";
import { markRun } from "../../lib/store/running.ts";
import { openStore } from "../../lib/store/store.ts";
import { runCli } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

Deno.test("status shows the running commands with their steps, and none after they have ended", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  {
    using mark = markRun(testContext(), store, {
      runId: "r1",
      command: "pull",
      startedAt: "2026-11-21T06:00:00Z",
    });
    mark.note("stage", []);
    const { stdout } = await runCli("status", [], { cwd: dir.path });
    assert.match(stdout, /running now\n {2}2026-11-21T06:00:00Z {2}pull {6}stage {2}\(started /);
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
