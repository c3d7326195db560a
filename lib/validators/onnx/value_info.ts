import { type ProtobufField, type ProtobufFile, WIRE } from "./protobuf_file.ts";

/** An input or an output of a model. */
export interface OnnxValue {
  readonly name: string;
  /** `float32`, `int64`, `string`; `sequence(map(int64, float32))` for other values than tensors; `unknown`. */
  readonly type: string;
  /** For each dimension a number, the name of an open size, or null for an unknown size; `undefined` without a shape. */
  readonly shape: OnnxShape | undefined;
}

export type OnnxShape = readonly (number | string | null)[];

/** Names of `TensorProto.DataType` by its numbers (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). */
const ELEMENT_TYPES: Readonly<Record<number, string>> = {
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

/** The types of numbers and booleans that ONNX Runtime takes and returns in JavaScript. */
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
 * Returns a type and a shape as shown in errors.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { describeValue } from "./value_info.ts";
 * assert.equal(describeValue({ type: "float32", shape: ["batch", 12] }), "float32[batch,12]");
 * assert.equal(describeValue({ type: "int64", shape: [null] }), "int64[?]");
 * assert.equal(describeValue({ type: "string", shape: undefined }), "string");
 * ```
 */
export function describeValue({ type, shape }: Pick<OnnxValue, "type" | "shape">): string {
  if (shape === undefined) return type;
  // The number of dimensions in a file is not limited; that in a message is.
  const sizes = shape.slice(0, SHOWN_MAX).map((size) => size ?? "?");
  return `${type}[${sizes.join(",")}${shape.length > SHOWN_MAX ? ",…" : ""}]`;
}

const SHOWN_MAX = 16;

/** Runtimes support eight dimensions. */
const DIMENSIONS_MAX = 100;

/** A sequence of maps, which classifiers return, has three levels. */
const TYPE_NESTING_MAX = 16;

/** 2^63: an int64 that was read as unsigned is negative from here on. */
const NEGATIVE = 2 ** 63;

type Type = Pick<OnnxValue, "type" | "shape">;

const UNKNOWN: Type = { type: "unknown", shape: undefined };

/**
 * Reads a `ValueInfoProto`: name, type and shape of an input or an output.
 *
 * @param title its name in errors: `an input`
 */
export function readValueInfo(file: ProtobufFile, info: ProtobufField, title: string): OnnxValue {
  let name = "";
  let type = UNKNOWN;
  for (const field of messages(file, info, title)) {
    if (field.id === 1) name = file.text(field, title);
    if (field.id === 2) type = readType(file, field, title, 0);
  }
  return { name, ...type };
}

/** Reads a `TypeProto`, in which one of the kinds is set. */
function readType(file: ProtobufFile, of: ProtobufField, title: string, depth: number): Type {
  if (depth > TYPE_NESTING_MAX) {
    throw file.invalid(of.start, title, `a type of more than ${TYPE_NESTING_MAX} levels`);
  }
  let type = UNKNOWN;
  for (const field of messages(file, of, title)) {
    if (field.id === 1) type = readTensorType(file, field, title);
    if (field.id === 8) type = { ...readTensorType(file, field, title), type: "sparse tensor" };
    if (field.id === 4) type = wrapped(`sequence(${readInner(file, field, title, 1, depth)})`);
    if (field.id === 9) type = wrapped(`optional(${readInner(file, field, title, 1, depth)})`);
    if (field.id === 5) {
      const key = readElementType(file, field, title);
      type = wrapped(`map(${key}, ${readInner(file, field, title, 2, depth)})`);
    }
    if (field.id === 7) type = wrapped("opaque");
  }
  return type;
}

function wrapped(type: string): Type {
  return { type, shape: undefined };
}

/** Reads the type within a type. Its shape is not compared. */
function readInner(file: ProtobufFile, of: ProtobufField, title: string, id: number, depth: number): string {
  let inner = UNKNOWN.type;
  for (const field of messages(file, of, title)) {
    if (field.id === id) inner = readType(file, field, title, depth + 1).type;
  }
  return inner;
}

function readTensorType(file: ProtobufFile, of: ProtobufField, title: string): Type {
  let shape: OnnxShape | undefined;
  for (const field of messages(file, of, title)) {
    if (field.id === 2) shape = readShape(file, field, title);
  }
  return { type: readElementType(file, of, title), shape };
}

function readElementType(file: ProtobufFile, of: ProtobufField, title: string): string {
  let type = UNKNOWN.type;
  for (let at = of.start; at < of.end;) {
    const field = file.field(at, of.end, title);
    at = field.end;
    if (field.id === 1 && field.wire === WIRE.varint) type = ELEMENT_TYPES[field.low] ?? `type ${field.low}`;
  }
  return type;
}

function readShape(file: ProtobufFile, of: ProtobufField, title: string): OnnxShape {
  const shape: (number | string | null)[] = [];
  for (const field of messages(file, of, title)) {
    if (field.id === 1) shape.push(readDimension(file, field, title));
    if (shape.length > DIMENSIONS_MAX) {
      throw file.invalid(field.start, title, `more than ${DIMENSIONS_MAX} dimensions`);
    }
  }
  return shape;
}

/** Exporters write 0 and -1 for an unknown size. */
function readDimension(file: ProtobufFile, of: ProtobufField, title: string): number | string | null {
  let size: number | string | null = null;
  for (let at = of.start; at < of.end;) {
    const field = file.field(at, of.end, title);
    at = field.end;
    if (field.id === 1 && field.wire === WIRE.varint) {
      size = field.value === 0 || field.value >= NEGATIVE ? null : field.value;
    }
    if (field.id === 2 && field.wire === WIRE.bytes) size = file.text(field, title) || null;
  }
  return size;
}

function* messages(file: ProtobufFile, of: ProtobufField, title: string): Generator<ProtobufField> {
  for (let at = of.start; at < of.end;) {
    const field = file.field(at, of.end, title);
    if (field.wire === WIRE.bytes) yield field;
    at = field.end;
  }
}
