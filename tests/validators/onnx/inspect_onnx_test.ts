import assert from "node:assert/strict";
import fc from "fast-check";
import type { Context } from "../../../lib/core/context.ts";
import { FailedError, InterruptedError, UsageError } from "../../../lib/core/errors.ts";
import type { SpawnProcess } from "../../../lib/core/subprocess.ts";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import type { ModelFile } from "../../../lib/validators/checker.ts";
import { inspectOnnx } from "../../../lib/validators/onnx/inspect_onnx.ts";
import type { OnnxSettings } from "../../../lib/validators/onnx/inspect_onnx.ts";
import { TrialMemory } from "../../../lib/validators/onnx/trial_memory.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { modelFiles } from "../../helpers/model_files.ts";
import {
  BOOL,
  type Bytes,
  classifier,
  endless,
  externalTensor,
  FLOAT,
  FLOAT16,
  floats,
  initializer,
  input,
  INT64,
  int64s,
  joined,
  message,
  model,
  node,
  number,
  output,
  STRING,
  text,
} from "../../helpers/onnx_bytes.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../../helpers/test_context.ts";

const SETTINGS: OnnxSettings = {
  sanity_vectors: 20,
  max_total_variation: 0.2,
  max_kl_divergence: 0.25,
  timeout_seconds: 60,
  structure_only: [],
  expect: [],
};

type Release = Readonly<Record<string, string | Uint8Array>>;

/** Inspects `m.onnx` of one release against that of another. @returns the log */
async function inspect(
  release: Bytes | Release,
  active?: Bytes | Release,
  settings: Partial<OnnxSettings> = {},
  replaced: Partial<Context> = {},
): Promise<readonly string[]> {
  using dir = tempDir();
  const context = testContext(replaced);
  const folder = written(`${dir.path}/new`, release);
  const before = active === undefined ? undefined : written(`${dir.path}/active`, active);
  await inspectOnnx(context, folder.file, {
    folder,
    active: before && { ...before, hasPassed: true },
    settings: { ...SETTINGS, ...settings },
    memory: new TrialMemory(2),
  });
  return context.log.lines;
}

function written(root: string, release: Bytes | Release) {
  const files = modelFiles(root, release instanceof Uint8Array ? { "m.onnx": release } : release);
  const file = files.find(({ path }) => path === "m.onnx");
  assert.ok(file !== undefined);
  return { file, files };
}

async function refused(inspection: Promise<unknown>, problem: RegExp): Promise<void> {
  await assert.rejects(inspection, (error: unknown) => {
    assert.ok(error instanceof InvalidModelError, String(error));
    assert.match(error.message, /^Cannot activate m\.onnx: /);
    assert.match(error.message, problem);
    return true;
  });
}

const noProcess: SpawnProcess = () => assert.fail("a model was loaded");

const WEIGHTS = [[1, 2, 3], [0, 1, -1]];
const GOOD = classifier(WEIGHTS);

Deno.test("a model that loads and computes is accepted, alone and with outputs near the active model's", async () => {
  assert.deepEqual(await inspect(GOOD), ["debug m.onnx loads in ONNX Runtime; 8 sanity vectors computed"]);
  const near = classifier([[1.1, 2, 3], [0, 1, -1]]);
  assert.deepEqual(await inspect(near, GOOD), [
    "debug m.onnx loads in ONNX Runtime; 20 sanity vectors computed",
  ]);
});

Deno.test("a model that is identical to the active one is not loaded", async () => {
  const lines = await inspect(GOOD, GOOD, {}, { spawn: noProcess });
  assert.deepEqual(lines, ["debug m.onnx is identical to the active model: not loaded again"]);
});

Deno.test("a model that consumers cannot feed is refused before it is loaded, unless its signature is expected", async () => {
  const wider = classifier([...WEIGHTS, [1, 1, 1]]);
  await refused(
    inspect(wider, GOOD, {}, { spawn: noProcess }),
    /its input "features" is float32\[batch,3\], the active model's is float32\[batch,2\]$/,
  );
  const expect = [{ path: "*.onnx", inputs: [{ name: "features", type: "float32", shape: [null, 3] }] }];
  // The active model cannot compute vectors of the new width, so there is nothing to compare.
  assert.match((await inspect(wider, GOOD, { expect })).join("\n"), /20 sanity vectors computed/);
  await refused(inspect(GOOD, GOOD, { expect }, { spawn: noProcess }), /expected is float32\[\?,3\]$/);
});

