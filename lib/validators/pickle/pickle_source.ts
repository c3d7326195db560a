import { AT_ONCE_BYTES } from "../../core/read_pieces.ts";
import { READ_BYTES } from "./limits.ts";

/** A stream of a pickle's bytes. */
export interface PickleSource {
  /** Whether the bytes that {@link read} returned stay valid. */
  readonly isLasting?: boolean;
  /** Returns the next bytes, valid until the next call; `undefined` at the end. */
  read(): Promise<Uint8Array | undefined>;
  /** Skips up to so many bytes. @returns the number of skipped bytes, fewer at the end */
  skip(bytes: number): Promise<number>;
  close(): Promise<void>;
}

/** Most files do not begin like a pickle, and nothing more is read of them. */
const FIRST_READ_BYTES = 8 * 1024;

/** The growth of each read. Most pickles are short behind their arrays. */
const GROWTH = 4;

/** Reads a file from its beginning; skipped bytes are not read. Closing the source leaves the file open. */
export function fileSource(
  file: Pick<Deno.FsFile, "read" | "readSync" | "seekSync">,
  size: number,
  signal: AbortSignal,
): PickleSource {
  // Two buffers in turn: the caller may still use the last piece while the next is read.
  let [next, last] = [new Uint8Array(Math.min(FIRST_READ_BYTES, size)), new Uint8Array(0)];
  let offset = 0;
  return {
    async read() {
      signal.throwIfAborted();
      const left = size - offset;
      if (left <= 0) return undefined;
      const bytes = Math.min(last.length * GROWTH, READ_BYTES, left);
      if (next.length < bytes) next = new Uint8Array(bytes);
      file.seekSync(offset, Deno.SeekMode.Start);
      const isAtOnce = Math.min(left, next.length) <= AT_ONCE_BYTES;
      const count = isAtOnce ? file.readSync(next) : await file.read(next);
      if (count === null) return undefined;
      offset += count;
      const piece = next.subarray(0, count);
      [next, last] = [last, next];
      return piece;
    },
    skip(bytes) {
      const skipped = Math.min(bytes, Math.max(size - offset, 0));
      offset += skipped;
      return Promise.resolve(skipped);
    },
    close: () => Promise.resolve(),
  };
}

/** As {@link fileSource}, of bytes in memory. */
export function bytesSource(bytes: Uint8Array, signal: AbortSignal): PickleSource {
  let offset = 0;
  let pieceBytes = FIRST_READ_BYTES;
  const take = (count: number) => {
    const piece = bytes.subarray(offset, offset + count);
    offset += piece.length;
    return piece;
  };
  return {
    isLasting: true,
    read() {
      signal.throwIfAborted();
      const piece = take(pieceBytes);
      pieceBytes *= GROWTH;
      return Promise.resolve(piece.length === 0 ? undefined : piece);
    },
    skip: (count) => Promise.resolve(take(count).length),
    close: () => Promise.resolve(),
  };
}

/** Reads an iterable of pieces, each valid until the next is requested. Skipped bytes are read and dropped. */
export function streamSource(pieces: AsyncIterable<Uint8Array>, signal: AbortSignal): PickleSource {
  const iterator = pieces[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  const next = async () => {
    signal.throwIfAborted();
    const { done, value } = await iterator.next();
    return done ? undefined : value;
  };
  return {
    async read() {
      const left = rest;
      rest = new Uint8Array(0);
      if (left.length > 0) return left;
      let piece = await next();
      while (piece?.length === 0) piece = await next();
      return piece;
    },
    async skip(bytes) {
      let missing = bytes;
      while (missing > 0) {
        if (rest.length === 0) {
          const piece = await next();
          if (piece === undefined) break;
          rest = piece;
        }
        const taken = Math.min(missing, rest.length);
        rest = rest.subarray(taken);
        missing -= taken;
      }
      return bytes - missing;
    },
    async close() {
      await iterator.return?.();
    },
  };
}

/** Returns the first bytes of a stream, or all of a shorter one, and a stream that still includes them. */
export async function peek(
  source: PickleSource,
  bytes: number,
): Promise<{ readonly head: Uint8Array; readonly source: PickleSource }> {
  const read = await more(source, new Uint8Array(0), bytes);
  const head = source.isLasting === true ? read : read.slice();
  return { head, source: replay(head, source) };
}

/** Appends pieces of the stream until there are so many bytes, or the stream ends. */
async function more(source: PickleSource, head: Uint8Array, bytes: number): Promise<Uint8Array> {
  let joined = head;
  while (joined.length < bytes) {
    const piece = await source.read();
    if (piece === undefined) break;
    if (joined.length === 0 && piece.length >= bytes) return piece;
    const longer = new Uint8Array(joined.length + piece.length);
    longer.set(joined);
    longer.set(piece, joined.length);
    joined = longer;
  }
  return joined;
}

/** A stream that begins with bytes that were read already. */
function replay(head: Uint8Array, source: PickleSource): PickleSource {
  let rest = head;
  return {
    read() {
      if (rest.length === 0) return source.read();
      const piece = rest;
      rest = new Uint8Array(0);
      return Promise.resolve(piece);
    },
    async skip(bytes) {
      const skipped = Math.min(bytes, rest.length);
      rest = rest.subarray(skipped);
      return skipped === bytes ? bytes : skipped + await source.skip(bytes - skipped);
    },
    close: () => source.close(),
  };
}
