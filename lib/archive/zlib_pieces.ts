import type { DeflateRaw, Gunzip, InflateRaw, ZstdDecompress } from "node:zlib";
import { osErrorCode } from "../core/errors.ts";

/**
 * Sends pieces through an engine of node:zlib and hands out what comes of them. The next piece is asked for when the
 * engine is done with the last, so buffers can be reused. Left early, it ends the engine.
 */
export async function* zlibPieces(
  engine: InflateRaw | DeflateRaw | Gunzip | ZstdDecompress,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const feeding = feed(engine, pieces);
  try {
    for await (const piece of engine) yield piece;
  } finally {
    engine.destroy();
    await feeding;
  }
}

/** Stops when the engine is gone: because its data ended before the pieces did, because they broke it, or unwanted. */
async function feed(
  engine: InflateRaw | DeflateRaw | Gunzip | ZstdDecompress,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  let wake = () => {};
  engine.once("close", () => wake());
  try {
    for await (const piece of pieces) {
      await new Promise<void>((done) => {
        wake = done;
        if (engine.destroyed) done();
        else engine.write(piece, () => done());
      });
      if (engine.destroyed) return;
    }
    engine.end();
  } catch (error) {
    engine.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

/** What the engine makes at a time: large pieces are half again as fast as its default of 16 KiB. */
const PIECE_BYTES_MAX = 1024 * 1024;

/** The least that the engine accepts. */
const PIECE_BYTES_MIN = 64;

/** How much to make at a time of contents of a known size. One byte more shows contents that are larger. */
export function pieceBytesFor(bytes: number): number {
  return Math.max(PIECE_BYTES_MIN, Math.min(bytes + 1, PIECE_BYTES_MAX));
}

/** Whether an error is about the compressed data (`Z_DATA_ERROR`, `Z_BUF_ERROR`, …). Those of zstd have no code. */
export function isDataError(error: unknown): error is Error {
  if (osErrorCode(error)?.startsWith("Z_") === true) return true;
  return error instanceof Error && error.message.startsWith("Zstd decompress error");
}
