import { extname } from "node:path";
import {
  type Bytes,
  bytes as field,
  FLOAT,
  initializer,
  input,
  INT64,
  int64s,
  joined,
  message,
  node,
  number,
  output,
  text,
  varint,
} from "../helpers/onnx_bytes.ts";
import { gguf, safetensorsBytes, safetensorsHeader } from "../helpers/model_files.ts";
import { rawPickle } from "../helpers/raw_pickle.ts";

/** The bytes around a model's data. */
interface Frame {
  readonly head: Uint8Array;
  readonly tail?: Uint8Array;
}

/** Returns the bytes around data of a size, by the file's extension. */
const FRAMES: Readonly<Record<string, (dataBytes: number) => Frame>> = {
  ".safetensors": safetensorsFrame,
  ".gguf": ggufFrame,
  ".npy": npyFrame,
  ".pkl": pickleFrame,
  ".onnx": onnxFrame,
};

/**
 * The formats of a model set, used in turn. ONNX is missing: ONNX models are loaded and tried, which has its own
 * scenario.
 */
export const SET_FORMATS = [".safetensors", ".gguf", ".npy", ".pkl"] as const;

/** Data is written in pieces: between them, signals and timers run. */
const PIECE_BYTES = 16 * 1024 * 1024;

/** The most bytes that Web Crypto fills at once. */
const RANDOM_BYTES = 65_536;

/** GGUF's alignment, the largest of the formats. */
const ALIGNMENT = 32;

/**
 * Writes a valid model file of about this size: by its extension safetensors, GGUF, npy, a pickle or ONNX. The data is
 * random and does not compress.
 */
export async function writeModel(path: string, bytes: number, signal: AbortSignal): Promise<void> {
  const frame = FRAMES[extname(path)];
  if (frame === undefined) throw new TypeError(`no such format: ${path}`);
  const overhead = frame(0).head.length;
  const dataBytes = Math.max(ALIGNMENT, Math.floor((bytes - overhead) / ALIGNMENT) * ALIGNMENT);
  await writeRandomFile(path, dataBytes, signal, frame(dataBytes));
}

/** Writes a file of random bytes, with the bytes around them. */
export async function writeRandomFile(
  path: string,
  bytes: number,
  signal: AbortSignal,
  { head, tail }: Frame = { head: new Uint8Array() },
): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  const piece = new Uint8Array(Math.min(PIECE_BYTES, bytes));
  file.writeSync(head);
  for (let left = bytes; left > 0; left -= piece.length) {
    for (let start = 0; start < piece.length; start += RANDOM_BYTES) {
      crypto.getRandomValues(piece.subarray(start, start + RANDOM_BYTES));
    }
    await writeWhole(file, piece.subarray(0, left));
    signal.throwIfAborted();
  }
  file.writeSync(tail ?? new Uint8Array());
}

async function writeWhole(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.length;) start += await file.write(bytes.subarray(start));
}

/** One tensor of bytes. */
function safetensorsFrame(dataBytes: number): Frame {
  return { head: safetensorsBytes(safetensorsHeader({ weight: ["U8", [dataBytes], dataBytes] }), 0) };
}

/** One tensor of 32-bit floats. */
function ggufFrame(dataBytes: number): Frame {
  return { head: gguf({ tensors: [["weight", 0, [dataBytes / 4], 0]], dataBytes: 0 }) };
}

/** One array of bytes. */
function npyFrame(dataBytes: number): Frame {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${dataBytes},), }`.padEnd(117) + "\n";
  return { head: rawPickle(0x93, "NUMPY", 1, 0, header.length, 0, header) };
}

/** PROTO 4, one BINBYTES8, STOP. */
function pickleFrame(dataBytes: number): Frame {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(dataBytes), true);
  return { head: rawPickle(0x80, 4, 0x8e, length), tail: rawPickle(".") };
}

const UINT8 = 2;

/** The numbers of used rows and of columns of the table of weights. */
const [ROWS_USED, COLUMNS] = [8, ALIGNMENT];

/** `probabilities = softmax(features * some rows of a table of bytes)`. Random floats would contain NaN. */
function onnxFrame(dataBytes: number): Frame {
  const rows = Array.from({ length: ROWS_USED }, (_, row) => BigInt(row % Math.max(1, dataBytes / COLUMNS)));
  const toFloat = message(5, text(1, "to"), number(3, FLOAT), number(20, 2));
  const table = joined(
    number(1, dataBytes / COLUMNS),
    number(1, COLUMNS),
    number(2, UINT8),
    text(8, "table"),
  );
  const graph = joined(
    text(2, "main"),
    node("Gather", ["table", "rows"], ["bytes"]),
    node("Cast", ["bytes"], ["weights"], toFloat),
    node("MatMul", ["features", "weights"], ["logits"]),
    node("Softmax", ["logits"], ["probabilities"]),
    initializer("rows", INT64, [ROWS_USED], int64s(...rows)),
    input("features", FLOAT, ["batch", ROWS_USED]),
    output("probabilities", FLOAT, ["batch", COLUMNS]),
  );
  const opset = field(8, joined(text(1, ""), number(2, 15)));
  const data = opened(9, new Uint8Array(), dataBytes);
  const tensor = opened(5, joined(table, data), dataBytes);
  return { head: joined(number(1, 8), opset, opened(7, joined(graph, tensor), dataBytes)) };
}

/** A field whose content begins with these bytes and continues with more. */
function opened(id: number, head: Bytes, restBytes: number): Bytes {
  return joined(varint(id << 3 | 2), varint(head.length + restBytes), head);
}
