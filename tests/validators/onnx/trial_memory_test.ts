import assert from "node:assert/strict";
import type { Trial } from "../../../lib/validators/onnx/onnx_process.ts";
import { TRIAL_BYTES_MAX, TrialMemory } from "../../../lib/validators/onnx/trial_memory.ts";

const MIB = 1024 ** 2;

function ran(isShortOfMemory = false): Trial {
  return {
    outcome: "ran",
    vectors: 8,
    isEarly: false,
    isShortOfMemory,
    drifts: [],
    unjudged: [],
    notes: [],
  };
}

/** Runs trials of models at once. @returns their limits, in the order of their ends, and the largest sum at any time */
async function runAll(trialsMax: number, modelBytes: readonly number[]) {
  const memory = new TrialMemory(trialsMax);
  const limits: number[] = [];
  let bytes = 0;
  let bytesMax = 0;
  await Promise.all(modelBytes.map((size) =>
    memory.run(size, async (limit) => {
      bytes += limit;
      bytesMax = Math.max(bytesMax, bytes);
      await Promise.resolve();
      bytes -= limit;
      limits.push(limit);
      return ran();
    })
  ));
  return { limits, bytesMax };
}

Deno.test("concurrent trials share 4 GiB of memory, whatever their number and the size of their models", async () => {
  assert.deepEqual(await runAll(8, Array.from({ length: 8 }, () => 20 * MIB)), {
    limits: Array.from({ length: 8 }, () => 512 * MIB),
    bytesMax: 4096 * MIB,
  });
  const mixed = await runAll(8, [400, 10, 400, 10, 200, 400].map((size) => size * MIB));
  assert.deepEqual(mixed.limits.toSorted((a, b) => a - b).map((limit) => limit / MIB), [
    512,
    512,
    800,
    1600,
    1600,
    1600,
  ]);
  assert.ok(mixed.bytesMax <= 4096 * MIB);
  // On two cores, each trial has all that a trial may have.
  assert.deepEqual((await runAll(2, [MIB, MIB])).limits, [TRIAL_BYTES_MAX, TRIAL_BYTES_MAX]);
});

Deno.test("a model that is short of memory is tried again with the limit for one trial, and only once", async () => {
  const short: Trial = { outcome: "refused", step: "load", problem: "bad_alloc", isShortOfMemory: true };
  for (const first of [short, ran(true)]) {
    const limits: number[] = [];
    const trial = await new TrialMemory(16).run(MIB, (limit) => {
      limits.push(limit);
      return Promise.resolve(limits.length === 1 ? first : short);
    });
    assert.deepEqual(limits, [256 * MIB, TRIAL_BYTES_MAX]);
    assert.equal(trial, short);
  }
  let trials = 0;
  await new TrialMemory(2).run(MIB, () => Promise.resolve(trials++ === 0 ? short : ran()));
  assert.equal(trials, 1);
});
