/** A stream of bytes that is read by counts. */
export interface CountedStream extends AsyncDisposable {
  /** Fills a buffer with the next bytes, and returns their number; fewer at the end of the stream. */
  fill(buffer: Uint8Array): Promise<number>;
  /** Returns the next bytes; fewer at the end of the stream. */
  bytes(count: number): Promise<Uint8Array>;
  /**
   * Yields the next bytes in pieces; fewer at the end of the stream. Bytes that the caller does not read come with the
   * next call.
   */
  take(count: number): AsyncGenerator<Uint8Array>;
  /** Skips bytes, and returns their number; fewer at the end of the stream. */
  skip(count: number): Promise<number>;
}

/**
 * Returns a stream over pieces, each of which is valid until the next one is requested. Disposing of it ends the
 * pieces.
 */
export function countedStream(pieces: AsyncIterable<Uint8Array>): CountedStream {
  const iterator = pieces[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  const take = async function* (count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0;) {
      if (rest.length === 0) {
        const { done, value } = await iterator.next();
        if (done) return;
        rest = value;
      }
      const piece = rest.subarray(0, left);
      rest = rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  };
  const fill = async (buffer: Uint8Array) => {
    let size = 0;
    for await (const piece of take(buffer.length)) {
      buffer.set(piece, size);
      size += piece.length;
    }
    return size;
  };
  return {
    fill,
    async bytes(count) {
      const found = new Uint8Array(count);
      return found.subarray(0, await fill(found));
    },
    take,
    async skip(count) {
      let skipped = 0;
      for await (const piece of take(count)) skipped += piece.length;
      return skipped;
    },
    async [Symbol.asyncDispose]() {
      await iterator.return?.(undefined);
    },
  };
}
