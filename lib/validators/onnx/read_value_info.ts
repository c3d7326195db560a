import { ELEMENT_TYPES, type OnnxShape, type OnnxValue } from "./onnx_value.ts";
import { type ProtobufField, type ProtobufFile, WIRE } from "./protobuf_file.ts";

/** Runtimes know tensors of eight dimensions; beyond a hundred no file means it. */
const DIMENSIONS_MAX = 100;

/** A sequence of maps, which classifiers return, has three. */
const TYPE_NESTING_MAX = 16;

/** 2^63: from here on an int64 that was read as unsigned is negative. */
const NEGATIVE = 2 ** 63;

type Type = Pick<OnnxValue, "type" | "shape">;

const UNKNOWN: Type = { type: "unknown", shape: undefined };

/**
 * Reads a `ValueInfoProto`: name, type and shape of an input or an output.
 *
 * @param title what errors call it: `an input`
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

/** A `TypeProto`, in which one of the kinds is set. */
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

/** The type within a type. Its shape says nothing that is compared. */
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

/** Exporters write 0 and -1 for what they do not know. */
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
