import type { ArchiveGuard } from "./archive_guard.ts";
import type { SeekableFile } from "./file_range.ts";
import { readAt } from "../core/read_at.ts";

// Layouts and signatures: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.6 to 4.3.16. All numbers are little-endian.

/** Signature of a local file header. */
export const LOCAL_HEADER = [0x50, 0x4b, 3, 4] as const;
/** Signature of the end of central directory. */
export const ZIP_END = [0x50, 0x4b, 5, 6] as const;

const END_BYTES = 22;
const COMMENT_BYTES_MAX = 0xffff;
const LOCATOR_BYTES = 20;
const LOCATOR_SIGNATURE = 0x07064b50;
const ZIP64_END_BYTES = 56;
const ZIP64_END_SIGNATURE = 0x06064b50;
/** All end records with the longest comment: what is read at the end of a ZIP. */
export const END_OF_ZIP_BYTES_MAX = ZIP64_END_BYTES + LOCATOR_BYTES + END_BYTES + COMMENT_BYTES_MAX;
/** The value of a field whose real value is in the ZIP64 record. */
const FULL_16 = 0xffff;
const FULL_32 = 0xffffffff;

/** The location of a ZIP's end record. */
export type EndOfZip =
  | { readonly kind: "found"; readonly offset: number }
  /** Several records could be the end record. */
  | { readonly kind: "ambiguous" }
  /** Bytes follow the end record. */
  | { readonly kind: "followed"; readonly bytes: number }
  | { readonly kind: "missing" };

/** Searches the end record, which has to end at the end of the file. */
export function findEndOfZip(file: SeekableFile, fileBytes: number): EndOfZip {
  const tailBytes = Math.min(fileBytes, END_BYTES + COMMENT_BYTES_MAX);
  const start = fileBytes - tailBytes;
  const tail = readAt(file, start, tailBytes);
  const view = viewOf(tail);
  const fitting: number[] = [];
  let last: number | undefined;
  for (let at = tail.indexOf(ZIP_END[0]); at !== -1; at = tail.indexOf(ZIP_END[0], at + 1)) {
    if (!ZIP_END.every((byte, index) => tail[at + index] === byte)) continue;
    last = at;
    if (at + END_BYTES > tail.length) continue;
    if (at + END_BYTES + view.getUint16(at + 20, true) === tail.length) fitting.push(at);
  }
  const [only, second] = fitting;
  if (only !== undefined) {
    // Programs disagree about a comment or contents that contain another end record.
    return second === undefined && only === last
      ? { kind: "found", offset: start + only }
      : { kind: "ambiguous" };
  }
  if (last === undefined || last + END_BYTES > tail.length) return { kind: "missing" };
  const following = tail.length - last - END_BYTES - view.getUint16(last + 20, true);
  return following > 0 ? { kind: "followed", bytes: following } : { kind: "missing" };
}

/** The range of the central directory and its stated number of entries. */
export interface DirectoryPlace {
  readonly offset: number;
  readonly bytes: number;
  readonly count: number;
}

/**
 * Returns the parsed end records. The directory has to end where they begin, and they have to end at the end of the
 * file.
 */
export function readEndOfZip(file: SeekableFile, fileBytes: number, guard: ArchiveGuard): DirectoryPlace {
  const end = findEndOfZip(file, fileBytes);
  if (end.kind === "ambiguous") {
    throw guard.fault("ARCHIVE_UNSAFE", "it has two ends, and programs would read it differently");
  }
  if (end.kind === "followed") {
    throw guard.fault("ARCHIVE_UNSAFE", `${end.bytes} bytes follow its end`);
  }
  if (end.kind === "missing") throw guard.fault("ARCHIVE_DAMAGED", "its end is missing: it was truncated");
  const view = viewOf(readAt(file, end.offset, END_BYTES));
  const short = {
    disks: [view.getUint16(4, true), view.getUint16(6, true)],
    countHere: view.getUint16(8, true),
    count: view.getUint16(10, true),
    bytes: view.getUint32(12, true),
    offset: view.getUint32(16, true),
  };
  const long = readZip64End(file, end.offset, guard);
  const { place, endsAt } = long === undefined
    ? { place: short, endsAt: end.offset }
    : { place: agree(short, long, guard), endsAt: long.at };
  if (place.disks.some((disk) => disk !== 0) || place.countHere !== place.count) {
    throw guard.fault("ARCHIVE_UNSAFE", "it is a part of a split archive");
  }
  const missing = endsAt - place.bytes - place.offset;
  if (missing > 0) {
    throw guard.fault(
      "ARCHIVE_UNSAFE",
      `${missing} bytes precede its first entry or follow its directory`,
    );
  }
  if (missing < 0) throw guard.fault("ARCHIVE_DAMAGED", `its directory lies ${-missing} bytes off`);
  guard.checkEntryCount(place.count);
  return place;
}

/** The fields of both end records. The short one has 16 and 32 bits. */
interface EndFields extends DirectoryPlace {
  readonly disks: readonly number[];
  readonly countHere: number;
}

function readZip64End(
  file: SeekableFile,
  endOffset: number,
  guard: ArchiveGuard,
): EndFields & { readonly at: number } | undefined {
  if (endOffset < LOCATOR_BYTES) return undefined;
  const locator = viewOf(readAt(file, endOffset - LOCATOR_BYTES, LOCATOR_BYTES));
  if (locator.getUint32(0, true) !== LOCATOR_SIGNATURE) return undefined;
  const at = endOffset - LOCATOR_BYTES - ZIP64_END_BYTES;
  const isPlaced = at >= 0 && locator.getBigUint64(8, true) === BigInt(at) &&
    locator.getUint32(4, true) === 0 && locator.getUint32(16, true) <= 1;
  const view = isPlaced ? viewOf(readAt(file, at, ZIP64_END_BYTES)) : undefined;
  // Its size does not count the first 12 bytes. A larger record would have a part that only some programs read.
  const isWhole = view !== undefined && view.getUint32(0, true) === ZIP64_END_SIGNATURE &&
    view.getBigUint64(4, true) === BigInt(ZIP64_END_BYTES - 12);
  if (!isWhole) {
    throw guard.fault("ARCHIVE_UNSAFE", "its ZIP64 end record is misplaced or invalid");
  }
  return {
    at,
    disks: [view.getUint32(16, true), view.getUint32(20, true)],
    countHere: Number(view.getBigUint64(24, true)),
    count: Number(view.getBigUint64(32, true)),
    bytes: Number(view.getBigUint64(40, true)),
    offset: Number(view.getBigUint64(48, true)),
  };
}

/** Every field of the short record with a real value has to equal the long one's. */
function agree(short: EndFields, long: EndFields, guard: ArchiveGuard): EndFields {
  const pairs = [
    [short.count, long.count, FULL_16],
    [short.countHere, long.countHere, FULL_16],
    [short.bytes, long.bytes, FULL_32],
    [short.offset, long.offset, FULL_32],
  ] as const;
  const disagrees = pairs.some(([a, b, full]) => a !== full && a !== b) ||
    short.disks.some((disk) => disk !== 0 && disk !== FULL_16);
  if (disagrees) throw guard.fault("ARCHIVE_UNSAFE", "its two end records disagree");
  return long;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
