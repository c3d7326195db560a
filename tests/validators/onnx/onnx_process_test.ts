import assert from "node:assert/strict";
import { join } from "node:path";
import { FailedError } from "../../../lib/core/errors.ts";
import type { SpawnProcess } from "../../../lib/core/subprocess.ts";
import { tryInProcess } from "../../../lib/validators/onnx/onnx_process.ts";
import type { TryRequest } from "../../../lib/validators/onnx/try_protocol.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { PROJECT } from "../../helpers/run_cli.ts";
import { classifier, endless } from "../../helpers/onnx_bytes.ts";
import { tempDir, writeFiles } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

/** The permissions to validate ONNX models: read for the models and the runtime, run for Deno itself. */
const PERMISSIONS = ["--allow-read", "--allow-run", "--no-prompt"];

const PROGRAM = join(PROJECT, "tests/validators/onnx/inspecting_program.ts");

function modelsIn(dir: string): string[] {
  writeFiles(dir, {
    "good.onnx": classifier([[1, 2], [3, 4]]),
    "broken.onnx": classifier([[NaN, 2], [3, 4]]),
    "endless.onnx": endless(),
  });
  return ["good.onnx", "broken.onnx", "endless.onnx"].map((name) => join(dir, name));
}

Deno.test("models are tried with permissions to read and to run only", () => {
  using dir = tempDir();
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      ...PERMISSIONS,
      "--config",
      join(PROJECT, "deno.json"),
      PROGRAM,
      ...modelsIn(dir.path),
    ],
    cwd: dir.path,
    stdin: "null",
  }).outputSync();
  assert.match(
    new TextDecoder().decode(stdout),
    /8 sanity vectors computed\nwarn .*its output "probabilities" is NaN.*\n.*computed\n.*did not load and compute it within 12 s\n$/,
  );
});

const MINUTE_MS = 60_000;

const REQUEST: TryRequest = {
  model: { location: "models/a.onnx", external: [] },
  vectors: { kind: "given", vectors: [] },
  isFirst: true,
  limits: { totalVariation: 0.2, klDivergence: 0.25 },
  eagerMs: 0,
  vectorsMs: 0,
  memoryBytes: 0,
};

/** Tries a model with 200 generated vectors against a slightly different active one. */
async function tryDrifted(dir: string, changes: Partial<TryRequest>) {
  writeFiles(dir, { "a.onnx": classifier([[1, 2], [3, 4]]), "b.onnx": classifier([[1.1, 2], [3, 4.1]]) });
  const inputs = [{ name: "features", type: "float32", dims: [1, 2] }];
  const trial = await tryInProcess(testContext(), {
    ...REQUEST,
    model: { location: join(dir, "b.onnx"), external: [] },
    active: { location: join(dir, "a.onnx"), external: [] },
    vectors: { kind: "made", count: 200, inputs, isGuess: false },
    isFirst: false,
    vectorsMs: MINUTE_MS,
    memoryBytes: 1024 ** 3,
    ...changes,
  }, MINUTE_MS);
  assert.ok(trial.outcome === "ran");
  assert.equal(trial.drifts.length, 1);
  return trial;
}

Deno.test("a small drift is decided by few vectors, and one near its limit by all of them", async () => {
  using dir = tempDir();
  const clear = await tryDrifted(dir.path, {});
  assert.deepEqual([clear.vectors, clear.isEarly], [24, true]);
  const limits = { totalVariation: clear.drifts[0]?.totalVariation ?? 0, klDivergence: 1 };
  const near = await tryDrifted(dir.path, { limits });
  assert.deepEqual([near.vectors, near.isEarly], [200, false]);
});

Deno.test("while vectors cost little time, and of the user's own vectors, all are computed", async () => {
  using dir = tempDir();
  const cheap = await tryDrifted(dir.path, { eagerMs: MINUTE_MS });
  assert.deepEqual([cheap.vectors, cheap.isEarly], [200, false]);
  const feed = { name: "features", type: "float32", dims: [1, 2], data: [1, 2] };
  const vectors = Array.from({ length: 30 }, () => [feed]);
  const own = await tryDrifted(dir.path, { vectors: { kind: "given", vectors } });
  assert.deepEqual([own.vectors, own.isEarly], [30, false]);
});

/** Starts a program that says that it started when the time has passed, and then never answers. */
function startingAfter(durationMs: number, clock: FakeClock): SpawnProcess {
  return ({ timeoutMs, signal }) => {
    async function* run(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      clock.advance(Math.min(durationMs, timeoutMs));
      if (durationMs > timeoutMs) throw new FailedError("Cannot wait for ONNX Runtime", { code: "TIMEOUT" });
      signal.throwIfAborted();
      yield new TextEncoder().encode("started\n");
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      clock.advance(MINUTE_MS);
      await aborted;
      signal.throwIfAborted();
    }
    return { stdout: run(), exit: Promise.resolve({ code: 0, stderr: "" }) };
  };
}

Deno.test("a slow start of ONNX Runtime, such as its first download, does not count as the model's time", async () => {
  const clock = new FakeClock("2026-11-30T00:00:00Z");
  const context = testContext({ clock, spawn: startingAfter(5 * MINUTE_MS, clock) });
  assert.deepEqual(await tryInProcess(context, REQUEST, MINUTE_MS), { outcome: "too slow" });
});

Deno.test("a start of ONNX Runtime that never ends is not the model's fault", async () => {
  const clock = new FakeClock("2026-11-30T00:00:00Z");
  const context = testContext({ clock, spawn: startingAfter(60 * MINUTE_MS, clock) });
  await assert.rejects(
    tryInProcess(context, REQUEST, MINUTE_MS),
    /^FailedError: Cannot start ONNX Runtime: it did not start within 10 min$/,
  );
});