Deno.test("a model that ONNX Runtime cannot load is refused with the runtime's reason", async () => {
  const unknown = model(
    node("Clairvoyance", ["x"], ["y"]),
    input("x", FLOAT, [1]),
    output("y", FLOAT, [1]),
  );
  await refused(inspect(unknown), /ONNX Runtime cannot load it: No Op registered for Clairvoyance/);
  const wrong = model(
    initializer("w", FLOAT, [2, 3], floats(1, 2, 3, 4, 5, 6)),
    node("MatMul", ["x", "w"], ["y"]),
    input("x", FLOAT, [1, 5]),
    output("y", FLOAT, [1, 3]),
  );
  await assert.rejects(inspect(wrong), { hint: /publish a corrected release/ });
});

const DOMAIN = 7;
const BFLOAT16 = 16;
const FLOAT8 = 17;

/** Models that other runtimes can load. */
const FOREIGN: Readonly<Record<string, readonly [Bytes, reason: RegExp]>> = {
  "an operator of a custom domain": [
    joined(
      model(
        node("Foo", ["x"], ["y"], text(DOMAIN, "my.domain")),
        input("x", FLOAT, [1]),
        output("y", FLOAT, [1]),
      ),
      message(8, text(1, "my.domain"), number(2, 1)),
    ),
    /my\.domain:Foo/,
  ],
  "an operator that is unknown": [
    model(node("Clairvoyance", ["x"], ["y"]), input("x", FLOAT, [1]), output("y", FLOAT, [1])),
    /No Op registered/,
  ],
  "bfloat16": [
    model(node("Add", ["x", "x"], ["y"]), input("x", BFLOAT16, [1]), output("y", BFLOAT16, [1])),
    /Could not find an implementation for Add/,
  ],
  "float8": [
    model(node("Add", ["x", "x"], ["y"]), input("x", FLOAT8, [1]), output("y", FLOAT8, [1])),
    /tensor\(float8e4m3fn\)/,
  ],
  "float8 that no operator computes with": [
    joined(
      number(1, 9),
      model(node("Identity", ["x"], ["y"]), input("x", FLOAT8, [1]), output("y", FLOAT8, [1])),
      message(8, text(1, ""), number(2, 19)),
    ),
    /unsupported data type: 17/,
  ],
  "a later operator set": [
    joined(
      number(1, 8),
      model(node("Abs", ["x"], ["y"]), input("x", FLOAT, [1]), output("y", FLOAT, [1])),
      message(8, text(1, ""), number(2, 99)),
    ),
    /load it: ONNX Runtime only \*guarantees\* support/,
  ],
};

for (const [what, [foreign, reason]] of Object.entries(FOREIGN)) {
  Deno.test(`a model with ${what} is refused, and passes if structure_only lists it`, async () => {
    await assert.rejects(inspect(foreign), {
      name: "InvalidModelError",
      message: reason,
      hint: /list it in activation\.validate\.onnx\.structure_only/,
    });
    const lines = await inspect(foreign, undefined, { structure_only: ["m.*"] }, { spawn: noProcess });
    assert.deepEqual(lines, [
      "info m.onnx: only its structure was checked (activation.validate.onnx.structure_only)",
    ]);
  });
}

Deno.test("a model in structure_only still has to be complete and to have the active model's signature", async () => {
  const only = { structure_only: ["*.onnx"] };
  await refused(inspect(GOOD.subarray(0, -5), undefined, only, { spawn: noProcess }), /m\.onnx: /);
  const wider = classifier([...WEIGHTS, [1, 1, 1]]);
  await refused(
    inspect(wider, GOOD, only, { spawn: noProcess }),
    /its input "features" is float32\[batch,3\]/,
  );
  await refused(
    inspect({ "m.onnx": outside(1, 2)["m.onnx"] ?? "" }, undefined, only, { spawn: noProcess }),
    /w\.bin/,
  );
  const others = await inspect(GOOD, undefined, { structure_only: ["other/*"] });
  assert.match(others.join("\n"), /loads in ONNX Runtime/);
});

const GOOD_VALUE = model(node("Abs", ["x"], ["y"]), input("x", FLOAT, [1]), output("y", FLOAT, [1]));

