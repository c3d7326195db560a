import { quote } from "../core/quote.ts";
import { FormatProblem } from "./invalid_model.ts";

/** Large enough for few reads, small compared with other buffers. */
const BUFFER_BYTES = 64 * 1024;

/** The next byte at the end of the text. */
export const END = -1;

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const SPACES: readonly number[] = [SPACE, NEWLINE, 0x0d, 0x09];

/** The bytes of a file that hold the text. */
export interface ByteSpan {
  readonly offset: number;
  readonly length: number;
}

/**
 * Reads the bytes of a JSON text in a file in order, through a buffer of fixed size. Counts lines and columns, and checks
 * that the text is UTF-8.
 */
export class JsonBytes {
  readonly #file: Pick<Deno.FsFile, "readSync">;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #buffer: Uint8Array;
  /** Bytes that are not in the buffer yet. */
  #left: number;
  /** Offset of the buffer in the text. */
  #start = 0;
  #at = 0;
  #size = 0;
  #isAtEnd = false;
  #line = 1;
  #lineStart = 0;

  constructor(file: Pick<Deno.FsFile, "readSync" | "seekSync">, { offset, length }: ByteSpan) {
    file.seekSync(offset, Deno.SeekMode.Start);
    this.#file = file;
    this.#left = length;
    // Most headers are short, and there may be one for each of many thousand files.
    this.#buffer = new Uint8Array(Math.min(length, BUFFER_BYTES));
  }

  /** Returns the next byte without consuming it. */
  peek(): number {
    return this.#at < this.#size || this.#fill() ? this.#buffer[this.#at] ?? END : END;
  }

  /** Consumes the next byte. */
  next(): number {
    const byte = this.peek();
    if (byte !== END) this.#at++;
    return byte;
  }

  skipSpace(): void {
    // Bytes above a space, the usual case, need only this comparison.
    while (this.peek() <= SPACE && SPACES.includes(this.peek())) {
      // Strings cannot contain a newline, so lines end only here.
      const isNewline = this.next() === NEWLINE;
      if (!isNewline) continue;
      this.#line++;
      this.#lineStart = this.#start + this.#at;
    }
  }

  /** Consumes a string up to and including the next quote, backslash or control character, and returns that byte. */
  nextInText(): number {
    while (this.#at < this.#size || this.#fill()) {
      const byte = this.#buffer[this.#at++] ?? END;
      if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) return byte;
    }
    return END;
  }

  /** Consumes digits. @returns whether there were any */
  skipDigits(): boolean {
    if (!isDigit(this.peek())) return false;
    do this.#at++; while (isDigit(this.peek()));
    return true;
  }

  /** Returns the place of a byte, for messages; columns count bytes. @param back distance from the next byte */
  place(back = 0): string {
    return `line ${this.#line}, column ${this.#start + this.#at - back - this.#lineStart + 1}`;
  }

  /** Returns the problem that the next byte is not what was wanted. */
  unexpected(wanted: string): FormatProblem {
    const found = this.peek();
    if (found === END) return new FormatProblem(`it ends where ${wanted} was expected`);
    return new FormatProblem(`there is ${describeByte(found)} at ${this.place()}, expected ${wanted}`);
  }

  /** Fills the buffer. @returns whether there were more bytes */
  #fill(): boolean {
    if (this.#isAtEnd) return false;
    this.#start += this.#size;
    this.#at = 0;
    const wanted = Math.min(this.#left, BUFFER_BYTES);
    this.#size = wanted === 0 ? 0 : this.#file.readSync(this.#buffer.subarray(0, wanted)) ?? 0;
    this.#left -= this.#size;
    this.#isAtEnd = this.#size === 0;
    try {
      this.#utf8.decode(this.#buffer.subarray(0, this.#size), { stream: !this.#isAtEnd });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new FormatProblem(`it is not UTF-8, in the ${BUFFER_BYTES} bytes from ${this.#start} on`);
    }
    return !this.#isAtEnd;
  }
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Returns a byte as shown in messages. */
export function describeByte(byte: number): string {
  if (byte === END) return "the end";
  const isPrintable = byte > 0x20 && byte < 0x7f;
  return isPrintable ? quote(String.fromCharCode(byte)) : `the byte 0x${byte.toString(16).padStart(2, "0")}`;
}
