import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { replaceFile } from "../core/replace_file.ts";
import { tryInProcess } from "../validators/onnx/onnx_process.ts";
import { type Check, pass } from "./check.ts";

/** The answer takes milliseconds, seconds on a busy small server. */
const ANSWER_TIMEOUT_MS = 60_000;

/** An empty file is refused before a model could need more. */
const MEMORY_BYTES = 256 * 1024 * 1024;

/**
 * Checks that ONNX Runtime starts: its package is installed and its process may run. The runtime refuses an empty file
 * as a model; an answer is enough.
 *
 * @throws {FailedError} code `ONNX_RUNTIME`
 */
export async function checkOnnxRuntime(context: Context, scratch: string): Promise<Check> {
  const location = join(scratch, "empty.onnx");
  replaceFile(context.fs, location, "");
  await tryInProcess(context, {
    model: { location, external: [] },
    vectors: { kind: "given", vectors: [] },
    isFirst: true,
    limits: { totalVariation: 0, klDivergence: 0 },
    eagerMs: 0,
    vectorsMs: 0,
    memoryBytes: MEMORY_BYTES,
  }, ANSWER_TIMEOUT_MS);
  return pass("ONNX Runtime", "starts");
}