Deno.test("a model whose outputs are not finite is refused", async () => {
  const broken = classifier([[NaN, 2, 3], [0, 1, -1]]);
  await refused(inspect(broken, GOOD), /its output "probabilities" is NaN for sanity vector 1, expected a/);
  const infinite = model(
    initializer("zero", FLOAT, [1], floats(0)),
    node("Div", ["x", "zero"], ["y"]),
    input("x", FLOAT, [1]),
    output("y", FLOAT, [1]),
  );
  await refused(inspect(infinite, GOOD_VALUE), /its output "y" is -?Infinity for sanity vector 1/);
});

Deno.test("without an active model, NaN for random inputs is a warning, once for each output", async () => {
  const log = model(node("Log", ["x"], ["y"]), input("x", FLOAT, [1]), output("y", FLOAT, [1]));
  const lines = await inspect(log);
  assert.deepEqual(lines.map((line) => line.replace(/vector \d/, "vector N")), [
    'warn m.onnx: its output "y" is NaN for sanity vector N, expected a finite number; a random input may not suit the model',
    "debug m.onnx loads in ONNX Runtime; 8 sanity vectors computed",
  ]);
  using dir = tempDir();
  const vectors = `${dir.path}/vectors.json`;
  Deno.writeTextFileSync(vectors, "[[1], [-1]]");
  await refused(
    inspect(log, undefined, { sanity_vectors: vectors }),
    /its output "y" is NaN for sanity vector 2/,
  );
  // An active model that cannot be compared still counts as an active model.
  await refused(inspect(log, new Uint8Array([1])), /its output "y" is NaN/);
});

Deno.test("without an active model at most 8 vectors are computed, or fewer if configured", async () => {
  for (const [wanted, made] of [[200, 8], [3, 3]] as const) {
    const lines = await inspect(GOOD, undefined, { sanity_vectors: wanted });
    assert.match(lines.join("\n"), new RegExp(` ${made} sanity vectors computed$`));
  }
});

Deno.test("a vector for which the active model gives NaN, too, is ignored", async () => {
  const log = (base: number) =>
    model(
      initializer("scale", FLOAT, [1], floats(base)),
      node("Log", ["x"], ["ln"]),
      node("Mul", ["ln", "scale"], ["y"]),
      input("x", FLOAT, [1]),
      output("y", FLOAT, [1]),
    );
  await refused(inspect(log(1), GOOD_VALUE), /its output "y" is NaN/);
  assert.match((await inspect(log(2), log(1))).join("\n"), /20 sanity vectors computed/);
});

Deno.test("a model whose outputs drift from the active model's beyond the limits is refused", async () => {
  const far = classifier([[-9, 2, 3], [0, 9, -1]]);
  await refused(
    inspect(far, GOOD),
    /output "probabilities" is too far from the active model's: total variation 0\.\d+, allowed 0\.2$/,
  );
  await refused(
    inspect(far, GOOD, { max_total_variation: 1 }),
    /output "probabilities" is too far from the active model's: KL divergence \d.*, allowed 0\.25$/,
  );
  await inspect(far, GOOD, { max_total_variation: 1, max_kl_divergence: 100 });
  await inspect(far, GOOD, { sanity_vectors: 0 });
});

Deno.test("a classifier that lost its softmax is refused; drift of other outputs is not judged", async () => {
  const linear = (...weights: number[]) =>
    model(
      node("MatMul", ["features", "w"], ["probabilities"]),
      initializer("w", FLOAT, [2, 3], floats(...weights)),
      input("features", FLOAT, ["batch", 2]),
      output("probabilities", FLOAT, ["batch", 3]),
    );
  await refused(
    inspect(linear(1, 2, 3, 4, 5, 6), GOOD),
    /"probabilities" is not a distribution: a row sums to/,
  );
  const lines = await inspect(linear(1, 2, 3, 4, 5, 6), linear(6, 5, 4, 3, 2, 1));
  assert.match(lines.join("\n"), /info m\.onnx: drift of its output "probabilities" is not judged/);
});

Deno.test("a model that computes forever is killed after the time limit", async () => {
  const startedMs = performance.now();
  await refused(
    inspect(endless(), undefined, { timeout_seconds: 3 }),
    /did not load and compute it within 3 s/,
  );
  assert.ok(performance.now() - startedMs < 10_000);
});

