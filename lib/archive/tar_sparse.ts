import type { ArchiveGuard } from "./archive_guard.ts";
import { sizeField, TAR_BLOCK_BYTES } from "./tar_header.ts";
import type { TarStream } from "./tar_stream.ts";

// Layouts: GNU tar manual, "Storing Sparse Files": "Old GNU Format" and "PAX Format, Version 1.0".

/** A stored part of a sparse file. The gaps between the parts are zeros. */
interface SparsePart {
  readonly offset: number;
  readonly bytes: number;
}

/** The map of a sparse file's stored parts. */
export interface SparseMap {
  /** The last part ends at the end of the file. If a hole is there, that part is empty. */
  readonly parts: readonly SparsePart[];
  /** The size of the file. */
  readonly bytes: number;
}

/** A file with more parts is a disk image instead of a model. These take about 2 MB of memory. */
const PARTS_MAX = 65_536;

/** Old GNU headers hold four parts, and each following block 21 more. */
const OLD_PARTS = { inHeader: { from: 386, to: 482 }, inBlock: { from: 0, to: 504 } };
const OLD_PART_BYTES = 24;
const OLD_OFFSET = { from: 369, to: 381 };
const OLD_REAL_SIZE = { from: 483, to: 495 };

/**
 * Returns the map of a sparse file in GNU tar's default format: in the header and the blocks after it.
 *
 * @param storedBytes the stated number of stored bytes
 * @throws {RefusedError} code `ARCHIVE_UNSAFE` or `ARCHIVE_DAMAGED`
 */
export async function readOldSparseMap(
  stream: TarStream,
  block: Uint8Array,
  storedBytes: number,
  path: string,
  guard: ArchiveGuard,
): Promise<SparseMap> {
  const bytes = sizeField(block.subarray(OLD_REAL_SIZE.from, OLD_REAL_SIZE.to));
  const isPartOfVolume = block.subarray(OLD_OFFSET.from, OLD_OFFSET.to).some((byte) => byte > 0x30);
  if (bytes === undefined || isPartOfVolume) throw unreadable(path, guard);
  const parts: SparsePart[] = [];
  let { from, to } = OLD_PARTS.inHeader;
  for (let current = block;; ({ from, to } = OLD_PARTS.inBlock)) {
    const found = oldParts(current.subarray(from, to));
    const isExtended = current[to] !== 0;
    // GNU tar stops at the first unused slot, other readers continue.
    const isFull = found?.length === (to - from) / OLD_PART_BYTES;
    if (found === undefined || isExtended && !isFull) throw unreadable(path, guard);
    addParts(parts, found, path, guard);
    if (!isExtended) return checkMap({ parts, bytes }, storedBytes, path, guard);
    current = await readBlock(stream, path, guard);
  }
}

/** Returns the parts up to the first unused slot; `undefined` if a later slot is used, or a field is not a number. */
function oldParts(field: Uint8Array): SparsePart[] | undefined {
  const parts: SparsePart[] = [];
  for (let at = 0; at < field.length; at += OLD_PART_BYTES) {
    if (field[at] === 0) return field.subarray(at).some((byte) => byte !== 0) ? undefined : parts;
    const offset = sizeField(field.subarray(at, at + 12));
    const bytes = sizeField(field.subarray(at + 12, at + OLD_PART_BYTES));
    if (offset === undefined || bytes === undefined) return undefined;
    parts.push({ offset, bytes });
  }
  return parts;
}

/**
 * Returns the map of a sparse file in the format of bsdtar and `tar --format=pax`: lines before the contents, padded to
 * blocks.
 *
 * @param memberBytes the size of map and contents together
 * @returns the map, and the number of bytes of the member after it
 * @throws {RefusedError} code `ARCHIVE_UNSAFE` or `ARCHIVE_DAMAGED`
 */
export async function readPaxSparseMap(
  stream: TarStream,
  memberBytes: number,
  sparse: { readonly bytes: number },
  path: string,
  guard: ArchiveGuard,
): Promise<{ readonly map: SparseMap; readonly storedBytes: number }> {
  const lines = new MapLines(stream, memberBytes, path, guard);
  const count = await lines.next();
  if (count > PARTS_MAX) throw tooManyParts(path, guard);
  const parts: SparsePart[] = [];
  while (parts.length < count) parts.push({ offset: await lines.next(), bytes: await lines.next() });
  const storedBytes = lines.end();
  return { map: checkMap({ parts, bytes: sparse.bytes }, storedBytes, path, guard), storedBytes };
}

