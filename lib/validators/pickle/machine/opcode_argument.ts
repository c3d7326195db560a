import { payloadOf } from "../cost/value_measures.ts";
import { PICKLE_LIMITS } from "../limits.ts";
import { PickleProblem } from "../pickle_problem.ts";
import type { PickleReader } from "../pickle_reader.ts";
import { FLOAT, type PickleValue } from "../pickle_value.ts";
import { isTemplate, TEMPLATE_BYTES_MAX } from "../rules/scipy_rules.ts";
import type { ArgumentKind } from "./opcodes.ts";
import { asciiOf, type ReadArgument, readLines, truncated } from "./written_argument.ts";
import { integerOf, LONG_READ_BYTES } from "./written_number.ts";

/** The longest number, or length of a payload: so many bytes have to be buffered. */
export const FIXED_BYTES_MAX = 8;

/** The size of each argument, or of the length before its payload; lines have no fixed size. */
const FIXED_BYTES: Readonly<Record<ArgumentKind, number>> = {
  none: 0,
  uint1: 1,
  uint2: 2,
  uint4: 4,
  uint8: 8,
  int4: 4,
  float8: 8,
  bytes1: 1,
  bytes4: 4,
  bytes8: 8,
  text1: 1,
  text4: 4,
  text4signed: 4,
  text8: 8,
  long1: 1,
  long4: 4,
  line: 0,
  twoLines: 0,
  intLine: 0,
  longLine: 0,
  indexLine: 0,
  floatLine: 0,
  quotedLine: 0,
  escapedLine: 0,
};

/**
 * Reads the argument of an opcode. Payloads are skipped, except short texts and numbers, which may be the name of a module
 * or the size of an array.
 *
 * @throws {PickleProblem} when the stream ends within it
 */
export function readArgument(reader: PickleReader, kind: ArgumentKind, offset: number): ReadArgument {
  if (!reader.has(FIXED_BYTES[kind])) throw truncated(offset);
  switch (kind) {
    case "none":
      return null;
    case "uint1":
      return reader.uint8();
    case "uint2":
      return reader.uint16();
    case "uint4":
      return reader.uint32();
    case "int4":
      return reader.int32();
    case "uint8":
      return frameSizeOf(reader.uint64(), offset);
    case "float8":
      reader.take(8);
      return FLOAT;
    case "bytes1":
      return skipBytes(reader, reader.uint8(), offset);
    case "bytes4":
      return skipBytes(reader, reader.uint32(), offset);
    case "bytes8":
      return skipBytes(reader, sizeOf(reader.uint64(), offset), offset);
    case "text1":
      return readText(reader, reader.uint8(), offset);
    case "text4":
      return readText(reader, reader.uint32(), offset);
    case "text4signed":
      return readText(reader, positive(reader.int32(), offset), offset);
    case "text8":
      return readText(reader, sizeOf(reader.uint64(), offset), offset);
    case "long1":
      return readLong(reader, reader.uint8(), offset);
    case "long4":
      return readLong(reader, positive(reader.int32(), offset), offset);
    default:
      return readLines(reader, kind, offset);
  }
}

function sizeOf(value: bigint, offset: number): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new PickleProblem("broken", offset, "announces more bytes than any file has");
  }
  return Number(value);
}

/**
 * For bytes in memory, Python's own reader accepts a frame of any length up to `sys.maxsize` and continues in the bytes that
 * are left; its C reader stops.
 */
function frameSizeOf(value: bigint, offset: number): number {
  if (value >= 1n << 63n) {
    throw new PickleProblem("broken", offset, "has a frame that is larger than any file");
  }
  return Number(value);
}

function positive(value: number, offset: number): number {
  if (value < 0) throw new PickleProblem("broken", offset, "has a negative length");
  return value;
}

function skipBytes(reader: PickleReader, count: number, offset: number): ReadArgument {
  if (!reader.has(count)) return skipFar(reader, count, offset);
  reader.take(count);
  return payloadOf(count);
}

async function skipFar(reader: PickleReader, count: number, offset: number): Promise<PickleValue> {
  if (!await reader.skip(count)) throw truncated(offset);
  return payloadOf(count);
}

function readText(reader: PickleReader, count: number, offset: number): ReadArgument {
  if (count > TEMPLATE_BYTES_MAX) return skipBytes(reader, count, offset);
  if (reader.has(count)) return textOf(reader.take(count));
  return readTextLater(reader, count, offset);
}

async function readTextLater(reader: PickleReader, count: number, offset: number): Promise<PickleValue> {
  if (!await reader.fill(count)) throw truncated(offset);
  return textOf(reader.take(count));
}

/** A text that is too long for a name matters only if scipy would execute it. */
function textOf(bytes: Uint8Array): PickleValue {
  if (isTemplate(bytes)) return { ...payloadOf(bytes.length), isTemplate: true };
  return bytes.length <= PICKLE_LIMITS.nameBytes ? asciiOf(bytes) : payloadOf(bytes.length);
}

function readLong(reader: PickleReader, count: number, offset: number): ReadArgument {
  if (count > LONG_READ_BYTES) return skipLong(reader, count, offset);
  if (reader.has(count)) return integerOf(reader.take(count));
  return reader.fill(count).then((isThere) => {
    if (!isThere) throw truncated(offset);
    return integerOf(reader.take(count));
  });
}

/** Skips a number that is too long to be a size or an index, even if it is padded. */
async function skipLong(reader: PickleReader, count: number, offset: number): Promise<PickleValue> {
  await skipBytes(reader, count, offset);
  return { kind: "integer", bytes: count };
}
