// Source: RFC 8878, sections 3.1.1 and 3.1.2.

export const ZSTD_MAGIC = 0xfd2fb528;

/** The first of 16 magics of frames that readers pass over. */
const SKIPPED_MAGIC = 0x184d2a50;

/** Whether data begins as zstd does: with a frame, or with one that is passed over, as pzstd writes. */
export function isZstd(head: Uint8Array): boolean {
  if (head.length < 4) return false;
  const magic = new DataView(head.buffer, head.byteOffset).getUint32(0, true);
  return magic === ZSTD_MAGIC || isSkippedFrame(magic);
}

/** Whether readers pass over a frame with this magic. */
export function isSkippedFrame(magic: number): boolean {
  return magic >>> 4 === SKIPPED_MAGIC >>> 4;
}
