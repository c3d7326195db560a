import { encodeTexts, joinPieces } from "../core/encode_pieces.ts";
import { readAt, readInto } from "../core/read_at.ts";
import { findSha256, SHA256_DIGITS } from "../core/sha256_column.ts";
import { PathColumn } from "./path_column.ts";

/**
 * The entries of a stat cache in columns: row `i` of each column belongs to `paths[i]`. Written as binary numbers, so
 * that 20,000 entries are read in a millisecond.
 */
export interface StatColumns extends FileColumns {
  /** Those of one or of more files in each text, with NUL between them. */
  readonly paths: readonly string[];
  /** 64 hexadecimal digits a file, one after the other; those of one or of more files in each text. */
  readonly sha256s: readonly string[];
}

/** As {@link StatColumns}, as they are read. */
export interface ReadColumns extends FileColumns {
  readonly paths: PathColumn;
  /** 64 hexadecimal digits a file, one after the other. */
  readonly sha256s: string;
}

interface FileColumns {
  readonly sizes: Float64Array;
  readonly mtimesMs: Float64Array;
  readonly ctimesMs: Float64Array;
  readonly inodes: Float64Array;
  /** Whether they are the files and the digests of a manifest, as its release was installed. */
  readonly isWhole: boolean;
}

const MAGIC = 0x4d53_5443;
const FORMAT = 2;
/** The format of columns that are whole. */
const WHOLE_FORMAT = 3;

/** The magic number, the format, the number of files, the bytes of the paths. */
const HEADER_NUMBERS = 4;
const FILE_NUMBERS = 4;
const NUMBER_BYTES = Float64Array.BYTES_PER_ELEMENT;

/** Where the columns of a file are, in bytes. The numbers of the files follow the header. */
interface Layout {
  readonly fileCount: number;
  readonly isWhole: boolean;
  readonly digitsAt: number;
  readonly namesAt: number;
  readonly length: number;
}

/** Returns what the header of a file says; `undefined` if it is damaged. */
function layoutOf(bytes: Uint8Array): Layout | undefined {
  if (bytes.length < HEADER_NUMBERS * NUMBER_BYTES) return undefined;
  const header = new Float64Array(bytes.slice(0, HEADER_NUMBERS * NUMBER_BYTES).buffer);
  const [magic, format, fileCount = 0, nameBytes = 0] = header;
  const isWhole = format === WHOLE_FORMAT;
  if (magic !== MAGIC || !(isWhole || format === FORMAT)) return undefined;
  if (!isCount(fileCount) || !isCount(nameBytes)) return undefined;
  const digitsAt = (HEADER_NUMBERS + fileCount * FILE_NUMBERS) * NUMBER_BYTES;
  const namesAt = digitsAt + fileCount * SHA256_DIGITS;
  return { fileCount, isWhole, digitsAt, namesAt, length: namesAt + nameBytes };
}

/**
 * Encodes the columns, in pieces of which each is valid until the next one is requested. Numbers have the machine's byte
 * order: a cache is not moved between machines.
 */
export function* encodeColumns(columns: StatColumns): Generator<Uint8Array> {
  const { paths, sizes, mtimesMs, ctimesMs, inodes, isWhole } = columns;
  const names = () => encodeTexts(joinPieces(paths, "\0"));
  let nameBytes = 0;
  for (const { length } of names()) nameBytes += length;
  const header = Float64Array.of(MAGIC, isWhole ? WHOLE_FORMAT : FORMAT, sizes.length, nameBytes);
  for (const { buffer, byteOffset, byteLength } of [header, sizes, mtimesMs, ctimesMs, inodes]) {
    yield new Uint8Array(buffer, byteOffset, byteLength);
  }
  yield* encodeTexts(joinPieces(columns.sha256s, ""));
  yield* names();
}

