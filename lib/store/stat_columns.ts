import { readAt, readInto } from "../core/read_at.ts";
import { findSha256, SHA256_DIGITS } from "../core/sha256_column.ts";

/**
 * The entries of a stat cache in columns: row `i` of each column belongs to `paths[i]`. Written as binary numbers, so
 * that 20,000 entries are read in a millisecond.
 */
export interface StatColumns {
  readonly paths: readonly string[];
  readonly sizes: Float64Array;
  readonly mtimesMs: Float64Array;
  readonly ctimesMs: Float64Array;
  readonly inodes: Float64Array;
  /** 64 hexadecimal digits a file, one after the other. */
  readonly sha256s: string;
}

const MAGIC = 0x4d53_5443;
const FORMAT = 2;

/** The magic number, the format, the number of files, the bytes of the paths. */
const HEADER_NUMBERS = 4;
const FILE_NUMBERS = 4;

/** Encodes the columns. Numbers have the machine's byte order: a cache is not moved between machines. */
export function encodeColumns(columns: StatColumns): Uint8Array {
  const { paths, sizes, mtimesMs, ctimesMs, inodes } = columns;
  const digits = new TextEncoder().encode(columns.sha256s);
  const names = new TextEncoder().encode(paths.join("\0"));
  const numbers = new Float64Array(HEADER_NUMBERS + paths.length * FILE_NUMBERS);
  numbers.set([MAGIC, FORMAT, paths.length, names.length]);
  let offset = HEADER_NUMBERS;
  for (const column of [sizes, mtimesMs, ctimesMs, inodes]) {
    numbers.set(column, offset);
    offset += column.length;
  }
  const bytes = new Uint8Array(numbers.byteLength + digits.length + names.length);
  bytes.set(new Uint8Array(numbers.buffer));
  bytes.set(digits, numbers.byteLength);
  bytes.set(names, numbers.byteLength + digits.length);
  return bytes;
}

/** Decodes the output of {@link encodeColumns}; `undefined` for anything else, as for a damaged cache. */
export function decodeColumns(bytes: Uint8Array): StatColumns | undefined {
  if (bytes.length < HEADER_NUMBERS * Float64Array.BYTES_PER_ELEMENT) return undefined;
  // Numbers have to be aligned, as they are if the bytes are those of a whole file.
  const { buffer, byteOffset } = bytes.byteOffset % Float64Array.BYTES_PER_ELEMENT === 0
    ? bytes
    : bytes.slice();
  const [magic, format, fileCount = 0, nameBytes = 0] = new Float64Array(buffer, byteOffset, HEADER_NUMBERS);
  if (!isCount(fileCount) || !isCount(nameBytes)) return undefined;
  const numberCount = HEADER_NUMBERS + fileCount * FILE_NUMBERS;
  const numberBytes = numberCount * Float64Array.BYTES_PER_ELEMENT;
  const digitBytes = fileCount * SHA256_DIGITS;
  if (magic !== MAGIC || format !== FORMAT || numberBytes + digitBytes + nameBytes !== bytes.length) {
    return undefined;
  }
  // Copied, so that the memory of the whole file is free again.
  const numbers = new Float64Array(buffer, byteOffset, numberCount).slice();
  const digits = new TextDecoder("latin1").decode(bytes.subarray(numberBytes, numberBytes + digitBytes));
  const names = new TextDecoder().decode(bytes.subarray(numberBytes + digitBytes)).split("\0");
  if (names.length !== Math.max(1, fileCount)) return undefined;
  let offset = HEADER_NUMBERS;
  const next = (count: number) => numbers.subarray(offset, offset += count);
  return {
    paths: names.slice(0, fileCount),
    sizes: next(fileCount),
    mtimesMs: next(fileCount),
    ctimesMs: next(fileCount),
    inodes: next(fileCount),
    sha256s: digits,
  };
}

/** Digests are compared in blocks of this size, so that a search needs no memory for the whole list. */
const SEARCH_FILES = 4096;

/**
 * Returns the row of a digest in a file as {@link encodeColumns} writes it, without reading its other columns;
 * `undefined` if it is in no row, and `damaged` for an empty list and any other file.
 */
export function findDigestRow(
  file: Pick<Deno.FsFile, "readSync" | "seekSync">,
  sha256: string,
): number | "damaged" | undefined {
  const header = readAt(file, 0, HEADER_NUMBERS * Float64Array.BYTES_PER_ELEMENT);
  if (header.length < HEADER_NUMBERS * Float64Array.BYTES_PER_ELEMENT) return "damaged";
  const [magic, format, fileCount = 0] = new Float64Array(header.buffer);
  if (magic !== MAGIC || format !== FORMAT || !isCount(fileCount) || fileCount === 0) return "damaged";
  const start = (HEADER_NUMBERS + fileCount * FILE_NUMBERS) * Float64Array.BYTES_PER_ELEMENT;
  const block = new Uint8Array(SEARCH_FILES * SHA256_DIGITS);
  const decoder = new TextDecoder("latin1");
  for (let first = 0; first < fileCount; first += SEARCH_FILES) {
    const bytes = block.subarray(0, Math.min(SEARCH_FILES, fileCount - first) * SHA256_DIGITS);
    if (readInto(file, start + first * SHA256_DIGITS, bytes) < bytes.length) return "damaged";
    const row = findSha256(decoder.decode(bytes), sha256);
    if (row !== undefined) return first + row;
  }
  return undefined;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
