import assert from "node:assert/strict";
import { machineUse, UNUSED } from "../../lib/doctor/machine_use.ts";
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
  const { roles, onlyPulls } = await machineUse(context, location);
  return { roles: [...roles], onlyPulls };
}

Deno.test("machineUse() knows a machine by its runs and its daemons", async () => {
  assert.deepEqual(await useOf(["pull", "rollback"]), { roles: ["client"], onlyPulls: true });
  assert.deepEqual(await useOf(["runpod-pull", "redeploy"]), { roles: ["runpod_client"], onlyPulls: true });
  assert.deepEqual(await useOf(["pull", "publish"]), { roles: ["publisher", "client"], onlyPulls: false });
  assert.deepEqual(await useOf(["hf-upload", "hf-pull"]), {
    roles: ["huggingface_client"],
    onlyPulls: false,
  });
  assert.deepEqual(await useOf(["pull"], ["publisher"]), {
    roles: ["publisher", "client"],
    onlyPulls: false,
  });
  assert.deepEqual(await useOf([]), { roles: [], onlyPulls: false });
});

Deno.test("machineUse() of a folder without a store is nothing yet", async () => {
  using dir = tempDir();
  const location = { modelsDir: `${dir.path}/models`, stateDir: undefined };
  assert.deepEqual(await machineUse(testContext(), location), UNUSED);
  Deno.mkdirSync(`${dir.path}/.model-sync`);
  Deno.writeTextFileSync(`${dir.path}/.model-sync/store.json`, "{");
  assert.deepEqual(await machineUse(testContext(), location), UNUSED);
});
