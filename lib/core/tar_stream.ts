import { createGunzip } from "node:zlib";
import type { ArchiveSource } from "./archive_guard.ts";
import { readPieces, readRange } from "./read_pieces.ts";
import { FileWindow } from "./read_at.ts";
import { isDataError, pieceBytesFor, zlibPieces } from "./zlib_pieces.ts";

/** The bytes of a tar from its beginning, by counted pieces. */
export interface TarStream extends AsyncDisposable {
  /** Where the next bytes stand in the file; `undefined` where they are decompressed. */
  readonly offset: number | undefined;
  /** The next bytes at once, fewer where the tar ends; for headers. */
  bytes(count: number): Promise<Uint8Array>;
  /** The next bytes, piece by piece, fewer where the tar ends. Those that are not taken come with the next call. */
  take(count: number): AsyncGenerator<Uint8Array>;
  /** Passes over bytes. @returns how many there were */
  skip(count: number): Promise<number>;
}

/** Small files and their headers lie close together. */
const WINDOW_BYTES = 16 * 1024;

/** Reads a tar that is a file by itself; what is passed over is not read. */
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

/** Reads a tar out of gzip, of one member or of several. Counts what comes out against the limits. */
export function gunzipStream(source: ArchiveSource): TarStream {
  source.file.seekSync(0, Deno.SeekMode.Start);
  const pieces = gunzipped(source);
  let rest: Uint8Array = new Uint8Array(0);
  const take = async function* (count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0;) {
      if (rest.length === 0) {
        const { done, value } = await pieces.next();
        if (done) return;
        rest = value;
      }
      const piece = rest.subarray(0, left);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  };
  return {
    offset: undefined,
    async bytes(count) {
      const found = new Uint8Array(count);
      let size = 0;
      for await (const piece of take(count)) {
        found.set(piece, size);
        size += piece.length;
      }
      return found.subarray(0, size);
    },
    take,
    async skip(count) {
      let skipped = 0;
      for await (const piece of take(count)) skipped += piece.length;
      return skipped;
    },
    async [Symbol.asyncDispose]() {
      await pieces.return(undefined);
    },
  };
}

async function* gunzipped({ file, bytes, guard, signal }: ArchiveSource): AsyncGenerator<Uint8Array> {
  const engine = createGunzip({ chunkSize: pieceBytesFor(Infinity) });
  let made = 0;
  try {
    for await (const piece of zlibPieces(engine, readPieces(file, signal))) {
      made += piece.length;
      guard.checkBytes(made);
      yield piece;
    }
  } catch (error) {
    if (!isDataError(error)) throw error;
    throw guard.fault("ARCHIVE_DAMAGED", `it cannot be decompressed: ${error.message}`, error);
  }
  // The engine stops without a word at a zero byte behind a member.
  if (engine.bytesWritten !== bytes) {
    throw guard.fault("ARCHIVE_UNSAFE", `${bytes - engine.bytesWritten} bytes follow its end`);
  }
}
