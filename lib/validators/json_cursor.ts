import { decodeUtf8 } from "../core/decode_utf8.ts";
import { quote } from "../core/quote.ts";
import { FormatProblem } from "./format_problem.ts";

/** Enough for few reads, small beside everything else. */
const BUFFER_BYTES = 64 * 1024;

/** Names of tensors have some hundred characters; what is longer is no name. */
const NAME_BYTES_MAX = 4096;

/** Python's json module gives up here, too. */
export const JSON_DEPTH_MAX = 1000;

/** What {@link JsonCursor.peek} returns where nothing is left. */
const END = -1;

const QUOTE = code('"');
const NEWLINE = code("\n");
const BACKSLASH = code("\\");
const MINUS = code("-");
const ZERO = code("0");
const NINE = code("9");

/** How many NaN and Infinity stand in a text, and where the first one does. */
export interface NonFinite {
  readonly count: number;
  readonly firstPlace: string;
}

export interface JsonOptions {
  /** The first byte in the file. */
  readonly offset: number;
  /** How many bytes there are. */
  readonly length: number;
  /** Whether the numbers NaN, Infinity and -Infinity pass, which Python writes and JSON has not. */
  readonly allowsNonFinite: boolean;
}

/**
 * Reads JSON token by token from a file, so that its memory does not grow with the text, and whoever reads sees each key:
 * `JSON.parse` builds everything that a hostile text asks for, and hides keys that are there twice. Every byte that it
 * passes is checked to be UTF-8.
 *
 * All methods throw {@link FormatProblem}, and reading may throw what the file system does.
 */
export class JsonCursor {
  readonly #file: Pick<Deno.FsFile, "readSync">;
  readonly #allowsNonFinite: boolean;
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #name = new Uint8Array(NAME_BYTES_MAX);
  /** Bytes that were not read yet. */
  #left: number;
  /** Where the buffer begins in the text. */
  #start = 0;
  #line = 1;
  #lineStart = 0;
  #at = 0;
  #size = 0;
  #isAtEnd = false;
  #nonFinite: NonFinite = { count: 0, firstPlace: "" };

  constructor(file: Pick<Deno.FsFile, "readSync" | "seekSync">, options: JsonOptions) {
    file.seekSync(options.offset, Deno.SeekMode.Start);
    this.#file = file;
    this.#allowsNonFinite = options.allowsNonFinite;
    this.#left = options.length;
  }