Deno.test("an interrupted run does not wait for a model", async () => {
  const stop = new AbortController();
  const spawn: SpawnProcess = (request) => {
    const process = isolatedSpawn(request);
    queueMicrotask(() => stop.abort(new InterruptedError("Stopped", { code: "INTERRUPTED" })));
    return process;
  };
  await assert.rejects(inspect(endless(), undefined, {}, { spawn, signal: stop.signal }), InterruptedError);
});

/** A model that needs eight bytes for each of so many numbers. */
function greedy(numbers: bigint): Bytes {
  return model(
    initializer("count", INT64, [1], int64s(numbers)),
    node("ConstantOfShape", ["count"], ["zeros"]),
    node("Add", ["zeros", "x"], ["large"]),
    node("ReduceSum", ["large"], ["y"]),
    input("x", FLOAT, [1]),
    output("y", FLOAT, [null]),
  );
}

Deno.test("a model that allocates all memory fails at the limit", async () => {
  await refused(inspect(greedy(800_000_000n)), /ONNX Runtime cannot (load|compute) .*bad_alloc/);
});

Deno.test("a model that needs more than its share of the memory is tried again alone, and passes", async () => {
  using dir = tempDir();
  let processes = 0;
  const spawn: SpawnProcess = (request) => {
    processes += 1;
    return isolatedSpawn(request);
  };
  const context = testContext({ spawn });
  const folder = written(dir.path, greedy(36_000_000n));
  const settings = { ...SETTINGS, sanity_vectors: 1 };
  // With 16 trials at once, each has 256 MiB.
  const memory = new TrialMemory(16);
  await inspectOnnx(context, folder.file, { folder, active: undefined, settings, memory });
  assert.equal(processes, 2);
  assert.deepEqual(context.log.lines, ["debug m.onnx loads in ONNX Runtime; 1 sanity vectors computed"]);
});

function outside(...weights: number[]): Release {
  return {
    "m.onnx": model(
      node("Mul", ["x", "w"], ["logits"]),
      node("Softmax", ["logits"], ["y"]),
      externalTensor(5, "w", [2], { location: "w.bin", offset: "4", length: "8" }),
      input("x", FLOAT, [1, 2]),
      output("y", FLOAT, [1, 2]),
    ),
    "w.bin": new Uint8Array(floats(NaN, ...weights).buffer),
  };
}

Deno.test("external tensors are loaded, and a change of them is a change of the model", async () => {
  assert.match((await inspect(outside(1, 2))).join("\n"), /8 sanity vectors computed/);
  await refused(inspect(outside(NaN, 2), outside(1, 2)), /its output "y" is NaN/);
  await refused(inspect(outside(90, -90), outside(1, 2)), /its output "y" is too far/);
  await inspect(outside(1, 2), outside(1, 2), {}, { spawn: noProcess });
});

Deno.test("inputs of every numeric type are fed", async () => {
  const [UINT8, INT8, UINT16, INT16, INT32, DOUBLE, UINT32, UINT64] = [2, 3, 4, 5, 6, 11, 12, 13] as const;
  const types = [FLOAT, UINT8, INT8, UINT16, INT16, INT32, INT64, BOOL, FLOAT16, DOUBLE, UINT32, UINT64];
  const sum = model(
    ...types.map((type) => node("Cast", [`x${type}`], [`f${type}`], cast(FLOAT))),
    node("Sum", types.map((type) => `f${type}`), ["y"]),
    node("Cast", ["y"], ["h"], cast(FLOAT16)),
    ...types.map((type) => input(`x${type}`, type, [1])),
    output("y", FLOAT, [1]),
    output("h", FLOAT16, [1]),
  );
  assert.deepEqual(await inspect(sum), ["debug m.onnx loads in ONNX Runtime; 8 sanity vectors computed"]);
});

function cast(to: number): Bytes {
  return message(5, text(1, "to"), number(3, to), number(20, 2));
}

Deno.test("a half-precision output that is not finite is refused", async () => {
  const half = (divisor: number) =>
    model(
      initializer("divisor", FLOAT, [1], floats(divisor)),
      node("Div", ["x", "divisor"], ["z"]),
      node("Cast", ["z"], ["h"], cast(FLOAT16)),
      input("x", FLOAT, [1]),
      output("h", FLOAT16, [1]),
    );
  await refused(inspect(half(0), half(1)), /its output "h" is -?Infinity/);
});

