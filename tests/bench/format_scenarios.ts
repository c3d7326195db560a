import { join } from "node:path";
import { Validate } from "../../lib/config/sections/validate.ts";
import type { ModelFile } from "../../lib/validators/checker.ts";
import { validateRelease } from "../../lib/validators/validate_release.ts";
import { type MadeTensor, safetensorsBytes, safetensorsHeader } from "../helpers/model_files.ts";
import { testContext } from "../helpers/test_context.ts";
import { writeModel } from "./model_writer.ts";
import { median, MIB, ms, size } from "./units.ts";
import type { Workbench } from "./workbench.ts";

const ROUNDS = 5;

/** The number of tensors in published models. */
const FILES = 5;
const TENSORS = 400;

/** Validating verified safetensors against an active set in which every file differs. */
export async function validateSafetensors(bench: Workbench): Promise<void> {
  const bytes = bench.scale.bytes(100 * MIB);
  const [files, active] = ["new", "active"].map((name) => sparseSet(join(bench.dir, name), bytes));
  const times = await validateTimes(bench, join(bench.dir, "new"), files ?? [], {
    dir: join(bench.dir, "active"),
    files: active ?? [],
  });
  const worst = Math.max(...times);
  bench.report({
    what: `validate safetensors of ${size(FILES * bytes)}: ${FILES} files, ${FILES * TENSORS} tensors`,
    ours: `${ms(median(times))}, the first time ${ms(worst)}`,
    theirs: "",
    ratio: "",
    wanted: "under 200 ms",
    kept: worst < 200,
  });
}

/** Validating one ONNX model, which a separate process loads and tries. */
export async function validateOnnx(bench: Workbench): Promise<void> {
  const bytes = bench.scale.bytes(64 * MIB);
  const location = join(bench.dir, "model.onnx");
  await writeModel(location, bytes, bench.signal);
  const file = { path: "model.onnx", location, size: Deno.statSync(location).size, sha256: "1".repeat(64) };
  const times = await validateTimes(bench, bench.dir, [file]);
  bench.report({
    what: `validate a first ONNX model of ${size(bytes)}, with 8 inputs`,
    ours: ms(median(times)),
    theirs: "",
    ratio: "",
    wanted: "",
  });
}

async function validateTimes(
  bench: Workbench,
  dir: string,
  files: readonly ModelFile[],
  active?: { readonly dir: string; readonly files: readonly ModelFile[] },
): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < bench.scale.rounds(ROUNDS); round++) {
    const start = performance.now();
    await validateRelease(testContext({ signal: bench.signal }), {
      files,
      dir,
      digest: "sha256:1",
      createdAt: new Date().toISOString(),
      active,
      settings: Validate.parse({}),
    });
    times.push(performance.now() - start);
  }
  return times;
}

/** Files of a size whose tensors are sparse, because they are not read. */
function sparseSet(dir: string, bytes: number): ModelFile[] {
  Deno.mkdirSync(dir);
  const tensorBytes = Math.floor(bytes / TENSORS);
  const generation = dir.endsWith("new") ? "1" : "0";
  return Array.from({ length: FILES }, (_, index) => {
    const path = `model-${index}.safetensors`;
    const tensors = Array.from({ length: TENSORS }, (_, layer): [string, MadeTensor] => [
      `encoder.layers.${index}.${layer}.self_attention.query.weight`,
      ["U8", [tensorBytes], tensorBytes],
    ]);
    const head = safetensorsBytes(safetensorsHeader(Object.fromEntries(tensors)), 0);
    const location = join(dir, path);
    const size = head.length + TENSORS * tensorBytes;
    Deno.writeFileSync(location, head);
    Deno.truncateSync(location, size);
    return { path, location, size, sha256: generation.repeat(64) };
  });
}
