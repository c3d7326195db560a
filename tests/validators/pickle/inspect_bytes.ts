import assert from "node:assert/strict";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { inspectPickle } from "../../../lib/validators/pickle/inspect_pickle.ts";
import { stagedFile } from "../../helpers/model_files.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

/** Inspects a file of these bytes. @returns whether it contains a pickle */
export async function inspectBytes(
  content: Uint8Array,
  name: string,
  patterns: readonly string[] = [],
): Promise<boolean> {
  using dir = tempDir();
  return await inspectPickle(testContext(), stagedFile(dir.path, name, content), { patterns });
}

/** Asserts that a file of these bytes is refused with this message under each of the names. */
export async function refusesBytes(
  content: Uint8Array,
  expected: RegExp,
  names: readonly string[] = ANY_NAMES,
): Promise<void> {
  for (const name of names) {
    await assert.rejects(() => inspectBytes(content, name), (error: unknown) => {
      assert.ok(error instanceof InvalidModelError, `${name}: ${String(error)}`);
      assert.match(error.message, expected, name);
      return true;
    });
  }
}

/** Names under which programs load files by their content. */
export const ANY_NAMES = ["m.pkl", "m.joblib", "weights.bin", "m.dat", "model", "model.onnx", "notes.txt"];
