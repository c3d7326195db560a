import { type CheckedText, type JsonObject, type JsonValue, LazyObject } from "./json_value.ts";
import { type JsonNode, parseJson, readAllNodes, readNodesAt, valueReader } from "./read_nodes.ts";
import { skimMembers, skimObject, textIn } from "./skim_json.ts";

const QUOTE = 0x22;
const OBJECT_START = 0x7b;

/**
 * Returns JSON as {@link readAllNodes} does, with the position of each value. The members of an object are checked at once,
 * but those that are objects are read when they are needed.
 *
 * @throws {RefusedError} code `JSON_INVALID`
 */
export function readNodes(text: string, what: string): JsonNode {
  const reader = new CheckedReader(text, what);
  const value = new Map<string, JsonValue>();
  const children: JsonNode[] = [];
  const place = skimObject(text, (key, itemStart, keyEnd, start, end) => {
    const node = new LazyNode(reader, key, itemStart, keyEnd, start, end);
    value.set(key, node.value);
    children.push(node);
  });
  if (place === undefined) return readAllNodes(text, what);
  const { start, end } = place;
  return { start, end, value, key: undefined, itemStart: start, keyEnd: start, children };
}

/** As {@link readNodes}, without positions. */
export function readLazily(text: string, what: string): JsonValue {
  const reader = new CheckedReader(text, what);
  const value = new Map<string, JsonValue>();
  const place = skimObject(text, (key, _itemStart, _keyEnd, start, end) => {
    value.set(key, reader.valueAt(start, end));
  });
  return place === undefined ? parseJson(text, what) : value;
}

/** Returns the object that a text is, which is certainly JSON. It is read when it is needed. */
export function lazyObject(text: string, what: string): LazyObject {
  return new LazyObject(new CheckedReader(text, what), 0, text.length);
}

/** Reads values of a text that was checked. */
class CheckedReader implements CheckedText {
  readonly text: string;
  readonly #what: string;
  #read: ((start: number) => JsonValue) | undefined;

  constructor(text: string, what: string) {
    this.text = text;
    this.#what = what;
  }

  valueAt(start: number, end: number): JsonValue {
    const code = this.text.charCodeAt(start);
    if (code === OBJECT_START) return new LazyObject(this, start, end);
    if (code === QUOTE) return textIn(this.text, start, end);
    this.#read ??= valueReader(this.text, this.#what);
    return this.#read(start);
  }

  read(start: number): JsonObject {
    const members = new Map<string, JsonValue>();
    const isWhole = skimMembers(this.text, start, (key, _itemStart, _keyEnd, start, end) => {
      members.set(key, this.valueAt(start, end));
    });
    if (isWhole) return members;
    // A text of lazyObject() was not skimmed before: it may have a member that only the reader takes.
    const nodes = readNodesAt(this.text, this.#what, start).children;
    return new Map(nodes.map(({ key = "", value }) => [key, value]));
  }

  /** Returns the children of a value. */
  nodesAt(start: number): readonly JsonNode[] {
    if (this.text.charCodeAt(start) !== OBJECT_START) {
      return readNodesAt(this.text, this.#what, start).children;
    }
    const nodes: JsonNode[] = [];
    skimMembers(this.text, start, (key, itemStart, keyEnd, start, end) => {
      nodes.push(new LazyNode(this, key, itemStart, keyEnd, start, end));
    });
    return nodes;
  }
}

/** A node whose children are read when they are needed, once for the node and for the object that is its value. */
class LazyNode implements JsonNode, CheckedText {
  readonly key: string;
  readonly itemStart: number;
  readonly keyEnd: number;
  readonly start: number;
  readonly end: number;
  readonly value: JsonValue;
  readonly #reader: CheckedReader;
  #children: readonly JsonNode[] | undefined;

  constructor(
    reader: CheckedReader,
    key: string,
    itemStart: number,
    keyEnd: number,
    start: number,
    end: number,
  ) {
    this.key = key;
    this.itemStart = itemStart;
    this.keyEnd = keyEnd;
    this.start = start;
    this.end = end;
    this.#reader = reader;
    const isObject = reader.text.charCodeAt(start) === OBJECT_START;
    this.value = isObject ? new LazyObject(this, start, end) : reader.valueAt(start, end);
  }

  get text(): string {
    return this.#reader.text;
  }

  read(): JsonObject {
    return new Map(this.children.map(({ key = "", value }) => [key, value]));
  }

  get children(): readonly JsonNode[] {
    return this.#children ??= this.#reader.nodesAt(this.start);
  }
}