/** Decodes the output of {@link encodeColumns}; `undefined` for anything else, as for a damaged cache. */
export function decodeColumns(bytes: Uint8Array): ReadColumns | undefined {
  // Numbers have to be aligned, as they are if the bytes are those of a whole file.
  const { buffer, byteOffset } = bytes.byteOffset % NUMBER_BYTES === 0 ? bytes : bytes.slice();
  const layout = layoutOf(bytes);
  if (layout?.length !== bytes.length) return undefined;
  const { fileCount, isWhole, digitsAt, namesAt } = layout;
  // Copied, so that the memory of the whole file is free again.
  const numbers = new Float64Array(buffer, byteOffset, digitsAt / NUMBER_BYTES).slice();
  const digits = new TextDecoder("latin1").decode(bytes.subarray(digitsAt, namesAt));
  const paths = new PathColumn(new TextDecoder().decode(bytes.subarray(namesAt)));
  if (paths.count !== fileCount) return undefined;
  let offset = HEADER_NUMBERS;
  const next = (count: number) => numbers.subarray(offset, offset += count);
  return {
    paths,
    sizes: next(fileCount),
    mtimesMs: next(fileCount),
    ctimesMs: next(fileCount),
    inodes: next(fileCount),
    sha256s: digits,
    isWhole,
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
  const layout = layoutOf(readAt(file, 0, HEADER_NUMBERS * NUMBER_BYTES));
  if (layout === undefined || layout.fileCount === 0) return "damaged";
  const { fileCount, digitsAt } = layout;
  const block = new Uint8Array(SEARCH_FILES * SHA256_DIGITS);
  const decoder = new TextDecoder("latin1");
  for (let first = 0; first < fileCount; first += SEARCH_FILES) {
    const bytes = block.subarray(0, Math.min(SEARCH_FILES, fileCount - first) * SHA256_DIGITS);
    if (readInto(file, digitsAt + first * SHA256_DIGITS, bytes) < bytes.length) return "damaged";
    const row = findSha256(decoder.decode(bytes), sha256);
    if (row !== undefined) return first + row;
  }
  return undefined;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** The rows of a file that are not those of another one. */
export interface OtherRows {
  readonly paths: readonly string[];
  /** The number of all rows. */
  readonly count: number;
}

/** A file as {@link encodeColumns} writes it. */
type ColumnsFile = Pick<Deno.FsFile, "readSync" | "seekSync" | "statSync">;

/**
 * Returns the rows that have no inode, or not the one of the same row in another file; `undefined` if the files do not list
 * the same paths in the same order, or one is damaged. Nothing else is read, and nothing decoded but the paths of these rows.
 */
export function findOtherInodes(own: ColumnsFile, other: ColumnsFile): OtherRows | undefined {
  const [one, two] = [readInodes(own), readInodes(other)];
  if (one === undefined || two === undefined || one.count !== two.count) return undefined;
  if (!isSame(one.names, two.names)) return undefined;
  const rows = new Set<number>();
  for (let row = 0; row < one.count; row++) {
    if (one.inodes[row] === 0 || one.inodes[row] !== two.inodes[row]) rows.add(row);
  }
  const paths = rows.size === 0 ? [] : new TextDecoder().decode(one.names).split("\0");
  return { paths: paths.filter((_, row) => rows.has(row)), count: one.count };
}

/** Returns the inodes and the names of a file; `undefined` if it is damaged. */
function readInodes(
  file: ColumnsFile,
): { readonly count: number; readonly inodes: Float64Array; readonly names: Uint8Array } | undefined {
  const layout = layoutOf(readAt(file, 0, HEADER_NUMBERS * NUMBER_BYTES));
  if (layout === undefined || layout.length !== file.statSync().size) return undefined;
  const { fileCount: count, digitsAt, namesAt, length } = layout;
  const inodes = new Float64Array(count);
  // They are the last numbers.
  const inodesAt = digitsAt - inodes.byteLength;
  if (readInto(file, inodesAt, new Uint8Array(inodes.buffer)) < inodes.byteLength) return undefined;
  const names = readAt(file, namesAt, length - namesAt);
  return names.length < length - namesAt ? undefined : { count, inodes, names };
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  const words = one.length >>> 2;
  const [oneWords, otherWords] = [one, other].map(({ buffer, byteOffset }) =>
    new Uint32Array(buffer, byteOffset, words)
  );
  for (let word = 0; word < words; word++) if (oneWords?.[word] !== otherWords?.[word]) return false;
  for (let at = words * 4; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
