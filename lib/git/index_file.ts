/** A file's entry in a git index. */
export interface IndexEntry {
  readonly path: string;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly device: number;
  readonly inode: number;
  readonly isExecutable: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Git's name for its content, 40 hexadecimal digits. */
  readonly object: string;
}

const SIGNATURE = 0x4449_5243; // "DIRC"
const VERSION = 2;
const HEADER_BYTES = 12;
const FIXED_BYTES = 62;
const OBJECT_AT = 40;
const OBJECT_BYTES = 20;
const ALIGNMENT = 8;
const NAME_LENGTH_MAX = 0xfff;
const REGULAR_FILE = 0o100644;
const EXECUTABLE_FILE = 0o100755;
/** The SHA-1 checksum at the end of an index. */
export const INDEX_CHECKSUM_BYTES = 20;
/** Git treats an empty file with any other name as changed. */
const EMPTY_OBJECT = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/** Entries of another index that are copied unchanged: from a row to the one before `end`. */
export interface CopiedEntries {
  readonly row: number;
  readonly end: number;
}

/**
 * Returns a git index of these files, version 2 as gitformat-index(5) describes it.
 *
 * @param entries in the order of their paths' bytes. They are read twice, and each only until the next
 * @param from has the copied entries
 */
export async function encodeIndex(
  entries: Iterable<IndexEntry | CopiedEntries>,
  from?: IndexRows,
): Promise<{ readonly bytes: Uint8Array; readonly checksum: string }> {
  const encoder = new TextEncoder();
  let count = 0;
  let length = HEADER_BYTES;
  for (const entry of entries) {
    const copied = "row" in entry ? from?.entries(entry) : undefined;
    count += "row" in entry ? entry.end - entry.row : 1;
    length += "row" in entry ? copied?.length ?? 0 : entryBytes(utf8Length(entry.path, encoder));
  }
  const bytes = new Uint8Array(length + INDEX_CHECKSUM_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, SIGNATURE);
  view.setUint32(4, VERSION);
  view.setUint32(8, count);
  let offset = HEADER_BYTES;
  for (const entry of entries) {
    if ("row" in entry) {
      const copied = from?.entries(entry) ?? new Uint8Array();
      bytes.set(copied, offset);
      offset += copied.length;
    } else offset += encodeEntry(entry, bytes, view, offset, encoder);
  }
  const checksum = await indexChecksum(bytes.subarray(0, length));
  bytes.subarray(length).setFromHex(checksum);
  return { bytes, checksum };
}

/** Returns the checksum at the end of an index: that of the bytes before it. */
export async function indexChecksum(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  // It copies the bytes, but works in another thread. To load node:crypto would take 15 ms.
  return new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).toHex();
}

const ASCII = /^[\0-\x7f]*$/;

function utf8Length(text: string, encoder: TextEncoder): number {
  return ASCII.test(text) ? text.length : encoder.encode(text).length;
}

/** Writes an entry at an offset of an index, and returns its length. The bytes there are zero. */
function encodeEntry(
  entry: IndexEntry,
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  encoder: TextEncoder,
): number {
  encodeNumbers(entry, view, offset);
  bytes.subarray(offset + OBJECT_AT).setFromHex(entry.size === 0 ? EMPTY_OBJECT : entry.object);
  const { written } = encoder.encodeInto(entry.path, bytes.subarray(offset + FIXED_BYTES));
  view.setUint16(offset + FIXED_BYTES - 2, Math.min(written, NAME_LENGTH_MAX));
  return entryBytes(written);
}

/** The entries of an index that {@link encodeIndex} wrote, by their rows. */
export class IndexRows {
  readonly #bytes: Uint8Array;
  /** Where each entry begins, and where the last one ends. */
  readonly #offsets: Uint32Array;
  readonly #view: DataView;

  private constructor(bytes: Uint8Array, offsets: Uint32Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offsets = offsets;
  }

  /**
   * @param bytes with the checksum that the index had when it was written
   * @returns `undefined` if they are no such index
   */
  static parse(bytes: Uint8Array): IndexRows | undefined {
    const end = bytes.length - INDEX_CHECKSUM_BYTES;
    if (end < HEADER_BYTES) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const offsets = new Uint32Array(view.getUint32(8) + 1);
    let offset = HEADER_BYTES;
    for (const row of offsets.keys()) {
      offsets[row] = offset;
      if (row + 1 === offsets.length) return offset === end ? new IndexRows(bytes, offsets) : undefined;
      offset += entryBytes(nameLength(bytes, view, offset));
    }
    return undefined;
  }

