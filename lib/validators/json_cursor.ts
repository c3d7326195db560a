import { decodeUtf8 } from "../core/decode_utf8.ts";
import { quote } from "../core/quote.ts";
import { FormatProblem } from "./invalid_model.ts";
import { BACKSLASH, type ByteSpan, describeByte, END, isDigit, JsonBytes, QUOTE } from "./json_bytes.ts";

/** Names of tensors have some hundred characters. */
const NAME_BYTES_MAX = 4096;

/** The limit of Python's json module. */
const DEPTH_MAX = 1000;

const ZERO = 0x30;

/** The count of NaN and Infinity in a text, and the place of the first. */
export interface NonFinite {
  readonly count: number;
  readonly firstPlace: string;
}

export interface JsonOptions extends ByteSpan {
  /** Whether NaN, Infinity and -Infinity pass, which Python writes although JSON does not have them. */
  readonly allowsNonFinite: boolean;
}

/**
 * Reads JSON token by token from a file. `JSON.parse` would build whatever a hostile text describes, and would hide keys
 * that occur twice.
 *
 * All methods throw {@link FormatProblem} and the errors of the file system.
 */
export class JsonCursor {
  readonly #bytes: JsonBytes;
  readonly #allowsNonFinite: boolean;
  readonly #name = new Uint8Array(NAME_BYTES_MAX);
  #nonFinite: NonFinite = { count: 0, firstPlace: "" };

  constructor(file: Pick<Deno.FsFile, "readSync" | "seekSync">, options: JsonOptions) {
    this.#bytes = new JsonBytes(file, options);
    this.#allowsNonFinite = options.allowsNonFinite;
  }

  get nonFinite(): NonFinite {
    return this.#nonFinite;
  }

  /** Returns the next character without consuming it; empty at the end. */
  peek(): string {
    const byte = this.#bytes.peek();
    return byte === END ? "" : String.fromCharCode(byte);
  }

