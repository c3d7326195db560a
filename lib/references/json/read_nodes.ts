import { RefusedError } from "../../core/errors.ts";
import { quote } from "../../core/quote.ts";
import type { JsonValue } from "./json_value.ts";

/** Where a value stands in a text, and the key before it. Each end is behind the last character. */
export interface JsonNode {
  readonly start: number;
  readonly end: number;
  readonly value: JsonValue;
  /** Of a member of an object. */
  readonly key: string | undefined;
  /** Where the key begins, or, without one, the value. */
  readonly itemStart: number;
  /** Where the closing quote of the key ends; without one, where the value begins. */
  readonly keyEnd: number;
  /** What an object or a list holds, in the order of the text: a key that stands there twice is here twice. */
  readonly children: readonly JsonNode[];
}

/**
 * Python's json module gives up at about a thousand levels. Records are five deep; half a thousand leaves the stack of
 * whoever walks through the values in peace.
 */
const DEPTH_MAX = 500;

/** Python's `int()` refuses more, since turning them into a number takes time that grows with their square. */
const INTEGER_DIGITS_MAX = 4300;

/** Of a path in a message; longer ones are cut, since whoever wrote the text chose the names. */
const PATH_STEPS_MAX = 12;
const PATH_NAME_LENGTH_MAX = 80;
const LEXEME_LENGTH_MAX = 40;

const NO_CHILDREN: readonly JsonNode[] = [];

const BYTE_ORDER_MARK = 0xfeff;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const NON_FINITE = /NaN|-?Infinity/y;

/** What a letter behind a backslash stands for. */
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/**
 * Reads JSON as {@link parseJson} does, and tells where each value stands.
 *
 * @throws {RefusedError} code `JSON_INVALID`
 */
export function readNodes(text: string, what: string): JsonNode {
  return new JsonReader(text, what, { keepsNodes: true }).read();
}

/** The same without the places, for half the time. */
export function readValue(text: string, what: string): JsonValue {
  return new JsonReader(text, what, { keepsNodes: false }).read().value;
}

