/**
 * Hands pieces of bytes to one reader, for example the standard input of a program, without a queue: the writer of a piece
 * learns when the reader is done with it.
 */
export class HandedPieces implements AsyncIterable<Uint8Array> {
  #next = Promise.withResolvers<Uint8Array | undefined>();
  #onDone = () => {};
  #isClosed = false;

  /** Whether the reader has stopped. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when the reader needs the piece no longer. Put the next one only then. */
  put(piece: Uint8Array): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onDone = resolve;
    this.#next.resolve(piece);
    return promise;
  }

  /** Ends the pieces. Call it when the last one is done. */
  end(): void {
    this.#next.resolve(undefined);
  }

  /** Notes that nothing is read any more, so that no writer waits for it. */
  close(): void {
    this.#isClosed = true;
    this.#onDone();
  }

  /** Yields the pieces. Each is valid until the next one is requested. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (let piece = await this.#next.promise; piece !== undefined; piece = await this.#next.promise) {
        this.#next = Promise.withResolvers();
        yield piece;
        this.#onDone();
      }
    } finally {
      this.close();
    }
  }
}
