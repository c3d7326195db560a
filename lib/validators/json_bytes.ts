import { quote } from "../core/quote.ts";
import { FormatProblem } from "./invalid_model.ts";

/** Enough for few reads, small beside everything else. */
const BUFFER_BYTES = 64 * 1024;

/** What stands for the next byte where there is none. */
export const END = -1;

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const SPACES: readonly number[] = [SPACE, NEWLINE, 0x0d, 0x09];

/** Which bytes of a file are read. */
export interface ByteSpan {
  readonly offset: number;
  readonly length: number;
}

/**
 * The bytes of a JSON text in a file, one after the other, read by the buffer: memory does not grow with the text. Knows
 * line and column, and that all of it is UTF-8.
 */
export class JsonBytes {
  readonly #file: Pick<Deno.FsFile, "readSync">;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  /** Bytes that were not read yet. */
  #left: number;
  /** Where the buffer begins in the text. */
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
  }

  /** The next byte, which stays the next. */
  peek(): number {
    return this.#at < this.#size || this.#fill() ? this.#buffer[this.#at] ?? END : END;
  }

  /** The next byte, which is passed. */
  next(): number {
    const byte = this.peek();
    if (byte !== END) this.#at++;
    return byte;
  }

  skipSpace(): void {
    // What is above a space is none: the usual case, asked first.
    while (this.peek() <= SPACE && SPACES.includes(this.peek())) {
      // Nowhere else in JSON may a line end.
      const isNewline = this.next() === NEWLINE;
      if (!isNewline) continue;
      this.#line++;
      this.#lineStart = this.#start + this.#at;
    }
  }

  /** Passes a text up to the next byte that means something in it, and returns that byte, passed too. */
  nextInText(): number {
    while (this.#at < this.#size || this.#fill()) {
      const byte = this.#buffer[this.#at++] ?? END;
      if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) return byte;
    }
    return END;
  }

  /** Passes digits; whether there were any. */
  skipDigits(): boolean {
    if (!isDigit(this.peek())) return false;
    do this.#at++; while (isDigit(this.peek()));
    return true;
  }

  /** Where a byte is, for messages; a column is a byte. @param back how many before the next one */
  place(back = 0): string {
    return `line ${this.#line}, column ${this.#start + this.#at - back - this.#lineStart + 1}`;
  }

  /** What to say where something else comes next. */
  unexpected(wanted: string): FormatProblem {
    const found = this.peek();
    if (found === END) return new FormatProblem(`it ends where ${wanted} was expected`);
    return new FormatProblem(`there is ${describeByte(found)} at ${this.place()}, expected ${wanted}`);
  }

  /** Reads on; whether there was anything. */
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

/** A byte as a message shows it. */
export function describeByte(byte: number): string {
  if (byte === END) return "the end";
  const isPrintable = byte > 0x20 && byte < 0x7f;
  return isPrintable ? quote(String.fromCharCode(byte)) : `the byte 0x${byte.toString(16).padStart(2, "0")}`;
}
