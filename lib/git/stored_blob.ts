import { type FileSystem, findFile } from "../core/files.ts";
import { readAt } from "../core/read_at.ts";
import { BLOB, BLOCK_BYTES_MAX, BLOCK_HEADER_BYTES, ZLIB_HEADER } from "./pack_writer.ts";

/** Enough for the type and a size of 2^53. */
const ENTRY_HEADER_BYTES_MAX = 8;

/**
 * Returns the content of a blob that `PackWriter` wrote into a pack. Through a pipe from git, a manifest of 50,000 files takes
 * twenty times as long. Nothing is verified: compare the content with the blob's name.
 *
 * @param offset where the blob's entry begins
 * @returns `undefined` if the pack is gone or there is anything else, and for more than `bytesMax`
 */
export function readStoredBlob(
  fs: FileSystem,
  pack: string,
  offset: number,
  bytesMax: number,
): Uint8Array | undefined {
  try {
    if (findFile(fs, pack)?.isFile !== true) return undefined;
    using file = fs.openSync(pack, { read: true });
    const entry = parseEntryHeader(readAt(file, offset, ENTRY_HEADER_BYTES_MAX));
    if (entry === undefined || entry.size > bytesMax) return undefined;
    const blocks = Math.max(1, Math.ceil(entry.size / BLOCK_BYTES_MAX));
    const start = offset + entry.length + ZLIB_HEADER.length;
    return joinBlocks(readAt(file, start, entry.size + blocks * BLOCK_HEADER_BYTES), entry.size);
  } catch {
    // Git reads the same next, and reports the fault.
    return undefined;
  }
}

/** Returns the size of a blob, and the length of the header that states it; `undefined` for another object. */
function parseEntryHeader(
  bytes: Uint8Array,
): { readonly size: number; readonly length: number } | undefined {
  const [first = 0] = bytes;
  if ((first >> 4 & 7) !== BLOB) return undefined;
  let size = first % 16;
  let unit = 16;
  let length = 1;
  for (let byte = first; byte >= 0x80; unit *= 128) {
    byte = bytes[length++] ?? 0;
    size += byte % 128 * unit;
  }
  return { size, length };
}

/** Removes the headers of stored blocks (RFC 1951), in place. */
function joinBlocks(bytes: Uint8Array, size: number): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let done = 0;
  for (let at = 0; at < bytes.length;) {
    const length = Math.min(size - done, BLOCK_BYTES_MAX);
    const isStored = at + BLOCK_HEADER_BYTES + length <= bytes.length && view.getUint8(at) <= 1 &&
      view.getUint16(at + 1, true) === length;
    if (!isStored) return undefined;
    at += BLOCK_HEADER_BYTES;
    bytes.copyWithin(done, at, at + length);
    at += length;
    done += length;
  }
  return done === size ? bytes.subarray(0, size) : undefined;
}
