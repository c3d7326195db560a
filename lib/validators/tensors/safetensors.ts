import type { Context } from "../../core/context.ts";
import type { FileSystem } from "../../core/files.ts";
import { plural } from "../../core/format.ts";
import { quote } from "../../core/quote.ts";
import { readAt } from "../../core/read_at.ts";
import type { DriftSetting } from "../../config/choices.ts";
import type { ModelFile } from "../checker.ts";
import { FormatProblem } from "../invalid_model.ts";
import { JsonCursor } from "../json_cursor.ts";
import { openModel } from "../open_model.ts";
import { inspectTensors, type Tensors, TENSORS_MAX } from "./tensor_drift.ts";

/** A 64-bit number before the header holds its length. */
const LENGTH_BYTES = 8;

/** The format's own limit. */
const HEADER_BYTES_MAX = 100_000_000;

/** More than any tensor library supports. */
const DIMENSIONS_MAX = 64;

const METADATA = "__metadata__";

/** The types in version 0.8 of the reference implementation, with the bits of an element. */
const DTYPE_BITS: ReadonlyMap<string, number> = new Map([
  ...["F4"].map((name) => [name, 4] as const),
  ...["F6_E2M3", "F6_E3M2"].map((name) => [name, 6] as const),
  ...["BOOL", "U8", "I8"].map((name) => [name, 8] as const),
  ...["F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"].map((name) => [name, 8] as const),
  ...["U16", "I16", "F16", "BF16"].map((name) => [name, 16] as const),
  ...["U32", "I32", "F32"].map((name) => [name, 32] as const),
  ...["U64", "I64", "F64", "C64"].map((name) => [name, 64] as const),
]);

/** The byte range of a tensor, counted from the end of the header. */
interface Span {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Whether a file begins like a safetensors file. */
export function looksLikeSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length <= LENGTH_BYTES || head[LENGTH_BYTES] !== 0x7b) return false;
  if (headerLength(head) > size - LENGTH_BYTES) return false;
  // Other formats begin with a length and JSON, too; these two keys occur only in this one.
  const text = new TextDecoder().decode(head.subarray(LENGTH_BYTES));
  return text.includes('"data_offsets"') || text.includes(`"${METADATA}"`);
}

/**
 * Checks the header of a safetensors file against the rules of the format, and its tensors against those of the active
 * release. The tensors' bytes are not read. Needs read permission.
 *
 * Source: {@link https://github.com/huggingface/safetensors#format}, and the implementation for the types.
 *
 * @param active the file of the same path in the active release
 * @throws {InvalidModelError}
 */
export function inspectSafetensors(
  context: Context,
  file: ModelFile,
  active: ModelFile | undefined,
  policy: DriftSetting,
): void {
  const format = { name: "safetensors", setting: "safetensors.shape_drift", readTensors };
  inspectTensors(context, format, file, active, policy);
}

function readTensors(fs: FileSystem, model: ModelFile): Tensors {
  using file = openModel(fs, model);
  const { size } = model;
  const length = readLength(readAt(file, 0, LENGTH_BYTES), size);
  const header = new JsonCursor(file, { offset: LENGTH_BYTES, length, allowsNonFinite: false });
  if (header.peek() !== "{") {
    throw new FormatProblem(`its header begins with ${quote(header.peek())}, expected "{"`);
  }
  const tensors = new Map<string, string>();
  const spans: Span[] = [];
  let hasMetadata = false;
  for (const name of header.members()) {
    if (tensors.has(name) || (name === METADATA && hasMetadata)) {
      throw new FormatProblem(`its header has ${quote(name)} twice`);
    }
    if (name === METADATA) {
      hasMetadata = true;
      skipMetadata(header);
      continue;
    }
    if (spans.length === TENSORS_MAX) {
      throw new FormatProblem(`it has more than ${TENSORS_MAX} tensors, the most that are read`);
    }
    const { kind, start, end } = readTensor(header, name);
    tensors.set(name, kind);
    spans.push({ name, start, end });
  }
  header.expectEnd();
  requireSeamless(spans, size - LENGTH_BYTES - length);
  return tensors;
}

function headerLength(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true));
}