Deno.test("inputs of strings are fed only from the user's own vectors", async () => {
  const texts = model(
    node("Identity", ["word"], ["y"]),
    input("word", STRING, [1]),
    output("y", STRING, [1]),
  );
  const lines = await inspect(texts);
  assert.match(
    lines.join("\n"),
    /warn m\.onnx: no vectors were computed, because its input "word" is string\[1\]/,
  );
  using dir = tempDir();
  Deno.writeTextFileSync(`${dir.path}/v.json`, JSON.stringify([{ word: ["up"] }, ["down"]]));
  assert.match(
    (await inspect(texts, undefined, { sanity_vectors: `${dir.path}/v.json` })).join("\n"),
    /2 sanity vectors computed/,
  );
});

Deno.test("the maps that scikit-learn's classifiers return are ignored", async () => {
  const labels = message(
    5,
    text(1, "classlabels_int64s"),
    number(8, 0),
    number(8, 1),
    number(8, 2),
    number(20, 7),
  );
  const map = message(5, number(1, INT64), message(2, message(1, number(1, FLOAT))));
  const zipped = model(
    node("MatMul", ["features", "w"], ["logits"]),
    node("Softmax", ["logits"], ["probabilities"]),
    node("ZipMap", ["probabilities"], ["scores"], text(7, "ai.onnx.ml"), labels),
    initializer("w", FLOAT, [2, 3], floats(...WEIGHTS.flat())),
    input("features", FLOAT, ["batch", 2]),
    output("probabilities", FLOAT, ["batch", 3]),
    message(12, text(1, "scores"), message(2, message(4, message(1, map)))),
  );
  assert.deepEqual(await inspect(zipped), ["debug m.onnx loads in ONNX Runtime; 8 sanity vectors computed"]);
});

Deno.test("random vectors that do not suit a model are ignored, the user's own refuse it", async () => {
  const gather = model(
    initializer("table", FLOAT, [1], floats(1)),
    node("Gather", ["table", "index"], ["y"]),
    input("index", INT64, ["count"]),
    output("y", FLOAT, ["count"]),
  );
  const lines = await inspect(gather);
  assert.match(
    lines.join("\n"),
    /warn m\.onnx: no vectors were computed, because it does not take random ones: /,
  );
  using dir = tempDir();
  const path = `${dir.path}/v.json`;
  Deno.writeTextFileSync(path, "[[0], [5]]");
  await refused(
    inspect(gather, undefined, { sanity_vectors: path }),
    /ONNX Runtime cannot compute sanity vector 2: /,
  );
});

Deno.test("the user's vectors may be objects, arrays, or flat arrays", async () => {
  using dir = tempDir();
  const path = `${dir.path}/v.json`;
  Deno.writeTextFileSync(path, JSON.stringify([{ features: [[1, 2], [3, 4]] }, [[1, 2]], [1, 2]]));
  assert.match(
    (await inspect(GOOD, undefined, { sanity_vectors: path })).join("\n"),
    /3 sanity vectors computed/,
  );
  for (const misfit of [[1, 2, 3], [[1], [2, 3]], { other: [[1, 2]] }, [["a", "b"]], [[1, null]], 7, null]) {
    Deno.writeTextFileSync(path, JSON.stringify([[1, 2], misfit]));
    await refused(
      inspect(GOOD, undefined, { sanity_vectors: path }, { spawn: noProcess }),
      /vector 2 of .*v\.json does not fit its input "features", float32\[batch,2\]$/,
    );
  }
});

Deno.test("an unreadable file of vectors is a configuration error", async () => {
  using dir = tempDir();
  const path = `${dir.path}/v.json`;
  const inspection = () => inspect(GOOD, undefined, { sanity_vectors: path }, { spawn: noProcess });
  await assert.rejects(inspection(), { name: UsageError.name, message: /the file does not exist/ });
  Deno.writeTextFileSync(path, "{");
  await assert.rejects(inspection(), { name: UsageError.name, message: /it is not JSON/ });
  Deno.writeTextFileSync(path, "[]");
  await assert.rejects(inspection(), {
    name: UsageError.name,
    message: /it does not hold a list of vectors/,
  });
});

