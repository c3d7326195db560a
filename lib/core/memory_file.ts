/** Bytes in memory that are read like an open file, without a copy. */
export class MemoryFile implements Disposable {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Moves to an offset from the beginning, and returns it. */
  seekSync(offset: number | bigint): number {
    return this.#at = Number(offset);
  }

  /** Fills `buffer`, and returns the number of bytes; `null` at the end. */
  readSync(buffer: Uint8Array): number | null {
    const piece = this.#bytes.subarray(this.#at, this.#at + buffer.length);
    if (piece.length === 0 && buffer.length > 0) return null;
    buffer.set(piece);
    this.#at += piece.length;
    return piece.length;
  }

  /** As {@link readSync}. */
  read(buffer: Uint8Array): Promise<number | null> {
    return Promise.resolve(this.readSync(buffer));
  }

  close(): void {}

  [Symbol.dispose](): void {}
}