function readLength(bytes: Uint8Array, size: number): number {
  if (bytes.length < LENGTH_BYTES) {
    throw new FormatProblem(
      `it is ${plural(size, "byte")}, expected at least the ${LENGTH_BYTES} bytes of its header's length`,
    );
  }
  const length = headerLength(bytes);
  if (length <= Math.min(HEADER_BYTES_MAX, size - LENGTH_BYTES)) return length;
  const limit = length > HEADER_BYTES_MAX
    ? `the format allows ${HEADER_BYTES_MAX}`
    : `but only ${size - LENGTH_BYTES} follow`;
  throw new FormatProblem(
    `its header should be ${plural(length, "byte")}, ${limit} (it begins with ${
      quote(new TextDecoder().decode(bytes))
    })`,
  );
}

/** A map from strings to strings, without meaning for the tensors. */
function skipMetadata(header: JsonCursor): void {
  if (header.takeNull()) return;
  const seen = new Set<string>();
  for (const name of header.members()) {
    if (seen.has(name)) throw new FormatProblem(`its metadata has ${quote(name)} twice`);
    if (seen.size === TENSORS_MAX) {
      throw new FormatProblem(`its metadata has more than ${TENSORS_MAX} entries`);
    }
    seen.add(name);
    header.skipString();
  }
}

function readTensor(header: JsonCursor, name: string): { kind: string; start: number; end: number } {
  let dtype: string | undefined;
  let shape: readonly number[] | undefined;
  let offsets: readonly number[] | undefined;
  const seen = new Set<string>();
  for (const field of header.members()) {
    if (seen.has(field)) throw new FormatProblem(`tensor ${quote(name)} has the field ${quote(field)} twice`);
    seen.add(field);
    if (field === "dtype") dtype = header.readString();
    else if (field === "shape") shape = header.readIntegers(DIMENSIONS_MAX);
    else if (field === "data_offsets") offsets = header.readIntegers(2);
    // Readers of the format skip unknown fields. A bounded number of them is harmless.
    else if (seen.size > FIELDS_MAX) throw new FormatProblem(`tensor ${quote(name)} has too many fields`);
    else header.skipValue();
  }
  const [start, end] = offsets ?? [];
  if (dtype === undefined || shape === undefined || start === undefined || end === undefined) {
    throw new FormatProblem(`tensor ${quote(name)} lacks one of dtype, shape and two data_offsets`);
  }
  const kind = `${dtype} [${shape.join(", ")}]`;
  const bytes = tensorBytes(name, dtype, shape);
  if (end - start !== bytes) {
    throw new FormatProblem(
      `tensor ${quote(name)} has the data_offsets ${start} to ${end}, but ${kind} takes ${
        plural(bytes, "byte")
      }`,
    );
  }
  return { kind, start, end };
}

/** The format has three fields. */
const FIELDS_MAX = 16;

function tensorBytes(name: string, dtype: string, shape: readonly number[]): number {
  const elementBits = DTYPE_BITS.get(dtype);
  if (elementBits === undefined) {
    throw new FormatProblem(
      `tensor ${quote(name)} has the dtype ${quote(dtype)}, expected one of ${
        [...DTYPE_BITS.keys()].join(", ")
      }`,
    );
  }
  const bits = shape.reduce((product, length) => product * length, elementBits);
  if (!Number.isSafeInteger(bits)) {
    throw new FormatProblem(`tensor ${quote(name)} of [${shape.join(", ")}] is larger than any file`);
  }
  if (bits % 8 !== 0) {
    throw new FormatProblem(`tensor ${quote(name)} of ${dtype} [${shape.join(", ")}] ends inside a byte`);
  }
  return bits / 8;
}

/** Requires that every byte behind the header belongs to exactly one tensor. */
function requireSeamless(spans: Span[], dataBytes: number): void {
  spans.sort((a, b) => a.start - b.start || a.end - b.end);
  let expected = 0;
  for (const { name, start, end } of spans) {
    if (start !== expected) {
      const what = start < expected ? "overlaps the one before it" : "leaves a gap before it";
      throw new FormatProblem(`tensor ${quote(name)} ${what}: it starts at ${start}, expected ${expected}`);
    }
    expected = end;
  }
  if (expected === dataBytes) return;
  throw new FormatProblem(`its tensors take ${plural(expected, "byte")}, but ${dataBytes} follow the header`);
}
