import type { Context } from "../../core/context.ts";
import type { FileSystem } from "../../core/files.ts";
import { quote } from "../../core/quote.ts";
import type { DriftSetting } from "../../config/choices.ts";
import type { ModelFile } from "../checker.ts";
import { FormatProblem, InvalidModelError, orProblem } from "../invalid_model.ts";
import { readActive } from "../read_active.ts";

/** The most tensors in a file: five times as many as in the largest model known in one file. */
export const TENSORS_MAX = 500_000;

/** The type and shape of each tensor of a file by its name: `F32 [768, 3072]`. */
export type Tensors = ReadonlyMap<string, string>;

/** More differences mean that it is another model. */
const NAMED_MAX = 5;

/**
 * Returns the differences between the tensors of two files, a text each.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { compareTensors } from "./tensor_drift.ts";
 * const before = new Map([["w", "F32 [2, 2]"], ["b", "F32 [2]"]]);
 * assert.deepEqual(compareTensors(before, new Map([["w", "F32 [2, 3]"], ["c", "F32 [2]"]])), [
 *   '"w" is F32 [2, 3], was F32 [2, 2]',
 *   '"c" (F32 [2]) is new',
 *   '"b" (F32 [2]) is missing',
 * ]);
 * ```
 */
export function compareTensors(before: Tensors, after: Tensors): string[] {
  const differences: string[] = [];
  for (const [name, kind] of after) {
    const was = before.get(name);
    if (was === undefined) differences.push(`${quote(name)} (${kind}) is new`);
    else if (was !== kind) differences.push(`${quote(name)} is ${kind}, was ${was}`);
  }
  for (const [name, kind] of before) {
    if (!after.has(name)) differences.push(`${quote(name)} (${kind}) is missing`);
  }
  return differences;
}

/** A file format whose header lists the tensors. */
export interface TensorFormat {
  /** Its name in errors: `GGUF`. */
  readonly name: string;
  /** The setting for drift below `activation.validate`. */
  readonly setting: string;
  /** Checks a header and lists its tensors. @throws {FormatProblem} */
  readonly readTensors: (fs: FileSystem, file: ModelFile) => Tensors;
}

/**
 * Checks the header of a file, and its tensors against those of the active release. The tensors' bytes are not read.
 *
 * @param active the file of the same path in the active release
 * @throws {InvalidModelError}
 */
export function inspectTensors(
  context: Context,
  { name, setting, readTensors }: TensorFormat,
  file: ModelFile,
  active: ModelFile | undefined,
  policy: DriftSetting,
): void {
  const tensors = orProblem(() => readTensors(context.fs, file));
  if (tensors instanceof FormatProblem) {
    throw new InvalidModelError(file.path, `it is not a valid ${name} file: ${tensors.message}`);
  }
  if (active === undefined || policy === "ignore") return;
  const before = readActive(context, active, () => readTensors(context.fs, active));
  if (before === undefined) return;
  reportDrift(context, file, compareTensors(before, tensors), { policy, setting });
}

/**
 * Logs the differences, or refuses the file for them.
 *
 * @param setting the setting that the hint names
 * @throws {InvalidModelError} under the policy `refuse`
 */
function reportDrift(
  context: Context,
  file: ModelFile,
  differences: readonly string[],
  { policy, setting }: { readonly policy: DriftSetting; readonly setting: string },
): void {
  if (policy === "ignore" || differences.length === 0) return;
  const named = differences.slice(0, NAMED_MAX).join("; ");
  const more = differences.length > NAMED_MAX ? `; and ${differences.length - NAMED_MAX} more` : "";
  const problem = `its tensors differ from those of the active release: ${named}${more}`;
  if (policy === "refuse") {
    throw new InvalidModelError(file.path, problem, {
      hint:
        `if that is intended, set activation.validate.${setting} to warn; the active release is untouched`,
    });
  }
  context.log.warn(`${file.path}: ${problem}`);
}
