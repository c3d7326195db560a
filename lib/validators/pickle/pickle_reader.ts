import type { PickleSource } from "./pickle_source.ts";

/** Reads numbers and bytes of a source through a buffer. Only `fill` and `skip` wait for the source. */
export class PickleReader {
  readonly #source: PickleSource;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  /** The offset of the buffer in the stream. */
  #base = 0;

  constructor(source: PickleSource) {
    this.#source = source;
  }

  /** The offset of the next byte in the stream. */
  get position(): number {
    return this.#base + this.#at;
  }

  /** Whether so many bytes are buffered. */
  has(count: number): boolean {
    return this.#bytes.length - this.#at >= count;
  }

  /** Buffers so many bytes. @returns whether the stream has them */
  async fill(count: number): Promise<boolean> {
    while (!this.has(count)) {
      const piece = await this.#source.read();
      if (piece === undefined) return false;
      const rest = this.#bytes.subarray(this.#at);
      const joined = rest.length === 0 ? piece : new Uint8Array(rest.length + piece.length);
      if (rest.length > 0) {
        joined.set(rest);
        joined.set(piece, rest.length);
      }
      this.#base += this.#at;
      this.#at = 0;
      this.#bytes = joined;
      this.#view = new DataView(joined.buffer, joined.byteOffset, joined.byteLength);
    }
    return true;
  }

  /** Returns the next byte without consuming it. */
  peek(): number {
    return this.#view.getUint8(this.#at);
  }

  /** Whether the buffer begins with these bytes. */
  startsWith(bytes: Uint8Array): boolean {
    return this.has(bytes.length) && bytes.every((byte, index) => this.#bytes[this.#at + index] === byte);
  }

  uint8(): number {
    return this.#view.getUint8(this.#at++);
  }

  uint16(): number {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2, true);
  }

  uint32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  int32(): number {
    this.#at += 4;
    return this.#view.getInt32(this.#at - 4, true);
  }

  uint64(): bigint {
    this.#at += 8;
    return this.#view.getBigUint64(this.#at - 8, true);
  }

  /** Consumes buffered bytes, which are valid until the next `fill`. */
  take(count: number): Uint8Array {
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** Returns the distance of the next newline in the buffer; -1 if there is none. */
  findNewline(): number {
    const at = this.#bytes.indexOf(NEWLINE, this.#at);
    return at === -1 ? -1 : at - this.#at;
  }

  /** The number of buffered bytes. */
  get buffered(): number {
    return this.#bytes.length - this.#at;
  }

  /** Skips bytes. @returns whether the stream has them */
  async skip(count: number): Promise<boolean> {
    const here = Math.min(count, this.buffered);
    this.#at += here;
    if (here === count) return true;
    const skipped = await this.#source.skip(count - here);
    this.#base += skipped;
    return skipped === count - here;
  }
}

const NEWLINE = 10;
