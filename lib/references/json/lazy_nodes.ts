import { type CheckedText, isJsonObject, type JsonValue, LazyObject } from "./json_value.ts";
import { type JsonNode, readAllNodes, readNodesAt, readValueAt } from "./read_nodes.ts";
import { type SkimmedMember, skimObject } from "./skim_json.ts";

/**
 * Returns JSON as {@link readAllNodes} does, with the position of each value. The members of an object are checked at once,
 * but those that are objects are read when they are needed.
 *
 * @throws {RefusedError} code `JSON_INVALID`
 */
export function readNodes(text: string, what: string): JsonNode {
  const skimmed = skimObject(text);
  if (skimmed === undefined) return readAllNodes(text, what);
  const valueAt = (start: number) => readValueAt(text, what, start);
  const source: CheckedText = {
    text,
    read: (start) => {
      const value = valueAt(start);
      return isJsonObject(value) ? value : new Map();
    },
  };
  const childrenAt = (start: number) => readNodesAt(text, what, start).children;
  const value = new Map<string, JsonValue>();
  const children = skimmed.members.map((member): JsonNode => {
    const { start, end, key } = member;
    const child = text[start] === "{" ? new LazyObject(source, start, end) : valueAt(start);
    value.set(key, child);
    return new LazyNode(member, child, childrenAt);
  });
  const { start, end } = skimmed;
  return { start, end, value, key: undefined, itemStart: start, keyEnd: start, children };
}

/** A node whose children are read when they are needed. */
class LazyNode implements JsonNode {
  readonly start: number;
  readonly end: number;
  readonly value: JsonValue;
  readonly key: string;
  readonly itemStart: number;
  readonly keyEnd: number;
  readonly #read: (start: number) => readonly JsonNode[];
  #children: readonly JsonNode[] | undefined;

  constructor(member: SkimmedMember, value: JsonValue, read: (start: number) => readonly JsonNode[]) {
    this.start = member.start;
    this.end = member.end;
    this.value = value;
    this.key = member.key;
    this.itemStart = member.itemStart;
    this.keyEnd = member.keyEnd;
    this.#read = read;
  }

  get children(): readonly JsonNode[] {
    return this.#children ??= this.#read(this.start);
  }
}
