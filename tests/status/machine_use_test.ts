import assert from "node:assert/strict";
import { machineUse, UNUSED } from "../../lib/status/machine_use.ts";
import { announceDaemon } from "../../lib/store/daemons.ts";
import { appendHistory, runRecord } from "../../lib/store/history.ts";
import { openStore } from "../../lib/store/store.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** What a machine is used for that ran these commands. */
async function useOf(commands: readonly string[], daemons: readonly string[] = []) {
  using dir = tempDir();
  const context = testContext();
  const location = { modelsDir: `${dir.path}/models`, stateDir: undefined };
  const store = openStore(context.fs, location);
  using _announced = await announceDaemon(context, store, daemons);
  for (const command of commands) {
    appendHistory(
      store,
      runRecord({
        runId: `r-${command}`,
        command,
        outcome: "failed",
        startedAt: "2026-01-01T00:00:00Z",
        durationMs: 1,
        host: "h",
      }),
    );
  }
  const { roles, neverTrains } = await machineUse(context, location);
  return { roles: [...roles], neverTrains };
}

Deno.test("machineUse() knows a machine by its runs and its daemons", async () => {
  assert.deepEqual(await useOf(["pull", "rollback"]), { roles: ["client"], neverTrains: true });
  assert.deepEqual(await useOf(["runpod-pull", "redeploy"]), { roles: ["runpod_client"], neverTrains: true });
  assert.deepEqual(await useOf(["pull", "publish"]), { roles: ["publisher", "client"], neverTrains: false });
  assert.deepEqual(await useOf(["hf-upload", "hf-pull"]), {
    roles: ["huggingface_client"],
    neverTrains: false,
  });
  assert.deepEqual(await useOf(["pull"], ["publisher"]), {
    roles: ["publisher", "client"],
    neverTrains: false,
  });
  assert.deepEqual(await useOf(["references-sync"]), { roles: ["references"], neverTrains: true });
  assert.deepEqual(await useOf([]), { roles: [], neverTrains: false });
});

Deno.test("machineUse() of a folder without a store is unused", async () => {
  using dir = tempDir();
  const location = { modelsDir: `${dir.path}/models`, stateDir: undefined };
  assert.deepEqual(await machineUse(testContext(), location), UNUSED);
  Deno.mkdirSync(`${dir.path}/.model-sync`);
  Deno.writeTextFileSync(`${dir.path}/.model-sync/store.json`, "{");
  assert.deepEqual(await machineUse(testContext(), location), UNUSED);
});