Deno.test("a slow model is judged by the vectors that fit the time limit", async () => {
  const near = classifier([[1.1, 2, 3], [0, 1, -1]]);
  // The clock of the limit stands still: on a loaded machine, the process may take longer than its time for vectors.
  const clock = new FakeClock("2026-11-30T00:00:00Z");
  const lines = await inspect(near, GOOD, { sanity_vectors: 5_000_000, timeout_seconds: 0.1 }, { clock });
  assert.match(lines.join("\n"), /warn m\.onnx: \d+ of 5000000 vectors were computed in time/);
});

Deno.test("a model whose vectors would fill the memory is loaded without one, with a warning", async () => {
  const sizes = [100_000, 100_000];
  const huge = model(node("Identity", ["x"], ["y"]), input("x", FLOAT, sizes), output("y", FLOAT, sizes));
  assert.match(
    (await inspect(huge)).join("\n"),
    /warn m\.onnx: no vectors were computed, because one would be 10000000000 numbers, more than \d+/,
  );
});

Deno.test("a model too large to load is checked by its structure, with a warning", async () => {
  using dir = tempDir();
  const { file, files } = written(dir.path, outside(1, 2));
  const large = files.map((each): ModelFile => each === file ? each : { ...each, size: 600 * 1024 * 1024 });
  const context = testContext({ spawn: noProcess });
  await inspectOnnx(context, file, {
    folder: { files: large },
    active: undefined,
    settings: SETTINGS,
    memory: new TrialMemory(2),
  });
  assert.match(
    context.log.lines.join("\n"),
    /warn m\.onnx: only its structure was checked, .* bytes are not loaded; it is \d+ bytes/,
  );
});

Deno.test("an active file that is missing or not a model is not compared", async () => {
  const warning = /warn cannot compare with m\.onnx of the active release: /;
  assert.match((await inspect(GOOD, { "m.onnx": "old" })).join("\n"), warning);
  using dir = tempDir();
  const [folder, active] = [written(`${dir.path}/new`, GOOD), written(`${dir.path}/active`, GOOD)] as const;
  Deno.removeSync(active.file.location);
  const context = testContext();
  const memory = new TrialMemory(2);
  await inspectOnnx(context, folder.file, {
    folder,
    active: { ...active, hasPassed: true },
    settings: SETTINGS,
    memory,
  });
  assert.match(context.log.lines.join("\n"), warning);
  const unknown = model(
    node("Clairvoyance", ["features"], ["probabilities"]),
    input("features", FLOAT, ["batch", 2]),
    output("probabilities", FLOAT, ["batch", 3]),
  );
  assert.match(
    (await inspect(GOOD, unknown)).join("\n"),
    /cannot compare with the active model, which does not load/,
  );
});

Deno.test("a runtime that does not start is an error of the machine; one that crashes on a model refuses it", async () => {
  const instead = (code: string): SpawnProcess => (request) =>
    isolatedSpawn({ ...request, command: Deno.execPath(), args: ["eval", code] });
  await assert.rejects(inspect(GOOD, undefined, {}, { spawn: instead("Deno.exit(3)") }), {
    name: FailedError.name,
    message: "Cannot start ONNX Runtime: exit code 3",
  });
  const breaks = instead("console.log('started'); console.error('out of memory'); Deno.exit(134)");
  await refused(
    inspect(GOOD, undefined, {}, { spawn: breaks }),
    /ONNX Runtime crashed while trying it: out of memory$/,
  );
  const chatters = instead(
    "console.log('started'); for (let i = 0; i < 20; i++) console.log('x'.repeat(1e6))",
  );
  await refused(
    inspect(GOOD, undefined, {}, { spawn: chatters }),
    /ONNX Runtime crashed while trying it: it printed more than 16777216 characters$/,
  );
});

Deno.test("a model with flipped bits is accepted or refused, whatever ONNX Runtime does with it", async () => {
  const place = fc.nat(GOOD.length - 1);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(place, fc.nat(7)), { minLength: 1, maxLength: 3 }), async (flips) => {
      const content = GOOD.slice();
      for (const [at, bit] of flips) content[at] = (content[at] ?? 0) ^ (1 << bit);
      try {
        await inspect(content, undefined, { sanity_vectors: 2 });
      } catch (error) {
        assert.ok(error instanceof InvalidModelError, String(error));
      }
    }),
    { numRuns: 15 },
  );
});
