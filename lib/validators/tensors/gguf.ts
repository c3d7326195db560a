import type { Context } from "../../core/context.ts";
import type { FileSystem } from "../../core/files.ts";
import { plural } from "../../core/format.ts";
import { quote } from "../../core/quote.ts";
import { readAt } from "../../core/read_at.ts";
import type { DriftSetting } from "../../config/choices.ts";
import type { ModelFile } from "../checker.ts";
import { FormatProblem } from "../invalid_model.ts";
import { GgufReader, UINT32 } from "./gguf_reader.ts";
import { openModel } from "../open_model.ts";
import { inspectTensors, type Tensors, TENSORS_MAX } from "./tensor_drift.ts";

const MAGIC = "GGUF";
const PREFIX_BYTES = 8;

/** Version 1 had other field widths, and no current program reads it. */
const VERSIONS: readonly number[] = [2, 3];

/** Models have a few dozen. */
const KEYS_MAX = 100_000;

const DIMENSIONS_MAX = 4;

const ALIGNMENT_KEY = "general.alignment";
const ALIGNMENT_DEFAULT = 32;

/** A tensor as the header describes it. */
interface TensorInfo {
  readonly name: string;
  readonly kind: string;
  /** Counted from the first byte behind the header. */
  readonly start: number;
  /** Equal to `start` for a type of unknown size. */
  readonly end: number;
}

/** Whether a file begins like a GGUF file. */
export function looksLikeGguf(head: Uint8Array): boolean {
  return new TextDecoder().decode(head.subarray(0, MAGIC.length)) === MAGIC;
}

/**
 * Checks the header of a GGUF file, version 2 or 3 of either byte order, and its tensors against those of the active
 * release. The tensors' bytes are not read. Needs read permission.
 *
 * Source: {@link https://github.com/ggml-org/ggml/blob/master/docs/gguf.md}
 *
 * @param active the file of the same path in the active release
 * @throws {InvalidModelError}
 */
export function inspectGguf(
  context: Context,
  file: ModelFile,
  active: ModelFile | undefined,
  policy: DriftSetting,
): void {
  const format = { name: "GGUF", setting: "gguf.shape_drift", readTensors };
  inspectTensors(context, format, file, active, policy);
}

function readTensors(fs: FileSystem, model: ModelFile): Tensors {
  using file = openModel(fs, model);
  const { size } = model;
  const littleEndian = isLittleEndian(readAt(file, 0, PREFIX_BYTES));
  const reader = new GgufReader(file, { offset: PREFIX_BYTES, size, littleEndian });
  const tensorCount = requireCount("tensors", reader.uint64(), TENSORS_MAX);
  const keyCount = requireCount("keys", reader.uint64(), KEYS_MAX);
  const alignment = readAlignment(reader, keyCount);
  const infos = readInfos(reader, tensorCount, alignment);
  const dataStart = Math.ceil(reader.position / alignment) * alignment;
  requireInside(infos, Math.max(size - dataStart, 0));
  return new Map(infos.map(({ name, kind }) => [name, kind]));
}

/** Only the version number shows the byte order. */
function isLittleEndian(prefix: Uint8Array): boolean {
  if (prefix.length < PREFIX_BYTES) {
    throw new FormatProblem(`it ends after ${plural(prefix.length, "byte")}, inside its header`);
  }
  if (!looksLikeGguf(prefix)) {
    throw new FormatProblem(
      `it begins with ${quote(new TextDecoder().decode(prefix))}, expected ${quote(MAGIC)}`,
    );
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset + MAGIC.length, 4);
  const [little, big] = [view.getUint32(0, true), view.getUint32(0, false)];
  if (VERSIONS.includes(little)) return true;
  if (VERSIONS.includes(big)) return false;
  throw new FormatProblem(`it has version ${Math.min(little, big)}, expected 2 or 3`);
}

function requireCount(what: string, count: number, countMax: number): number {
  if (count <= countMax) return count;
  throw new FormatProblem(`it announces ${count} ${what}, the limit is ${countMax}`);
}

function readAlignment(reader: GgufReader, keyCount: number): number {
  const keys = new Set<string>();
  let alignment = ALIGNMENT_DEFAULT;
  for (let index = 0; index < keyCount; index++) {
    const key = reader.name();
    if (key === "") throw new FormatProblem(`key ${index} has no name`);
    if (keys.has(key)) throw new FormatProblem(`it has the key ${quote(key)} twice`);
    keys.add(key);
    const type = reader.uint32();
    if (key !== ALIGNMENT_KEY) {
      reader.skipValue(type, key);
      continue;
    }
    if (type !== UINT32) {
      throw new FormatProblem(`${ALIGNMENT_KEY} has type ${type}, expected ${UINT32} (uint32)`);
    }
    alignment = reader.uint32();
    if (!Number.isInteger(Math.log2(alignment))) {
      throw new FormatProblem(`${ALIGNMENT_KEY} is ${alignment}, expected a power of two`);
    }
  }
  return alignment;
}

