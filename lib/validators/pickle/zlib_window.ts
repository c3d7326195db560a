import { osErrorCode } from "../../core/errors.ts";

/**
 * Whether bytes begin as a zlib stream of a window other than the usual one: `zlib.decompress` takes all of them. Source:
 * RFC 1950, section 2.2.
 */
export function hasOddWindow([first = 0, second = 0]: Uint8Array): boolean {
  return first % 16 === 8 && first < 0x78 && (first * 256 + second) % 31 === 0;
}

/** Whether something comes of the beginning of a stream when it is decompressed; of other bytes nothing does. */
export async function inflatesAtOnce(head: Uint8Array): Promise<boolean> {
  const { constants, inflateSync } = await import("node:zlib");
  try {
    return inflateSync(head, { finishFlush: constants.Z_SYNC_FLUSH }).length > 0;
  } catch (error) {
    if (["Z_DATA_ERROR", "Z_NEED_DICT", "Z_BUF_ERROR"].includes(osErrorCode(error) ?? "")) return false;
    throw error;
  }
}
