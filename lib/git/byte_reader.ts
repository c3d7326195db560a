import { FailedError } from "../core/errors.ts";
import { plural } from "../core/format.ts";

/** A header line is an object name, a word and a number. A longer line is another protocol. */
const LINE_BYTES_MAX = 4096;

const NEWLINE = 10;

/**
 * Reads a stream by lines and by byte counts, with at most one piece in memory. A returned piece is valid until the
 * next one is requested.
 */
export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  readonly #explain: (error: unknown) => Promise<unknown>;
  #rest: Uint8Array = new Uint8Array(0);

  /** @param explain returns the reason for which the stream failed or ended early, instead of the error that only says so */
  constructor(
    pieces: AsyncIterable<Uint8Array>,
    explain: (error: unknown) => Promise<unknown> = (error) => Promise.resolve(error),
  ) {
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.#explain = explain;
  }

  /** Returns the next line without its newline; `undefined` at the end of the stream. */
  async readLine(): Promise<string | undefined> {
    let line = "";
    while (true) {
      const end = this.#rest.indexOf(NEWLINE);
      if (end !== -1) {
        // After each object of git. The decoder takes longer than the rest.
        if (end > 0) line += this.#decoder.decode(this.#rest.subarray(0, end));
        this.#rest = this.#rest.subarray(end + 1);
        return line;
      }
      line += this.#decoder.decode(this.#rest);
      if (line.length > LINE_BYTES_MAX) throw streamError(`a line of more than ${LINE_BYTES_MAX} bytes`);
      if (!await this.#fill()) return line === "" ? undefined : line;
    }
  }

  /** Returns the next `count` bytes if they are in memory as a whole, without a copy; else `undefined`. */
  takeBytes(count: number): Uint8Array | undefined {
    if (this.#rest.length < count) return undefined;
    const bytes = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return bytes;
  }

  /** Yields the next `count` bytes in pieces. Read all of them: the rest would be read as the next line. */
  async *readBytes(count: number): AsyncGenerator<Uint8Array> {
    let missing = count;
    while (missing > 0) {
      if (this.#rest.length === 0) await this.#fillFor(missing);
      const piece = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      yield piece;
    }
  }

  /** Returns the next `count` bytes, for content that is small enough for the memory. */
  async collect(count: number): Promise<Uint8Array> {
    const whole = this.takeBytes(count);
    if (whole !== undefined) return whole;
    const content = new Uint8Array(count);
    let offset = 0;
    for await (const piece of this.readBytes(count)) {
      content.set(piece, offset);
      offset += piece.length;
    }
    return content;
  }

  /** Everything up to the end of the stream. */
  async *readAll(): AsyncGenerator<Uint8Array> {
    do {
      if (this.#rest.length > 0) yield this.#rest;
    } while (await this.#fill());
  }

  /** Ends the reading; what was not read is dropped. */
  async cancel(): Promise<void> {
    await this.#pieces.return?.();
  }

  async #fillFor(missing: number): Promise<void> {
    try {
      if (await this.#fill()) return;
      throw streamError(`the stream ends ${plural(missing, "byte")} early`);
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  async #fill(): Promise<boolean> {
    const { done, value } = await this.#pieces.next();
    this.#rest = done ? new Uint8Array(0) : value;
    return !done;
  }
}

function streamError(problem: string): FailedError {
  return new FailedError(`Cannot read the program's output: ${problem}`, { code: "STREAM_INVALID" });
}
