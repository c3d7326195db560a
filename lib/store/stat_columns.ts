/**
 * What a stat cache knows of the files of one folder, in columns: row `i` of each belongs to `paths[i]`. Written as
 * plain numbers, so that 20,000 files are read in a millisecond.
 */
export interface StatColumns {
  readonly paths: readonly string[];
  readonly sizes: Float64Array;
  readonly mtimesMs: Float64Array;
  readonly ctimesMs: Float64Array;
  readonly inodes: Float64Array;
  /** 64 hexadecimal digits a file, one after the other. */
  readonly sha256s: string;
  /** The digest of all files together, 64 hexadecimal digits; empty while it is not known. */
  readonly digest: string;
  readonly folders: FolderColumns;
}

/** The folders that hold the files, and when a name in them last changed. */
export interface FolderColumns {
  readonly paths: readonly string[];
  readonly mtimesMs: Float64Array;
  readonly ctimesMs: Float64Array;
}

const MAGIC = 0x4d53_5443;
const FORMAT = 1;

/** Magic, format, files, folders, digits of the common digest, bytes of the paths. */
const HEADER_NUMBERS = 6;
const FILE_NUMBERS = 4;
const FOLDER_NUMBERS = 2;
export const SHA256_DIGITS = 64;

/** The columns as bytes. Numbers are in the machine's own order: a cache does not travel. */
export function encodeColumns(columns: StatColumns): Uint8Array {
  const { paths, folders, sha256s, digest } = columns;
  const digits = new TextEncoder().encode(sha256s + digest);
  const names = new TextEncoder().encode([...paths, ...folders.paths].join("\0"));
  const numbers = new Float64Array(
    HEADER_NUMBERS + paths.length * FILE_NUMBERS + folders.paths.length * FOLDER_NUMBERS,
  );
  numbers.set([MAGIC, FORMAT, paths.length, folders.paths.length, digest.length, names.length]);
  let offset = HEADER_NUMBERS;
  for (const column of numberColumns(columns)) {
    numbers.set(column, offset);
    offset += column.length;
  }
  const bytes = new Uint8Array(numbers.byteLength + digits.length + names.length);
  bytes.set(new Uint8Array(numbers.buffer));
  bytes.set(digits, numbers.byteLength);
  bytes.set(names, numbers.byteLength + digits.length);
  return bytes;
}

/** Reads what {@link encodeColumns} wrote; `undefined` for anything else: a damaged cache is no cache. */
export function decodeColumns(bytes: Uint8Array): StatColumns | undefined {
  if (bytes.length < HEADER_NUMBERS * Float64Array.BYTES_PER_ELEMENT) return undefined;
  // A copy starts at an address that numbers can be read from.
  const { buffer } = bytes.slice();
  const [magic, format, fileCount = 0, folderCount = 0, digestDigits = 0, nameBytes = 0] = new Float64Array(
    buffer,
    0,
    HEADER_NUMBERS,
  );
  const numberCount = HEADER_NUMBERS + fileCount * FILE_NUMBERS + folderCount * FOLDER_NUMBERS;
  const numberBytes = numberCount * Float64Array.BYTES_PER_ELEMENT;
  const digitBytes = fileCount * SHA256_DIGITS + digestDigits;
  if (magic !== MAGIC || format !== FORMAT || numberBytes + digitBytes + nameBytes !== bytes.length) {
    return undefined;
  }
  const numbers = new Float64Array(buffer, 0, numberCount);
  const digits = new TextDecoder("latin1").decode(new Uint8Array(buffer, numberBytes, digitBytes));
  const names = new TextDecoder().decode(new Uint8Array(buffer, numberBytes + digitBytes, nameBytes)).split(
    "\0",
  );
  if (names.length !== Math.max(1, fileCount + folderCount)) return undefined;
  let offset = HEADER_NUMBERS;
  const next = (count: number) => numbers.subarray(offset, offset += count);
  return {
    paths: names.slice(0, fileCount),
    sizes: next(fileCount),
    mtimesMs: next(fileCount),
    ctimesMs: next(fileCount),
    inodes: next(fileCount),
    sha256s: digits.slice(0, fileCount * SHA256_DIGITS),
    digest: digits.slice(fileCount * SHA256_DIGITS),
    folders: { paths: names.slice(fileCount), mtimesMs: next(folderCount), ctimesMs: next(folderCount) },
  };
}

function numberColumns(columns: StatColumns): Float64Array[] {
  const { sizes, mtimesMs, ctimesMs, inodes, folders } = columns;
  return [sizes, mtimesMs, ctimesMs, inodes, folders.mtimesMs, folders.ctimesMs];
}
