import { joined } from "./raw_zip.ts";

/** A part of a handwritten pickle: text stands for ASCII, numbers for bytes. */
export type PicklePart = string | number | Uint8Array;

/** Joins opcodes and arguments. */
export function rawPickle(...parts: readonly PicklePart[]): Uint8Array<ArrayBuffer> {
  return joined(parts.map((part) => {
    if (typeof part === "number") return new Uint8Array([part]);
    return typeof part === "string" ? new TextEncoder().encode(part) : part;
  }));
}

/** SHORT_BINUNICODE. */
export function text(value: string): Uint8Array {
  return rawPickle(0x8c, value.length, value);
}

/** Two constants and STACK_GLOBAL. */
export function stackGlobal(module: string, name: string): Uint8Array {
  return rawPickle(text(module), text(name), 0x93);
}

/** GLOBAL. */
export function global(module: string, name: string): Uint8Array {
  return rawPickle(`c${module}\n${name}\n`);
}

/** PROTO 4. */
export const PROTO_4 = rawPickle(0x80, 4);

/** A number of four bytes, little-endian. */
export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** `numpy.dtype("f8")` with its state. @param flags other flags than the default are forged */
export function float64(flags = 0): Uint8Array {
  return rawPickle(
    stackGlobal("numpy", "dtype"),
    text("f8"),
    0x89,
    0x88,
    0x87,
    "R",
    rawPickle("(K", 3, text("<"), "NNNJ", uint32(0xffffffff), "J", uint32(0xffffffff), "K", flags, "tb"),
  );
}

/** joblib's placeholder of a one-dimensional array, up to its BUILD; the array's bytes have to follow. */
export function arrayWrapper(
  length: number,
  options: { isPadded?: boolean; flags?: number } = {},
): Uint8Array {
  return rawPickle(
    stackGlobal("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ")",
    0x81,
    "}(",
    text("subclass"),
    stackGlobal("numpy", "ndarray"),
    text("order"),
    text("C"),
    text("shape"),
    rawPickle("J", uint32(length), 0x85),
    text("dtype"),
    float64(options.flags),
    text("allow_mmap"),
    0x88,
    ...(options.isPadded ? [text("numpy_array_alignment_bytes"), rawPickle("K", 16)] : []),
    "ub",
  );
}
