/** Builds ONNX files, also broken ones, from fields with the numbers in onnx.proto. */
import { joined as joinedList } from "./raw_zip.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export const FLOAT = 1;
export const INT64 = 7;
export const STRING = 8;
export const BOOL = 9;
export const FLOAT16 = 10;

/** The size of a dimension: a number, a name, or unknown. */
type Size = number | string | null;

export function varint(value: number | bigint): Bytes {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return new Uint8Array([...bytes, Number(rest)]);
}

export function number(id: number, value: number | bigint): Bytes {
  return joined(varint(id << 3), varint(value));
}

export function bytes(id: number, content: Bytes): Bytes {
  return joined(varint(id << 3 | 2), varint(content.length), content);
}

export function text(id: number, value: string): Bytes {
  return bytes(id, new TextEncoder().encode(value));
}

export function message(id: number, ...parts: readonly Bytes[]): Bytes {
  return bytes(id, joined(...parts));
}

export function joined(...parts: readonly Bytes[]): Bytes {
  return joinedList(parts);
}

/** The fields of a value's message: name and tensor type. */
function valueInfo(name: string, type: number, sizes: readonly Size[] | undefined): Bytes {
  const shape = sizes?.map((size) =>
    message(1, size === null ? new Uint8Array() : typeof size === "number" ? number(1, size) : text(2, size))
  );
  const tensor = [number(1, type), ...shape === undefined ? [] : [message(2, ...shape)]];
  return joined(text(1, name), message(2, message(1, ...tensor)));
}

/** Fields of a graph. */
export function input(name: string, type: number, sizes?: readonly Size[]): Bytes {
  return bytes(11, valueInfo(name, type, sizes));
}

export function output(name: string, type: number, sizes?: readonly Size[]): Bytes {
  return bytes(12, valueInfo(name, type, sizes));
}

export function node(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...more: readonly Bytes[]
): Bytes {
  return message(
    1,
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, operator),
    ...more,
  );
}

export function initializer(name: string, type: number, shape: readonly number[], data: Bytes): Bytes {
  return message(5, ...shape.map((size) => number(1, size)), number(2, type), text(8, name), bytes(9, data));
}

export function floats(...values: readonly number[]): Bytes {
  return new Uint8Array(Float32Array.from(values).buffer);
}

export function int64s(...values: readonly bigint[]): Bytes {
  return new Uint8Array(BigInt64Array.from(values).buffer);
}

/** A tensor in an external file. @param id its field number, which depends on the message around it */
export function externalTensor(
  id: number,
  name: string,
  shape: readonly number[],
  keys: Readonly<Record<string, string>>,
): Bytes {
  return message(
    id,
    ...shape.map((size) => number(1, size)),
    number(2, FLOAT),
    text(8, name),
    ...Object.entries(keys).map(([key, value]) => message(13, text(1, key), text(2, value))),
    number(14, 1),
  );
}

/** An attribute of a node that is a graph. */
export function graphAttribute(name: string, ...graph: readonly Bytes[]): Bytes {
  return message(5, text(1, name), message(6, text(2, name), ...graph), number(20, 5));
}

/** An attribute of a node that is a whole number. */
export function intAttribute(name: string, value: number): Bytes {
  return message(5, text(1, name), number(3, value), number(20, 2));
}

/** An attribute of a node that is a list of whole numbers. */
export function intsAttribute(name: string, values: readonly number[]): Bytes {
  return message(5, text(1, name), ...values.map((value) => number(8, value)), number(20, 7));
}

/** An attribute of a node that is a text. */
export function textAttribute(name: string, value: string): Bytes {
  return message(5, text(1, name), text(4, value), number(20, 3));
}

/** A complete model around a graph. */
export function model(...graph: readonly Bytes[]): Bytes {
  return joined(
    number(1, 8),
    message(7, text(2, "main"), ...graph),
    message(8, text(1, ""), number(2, 15)),
    message(8, text(1, "ai.onnx.ml"), number(2, 3)),
  );
}

/** `probabilities = softmax(features * weights)`, over as many classes as there are weights for an input. */
export function classifier(weights: readonly (readonly number[])[], batch: Size = "batch"): Bytes {
  const [inputs, classes] = [weights.length, weights[0]?.length ?? 0];
  return model(
    node("MatMul", ["features", "w"], ["logits"]),
    node("Softmax", ["logits"], ["probabilities"]),
    initializer("w", FLOAT, [inputs, classes], floats(...weights.flat())),
    input("features", FLOAT, [batch, inputs]),
    output("probabilities", FLOAT, [batch, classes]),
  );
}

/** A model that computes forever. */
export function endless(): Bytes {
  const body = [
    node("Identity", ["condition"], ["again"]),
    node("Mul", ["x", "x"], ["squared"]),
    input("round", INT64, []),
    input("condition", BOOL, []),
    input("x", FLOAT, [1, 2]),
    output("again", BOOL, []),
    output("squared", FLOAT, [1, 2]),
  ];
  return model(
    initializer("rounds", INT64, [], int64s(1n << 60n)),
    initializer("true", BOOL, [], new Uint8Array([1])),
    node("Loop", ["rounds", "true", "features"], ["y"], graphAttribute("body", ...body)),
    input("features", FLOAT, [1, 2]),
    output("y", FLOAT, [1, 2]),
  );
}
