import { type PicklePart, rawPickle, stackGlobal, text, uint32 } from "../../helpers/raw_pickle.ts";

/** BININT, or LONG1 of eight bytes. */
export function int(value: number): Uint8Array {
  if (Math.abs(value) < 2 ** 31) return rawPickle("J", uint32(value));
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
  return rawPickle(0x8a, 8, bytes);
}

/** `numpy.dtype(made)` with the rest of a state: order, base, names, fields, bytes, alignment, flags. */
export function dtype(made: string, ...state: PicklePart[]): Uint8Array {
  return rawPickle(stackGlobal("numpy", "dtype"), text(made), 0x89, 0x88, 0x87, "R(K", 3, ...state, "tb");
}

/** A type without parts. */
export function plain(made: string, order = "<", flags = 0): Uint8Array {
  return dtype(made, text(order), "NNN", int(-1), int(-1), int(flags));
}

export const INT_64 = plain("i8");
/** A reference to an object. */
export const OBJECT = plain("O8", "|", 63);

type Field = readonly [name: string, dtype: Uint8Array, offset: number];

/** A record of so many bytes, with the flags of objects. `size` replaces the opcode of the number of bytes. */
export function record(
  fields: readonly Field[],
  bytes: number,
  { flags = 27, size = int(bytes), made = `V${bytes}` }: {
    flags?: number;
    size?: Uint8Array;
    made?: string;
  } = {},
): Uint8Array {
  const names = fields.map(([name]) => text(name));
  const entries = fields.map(([name, type, offset]) => rawPickle(text(name), type, int(offset), 0x86));
  return dtype(
    made,
    text("|"),
    "N(",
    ...names,
    "t}(",
    ...entries,
    "u",
    size,
    int(1),
    int(flags),
  );
}

/** A field that is itself an array. */
export function subArray(base: Uint8Array, count: number, bytes: number, flags: number): Uint8Array {
  return dtype(
    `V${bytes}`,
    text("|"),
    rawPickle(base, "(", int(count), "t", 0x86),
    "NN",
    int(bytes),
    int(8),
    int(flags),
  );
}

/** An array before its state is set. */
export const RAW_ARRAY = rawPickle(
  stackGlobal("numpy.core.multiarray", "_reconstruct"),
  stackGlobal("numpy", "ndarray"),
  "K",
  0,
  0x85,
  "C",
  1,
  "b",
  0x87,
  "R",
);

/** An array of a type, with one dimension, and its contents: a list or bytes. */
export function array(type: Uint8Array, length: number, ...content: PicklePart[]): Uint8Array {
  return rawPickle(RAW_ARRAY, "(K", 1, int(length), 0x85, type, 0x89, ...content, "tb");
}

/** A list with so many references to the same value. */
export function listOf(count: number, item: Uint8Array): Uint8Array {
  return rawPickle("](", ...Array.from({ length: count }, () => item), "e");
}