  /** Consumes white space, and this character if it follows. @returns whether it did */
  take(char: string): boolean {
    this.#bytes.skipSpace();
    if (this.#bytes.peek() !== char.charCodeAt(0)) return false;
    this.#bytes.next();
    return true;
  }

  expect(char: string): void {
    if (!this.take(char)) throw this.#bytes.unexpected(quote(char));
  }

  /** Requires that only white space follows. */
  expectEnd(): void {
    this.#bytes.skipSpace();
    if (this.#bytes.peek() !== END) throw this.#bytes.unexpected("its end");
  }

  /** Consumes `null` if it comes next. @returns whether it did */
  takeNull(): boolean {
    this.#bytes.skipSpace();
    if (this.peek() !== "n") return false;
    this.#skipWord("null");
    return true;
  }

  /** Yields the keys of an object. The caller reads or skips the value of each before it requests the next. */
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

  /** Reads an array of at most `countMax` whole numbers, none negative. */
  readIntegers(countMax: number): number[] {
    const numbers: number[] = [];
    this.expect("[");
    if (this.take("]")) return numbers;
    do {
      if (numbers.length === countMax) throw this.#bytes.unexpected(`no more than ${countMax} numbers`);
      numbers.push(this.#readInteger());
    } while (this.take(","));
    this.expect("]");
    return numbers;
  }

  /** Reads a name or another short string. */
  readString(): string {
    this.expect('"');
    let size = 0;
    let hasEscapes = false;
    while (true) {
      const byte = this.#bytes.next();
      if (byte === QUOTE) break;
      if (byte < 0x20) throw this.#brokenText(byte);
      this.#name[size++] = byte;
      if (byte === BACKSLASH) {
        hasEscapes = true;
        // An escaped quote does not end the string.
        if (size < NAME_BYTES_MAX) this.#name[size++] = Math.max(this.#bytes.next(), 0);
      }
      if (size === NAME_BYTES_MAX) {
        throw this.#bytes.unexpected(`a name of less than ${NAME_BYTES_MAX} bytes`);
      }
    }
    const text = decodeUtf8(this.#name.subarray(0, size));
    if (text === undefined) throw new FormatProblem(`the name before ${this.#bytes.place()} is not UTF-8`);
    return hasEscapes ? unescape(text) : text;
  }

  /** Skips a string of any length. */
  skipString(): void {
    this.expect('"');
    while (true) {
      const byte = this.#bytes.nextInText();
      if (byte === QUOTE) return;
      if (byte !== BACKSLASH) throw this.#brokenText(byte);
      this.#skipEscape();
    }
  }

  /** Skips a value of any kind, at most a thousand levels deep. */
  skipValue(depth = 0): void {
    if (depth > DEPTH_MAX) throw new FormatProblem(`it is more than ${DEPTH_MAX} levels deep`);
    this.#bytes.skipSpace();
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

  #skipObject(depth: number): void {
    this.expect("{");
    if (this.take("}")) return;
    do {
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
    const place = this.#allowsNonFinite && !isDigit(this.#bytes.peek()) ? this.#bytes.place() : "";
    const isNegative = this.#takeEither("-");
    if (this.#allowsNonFinite && (this.peek() === "I" || (this.peek() === "N" && !isNegative))) {
      this.#skipWord(this.peek() === "I" ? "Infinity" : "NaN");
      const { count, firstPlace } = this.#nonFinite;
      this.#nonFinite = { count: count + 1, firstPlace: count === 0 ? place : firstPlace };
      return;
    }
    if (!this.#takeEither("0")) this.#skipDigits("a value");
    if (this.#takeEither(".")) this.#skipDigits("a digit");
    if (!this.#takeEither("eE")) return;
    this.#takeEither("+-");
    this.#skipDigits("a digit");
  }

  /** Consumes the next character if it is one of these one or two. @returns whether it was */
  #takeEither(chars: string): boolean {
    const byte = this.#bytes.peek();
    if (byte !== chars.charCodeAt(0) && byte !== chars.charCodeAt(1)) return false;
    this.#bytes.next();
    return true;
  }

  #skipDigits(wanted: string): void {
    if (!this.#bytes.skipDigits()) throw this.#bytes.unexpected(wanted);
  }

  #readInteger(): number {
    this.#bytes.skipSpace();
    const first = this.#bytes.peek();
    if (!isDigit(first)) throw this.#bytes.unexpected("a whole number");
    let value = 0;
    let digits = 0;
    for (; isDigit(this.#bytes.peek()); digits++) value = value * 10 + this.#bytes.next() - ZERO;
    if (first === ZERO && digits > 1) throw this.#bytes.unexpected("a number without leading zeros");
    if (!Number.isSafeInteger(value)) throw this.#bytes.unexpected("a number below 2^53");
    if ([".", "e", "E"].includes(this.peek())) throw this.#bytes.unexpected("a whole number");
    return value;
  }

  #skipWord(word: string): void {
    for (const char of word) {
      if (this.peek() !== char) throw this.#bytes.unexpected(word);
      this.#bytes.next();
    }
  }

  /** Skips the characters behind a backslash. */
  #skipEscape(): void {
    const byte = this.#bytes.next();
    if (byte === END || !'"\\/bfnrtu'.includes(String.fromCharCode(byte))) {
      throw new FormatProblem(`a backslash stands before ${describeByte(byte)} at ${this.#bytes.place(1)}`);
    }
    if (byte !== LETTER_U) return;
    for (let count = 0; count < 4; count++) {
      if (!/^[0-9A-Fa-f]$/.test(this.peek())) throw this.#bytes.unexpected("a hexadecimal digit");
      this.#bytes.next();
    }
  }

  #brokenText(byte: number): FormatProblem {
    if (byte === END) return new FormatProblem("it ends inside a text");
    return new FormatProblem(`there is ${describeByte(byte)} in a text at ${this.#bytes.place(1)}`);
  }
}

const LETTER_U = 0x75;

function unescape(text: string): string {
  try {
    const plain: unknown = JSON.parse(`"${text}"`);
    if (typeof plain === "string" && plain.isWellFormed()) return plain;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new FormatProblem(`the name ${quote(text)} has an escape sequence that means nothing`);
}