  get count(): number {
    return this.#offsets.length - 1;
  }

  /** Returns the bytes of some entries. */
  entries({ row, end }: CopiedEntries): Uint8Array {
    return this.#bytes.subarray(this.#offsets[row], this.#offsets[end]);
  }

  /** Returns the name of the object in a row; `undefined` for an empty file. */
  objectAt(row: number): string | undefined {
    const start = (this.#offsets[row] ?? 0) + OBJECT_AT;
    const object = this.#bytes.subarray(start, start + OBJECT_BYTES).toHex();
    return object === EMPTY_OBJECT ? undefined : object;
  }

  /** Returns the bytes of the path in a row. */
  pathBytes(row: number): Uint8Array {
    const start = (this.#offsets[row] ?? 0) + FIXED_BYTES;
    return this.#bytes.subarray(start, start + nameLength(this.#bytes, this.#view, start - FIXED_BYTES));
  }

  /** Returns the rows of the paths that end like one of these texts in lower case, which are ASCII. */
  rowsEnding(ends: readonly string[]): number[] {
    const rows: number[] = [];
    const endings = ends.map((end) => new TextEncoder().encode(end));
    for (let row = 0; row < this.count; row++) {
      const path = this.pathBytes(row);
      if (endings.some((end) => bytesEndLike(path, end))) rows.push(row);
    }
    return rows;
  }

  /** Returns the paths of all rows. One text that is split is five times as fast as one text for each. */
  paths(): string[] {
    const names = new Uint8Array(this.#bytes.length);
    let length = 0;
    for (let row = 0; row < this.count; row++) {
      const start = this.#offsets[row] ?? 0;
      // With the NUL at its end.
      const end = start + FIXED_BYTES + nameLength(this.#bytes, this.#view, start) + 1;
      names.set(this.#bytes.subarray(start + FIXED_BYTES, end), length);
      length += end - start - FIXED_BYTES;
    }
    return new TextDecoder().decode(names.subarray(0, length)).split("\0").slice(0, this.count);
  }
}

/** Whether bytes end like others, which are in lower case. */
function bytesEndLike(bytes: Uint8Array, end: Uint8Array): boolean {
  for (let at = 1; at <= end.length; at++) {
    const byte = bytes[bytes.length - at] ?? 0;
    const lower = byte >= UPPER_A && byte <= UPPER_Z ? byte + 32 : byte;
    if (lower !== end[end.length - at]) return false;
  }
  return true;
}

const UPPER_A = 65;
const UPPER_Z = 90;

/** Long names end with the first NUL. */
function nameLength(bytes: Uint8Array, view: DataView, offset: number): number {
  const length = view.getUint16(offset + FIXED_BYTES - 2) & NAME_LENGTH_MAX;
  if (length < NAME_LENGTH_MAX) return length;
  return bytes.indexOf(0, offset + FIXED_BYTES) - offset - FIXED_BYTES;
}

/** 64-bit numbers keep their lower 32 bits, as in git. Lists of them would be 25 MB of garbage for 50,000 files. */
function encodeNumbers(entry: IndexEntry, view: DataView, offset: number): void {
  encodeTime(entry.ctimeMs, view, offset);
  encodeTime(entry.mtimeMs, view, offset + 8);
  view.setUint32(offset + 16, entry.device);
  view.setUint32(offset + 20, entry.inode);
  view.setUint32(offset + 24, entry.isExecutable ? EXECUTABLE_FILE : REGULAR_FILE);
  view.setUint32(offset + 28, entry.uid);
  view.setUint32(offset + 32, entry.gid);
  view.setUint32(offset + 36, entry.size);
}

/** In seconds and nanoseconds. */
function encodeTime(timeMs: number, view: DataView, offset: number): void {
  const seconds = Math.floor(timeMs / 1000);
  view.setUint32(offset, seconds);
  view.setUint32(offset + 4, Math.round((timeMs - seconds * 1000) * 1e6));
}

/** One to eight NUL bytes end a path and pad its entry. */
function entryBytes(nameBytes: number): number {
  return Math.ceil((FIXED_BYTES + nameBytes + 1) / ALIGNMENT) * ALIGNMENT;
}
