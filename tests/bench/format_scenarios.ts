import { join } from "node:path";
import { Validate } from "../../lib/config/sections/validate.ts";
import type { ModelFile } from "../../lib/validators/model_file.ts";
import { validateRelease } from "../../lib/validators/validate_release.ts";
import { testContext } from "../helpers/test_context.ts";
import { type MadeTensor, safetensorsBytes, safetensorsHeader } from "../helpers/model_files.ts";
import type { Result } from "./bench.ts";
import { median } from "./measure.ts";
import { MIB } from "./world.ts";

const ROUNDS = 5;

/** As published models are cut, with as many tensors. */
const FILES = 5;
const FILE_MIB = 100;
const TENSORS = 400;

/** Validating a set of safetensors whose bytes were verified before, against an active one in which all is different. */
export async function validateSafetensors(dir: string): Promise<Result[]> {
  const [files, active] = [makeSet(join(dir, "new"), "1"), makeSet(join(dir, "active"), "0")];
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await validateRelease(testContext(), {
      files,
      dir: join(dir, "new"),
      digest: "sha256:1",
      createdAt: new Date().toISOString(),
      active: { dir: join(dir, "active"), files: active },
      settings: Validate.parse({}),
    });
    times.push(performance.now() - start);
  }
  const worst = Math.max(...times);
  return [{
    what: `validate safetensors of ${FILES * FILE_MIB} MiB: ${FILES} files, ${FILES * TENSORS} tensors`,
    ours: `${median(times).toFixed(0)} ms, the first time ${worst.toFixed(0)} ms`,
    theirs: "",
    ratio: "",
    wanted: "under 200 ms",
    kept: worst < 200,
  }];
}

/** Files of the right size, whose tensors are holes: they are not to be read. */
function makeSet(dir: string, generation: string): ModelFile[] {
  Deno.mkdirSync(dir);
  const bytes = FILE_MIB * MIB / TENSORS;
  return Array.from({ length: FILES }, (_, index) => {
    const path = `model-${index}.safetensors`;
    const tensors = Array.from({ length: TENSORS }, (_, layer): [string, MadeTensor] => [
      `encoder.layers.${index}.${layer}.self_attention.query.weight`,
      ["U8", [bytes], bytes],
    ]);
    const head = safetensorsBytes(safetensorsHeader(Object.fromEntries(tensors)), 0);
    const location = join(dir, path);
    const size = head.length + FILE_MIB * MIB;
    Deno.writeFileSync(location, head);
    Deno.truncateSync(location, size);
    return { path, location, size, sha256: generation.repeat(64) };
  });
}
