import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { JobMemory } from "../../lib/runpod/job_memory.ts";
import { openStore } from "../../lib/store/store.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { RunPodWorld } from "../helpers/runpod_world.ts";
import { readFiles, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const BEFORE = { "BTC/rf.onnx": "one", "ETH/rf.onnx": "same" };
const AFTER = { "BTC/rf.onnx": "two", "ETH/rf.onnx": "same" };

/** No pull takes more steps than this; a loop that ran on would show here. */
const STEPS_MAX = 400;

/** Kills run side by side: most of their time is spent starting processes. */
const PARALLEL = navigator.hardwareConcurrency;

/** Runs the victim; `undefined` when it was killed, else the number of its steps. */
async function runVictim(world: RunPodWorld, modelsDir: string, killAt: number): Promise<number | undefined> {
  const { triggerUrl, statusUrlTemplate, apiKey } = world.api;
  const config = ["--config", join(PROJECT, "deno.json"), join(PROJECT, "tests/crash/runpod_victim.ts")];
  const result = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "-A",
      ...config,
      JSON.stringify({ killAt, modelsDir, triggerUrl, statusUrlTemplate, apiKey }),
    ],
    stdin: "null",
  }).output();
  if (result.signal === "SIGKILL") return undefined;
  assert.equal(result.code, 0, new TextDecoder().decode(result.stderr));
  return Number(new TextDecoder().decode(result.stdout));
}

/** A bot with an active release, and an account whose next job makes another one. */
async function killed(killAt: number): Promise<number | undefined> {
  using dir = tempDir();
  await using world = new RunPodWorld(join(dir.path, "runpod"));
  const modelsDir = join(dir.path, "bot/models");
  await world.offer(BEFORE, 1);
  await world.pullTo(modelsDir);
  await world.offer(AFTER, 2);
  const steps = await runVictim(world, modelsDir, killAt);
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
    // Between the request and its answer nobody knows: then it is said, and no job is started.
    assert.ok(error instanceof ModelSyncError && error.code === "JOB_UNKNOWN", String(error));
    assert.deepEqual([remembered?.state, world.api.jobs.length], ["asked", paidFor]);
    await world.pullTo(modelsDir, testContext(), { startsAnew: true });
  }
  assert.deepEqual(readFiles(modelsDir), AFTER);
  const ended = new JobMemory(openStore(Deno, { modelsDir }), world.api.triggerUrl).find();
  assert.equal(ended, undefined);
  // Whoever paid for a job wrote it down first.
  if (seen["BTC/rf.onnx"] === "one") {
    assert.ok(paidFor === 1 || remembered !== undefined, "a job was forgotten");
  }
  return steps;
}

Deno.test("a pull from RunPod killed before every odd step leaves a whole release, and no job is paid for twice in silence", async () => {
  const steps = await killed(0);
  assert.ok(steps !== undefined && steps > 20 && steps < STEPS_MAX, `the pull took ${steps} steps`);
  let next = 1;
  const worker = async () => {
    for (let killAt = next; killAt <= steps; killAt = next) {
      next += 2;
      try {
        await killed(killAt);
      } catch (error) {
        throw new Error(`after the pull was killed before step ${killAt} of ${steps}`, { cause: error });
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
});
