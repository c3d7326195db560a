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

/** Decompressed contents. */
export interface Peeled {
  readonly source: PickleSource;
  /** The format that they begin like. */
  readonly beginning: Exclude<PickleSuspicion, { readonly kind: "wrapped" }> | undefined;
  /** The removed layers of compression, the outermost first. */
  readonly wrappers: readonly Wrapper[];
  /** Whether they begin like plain text. */
  readonly isText: boolean;
}

/** Compressors create such a stream only on request. */
const ODD_WINDOW = { kind: "sealed", method: "zlib with an unusual window" } as const;

/** The only use of more layers of compression is to hide the contents. */
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

/** Decompresses a stream, within the limits for contents of `size` bytes. The result closes the stream. */
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

/** node:zlib is loaded only when needed, because loading it takes 30 ms. */
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
    // joblib continues with a second stream behind the first.
    if (engine.bytesWritten !== bytes || await source.read() !== undefined) {
      throw new PickleProblem("refused", engine.bytesWritten, `has bytes after its ${wrapper} stream`);
    }
  } catch (error) {
    if (!isDataError(error)) throw error;
    // Other readers check less than this one, or return the bytes before the damage.
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
      ? "has bytes after its zstd stream"
      : `cannot be decompressed (zstd): ${error.message}`;
    throw new PickleProblem("refused", 0, problem);
  } finally {
    await source.close();
  }
}

/** Large pieces are 1.5 times as fast as the default of 16 KiB. */
const PIECE_BYTES = 1024 * 1024;

/** Checks the limits of the decompressed size. Beyond them it throws: cutting off would hide the rest. */
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
