import type { DeflateRaw, Gunzip, InflateRaw, ZstdDecompress } from "node:zlib";
import { osErrorCode } from "../core/errors.ts";

/**
 * Yields the output of a node:zlib engine for pieces of input. It requests the next piece only after the engine has
 * consumed the last, so buffers can be reused. Leaving the loop early closes the engine.
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

/**
 * Writes the pieces. Stops when the engine has closed: its data ended early, was damaged, or is not needed any more.
 */
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

/** The output size of the engine. Large pieces are 1.5 times as fast as its default of 16 KiB. */
const PIECE_BYTES_MAX = 1024 * 1024;

/** The engine's minimum. */
const PIECE_BYTES_MIN = 64;

/** Returns the output size for contents of a known size. One additional byte reveals larger contents. */
export function pieceBytesFor(bytes: number): number {
  return Math.max(PIECE_BYTES_MIN, Math.min(bytes + 1, PIECE_BYTES_MAX));
}

/**
 * Returns whether an error is about the compressed data (`Z_DATA_ERROR`, `Z_BUF_ERROR`, …). The errors of zstd have no
 * code.
 */
export function isDataError(error: unknown): error is Error {
  if (osErrorCode(error)?.startsWith("Z_") === true) return true;
  return error instanceof Error && error.message.startsWith("Zstd decompress error");
}
