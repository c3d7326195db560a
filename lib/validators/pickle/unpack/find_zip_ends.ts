import type { SeekableFile } from "../../../archive/file_range.ts";
import { readAt, readInto } from "../../../core/read_at.ts";
import { giveBuffer, takeBuffer } from "../../../core/spare_buffers.ts";

const END_BYTES = 22;
const COMMENT_BYTES_MAX = 0xffff;
const LOCATOR_BYTES = 20;
/** The size of the locator and the record that ZIP64 adds before the end record. */
const ZIP64_BYTES = 76;
const DIRECTORY_HEADER = 0x02014b50;
const LOCATOR = 0x07064b50;
const END = 0x06054b50;

/** More end records are an attack on the time of the validation. */
const CANDIDATES_MAX = 1000;

/**
 * Returns the offsets of end records by which programs would open a file of any format as a ZIP: the readers of Python,
 * numpy and torch search the last 64 KiB for one, whatever comes before. A record counts only if there is a directory where
 * it says, so that raw numbers are not mistaken for one.
 */
export function findZipEnds(
  file: Pick<SeekableFile, "readSync" | "seekSync">,
  size: number,
): readonly number[] {
  const start = Math.max(size - END_BYTES - COMMENT_BYTES_MAX, 0);
  const buffer = takeBuffer();
  try {
    const bytes = readInto(file, start, buffer.subarray(0, size - start));
    return endsIn(file, start, buffer.subarray(0, bytes));
  } finally {
    giveBuffer(buffer);
  }
}

function endsIn(
  file: Pick<SeekableFile, "readSync" | "seekSync">,
  start: number,
  tail: Uint8Array,
): readonly number[] {
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  const ends: number[] = [];
  let candidates = 0;
  for (let at = tail.indexOf(0x50); at !== -1; at = tail.indexOf(0x50, at + 1)) {
    if (at + END_BYTES > tail.length || view.getUint32(at, true) !== END) continue;
    const bytes = view.getUint32(at + 12, true);
    const end = start + at;
    const places = [end - bytes, end - ZIP64_BYTES - bytes, view.getUint32(at + 16, true)];
    const isEnd = ++candidates > CANDIDATES_MAX ||
      places.some((place) => hasSignature(file, place, DIRECTORY_HEADER)) ||
      hasSignature(file, end - LOCATOR_BYTES, LOCATOR);
    if (isEnd) ends.push(end);
    if (candidates > CANDIDATES_MAX) break;
  }
  return ends;
}

function hasSignature(
  file: Pick<SeekableFile, "readSync" | "seekSync">,
  offset: number,
  signature: number,
): boolean {
  if (offset < 0) return false;
  const bytes = readAt(file, offset, 4);
  return bytes.length === 4 &&
    new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) === signature;
}
