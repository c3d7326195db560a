import type { RefusedError } from "../../core/errors.ts";
import { characterAt, LEXEME_LENGTH_MAX, notJson, pathText, placeIn } from "./json_refusal.ts";
import type { JsonValue } from "./json_value.ts";

/** The position of a value in a text, with its key. Each end is after the last character. */
export interface JsonNode {
  readonly start: number;
  readonly end: number;
  readonly value: JsonValue;
  /** The key of an object's member. */
  readonly key: string | undefined;
  /** The beginning of the key, or of the value if there is none. */
  readonly itemStart: number;
  /** The end of the key's closing quote, or the beginning of the value if there is no key. */
  readonly keyEnd: number;
  /** The values of an object or a list, in the order of the text, with duplicate keys. */
  readonly children: readonly JsonNode[];
}

/**
 * Python's json module fails at about a thousand levels. Records have five. Half a thousand is safe for the stack of
 * every function that recurses into values.
 */
const DEPTH_MAX = 500;

/** Python's `int()` refuses more digits, because the conversion takes quadratic time. */
const INTEGER_DIGITS_MAX = 4300;

const NO_CHILDREN: readonly JsonNode[] = [];

const BYTE_ORDER_MARK = 0xfeff;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const NON_FINITE = /NaN|-?Infinity/y;

/** The characters of escape letters. */
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
 * Returns JSON as {@link parseJson} does, with the position of each value, in twice the time.
 *
 * @throws {RefusedError} code `JSON_INVALID`
 */
export function readAllNodes(text: string, what: string): JsonNode {
  return new JsonReader(text, what, { keepsNodes: true }).read();
}

/** Returns a function that returns the value at a place of a text that was checked. */
export function valueReader(text: string, what: string): (start: number) => JsonValue {
  const reader = new JsonReader(text, what, { keepsNodes: false });
  return (start) => reader.readAt(start).value;
}

/** Returns the value at a place of a text that was checked, with the position of each value in it. */
export function readNodesAt(text: string, what: string, start: number): JsonNode {
  return new JsonReader(text, what, { keepsNodes: true }).readAt(start);
}

/**
 * Returns JSON as Python's `json.loads` reads bytes. Integers are exact, other numbers are doubles. Of duplicate keys,
 * the last value counts, at the position of the first. Half of a surrogate pair (`\ud800`) stays. A byte order mark is
 * skipped. Control characters in texts and integers of more than 4300 digits are refused, as in Python. Unlike in
 * Python, NaN, Infinity and numbers that become Infinity are refused, because JSON cannot hold them, and so are more
 * than 500 levels. The caller limits the length of the text.
 *
 * `what` names the text in messages: `clip.json`. The caller knows the cause: for a server's answer that is not JSON at
 * all, it may throw {@link UnreachableError}.
 *
 * @throws {RefusedError} code `JSON_INVALID`: what was found and what was expected, with line and column, and with the
 * path of a number that cannot be written
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseJson } from "./read_nodes.ts";
 * assert.deepEqual(parseJson('{"b": 3.0, "1": 9007199254740993}', "x"), new Map<string, number | bigint>([
 *   ["b", 3],
 *   ["1", 9007199254740993n],
 * ]));
 * assert.throws(() => parseJson('{"Deliberate": {"size": 1e400}}', "x"), /Deliberate\.size at line 1, column 25 is 1e400/);
 * ```
 */
export function parseJson(text: string, what: string): JsonValue {
  return new JsonReader(text, what, { keepsNodes: false }).read().value;
}

function isSpace(code: number): boolean {
  return code === SPACE || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Reads one JSON text. */
class JsonReader {
  readonly #text: string;
  readonly #what: string;
  readonly #keepsNodes: boolean;
  #at = 0;
  /** The keys and list indexes that lead to the current value. */
  readonly #path: (string | number)[] = [];
  /** The beginning and children of the last value. Its end is the current position. */
  #start = 0;
  #children = NO_CHILDREN;

  constructor(text: string, what: string, { keepsNodes }: { readonly keepsNodes: boolean }) {
    this.#text = text;
    this.#what = what;
    this.#keepsNodes = keepsNodes;
  }

  /** Reads one value of a checked text. */
  readAt(start: number): JsonNode {
    this.#at = start;
    const value = this.#value();
    return this.#node(value, undefined, start, start);
  }

  read(): JsonNode {
    // Python skips the mark in bytes, which is what servers send; in a text it refuses it.
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
        // Of duplicate keys, Python keeps the last value, at the position of the first.
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

  /** Returns the node of the last value. */
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
      ? "which is too large for a float: Python converts it to Infinity, which JSON cannot hold"
      : "which JSON cannot hold";
    return this.#refusal(`${this.#owner()} at ${this.#place(start)} is ${number}, ${reason}`);
  }

  #word<T extends JsonValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected("a value");
    this.#at += word.length;
    return value;
  }

  /** Reads a text in quotes, from the opening quote on. */
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
        // At the end of the text, the code is NaN.
        if (at >= text.length) throw this.#refusal("it ends inside a text");
        throw this.#refusal(
          `there is ${this.#found()} in a text at ${this.#place()}, expected an escape sequence`,
        );
      }
    }
    this.#at = at + 1;
    return plain === "" ? text.slice(from, at) : plain + text.slice(from, at);
  }

  /** Reads the characters after a backslash. Halves of a surrogate pair are read separately, and single ones stay. */
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

  /** Skips white space, and then this character if it is next. Returns whether it was. */
  #take(char: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #skipSpace(): void {
    const text = this.#text;
    let at = this.#at;
    // A local variable is four times faster than a field, and most of an indented file is spaces.
    for (let code = text.charCodeAt(at); isSpace(code); code = text.charCodeAt(at)) at++;
    this.#at = at;
  }

  #unexpected(wanted: string): RefusedError {
    if (this.#at >= this.#text.length) return this.#refusal(`it ends where ${wanted} was expected`);
    return this.#refusal(`there is ${this.#found()} at ${this.#place()}, expected ${wanted}`);
  }

  #found(): string {
    return characterAt(this.#text, this.#at);
  }

  #owner(): string {
    return pathText(this.#path);
  }

  #place(at = this.#at): string {
    return placeIn(this.#text, at);
  }

  #refusal(problem: string): RefusedError {
    return notJson(this.#what, problem);
  }
}
