import { osErrorCode } from "../../../core/errors.ts";

/**
 * Whether bytes begin like a zlib stream with an unusual window size, which `zlib.decompress` accepts. Source: RFC 1950,
 * section 2.2.
 */
export function hasOddWindow([first = 0, second = 0]: Uint8Array): boolean {
  return first % 16 === 8 && first < 0x78 && (first * 256 + second) % 31 === 0;
}

/** Whether the beginning of a stream decompresses to something, which distinguishes it from other bytes. */
export async function inflatesAtOnce(head: Uint8Array): Promise<boolean> {
  const { constants, inflateSync } = await import("node:zlib");
  try {
    return inflateSync(head, { finishFlush: constants.Z_SYNC_FLUSH }).length > 0;
  } catch (error) {
    if (["Z_DATA_ERROR", "Z_NEED_DICT", "Z_BUF_ERROR"].includes(osErrorCode(error) ?? "")) return false;
    throw error;
  }
}

/**
 * Less than Python's readers read and decompress at a time: `gzip` and joblib use `io.DEFAULT_BUFFER_SIZE`, 8 KiB and more.
 * They return nothing of a piece with an error.
 */
export const PIECE_BYTES = 4096;

/**
 * Whether Python finds an error in a compressed stream before it returns any bytes, so that no pickle is loaded from it. Raw
 * numbers begin like zlib or gzip by chance.
 *
 * @param head the first {@link PIECE_BYTES} bytes of the stream, or all of a shorter one
 */
export async function isDamagedAtOnce(head: Uint8Array, wrapper: "zlib" | "gzip"): Promise<boolean> {
  const { inflateRawSync, inflateSync } = await import("node:zlib");
  // A stream with more than a piece before its error fails with another code.
  const options = { chunkSize: PIECE_BYTES, maxOutputLength: PIECE_BYTES };
  try {
    if (wrapper === "zlib") {
      inflateSync(head, options);
      return false;
    }
    const start = endOfGzipHeader(head);
    if (start === undefined) return true;
    if (start > head.length) return head.length < PIECE_BYTES;
    // Python checks the checksum behind the contents only after it returned them.
    inflateRawSync(head.subarray(start), options);
    return false;
  } catch (error) {
    return ["Z_DATA_ERROR", "Z_NEED_DICT"].includes(osErrorCode(error) ?? "");
  }
}

const DEFLATE = 8;

/**
 * Returns the end of a gzip header as Python's `gzip` reads it, which ignores unknown flags and the header's checksum;
 * `undefined` if it refuses the header. Source: RFC 1952, section 2.3; `_read_gzip_header()` in Python's `gzip.py`.
 */
function endOfGzipHeader(head: Uint8Array): number | undefined {
  const [method, flags = 0] = head.subarray(2);
  if (method !== DEFLATE) return undefined;
  let at = 10;
  if ((flags & 4) !== 0) at += 2 + (head[at] ?? 0) + 256 * (head[at + 1] ?? 0);
  // A name and a comment, each terminated by NUL.
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const end = head.indexOf(0, at);
    at = end === -1 ? head.length : end + 1;
  }
  return at + ((flags & 2) !== 0 ? 2 : 0);
}
