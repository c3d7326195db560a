import { isJsonArray, type JsonValue } from "./json_value.ts";
import { lastLineBreak, ListText, type Place } from "./list_text.ts";
import type { JsonNode } from "./read_nodes.ts";
import { isJsonScalar } from "./render_scalar.ts";

/** The general layout of a file, for new values without an example beside them. */
export interface FileHabits {
  /** The indentation of list items: what most lists have. */
  readonly unit: string;
  /** The text between a key and its value: what the first member has. */
  readonly colon: string;
  /** The text between the items of a list on one line. */
  readonly inlineGap: string;
  /** Lists and objects with items, the last of each {@link exampleId}. */
  readonly examples: ReadonlyMap<string, JsonNode>;
}

/** Objects, lists of plain values, and lists of lists or objects often have different layouts. */
export type ListKind = "object" | "plain list" | "list";

export function listKind(value: JsonValue): ListKind {
  if (!isJsonArray(value)) return "object";
  return value.every(isJsonScalar) ? "plain list" : "list";
}

/** The key of an example: its kind, and its position and key if they matter. */
export function exampleId(kind: ListKind, place?: Place, key?: string): string {
  return `${kind} ${place?.depth}${place?.lineBreak}${key === undefined ? "" : `:${key}`}`;
}

/** The position of the outermost value: on its own line, which ends as the first line of the file does. */
export function rootPlace(text: string): Place {
  const [lineBreak = "\n"] = /\r\n|\n|\r/.exec(text) ?? [];
  return { depth: 0, lineBreak, isInline: false };
}

/** Returns the habits of a file, reading each list and object once. */
export function readHabits(text: string, root: JsonNode): FileHabits {
  const examples = new Map<string, JsonNode>();
  const units = new Map<string, number>();
  let colon: string | undefined;
  let inlineGap: string | undefined;
  const visit = (node: JsonNode, place: Place) => {
    const list = new ListText(text, node);
    const kind = listKind(node.value);
    for (const id of [exampleId(kind), exampleId(kind, place), exampleId(kind, place, node.key)]) {
      examples.set(id, node);
    }
    if (kind === "object") colon ??= list.colon(0);
    if (list.isInline) inlineGap ??= list.gap(1);
    const itemBreak = lastLineBreak(list.lead);
    if (itemBreak?.startsWith(place.lineBreak)) {
      const unit = itemBreak.slice(place.lineBreak.length);
      units.set(unit, (units.get(unit) ?? 0) + 1);
    }
    for (const [index, child] of node.children.entries()) {
      if (child.children.length > 0) visit(child, list.placeOf(index, place));
    }
  };
  if (root.children.length > 0) visit(root, rootPlace(text));
  colon ??= ": ";
  inlineGap ??= /\s$/.test(colon) ? ", " : ",";
  const [[unit] = ["    "]] = [...units].sort(([, a], [, b]) => b - a);
  return { unit, colon, inlineGap, examples };
}
