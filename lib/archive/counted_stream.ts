/** Bytes from a beginning on, by counted pieces. */
export interface CountedStream extends AsyncDisposable {
  /** Fills a buffer with the next bytes. @returns how many there were; fewer where the stream ends */
  fill(buffer: Uint8Array): Promise<number>;
  /** The next bytes at once, fewer where the stream ends. */
  bytes(count: number): Promise<Uint8Array>;
  /** The next bytes, piece by piece, fewer where the stream ends. Those that are not taken come with the next call. */
  take(count: number): AsyncGenerator<Uint8Array>;
  /** Passes over bytes. @returns how many there were */
  skip(count: number): Promise<number>;
}

/** Reads pieces, each valid until the next is asked for, by other counts. Ends them when it is disposed of. */
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
