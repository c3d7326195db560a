import type { Context } from "../../../core/context.ts";
import type { Contents } from "../contents.ts";
import { UNWRAP_LIMITS } from "../limits.ts";
import { PickleProblem } from "../pickle_problem.ts";
import { peek, type PickleSource, streamSource } from "../pickle_source.ts";
import {
  HEAD_BYTES as BEGINNING_BYTES,
  isPlainText,
  type PickleSuspicion,
  recognisePickle,
  type Wrapper,
} from "./recognise_pickle.ts";
import { hasOddWindow, inflatesAtOnce, isDamagedAtOnce, PIECE_BYTES as DAMAGE_BYTES } from "./zlib_head.ts";

/** Contents without what compresses them. */
export interface Peeled {
  readonly source: PickleSource;
  /** What they begin as. */
  readonly beginning: Exclude<PickleSuspicion, { readonly kind: "wrapped" }> | undefined;
  /** What they were compressed by, the outermost first. */
  readonly wrappers: readonly Wrapper[];
  /** Whether they begin as a text does. */
  readonly isText: boolean;
}

/** No compressor makes one unless it is asked to. */
const ODD_WINDOW = { kind: "sealed", method: "zlib with an unusual window" } as const;

/** More layers of compression have no reason but to hide what is inside. */
const LAYERS_MAX = 3;

/**
 * Decompresses contents, layer by layer.
 *
 * @throws {PickleProblem}
 */
export async function peel(
  { signal }: Pick<Context, "signal">,
  { name, size, open }: Pick<Contents, "name" | "size" | "open">,
): Promise<Peeled> {
  const wrappers: Wrapper[] = [];
  let stream = open();
  while (true) {
    const { head, source } = await peek(stream, BEGINNING_BYTES);
    const beginning = recognisePickle(head, name);
    if (beginning?.kind === "pickle" && hasOddWindow(head) && await inflatesAtOnce(head)) {
      return { source, beginning: ODD_WINDOW, wrappers, isText: false };
    }
    if (beginning?.kind !== "wrapped") {
      return { source, beginning, wrappers, isText: isPlainText(head) };
    }
    if (wrappers.length === LAYERS_MAX) {
      throw new PickleProblem("refused", 0, `is compressed more than ${LAYERS_MAX} times`);
    }
    stream = await unwrap(source, beginning.wrapper, size, signal);
    wrappers.push(beginning.wrapper);
  }
}

/** What a compressed stream holds, up to the limits for contents of `size` bytes; the stream is closed with it. */
async function unwrap(
  source: PickleSource,
  wrapper: Wrapper,
  size: number,
  signal: AbortSignal,
): Promise<PickleSource> {
  const pieces = wrapper === "lz4"
    ? (await import("./lz4_frame.ts")).decompressLz4(source)
    : wrapper === "zstd"
    ? unzstded(source)
    : inflated(source, wrapper);
  return streamSource(bounded(pieces, size), signal);
}

/** node:zlib is loaded when needed, because it costs every start 30 ms. */
async function* inflated(
  source: PickleSource,
  wrapper: "zlib" | "gzip",
): AsyncGenerator<Uint8Array> {
  const { createGunzip, createInflate } = await import("node:zlib");
  const { isDataError, zlibPieces } = await import("../../../archive/zlib_pieces.ts");
  const options = { chunkSize: PIECE_BYTES };
  const engine = wrapper === "gzip" ? createGunzip(options) : createInflate(options);
  let bytes = 0;
  let head: Uint8Array = new Uint8Array(0);
  const pieces = async function* () {
    for (let piece = await source.read(); piece !== undefined; piece = await source.read()) {
      if (bytes === 0) head = piece.slice(0, DAMAGE_BYTES);
      bytes += piece.length;
      yield piece;
    }
  };
  try {
    yield* zlibPieces(engine, pieces());
    // joblib goes on with a second stream behind the first.
    if (engine.bytesWritten !== bytes || await source.read() !== undefined) {
      throw new PickleProblem("refused", engine.bytesWritten, `has bytes behind its ${wrapper} stream`);
    }
  } catch (error) {
    if (!isDataError(error)) throw error;
    // Other readers check less than this one does, or hand out what stands before the damage.
    const isSure = await isDamagedAtOnce(head, wrapper);
    throw new PickleProblem(
      isSure ? "broken" : "refused",
      0,
      `cannot be decompressed (${wrapper}): ${error.message}`,
    );
  } finally {
    await source.close();
  }
}

/** Readers disagree about a second frame, so nothing may follow the first. */
async function* unzstded(source: PickleSource): AsyncGenerator<Uint8Array> {
  const { ZstdProblem, zstdPieces } = await import("../../../archive/zstd_pieces.ts");
  const pieces = async function* () {
    for (let piece = await source.read(); piece !== undefined; piece = await source.read()) yield piece;
  };
  try {
    yield* zstdPieces(pieces(), "one");
  } catch (error) {
    if (!(error instanceof ZstdProblem)) throw error;
    const problem = error.kind === "followed"
      ? "has bytes behind its zstd stream"
      : `cannot be decompressed (zstd): ${error.message}`;
    throw new PickleProblem("refused", 0, problem);
  } finally {
    await source.close();
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
