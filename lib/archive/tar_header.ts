import type { ArchiveGuard } from "./archive_guard.ts";
import { decodeUtf8 } from "../core/decode_utf8.ts";

// Layout: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format".

export const TAR_BLOCK_BYTES = 512;

/** One header block. */
export interface TarHeader {
  readonly name: string;
  /** The size of the contents after the header. */
  readonly bytes: number;
  /**
   * The type, one character: `0` a file, `5` a folder. In older tars it is NUL, and a folder's name ends with a slash.
   */
  readonly type: string;
  /** The header's bytes. */
  readonly block: Uint8Array;
}

/** The field of the checksum, which counts as spaces in it. */
export const TAR_CHECKSUM = { from: 148, to: 156 };

/** Returns whether a block's checksum is right. Nothing else is common to all dialects of tar. */
export function isTarHeader(block: Uint8Array): boolean {
  const written = octal(block.subarray(TAR_CHECKSUM.from, TAR_CHECKSUM.to));
  let sum = 0;
  for (const [at, byte] of block.entries()) {
    sum += at >= TAR_CHECKSUM.from && at < TAR_CHECKSUM.to ? 0x20 : byte;
  }
  return written === sum;
}

/**
 * Returns the parsed header of a block whose checksum is right.
 *
 * @throws {RefusedError} code `ARCHIVE_UNSAFE` for an empty name, and for bytes that only some readers interpret as a
 * prefix
 */
export function parseTarHeader(block: Uint8Array, guard: ArchiveGuard): TarHeader {
  const name = textField(block.subarray(0, 100), guard);
  const prefix = prefixOf(block, name, guard);
  const path = prefix === "" ? name : `${prefix}/${name}`;
  if (name === "") throw guard.entryFault("ARCHIVE_UNSAFE", path, "has no name of its own");
  const size = block.subarray(124, 136);
  // GNU tar omits the size of a volume label.
  const isLeftOut = block[156] === LABEL && size.every((byte) => byte === 0);
  const bytes = isLeftOut ? 0 : sizeField(size);
  if (bytes === undefined) throw guard.entryFault("ARCHIVE_UNSAFE", path, "has a size that is not a number");
  return { name: path, bytes, type: String.fromCharCode(block[156] ?? 0), block };
}

/**
 * Returns the target in a link's header, up to 100 bytes.
 *
 * @throws {RefusedError} code `ARCHIVE_UNSAFE`
 */
export function linkTarget(block: Uint8Array, guard: ArchiveGuard): string {
  return textField(block.subarray(157, 257), guard);
}

const PREFIX = { from: 345, to: 500 };
const POSIX_MAGIC = "ustar\0";
const GNU_MAGIC = "ustar  \0";

/** Returns the dialect of a header by its magic. */
export function tarDialect(block: Uint8Array): "posix" | "gnu" | "older" {
  const magic = new TextDecoder("latin1").decode(block.subarray(257, 265));
  if (magic.startsWith(POSIX_MAGIC)) return "posix";
  return magic === GNU_MAGIC ? "gnu" : "older";
}

/** GNU's type of a volume label: `V`. */
const LABEL = 0x56;

/** GNU's type of a sparse file: `S`. */
const SPARSE = 0x53;

/** GNU tar stores numbers for incremental archives and multi-volume files in place of the prefix. */
const GNU_NUMBERS = [
  { from: 345, to: 357 }, // atime
  { from: 357, to: 369 }, // ctime
  { from: 369, to: 381 }, // offset
  { from: 483, to: 495 }, // realsize
];

/**
 * Returns the prefix of the name. Some readers interpret these bytes as a prefix whatever the magic is, others never.
 * In a header that is not POSIX, only GNU's numbers are allowed.
 */
function prefixOf(block: Uint8Array, name: string, guard: ArchiveGuard): string {
  const field = block.subarray(PREFIX.from, PREFIX.to);
  const dialect = tarDialect(block);
  if (dialect === "posix") return textField(field, guard);
  // The map of holes is stored here.
  if (dialect === "gnu" && block[156] === SPARSE) return "";
  const rest = field.slice();
  for (const { from, to } of dialect === "gnu" ? GNU_NUMBERS : []) {
    if (sizeField(block.subarray(from, to)) !== undefined) rest.fill(0, from - PREFIX.from, to - PREFIX.from);
  }
  if (rest.every((byte) => byte === 0)) return "";
  throw guard.entryFault(
    "ARCHIVE_UNSAFE",
    name,
    "has bytes where POSIX has a prefix, and is not a POSIX header",
  );
}

function textField(field: Uint8Array, guard: ArchiveGuard): string {
  const end = field.indexOf(0);
  const used = end === -1 ? field : field.subarray(0, end);
  const text = decodeUtf8(used);
  const shown = text ?? new TextDecoder("latin1").decode(used);
  if (text === undefined) throw guard.entryFault("ARCHIVE_UNSAFE", shown, "has a name that is not UTF-8");
  if (field.subarray(used.length).some((byte) => byte !== 0)) {
    throw guard.entryFault("ARCHIVE_UNSAFE", shown, "has a NUL inside its name");
  }
  return text;
}

/**
 * Returns the number in a field of octal digits, or in GNU's big-endian binary with the first bit set; `undefined` if
 * it is neither.
 */
export function sizeField(field: Uint8Array): number | undefined {
  if (field[0] !== 0x80) return octal(field);
  let value = 0;
  for (const byte of field.subarray(1)) value = value * 256 + byte;
  return Number.isSafeInteger(value) ? value : undefined;
}

function octal(field: Uint8Array): number | undefined {
  const text = /^ *([0-7]+)[ \0]*$/.exec(new TextDecoder("latin1").decode(field))?.[1];
  return text === undefined ? undefined : parseInt(text, 8);
}
