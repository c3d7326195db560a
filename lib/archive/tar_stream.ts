import { createGunzip } from "node:zlib";
import type { ArchiveSource } from "./archive_guard.ts";
import { plural } from "../core/format.ts";
import { readPieces, readRange } from "../core/read_pieces.ts";
import { FileWindow } from "../core/read_at.ts";
import { type CountedStream, countedStream } from "./counted_stream.ts";
import { zstdPieces, ZstdProblem } from "./zstd_pieces.ts";
import { isDataError, pieceBytesFor, zlibPieces } from "./zlib_pieces.ts";

/** The bytes of a tar, read by counts from its beginning. */
export interface TarStream extends Omit<CountedStream, "fill"> {
  /** The offset of the next bytes in the file; `undefined` if they are decompressed. */
  readonly offset: number | undefined;
}

/** Small files and their headers are close together. */
const WINDOW_BYTES = 16 * 1024;

/** Returns the stream of an uncompressed tar. Skipped bytes are not read. */
export function fileStream({ file, bytes, signal }: ArchiveSource): TarStream {
  let at = 0;
  const window = new FileWindow(file, WINDOW_BYTES);
  return {
    get offset() {
      return at;
    },
    bytes(count) {
      const length = Math.min(count, bytes - at);
      const found = window.bytes(at, length) ?? new Uint8Array(0);
      at += found.length;
      return Promise.resolve(found.slice());
    },
    async *take(count) {
      const range = { offset: at, bytes: Math.min(count, bytes - at) };
      for await (const piece of readRange(file, range, signal)) {
        at += piece.length;
        yield piece;
      }
    },
    skip(count) {
      const skipped = Math.min(count, bytes - at);
      at += skipped;
      return Promise.resolve(skipped);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Returns the stream of a tar in gzip, of one or several members. The decompressed bytes count against the limits. */
export function gunzipStream(source: ArchiveSource): TarStream {
  return decompressed(source, gunzipped(source));
}

/** As {@link gunzipStream}, for zstd. */
export function unzstdStream(source: ArchiveSource): TarStream {
  return decompressed(source, unzstded(source));
}

function decompressed({ file, guard }: ArchiveSource, pieces: AsyncIterable<Uint8Array>): TarStream {
  file.seekSync(0, Deno.SeekMode.Start);
  const counted = async function* () {
    let made = 0;
    for await (const piece of pieces) {
      made += piece.length;
      guard.checkBytes(made);
      yield piece;
    }
  };
  return { offset: undefined, ...countedStream(counted()) };
}

async function* gunzipped({ file, bytes, guard, signal }: ArchiveSource): AsyncGenerator<Uint8Array> {
  const engine = createGunzip({ chunkSize: pieceBytesFor(Infinity) });
  try {
    yield* zlibPieces(engine, readPieces(file, signal));
  } catch (error) {
    if (!isDataError(error)) throw error;
    throw guard.fault("ARCHIVE_DAMAGED", `it cannot be decompressed: ${error.message}`, error);
  }
  // The engine stops silently at a zero byte after a member.
  if (engine.bytesWritten !== bytes) {
    throw guard.fault("ARCHIVE_UNSAFE", `${plural(bytes - engine.bytesWritten, "byte")} follow its end`);
  }
}

const ZSTD_FAULTS = {
  damaged: "ARCHIVE_DAMAGED",
  limit: "ARCHIVE_LIMIT",
  followed: "ARCHIVE_UNSAFE",
  unsupported: "ARCHIVE_FORMAT",
} as const;

async function* unzstded({ file, guard, signal }: ArchiveSource): AsyncGenerator<Uint8Array> {
  try {
    yield* zstdPieces(readPieces(file, signal), "many");
  } catch (error) {
    if (!(error instanceof ZstdProblem)) throw error;
    throw guard.fault(ZSTD_FAULTS[error.kind], `it cannot be decompressed: ${error.message}`, error);
  }
}
