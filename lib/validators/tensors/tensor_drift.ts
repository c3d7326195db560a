import type { Context } from "../../core/context.ts";
import type { FileSystem } from "../../core/files.ts";
import { quote } from "../../core/quote.ts";
import type { DriftSetting } from "../../config/choices.ts";
import type { ModelFile } from "../checker.ts";
import { FormatProblem, InvalidModelError, orProblem } from "../invalid_model.ts";

/** The most tensors that are read of a file: five times those of the largest model that was published as one. */
export const TENSORS_MAX = 500_000;

/** The tensors of a file: for each name its type and shape, `F32 [768, 3072]`. */
export type Tensors = ReadonlyMap<string, string>;

/** More differences than this are one difference: another model. */
const NAMED_MAX = 5;

/**
 * How the tensors of a file differ from those of the file before it; nothing where they do not.
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

/** A format whose header lists the tensors of a file. */
export interface TensorFormat {
  /** As errors call it: `GGUF`. */
  readonly name: string;
  /** The key of the configuration that decides about drift, below `activation.validate`. */
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
    throw new InvalidModelError(file.path, `it is not whole ${name}: ${tensors.message}`);
  }
  if (active === undefined || policy === "ignore") return;
  const before = orProblem(() => readTensors(context.fs, active));
  // What was activated without being looked at says nothing about what may come.
  if (before instanceof FormatProblem) return;
  reportDrift(context, file, compareTensors(before, tensors), { policy, setting });
}

/**
 * Tells how a file differs from the active release's.
 *
 * @param setting the key that decides, for the hint
 * @throws {InvalidModelError} under the policy `refuse`, if it does
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
  const problem = `its tensors are not those of the active release: ${named}${more}`;
  if (policy === "refuse") {
    throw new InvalidModelError(file.path, problem, {
      hint: `if that is meant, set activation.validate.${setting} to warn; the active release is untouched`,
    });
  }
  context.log.warn(`${file.path}: ${problem}`);
}
