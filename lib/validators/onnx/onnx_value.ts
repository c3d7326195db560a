/** What an input or an output of a model is. */
export interface OnnxValue {
  readonly name: string;
  /** `float32`, `int64`, `string`; `sequence(map(int64, float32))` for what is no tensor; `unknown`. */
  readonly type: string;
  /** A number, the name of a size that is open, or null for one that is unknown; `undefined` without any shape. */
  readonly shape: OnnxShape | undefined;
}

export type OnnxShape = readonly (number | string | null)[];

/** Names of `TensorProto.DataType` by its numbers (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). */
export const ELEMENT_TYPES: Readonly<Record<number, string>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  4: "uint16",
  5: "int16",
  6: "int32",
  7: "int64",
  8: "string",
  9: "bool",
  10: "float16",
  11: "float64",
  12: "uint32",
  13: "uint64",
  14: "complex64",
  15: "complex128",
  16: "bfloat16",
  17: "float8e4m3fn",
  18: "float8e4m3fnuz",
  19: "float8e5m2",
  20: "float8e5m2fnuz",
  21: "uint4",
  22: "int4",
  23: "float4e2m1",
  24: "float8e8m0",
  25: "uint2",
  26: "int2",
};

/** The types whose elements are numbers or truth values, as ONNX Runtime takes and gives them in JavaScript. */
export const NUMBER_TYPES: ReadonlySet<string> = new Set([
  "float16",
  "float32",
  "float64",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
]);

/**
 * A type and a shape, as errors show them.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { describeValue } from "./onnx_value.ts";
 * assert.equal(describeValue({ type: "float32", shape: ["batch", 12] }), "float32[batch,12]");
 * assert.equal(describeValue({ type: "int64", shape: [null] }), "int64[?]");
 * assert.equal(describeValue({ type: "string", shape: undefined }), "string");
 * ```
 */
export function describeValue({ type, shape }: Pick<OnnxValue, "type" | "shape">): string {
  if (shape === undefined) return type;
  // A model may have as many dimensions as it likes; a message may not.
  const sizes = shape.slice(0, SHOWN_MAX).map((size) => size ?? "?");
  return `${type}[${sizes.join(",")}${shape.length > SHOWN_MAX ? ",…" : ""}]`;
}

const SHOWN_MAX = 16;