function readInfos(reader: GgufReader, count: number, alignment: number): TensorInfo[] {
  const names = new Set<string>();
  const infos: TensorInfo[] = [];
  for (let index = 0; index < count; index++) {
    const info = readInfo(reader);
    if (names.has(info.name)) throw new FormatProblem(`it has the tensor ${quote(info.name)} twice`);
    if (info.start % alignment !== 0) {
      throw new FormatProblem(
        `tensor ${quote(info.name)} starts at ${info.start}, expected a multiple of ${alignment}`,
      );
    }
    names.add(info.name);
    infos.push(info);
  }
  return infos;
}

function readInfo(reader: GgufReader): TensorInfo {
  const name = reader.name();
  const dimensions = reader.uint32();
  if (dimensions > DIMENSIONS_MAX) {
    throw new FormatProblem(
      `tensor ${quote(name)} has ${dimensions} dimensions, at most ${DIMENSIONS_MAX} are possible`,
    );
  }
  const shape = Array.from({ length: dimensions }, () => reader.uint64());
  const type = reader.uint32();
  if (type > TYPE_NUMBER_MAX) {
    throw new FormatProblem(
      `tensor ${quote(name)} has type ${type}, expected one of ggml's (0 to ${TYPE_NUMBER_MAX})`,
    );
  }
  const start = reader.uint64();
  const { typeName, bytes } = measure(name, shape, type);
  return { name, kind: `${typeName} [${shape.join(", ")}]`, start, end: start + bytes };
}

function measure(name: string, shape: readonly number[], type: number): { typeName: string; bytes: number } {
  const elements = shape.reduce((product, length) => product * length, 1);
  if (!Number.isSafeInteger(elements)) {
    throw new FormatProblem(`tensor ${quote(name)} of [${shape.join(", ")}] is larger than any file`);
  }
  const packing = findPacking(type);
  if (packing === undefined) return { typeName: `type ${type}`, bytes: 0 };
  const row = shape[0] ?? 1;
  if (row % packing.blockElements !== 0) {
    throw new FormatProblem(
      `tensor ${
        quote(name)
      } has rows of ${row} elements, ${packing.name} packs ${packing.blockElements} together`,
    );
  }
  return { typeName: packing.name, bytes: elements / packing.blockElements * packing.blockBytes };
}

/** Requires that no tensor overlaps another or exceeds the file. Gaps are padding. */
function requireInside(infos: readonly TensorInfo[], dataBytes: number): void {
  let before: TensorInfo | undefined;
  for (const info of infos.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (info.end > dataBytes) {
      throw new FormatProblem(
        `tensor ${quote(info.name)} ends at byte ${info.end} of the data, the file holds ${dataBytes}`,
      );
    }
    if (before !== undefined && info.start < before.end) {
      throw new FormatProblem(`tensors ${quote(before.name)} and ${quote(info.name)} overlap`);
    }
    before = info;
  }
}

/** How a type packs elements: blocks of a fixed number of elements and bytes. */
export interface Packing {
  readonly name: string;
  readonly blockElements: number;
  readonly blockBytes: number;
}

/** The types of ggml by number, from its Python package 0.19. Missing numbers are obsolete or not assigned yet. */
const PACKINGS: ReadonlyMap<number, readonly [name: string, blockElements: number, blockBytes: number]> =
  new Map([
    [0, ["F32", 1, 4]],
    [1, ["F16", 1, 2]],
    [2, ["Q4_0", 32, 18]],
    [3, ["Q4_1", 32, 20]],
    [6, ["Q5_0", 32, 22]],
    [7, ["Q5_1", 32, 24]],
    [8, ["Q8_0", 32, 34]],
    [9, ["Q8_1", 32, 40]],
    [10, ["Q2_K", 256, 84]],
    [11, ["Q3_K", 256, 110]],
    [12, ["Q4_K", 256, 144]],
    [13, ["Q5_K", 256, 176]],
    [14, ["Q6_K", 256, 210]],
    [15, ["Q8_K", 256, 292]],
    [16, ["IQ2_XXS", 256, 66]],
    [17, ["IQ2_XS", 256, 74]],
    [18, ["IQ3_XXS", 256, 98]],
    [19, ["IQ1_S", 256, 50]],
    [20, ["IQ4_NL", 32, 18]],
    [21, ["IQ3_S", 256, 110]],
    [22, ["IQ2_S", 256, 82]],
    [23, ["IQ4_XS", 256, 136]],
    [24, ["I8", 1, 1]],
    [25, ["I16", 1, 2]],
    [26, ["I32", 1, 4]],
    [27, ["I64", 1, 8]],
    [28, ["F64", 1, 8]],
    [29, ["IQ1_M", 256, 56]],
    [30, ["BF16", 1, 2]],
    [34, ["TQ1_0", 256, 54]],
    [35, ["TQ2_0", 256, 66]],
    [39, ["MXFP4", 32, 17]],
    [40, ["NVFP4", 64, 36]],
    [41, ["Q1_0", 128, 18]],
  ]);

/** Leaves room for new types; a higher number is damage. */
const TYPE_NUMBER_MAX = 255;

/** Returns how a type packs elements; `undefined` for a type that is newer than this list. */
function findPacking(type: number): Packing | undefined {
  const [name, blockElements, blockBytes] = PACKINGS.get(type) ?? [];
  if (name === undefined || blockElements === undefined || blockBytes === undefined) return undefined;
  return { name, blockElements, blockBytes };
}