/** No size or offset has more digits. */
const DIGITS_MAX = 16;

const NEWLINE = 0x0a;

/** Yields the numbers of a map, one per line. */
class MapLines {
  readonly #stream: TarStream;
  readonly #path: string;
  readonly #guard: ArchiveGuard;
  #left: number;
  #block: Uint8Array = new Uint8Array(0);

  constructor(stream: TarStream, bytes: number, path: string, guard: ArchiveGuard) {
    this.#stream = stream;
    this.#left = bytes;
    this.#path = path;
    this.#guard = guard;
  }

  async next(): Promise<number> {
    let digits = "";
    for (;;) {
      if (this.#block.length === 0) await this.#fill();
      const byte = this.#block[0] ?? 0;
      this.#block = this.#block.subarray(1);
      if (byte === NEWLINE) break;
      digits += String.fromCharCode(byte);
      if (digits.length > DIGITS_MAX) throw unreadable(this.#path, this.#guard);
    }
    const value = /^(0|[1-9]\d*)$/.test(digits) ? Number(digits) : NaN;
    if (!Number.isSafeInteger(value)) throw unreadable(this.#path, this.#guard);
    return value;
  }

  /** @returns the number of bytes after the map's last block */
  end(): number {
    if (this.#block.some((byte) => byte !== 0)) throw unreadable(this.#path, this.#guard);
    return this.#left;
  }

  async #fill(): Promise<void> {
    if (this.#left < TAR_BLOCK_BYTES) throw unreadable(this.#path, this.#guard);
    this.#block = await readBlock(this.#stream, this.#path, this.#guard);
    this.#left -= TAR_BLOCK_BYTES;
  }
}

async function readBlock(stream: TarStream, path: string, guard: ArchiveGuard): Promise<Uint8Array> {
  const block = await stream.bytes(TAR_BLOCK_BYTES);
  if (block.length === TAR_BLOCK_BYTES) return block;
  throw guard.entryFault("ARCHIVE_DAMAGED", path, "is cut off: the archive was truncated");
}

function addParts(
  parts: SparsePart[],
  more: readonly SparsePart[],
  path: string,
  guard: ArchiveGuard,
): void {
  if (parts.length + more.length > PARTS_MAX) throw tooManyParts(path, guard);
  parts.push(...more);
}

/**
 * Returns the map if every reader interprets it in the same way: the parts are ordered, do not overlap, end at the end
 * of the file, add up to the stored bytes, and all but the last end at a block (GNU tar begins each at a block).
 */
function checkMap(map: SparseMap, storedBytes: number, path: string, guard: ArchiveGuard): SparseMap {
  const { parts, bytes } = map;
  const lastIndex = parts.findLastIndex((part) => part.bytes > 0);
  let end = 0;
  let stored = 0;
  for (const [index, part] of parts.entries()) {
    // An empty part marks the end of the file. In bsdtar's format it also begins a file that is one hole.
    const isMisplaced = part.bytes === 0 && index > 0 && index < parts.length - 1;
    const isCut = part.bytes % TAR_BLOCK_BYTES !== 0 && index !== lastIndex;
    if (part.offset < end || isMisplaced || isCut) throw unreadable(path, guard);
    end = part.offset + part.bytes;
    stored += part.bytes;
  }
  // GNU tar uses the end of the last part, other readers the size.
  if (end !== bytes || stored !== storedBytes) throw unreadable(path, guard);
  return map;
}

function unreadable(path: string, guard: ArchiveGuard): Error {
  return guard.entryFault("ARCHIVE_UNSAFE", path, "is a sparse file whose map does not fit it");
}

function tooManyParts(path: string, guard: ArchiveGuard): Error {
  return guard.entryFault("ARCHIVE_LIMIT", path, `is a sparse file of more than ${PARTS_MAX} parts`);
}

/** The size of the pieces of zeros. */
const ZEROS_BYTES = 256 * 1024;

/**
 * Yields the contents of a sparse file, with zeros for the holes.
 *
 * @param take yields the next stored bytes; fewer at the end of the archive
 */
export async function* fillHoles(
  { parts }: SparseMap,
  take: (count: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const part of parts) {
    yield* zeros(part.offset - at);
    yield* take(part.bytes);
    at = part.offset + part.bytes;
  }
}

function* zeros(count: number): Generator<Uint8Array> {
  const piece = new Uint8Array(Math.min(count, ZEROS_BYTES));
  for (let left = count; left > 0; left -= piece.length) {
    yield piece.subarray(0, Math.min(left, piece.length));
  }
}
