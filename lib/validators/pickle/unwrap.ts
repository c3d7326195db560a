import type { Context } from "../../core/context.ts";
import { osErrorCode } from "../../core/errors.ts";
import { readAt } from "../../core/read_at.ts";
import { readRange } from "../../core/read_pieces.ts";
import { fileSource } from "./file_source.ts";
import { UNWRAP_LIMITS } from "./pickle_limits.ts";
import { PickleProblem } from "./pickle_problem.ts";
import type { PickleSource } from "./pickle_reader.ts";
import type { Wrapper } from "./recognise_pickle.ts";
import { streamSource } from "./stream_source.ts";

/** The contents of a compressed file. The file stays open. */
export async function unwrap(
  { signal }: Pick<Context, "signal">,
  file: Deno.FsFile,
  size: number,
  wrapper: Wrapper,
): Promise<PickleSource> {
  const pieces = wrapper === "lz4"
    ? await lz4Pieces(file, size, signal)
    : inflated(file, size, wrapper, signal);
  return streamSource(bounded(pieces, size), signal);
}

async function lz4Pieces(
  file: Deno.FsFile,
  size: number,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  return (await import("./lz4_frame.ts")).decompressLz4(fileSource(file, size, signal));
}

/** node:zlib is loaded when needed, because it costs every start 30 ms. */
async function* inflated(
  file: Deno.FsFile,
  size: number,
  wrapper: "zlib" | "gzip" | "zstd",
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { createGunzip, createInflate, createZstdDecompress } = await import("node:zlib");
  const { isDataError, zlibPieces } = await import("../../core/zlib_pieces.ts");
  const options = { chunkSize: PIECE_BYTES };
  const engine = wrapper === "zstd"
    ? createZstdDecompress(options)
    : wrapper === "gzip"
    ? createGunzip(options)
    : createInflate(options);
  try {
    yield* zlibPieces(engine, readRange(file, { offset: 0, bytes: size }, signal));
  } catch (error) {
    if (!isDataError(error)) throw error;
    // Other readers check less than this one does, or hand out what stands before the damage.
    const isSure = wrapper === "zlib" && await isDamagedAtOnce(readAt(file, 0, HEAD_BYTES));
    throw new PickleProblem(
      isSure ? "broken" : "refused",
      0,
      `cannot be decompressed (${wrapper}): ${error.message}`,
    );
  }
  // joblib goes on with a second stream behind the first.
  if (engine.bytesWritten !== size) {
    throw new PickleProblem("refused", engine.bytesWritten, `has bytes behind its ${wrapper} stream`);
  }
}

/**
 * Python decompresses at least so many bytes at a time, and hands out nothing of a piece that has an error: damage in
 * them is found before anything is read.
 */
const HEAD_BYTES = 4096;

async function isDamagedAtOnce(head: Uint8Array): Promise<boolean> {
  const { inflateSync } = await import("node:zlib");
  try {
    inflateSync(head);
    return false;
  } catch (error) {
    return osErrorCode(error) === "Z_DATA_ERROR";
  }
}

/** Large pieces are half again as fast as the default of 16 KiB. */
const PIECE_BYTES = 1024 * 1024;

/** Holds what comes against the limits, which fail and never cut off. */
async function* bounded(pieces: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  const { bytesMax, freeBytes, ratioMax } = UNWRAP_LIMITS;
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > bytesMax) {
      throw new PickleProblem("refused", bytes, `decompresses to more than ${bytesMax} bytes`);
    }
    if (bytes > freeBytes && bytes > ratioMax * size) {
      throw new PickleProblem(
        "refused",
        bytes,
        `decompresses to more than ${ratioMax} times its ${size} bytes`,
      );
    }
    yield piece;
  }
}
