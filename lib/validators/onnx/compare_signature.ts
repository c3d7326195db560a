import type { ValidateSettings } from "../../config/sections/validate.ts";
import { quote } from "../../core/quote.ts";
import { matchesAny } from "../../core/wildcards.ts";
import type { OnnxModel } from "./read_onnx.ts";
import { describeValue, type OnnxShape, type OnnxValue } from "./value_info.ts";

/**
 * A signature in `activation.validate.onnx.expect`. Inputs are all inputs that a model may have; outputs are those that it
 * has to have. Omitted parts are not checked. Of several entries, the first counts.
 */
export type ExpectedSignature = ValidateSettings["onnx"]["expect"][number];

/** Omitted types match any type; strings and nulls in a shape match any size. */
type ExpectedValue = Pick<OnnxValue, "name"> & {
  readonly type?: string | undefined;
  readonly shape?: OnnxShape | undefined;
};

type Signature = Pick<OnnxModel, "inputs" | "outputs">;

/** The values that a model is compared with, and their origin. */
interface Wanted {
  readonly values: readonly ExpectedValue[];
  /** As messages call it. */
  readonly owner: string;
}

/** The origin of values from the configuration. */
const EXPECTED = "expected";

/** More names make a message unreadable. */
const NAMES_SHOWN_MAX = 10;

/**
 * Returns why consumers of the active model could not use this one; `undefined` when they can. Inputs or outputs in the
 * configuration replace those of the active model. Inputs have to be the same; new outputs may follow the existing ones.
 * An open or unknown size matches any size. Exception: an input that is open in the active model has to stay open, because
 * consumers feed any size.
 *
 * @param path the path of the model, which the entries of `expect` match
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
      const missing = owner === EXPECTED
        ? `the expected ${kind} ${quote(want.name)}`
        : `the ${kind} ${quote(want.name)} of the active model`;
      return `it lacks ${missing}; its ${kind}s are ${names(values)}`;
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

/** Many consumers address inputs and outputs by position. */
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

/** @param isFed whether consumers feed any size where `wanted` is open */
function shapesFit(shape: OnnxShape | undefined, wanted: OnnxShape | undefined, isFed: boolean): boolean {
  if (shape === undefined || wanted === undefined) return true;
  return shape.length === wanted.length && shape.every((size, index) => {
    const other = wanted[index];
    return typeof size !== "number" || (typeof other !== "number" ? !isFed : size === other);
  });
}
