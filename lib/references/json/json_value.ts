import { haveSameTokens } from "./skim_json.ts";

/**
 * A JSON value as Python's `json` module reads it. A number without a point and an exponent is an exact integer
 * (`bigint`), any other is a float (`number`). An object keeps the order of its keys, also of integer-like ones.
 */
export type JsonValue =
  | null
  | boolean
  | string
  | bigint
  | number
  | readonly JsonValue[]
  | JsonObject;

/** Of duplicate keys, the last value counts, at the position of the first, as in Python. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** Whether a value is an object. */
export function isJsonObject(value: JsonValue): value is JsonObject {
  return value instanceof Map || value instanceof LazyObject;
}

/** Whether a value is a list. `Array.isArray()` does not narrow read-only lists. */
export function isJsonArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** A checked text, and how the object at a place of it is read. */
export interface CheckedText {
  readonly text: string;
  readonly read: (start: number) => JsonObject;
}

/**
 * An object in a text that is read when its first member is needed. Most records of a sync are equal on both sides, which
 * their texts show: reading them takes most of the time and memory.
 */
export class LazyObject implements JsonObject {
  readonly #source: CheckedText;
  readonly #start: number;
  readonly #end: number;
  #members: JsonObject | undefined;
  /** The last object whose text was found to be equal: records are compared to find the changes, and to write them. */
  #twin: LazyObject | undefined;

  constructor(source: CheckedText, start: number, end: number) {
    this.#source = source;
    this.#start = start;
    this.#end = end;
  }

  /** Whether the texts are equal but for white space, so that the objects are equal. The reverse does not hold. */
  hasSameText(other: LazyObject): boolean {
    if (this.#twin === other) return true;
    const [a, b] = [this.#source.text, other.#source.text];
    // The engine compares texts much faster than tokens, and most layouts are the same.
    const isSame = a.slice(this.#start, this.#end) === b.slice(other.#start, other.#end) ||
      haveSameTokens(a, this.#start, this.#end, b, other.#start, other.#end);
    if (isSame) this.#twin = other;
    return isSame;
  }

  /** Whether the object's text is these two pieces. */
  isText(first: string, second: string): boolean {
    const { text } = this.#source;
    const middle = this.#start + first.length;
    // `startsWith()` compares character by character, and takes ten times as long.
    return middle + second.length === this.#end && text.slice(middle, this.#end) === second &&
      text.slice(this.#start, middle) === first;
  }

  get #read(): JsonObject {
    return this.#members ??= this.#source.read(this.#start);
  }

  get size(): number {
    return this.#read.size;
  }

  get(key: string): JsonValue | undefined {
    return this.#read.get(key);
  }

  has(key: string): boolean {
    return this.#read.has(key);
  }

  forEach(call: (value: JsonValue, key: string, object: JsonObject) => void): void {
    for (const [key, value] of this.#read) call(value, key, this);
  }

  entries(): MapIterator<[string, JsonValue]> {
    return this.#read.entries();
  }

  keys(): MapIterator<string> {
    return this.#read.keys();
  }

  values(): MapIterator<JsonValue> {
    return this.#read.values();
  }

  [Symbol.iterator](): MapIterator<[string, JsonValue]> {
    return this.#read[Symbol.iterator]();
  }
}