function isSpace(code: number): boolean {
  return code === SPACE || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Reads one JSON text, from its beginning to its end. */
class JsonReader {
  readonly #text: string;
  readonly #what: string;
  readonly #keepsNodes: boolean;
  #at = 0;
  /** Keys and places in lists that lead to where it is. */
  readonly #path: (string | number)[] = [];
  /** Where the value that was read last begins, and what it holds; it ends where the reader is. */
  #start = 0;
  #children = NO_CHILDREN;

  constructor(text: string, what: string, { keepsNodes }: { readonly keepsNodes: boolean }) {
    this.#text = text;
    this.#what = what;
    this.#keepsNodes = keepsNodes;
  }

  read(): JsonNode {
    // Python strips it from bytes, and bytes are what arrives; from a text it refuses it.
    if (this.#text.charCodeAt(0) === BYTE_ORDER_MARK) this.#at++;
    const value = this.#value();
    const root = this.#node(value, undefined, this.#start, this.#start);
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected("its end");
    return root;
  }

  #value(): JsonValue {
    this.#skipSpace();
    this.#start = this.#at;
    this.#children = NO_CHILDREN;
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #object(): JsonValue {
    const start = this.#at++;
    const children: JsonNode[] = [];
    const object = new Map<string, JsonValue>();
    if (!this.#take("}")) {
      do {
        this.#skipSpace();
        const itemStart = this.#at;
        if (this.#text.charCodeAt(itemStart) !== QUOTE) throw this.#unexpected("a key in quotes");
        const key = this.#string();
        const keyEnd = this.#at;
        if (!this.#take(":")) throw this.#unexpected('":"');
        const value = this.#child(key);
        // Of a key that is there twice Python keeps the last value, in the place of the first.
        object.set(key, value);
        if (this.#keepsNodes) children.push(this.#node(value, key, itemStart, keyEnd));
      } while (this.#take(","));
      if (!this.#take("}")) throw this.#unexpected('"," or "}"');
    }
    this.#start = start;
    this.#children = children;
    return object;
  }

  #array(): JsonValue {
    const start = this.#at++;
    const children: JsonNode[] = [];
    const list: JsonValue[] = [];
    if (!this.#take("]")) {
      do {
        const value = this.#child(list.length);
        list.push(value);
        if (this.#keepsNodes) children.push(this.#node(value, undefined, this.#start, this.#start));
      } while (this.#take(","));
      if (!this.#take("]")) throw this.#unexpected('"," or "]"');
    }
    this.#start = start;
    this.#children = children;
    return list;
  }

  /** The node of the value that was read last. */
  #node(value: JsonValue, key: string | undefined, itemStart: number, keyEnd: number): JsonNode {
    return { start: this.#start, end: this.#at, value, key, itemStart, keyEnd, children: this.#children };
  }

  #child(step: string | number): JsonValue {
    if (this.#path.length === DEPTH_MAX) {
      throw this.#refusal(`at ${this.#place()} it is more than ${DEPTH_MAX} levels deep`);
    }
    this.#path.push(step);
    const value = this.#value();
    this.#path.pop();
    return value;
  }

  #number(): bigint | number {
    const start = this.#at;
    NUMBER.lastIndex = start;
    const [digits = "", fraction, exponent] = NUMBER.exec(this.#text) ?? [];
    if (digits === "") throw this.#noValue();
    this.#at += digits.length;
    const isInteger = fraction === undefined && exponent === undefined;
    return isInteger ? this.#integer(digits, start) : this.#float(digits, start);
  }

  #integer(digits: string, start: number): bigint {
    const count = digits.length - (digits.startsWith("-") ? 1 : 0);
    if (count > INTEGER_DIGITS_MAX) {
      const bound = `at most ${INTEGER_DIGITS_MAX} can be read`;
      throw this.#refusal(`${this.#owner()} at ${this.#place(start)} has ${count} digits, ${bound}`);
    }
    return BigInt(digits);
  }

  #float(digits: string, start: number): number {
    const value = Number(digits);
    if (!Number.isFinite(value)) throw this.#nonFinite(digits, start);
    return value;
  }

  #noValue(): RefusedError {
    NON_FINITE.lastIndex = this.#at;
    const [word] = NON_FINITE.exec(this.#text) ?? [];
    return word === undefined ? this.#unexpected("a value") : this.#nonFinite(word, this.#at);
  }

  #nonFinite(lexeme: string, start: number): RefusedError {
    const number = lexeme.length > LEXEME_LENGTH_MAX ? "a number" : lexeme;
    const reason = /\d/.test(lexeme)
      ? "which is too large for a float: Python makes Infinity of it, and that is no JSON"
      : "which is no JSON";
    return this.#refusal(`${this.#owner()} at ${this.#place(start)} is ${number}, ${reason}`);
  }

  #word<T extends JsonValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected("a value");
    this.#at += word.length;
    return value;
  }

  /** A text in quotes, from its opening quote on. */
  #string(): string {
    const text = this.#text;
    let at = this.#at + 1;
    let from = at;
    let plain = "";
    while (true) {
      const code = text.charCodeAt(at);
      if (code === QUOTE) break;
      if (code === BACKSLASH) {
        plain += text.slice(from, at);
        this.#at = at + 1;
        plain += this.#escape();
        at = from = this.#at;
      } else if (code >= SPACE) {
        at++;
      } else {
        this.#at = at;
        // Past the end there is no code.
        if (at >= text.length) throw this.#refusal("it ends inside a text");
        throw this.#refusal(
          `there is ${this.#found()} in a text at ${this.#place()}, expected an escape sequence`,
        );
      }
    }
    this.#at = at + 1;
    return plain === "" ? text.slice(from, at) : plain + text.slice(from, at);
  }

  /** What stands behind a backslash. Halves of a surrogate pair come one by one, and stay alone if they are. */
  #escape(): string {
    const letter = this.#text[this.#at] ?? "";
    const plain = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (plain !== undefined) {
      this.#at++;
      return plain;
    }
    const digits = this.#text.slice(this.#at + 1, this.#at + 5);
    if (letter !== "u" || !/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#unexpected("an escape sequence");
    this.#at += 5;
    return String.fromCharCode(parseInt(digits, 16));
  }

  /** Whether this character comes next, after white space; it is passed then. */
  #take(char: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    const text = this.#text;
    let at = this.#at;
    // A local place costs a quarter of one in a field, and most of an indented file is spaces.
    for (let code = text.charCodeAt(at); isSpace(code); code = text.charCodeAt(at)) at++;
    this.#at = at;
  }

  #unexpected(wanted: string): RefusedError {
    if (this.#at >= this.#text.length) return this.#refusal(`it ends where ${wanted} was expected`);
    return this.#refusal(`there is ${this.#found()} at ${this.#place()}, expected ${wanted}`);
  }

  #found(): string {
    return quote(String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0));
  }

  /** The value that is read, by its path: `Deliberate.config.files[0].size`. */
  #owner(): string {
    if (this.#path.length === 0) return "the value";
    const steps = this.#path.slice(0, PATH_STEPS_MAX).map((step, index) => {
      if (typeof step === "number") return `[${step}]`;
      const name = /^[\w-]{1,80}$/.test(step) ? step : quote(step.slice(0, PATH_NAME_LENGTH_MAX));
      return index === 0 ? name : `.${name}`;
    });
    return steps.join("") + (this.#path.length > PATH_STEPS_MAX ? "…" : "");
  }

  #place(at = this.#at): string {
    const before = this.#text.slice(0, at);
    const line = before.split("\n").length;
    const column = Array.from(before.slice(before.lastIndexOf("\n") + 1)).length + 1;
    return `line ${line}, column ${column}`;
  }

  #refusal(problem: string): RefusedError {
    return new RefusedError(`Cannot read ${this.#what}: it is not JSON that can be synced: ${problem}`, {
      code: "JSON_INVALID",
      hint: "correct it where it comes from and run again; nothing was changed",
    });
  }
}
