import { quote } from "../../core/quote.ts";
import { matchesAny } from "../../core/wildcards.ts";
import type { ExpectedSignature, ExpectedValue } from "./onnx_settings.ts";
import type { OnnxModel } from "./read_onnx.ts";
import { describeValue, type OnnxShape, type OnnxValue } from "./value_info.ts";

type Signature = Pick<OnnxModel, "inputs" | "outputs">;

/** What a model is compared with, and what errors call that. */
interface Wanted {
  readonly values: readonly ExpectedValue[];
  readonly owner: string;
}

/** The owner of what the configuration says. */
const EXPECTED = "expected";

/** A message with more names than these is not read. */
const NAMES_SHOWN_MAX = 10;

/**
 * Says why consumers of the active model could not use this one, or `undefined` when they can. What the configuration
 * expects of inputs or of outputs counts in place of what the active model has. Inputs have to be the same; outputs may
 * be added behind those that are there. Sizes that are open or unknown go with any, but for those of the active model's
 * inputs: where it takes any, so must this one.
 *
 * @param path the model's, which the entries of `expect` are for
 */
export function compareSignature(
  path: string,
  model: Signature,
  active: Signature | undefined,
  expect: readonly ExpectedSignature[],
): string | undefined {
  const expected = expect.find((entry) => entry.path === undefined || matchesAny(path, [entry.path]));
  const inputs = wanted(expected?.inputs, active?.inputs);
  const outputs = wanted(expected?.outputs, active?.outputs);
  return (inputs && (problemOf("input", model.inputs, inputs) ?? extraInput(model.inputs, inputs))) ??
    (outputs && problemOf("output", model.outputs, outputs));
}

function wanted(
  expected: readonly ExpectedValue[] | undefined,
  active: readonly OnnxValue[] | undefined,
): Wanted | undefined {
  if (expected !== undefined) return { values: expected, owner: EXPECTED };
  if (active !== undefined) return { values: active, owner: "the active model's" };
  return undefined;
}

function problemOf(kind: string, values: readonly OnnxValue[], { values: wanted, owner }: Wanted) {
  const found = new Map(values.map((value) => [value.name, value]));
  for (const want of wanted) {
    const value = found.get(want.name);
    if (value === undefined) {
      return `it has no ${kind} ${quote(want.name)}, which is ${owner}; it has ${names(values)}`;
    }
    const isFed = kind === "input" && owner !== EXPECTED;
    const fits = (want.type ?? value.type) === value.type && shapesFit(value.shape, want.shape, isFed);
    if (!fits) {
      const what = describeValue({ type: want.type ?? value.type, shape: want.shape });
      return `its ${kind} ${quote(want.name)} is ${describeValue(value)}, ${owner} is ${what}`;
    }
  }
  return orderProblem(kind, values, wanted, owner);
}

/** Many consumers take outputs, and feed inputs, by their place. */
function orderProblem(
  kind: string,
  values: readonly OnnxValue[],
  wanted: readonly ExpectedValue[],
  owner: string,
): string | undefined {
  if (owner === EXPECTED) return undefined;
  for (const [index, want] of wanted.entries()) {
    const value = values[index];
    if (value !== undefined && value.name !== want.name) {
      return `its ${kind} ${index + 1} is ${quote(value.name)}, ${owner} is ${quote(want.name)}`;
    }
  }
  return undefined;
}

function extraInput(values: readonly OnnxValue[], { values: wanted, owner }: Wanted): string | undefined {
  const known = new Set(wanted.map(({ name }) => name));
  const extra = values.find(({ name }) => !known.has(name));
  if (extra === undefined) return undefined;
  return `it has the input ${quote(extra.name)}, ${owner} are ${names(wanted)}`;
}

function names(values: readonly { readonly name: string }[]): string {
  if (values.length === 0) return "none";
  const shown = values.slice(0, NAMES_SHOWN_MAX).map(({ name }) => quote(name)).join(", ");
  return values.length > NAMES_SHOWN_MAX ? `${shown} and ${values.length - NAMES_SHOWN_MAX} more` : shown;
}

/** @param isFed whether consumers feed what is open in `wanted` in any size */
function shapesFit(shape: OnnxShape | undefined, wanted: OnnxShape | undefined, isFed: boolean): boolean {
  if (shape === undefined || wanted === undefined) return true;
  return shape.length === wanted.length && shape.every((size, index) => {
    const other = wanted[index];
    return typeof size !== "number" || (typeof other !== "number" ? !isFed : size === other);
  });
}
