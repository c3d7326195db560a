import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { JobMemory } from "../../lib/runpod/job_memory.ts";
import { openStore } from "../../lib/store/store.ts";
import { RunPodWorld } from "../helpers/runpod_world.ts";
import { memoryDir, readFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { eachKill, type Killer } from "./each_kill.ts";
import { pullFromRunPod } from "./runpod_victim.ts";

const BEFORE = { "BTC/rf.onnx": "one", "ETH/rf.onnx": "same" };
const AFTER = { "BTC/rf.onnx": "two", "ETH/rf.onnx": "same" };

/** Kills a bot with an active release, and an account whose next job makes another one. */
async function killed(kill: Killer): Promise<void> {
  using dir = memoryDir();
  await using world = new RunPodWorld(join(dir.path, "runpod"));
  const modelsDir = join(dir.path, "bot/models");
  await world.offer(BEFORE, 1);
  await world.pullTo(modelsDir);
  await world.offer(AFTER, 2);
  const { triggerUrl, statusUrlTemplate, apiKey } = world.api;
  const target = { modelsDir, triggerUrl, statusUrlTemplate, apiKey };
  await kill({
    work: (context) => pullFromRunPod(context, target),
    script: "tests/crash/runpod_victim.ts",
    args: (killAt) => [String(killAt), JSON.stringify(target)],
  });
  const seen = readFiles(modelsDir);
  assert.ok(
    [BEFORE, AFTER].some((models) => JSON.stringify(models) === JSON.stringify(seen)),
    JSON.stringify(seen),
  );
  const paidFor = world.api.jobs.length;
  const remembered = new JobMemory(openStore(Deno, { modelsDir }), world.api.triggerUrl).find();
  try {
    await world.pullTo(modelsDir);
    if (paidFor === 2 && remembered !== undefined && seen["BTC/rf.onnx"] === "one") {
      assert.equal(world.api.jobs.length, 2, "a second job was started for one training");
    }
  } catch (error) {
    // A kill between the request and its response leaves the job unknown: the next run reports that and starts no job.
    assert.ok(error instanceof ModelSyncError && error.code === "JOB_UNKNOWN", String(error));
    assert.deepEqual([remembered?.state, world.api.jobs.length], ["asked", paidFor]);
    await world.pullTo(modelsDir, testContext(), { startsNewJob: true });
  }
  assert.deepEqual(readFiles(modelsDir), AFTER);
  const ended = new JobMemory(openStore(Deno, { modelsDir }), world.api.triggerUrl).find();
  assert.equal(ended, undefined);
  // A run writes a job down before it pays for it.
  if (seen["BTC/rf.onnx"] === "one") {
    assert.ok(paidFor === 1 || remembered !== undefined, "a job was forgotten");
  }
}

Deno.test("a pull from RunPod killed before any of its steps leaves a whole release, and never starts a second job silently", async () => {
  await eachKill("the pull", killed);
});
