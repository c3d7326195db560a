import { READ_BYTES } from "./limits.ts";

/** Where a pickle's bytes come from, in order. */
export interface PickleSource {
  /** The next bytes, valid until the next call; `undefined` at the end. */
  read(): Promise<Uint8Array | undefined>;
  /** Passes over bytes that come next, all of them or up to the end; returns how many. */
  skip(bytes: number): Promise<number>;
  /** Ends the reading. */
  close(): Promise<void>;
}

/** Most files begin as no pickle does, and nothing more is read of them. */
const FIRST_READ_BYTES = 8 * 1024;

/** How much more is read each time: of most pickles, what is left behind their arrays is short. */
const GROWTH = 4;

/** Reads a file from its beginning; what is passed over is not read. The file stays open. */
export function fileSource(
  file: Pick<Deno.FsFile, "read" | "seekSync">,
  size: number,
  signal: AbortSignal,
): PickleSource {
  // Two in turn: what was read last may still be looked at when the next is read.
  let [next, last] = [new Uint8Array(FIRST_READ_BYTES), new Uint8Array(0)];
  let offset = 0;
  return {
    async read() {
      signal.throwIfAborted();
      const bytes = Math.min(last.length * GROWTH, READ_BYTES);
      if (next.length < bytes) next = new Uint8Array(bytes);
      file.seekSync(offset, Deno.SeekMode.Start);
      const count = await file.read(next);
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

/** Reads pieces as they come, each valid until the next is asked for; what is passed over is thrown away. */
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

/** The first bytes of a stream, or all when there are fewer, and the stream from its beginning. */
export async function peek(
  source: PickleSource,
  bytes: number,
): Promise<{ readonly head: Uint8Array; readonly source: PickleSource }> {
  const head = (await more(source, new Uint8Array(0), bytes)).slice();
  return { head, source: replay(head, source) };
}

/** What was read, and more of the stream until that is as many bytes, if it has them. */
async function more(source: PickleSource, head: Uint8Array, bytes: number): Promise<Uint8Array> {
  let joined = head;
  while (joined.length < bytes) {
    const piece = await source.read();
    if (piece === undefined) break;
    const longer = new Uint8Array(joined.length + piece.length);
    longer.set(joined);
    longer.set(piece, joined.length);
    joined = longer;
  }
  return joined;
}

/** A stream from what was read of it already. */
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