  /** Where the next byte is, for messages; a column is a byte. */
  get #place(): string {
    return this.#placeOf(this.#start + this.#at);
  }

  /** Where the last byte was. */
  get #placeBefore(): string {
    return this.#placeOf(this.#start + this.#at - 1);
  }

  get nonFinite(): NonFinite {
    return this.#nonFinite;
  }

  /** The next character, if it is one of ASCII; it stays the next. */
  peek(): string {
    const byte = this.#peek();
    return byte === END ? "" : String.fromCharCode(byte);
  }

  /** Whether this character comes next, after white space; it is taken then. */
  take(char: string): boolean {
    this.#skipSpace();
    if (this.#peek() !== code(char)) return false;
    this.#at++;
    return true;
  }

  expect(char: string): void {
    if (!this.take(char)) throw this.#unexpected(quote(char));
  }

  /** Nothing but white space may follow. */
  expectEnd(): void {
    this.#skipSpace();
    if (this.#peek() !== END) throw this.#unexpected("its end");
  }

  /** The members of an object; read or skip the value of each before the next is asked for. */
  *members(): Generator<string> {
    this.expect("{");
    if (this.take("}")) return;
    do {
      const name = this.readString();
      this.expect(":");
      yield name;
    } while (this.take(","));
    this.expect("}");
  }

  /** A list of whole numbers from 0 on, at most `countMax`. */
  readIntegers(countMax: number): number[] {
    const numbers: number[] = [];
    this.expect("[");
    if (this.take("]")) return numbers;
    do {
      if (numbers.length === countMax) throw this.#unexpected(`no more than ${countMax} numbers`);
      numbers.push(this.#readInteger());
    } while (this.take(","));
    this.expect("]");
    return numbers;
  }

  /** A name or another short text. */
  readString(): string {
    this.expect('"');
    let size = 0;
    let hasEscapes = false;
    while (true) {
      const byte = this.#next();
      if (byte === QUOTE) break;
      if (byte < 0x20) throw this.#unendedString(byte);
      this.#name[size++] = byte;
      if (byte === BACKSLASH) {
        hasEscapes = true;
        // A quote that is escaped is no end.
        if (size < NAME_BYTES_MAX) this.#name[size++] = Math.max(this.#next(), 0);
      }
      if (size === NAME_BYTES_MAX) throw this.#unexpected(`a name of less than ${NAME_BYTES_MAX} bytes`);
    }
    const text = decodeUtf8(this.#name.subarray(0, size));
    if (text === undefined) throw new FormatProblem(`the name before ${this.#place} is not UTF-8`);
    return hasEscapes ? this.#unescape(text) : text;
  }

  /** Passes a text of any length. */
  skipString(): void {
    this.expect('"');
    while (this.#at < this.#size || this.#fill()) {
      const byte = this.#buffer[this.#at++] ?? END;
      if (byte === QUOTE) return;
      if (byte === BACKSLASH) this.#skipEscape();
      else if (byte < 0x20) throw this.#unendedString(byte);
    }
    throw this.#unendedString(END);
  }

  /** Passes a value of any kind, at most {@link JSON_DEPTH_MAX} deep. */
  skipValue(depth = 0): void {
    if (depth > JSON_DEPTH_MAX) {
      throw new FormatProblem(`it is more than ${JSON_DEPTH_MAX} levels deep`);
    }
    this.#skipSpace();
    switch (this.peek()) {
      case "{":
        return this.#skipObject(depth);
      case "[":
        return this.#skipArray(depth);
      case '"':
        return this.skipString();
      case "t":
        return this.#skipWord("true");
      case "f":
        return this.#skipWord("false");
      case "n":
        return this.#skipWord("null");
      default:
        return this.#skipNumber();
    }
  }

  /** Whether `null` comes next; it is taken then. */
  takeNull(): boolean {
    this.#skipSpace();
    if (this.peek() !== "n") return false;
    this.#skipWord("null");
    return true;
  }

  #skipObject(depth: number): void {
    this.expect("{");
    if (this.take("}")) return;
    do {
      this.#skipSpace();
      this.skipString();
      this.expect(":");
      this.skipValue(depth + 1);
    } while (this.take(","));
    this.expect("}");
  }

  #skipArray(depth: number): void {
    this.expect("[");
    if (this.take("]")) return;
    do this.skipValue(depth + 1); while (this.take(","));
    this.expect("]");
  }

  #skipNumber(): void {
    const at = this.#start + this.#at;
    const isNegative = this.#peek() === MINUS;
    if (isNegative) this.#at++;
    if (this.#allowsNonFinite) {
      const word = this.peek() === "I" ? "Infinity" : this.peek() === "N" && !isNegative ? "NaN" : undefined;
      if (word !== undefined) {
        this.#skipWord(word);
        const { count, firstPlace } = this.#nonFinite;
        this.#nonFinite = { count: count + 1, firstPlace: count === 0 ? this.#placeOf(at) : firstPlace };
        return;
      }
    }
    if (this.#peek() === ZERO) this.#at++;
    else this.#skipDigits("a value");
    if (this.peek() === ".") {
      this.#at++;
      this.#skipDigits("a digit");
    }
    if (this.peek() !== "e" && this.peek() !== "E") return;
    this.#at++;
    if (this.peek() === "+" || this.peek() === "-") this.#at++;
    this.#skipDigits("a digit");
  }

  #skipDigits(wanted: string): void {
    if (!isDigit(this.#peek())) throw this.#unexpected(wanted);
    do this.#at++; while (isDigit(this.#peek()));
  }

  #readInteger(): number {
    this.#skipSpace();
    const first = this.#peek();
    if (!isDigit(first)) throw this.#unexpected("a whole number");
    let value = 0;
    while (isDigit(this.#peek())) {
      value = value * 10 + this.#next() - ZERO;
      if (first === ZERO && value > 0) throw this.#unexpected("a number without leading zeros");
    }
    if (!Number.isSafeInteger(value)) throw this.#unexpected("a number below 2^53");
    if (this.peek() === "." || this.peek() === "e" || this.peek() === "E") {
      throw this.#unexpected("a whole number");
    }
    return value;
  }

  #skipWord(word: string): void {
    for (const char of word) {
      if (this.peek() !== char) throw this.#unexpected(word);
      this.#at++;
    }
  }

  #skipEscape(): void {
    const byte = this.#next();
    if (byte === code("u")) {
      for (let count = 0; count < 4; count++) {
        if (!/^[0-9A-Fa-f]$/.test(this.peek())) throw this.#unexpected("a hexadecimal digit");
        this.#at++;
      }
    } else if (byte === END || !'"\\/bfnrt'.includes(String.fromCharCode(byte))) {
      throw new FormatProblem(`a backslash stands before ${describe(byte)} at ${this.#placeBefore}`);
    }
  }

  #unescape(text: string): string {
    try {
      const plain: unknown = JSON.parse(`"${text}"`);
      if (typeof plain === "string" && plain.isWellFormed()) return plain;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw new FormatProblem(`the name ${quote(text)} has an escape sequence that means nothing`);
  }

  #skipSpace(): void {
    while (this.#at < this.#size || this.#fill()) {
      const byte = this.#buffer[this.#at];
      if (byte !== 0x20 && byte !== NEWLINE && byte !== 0x0d && byte !== 0x09) return;
      this.#at++;
      // Nowhere else may one stand.
      if (byte === NEWLINE) {
        this.#line++;
        this.#lineStart = this.#start + this.#at;
      }
    }
  }

  #next(): number {
    const byte = this.#peek();
    if (byte !== END) this.#at++;
    return byte;
  }

  #peek(): number {
    return this.#at < this.#size || this.#fill() ? this.#buffer[this.#at] ?? END : END;
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

  #placeOf(position: number): string {
    return `line ${this.#line}, column ${position - this.#lineStart + 1}`;
  }

  #unendedString(byte: number): FormatProblem {
    if (byte === END) return new FormatProblem("it ends inside a text");
    return new FormatProblem(`there is ${describe(byte)} in a text at ${this.#placeBefore}`);
  }

  #unexpected(wanted: string): FormatProblem {
    const found = this.#peek();
    if (found === END) return new FormatProblem(`it ends where ${wanted} was expected`);
    return new FormatProblem(`there is ${describe(found)} at ${this.#place}, expected ${wanted}`);
  }
}

function code(char: string): number {
  return char.charCodeAt(0);
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

function describe(byte: number): string {
  if (byte === END) return "the end";
  const isPrintable = byte > 0x20 && byte < 0x7f;
  return isPrintable ? quote(String.fromCharCode(byte)) : `the byte 0x${byte.toString(16).padStart(2, "0")}`;
}
