import type { PickleReader } from "../pickle_reader.ts";
import { type Literal, readLiteral } from "./python_literal.ts";

// A `.npy` file consists of the magic, the version (2 bytes), the length of the header (2 bytes, since version 2 4 bytes,
// little-endian), the header (a Python dictionary), and the elements, which are a pickle if they are objects. Programs write
// several arrays into one file and continue to read behind the elements. Source: numpy/lib/format.py.

const MAGIC = new Uint8Array([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]);

/** The magic, the version, and the length in version 1. */
const START_BYTES = 10;

/** numpy warns of headers of more than 10,000 bytes. No model needs a dtype with a longer one than this. */
const HEADER_BYTES_MAX = 1024 * 1024;

/**
 * The contents behind the header of an array:
 *
 * - `bytes`: so many bytes of elements.
 * - `pickle`: objects.
 * - `unknown`: numpy may accept the header, but its meaning is uncertain.
 * - `nothing`: numpy stops.
 */
export type NpyElements =
  | { readonly kind: "bytes"; readonly bytes: number }
  | { readonly kind: "pickle" | "unknown" | "nothing" };

/**
 * Reads the header of an array in numpy's format; returns `undefined`, and reads nothing, if there is none. A header in an
 * unusual form is `unknown`, because only Python can tell its meaning.
 */
export async function readNpyHeader(reader: PickleReader): Promise<NpyElements | undefined> {
  await reader.fill(START_BYTES);
  if (!reader.startsWith(MAGIC)) return undefined;
  const isComplete = reader.has(START_BYTES);
  if (!isComplete) return { kind: "nothing" };
  reader.take(MAGIC.length);
  const [major, minor] = [reader.uint8(), reader.uint8()];
  if (major !== 1 && !await reader.fill(4)) return { kind: "nothing" };
  const bytes = major === 1 ? reader.uint16() : reader.uint32();
  if (bytes > HEADER_BYTES_MAX) return { kind: await reader.skip(bytes) ? "unknown" : "nothing" };
  if (!await reader.fill(bytes)) return { kind: "nothing" };
  const header = new TextDecoder("latin1").decode(reader.take(bytes));
  return minor === 0 && major >= 1 && major <= 3 ? elementsOf(header) : { kind: "unknown" };
}

function elementsOf(header: string): NpyElements {
  const literal = readLiteral(header);
  if (literal?.kind !== "dict" || literal.entries.size !== 3) return { kind: "unknown" };
  const [descr, order, shape] = ["descr", "fortran_order", "shape"].map((key) => literal.entries.get(key));
  const element = descr === undefined ? undefined : elementOf(descr);
  const count = shape === undefined ? undefined : countOf(shape);
  if (element === undefined || count === undefined || order?.kind !== "boolean") return { kind: "unknown" };
  if (element === "object") return { kind: "pickle" };
  const bytes = element * count;
  // More than any file has. numpy counts them modulo 2^64, and then stops at the shape.
  return bytes <= BigInt(Number.MAX_SAFE_INTEGER)
    ? { kind: "bytes", bytes: Number(bytes) }
    : { kind: "nothing" };
}

/** A number, text, bytes, raw bytes or a time, with its size in bytes or characters. */
const PLAIN = /^[<>|=]?(?:([biufcSV])(\d{1,9})|U(\d{1,9})|[Mm]8(?:\[[\w/]{1,20}\])?)$/;

/** Returns the size of an element, or `object` if it contains a reference; `undefined` if that is uncertain. */
function elementOf(descr: Literal): bigint | "object" | undefined {
  if (descr.kind === "text") {
    if (/^\|?O[48]?$/.test(descr.value)) return "object";
    const plain = PLAIN.exec(descr.value);
    if (plain === null) return undefined;
    if (plain[3] !== undefined) return 4n * BigInt(plain[3]);
    return BigInt(plain[2] ?? 8);
  }
  if (descr.kind !== "list") return undefined;
  const fields = descr.items.map(fieldOf);
  if (fields.includes(undefined)) return undefined;
  return fields.includes("object")
    ? "object"
    : fields.reduce<bigint>((sum, field) => sum + (typeof field === "bigint" ? field : 0n), 0n);
}

/** Reads a field: a name, or a title and a name; a type; and optionally a shape. */
function fieldOf(field: Literal): bigint | "object" | undefined {
  if (field.kind !== "tuple" || field.items.length < 2 || field.items.length > 3) return undefined;
  const [, descr, shape] = field.items;
  const element = descr === undefined ? undefined : elementOf(descr);
  const count = shape === undefined ? 1n : countOf(shape);
  if (element === undefined || count === undefined) return undefined;
  return element === "object" ? element : element * count;
}

function countOf(shape: Literal): bigint | undefined {
  if (shape.kind !== "tuple") return undefined;
  let count = 1n;
  for (const size of shape.items) {
    if (size.kind !== "number") return undefined;
    count *= size.value;
  }
  return count;
}
