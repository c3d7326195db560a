import { alignItems } from "./align_items.ts";
import { rootPlace } from "./file_habits.ts";
import { FileLayout } from "./file_layout.ts";
import { jsonEquals } from "./json_equals.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "./json_value.ts";
import { copiedSpace, indentedLike, lastLineBreak, ListText, type Place } from "./list_text.ts";
import type { JsonNode } from "./read_nodes.ts";
import { readNodes } from "./lazy_nodes.ts";
import { isJsonScalar } from "./render_scalar.ts";
import { renderJson } from "./render_json.ts";

/**
 * Deeper values are not compared as a whole, and deeper lists are changed item by item: comparing reads everything
 * inside, and the time would grow with the depth.
 */
const COMPARED_DEPTH_MAX = 20;

/** An item that stays; without `wanted`, its text is unchanged. */
interface KeptSlot {
  readonly index: number;
  readonly wanted: JsonValue | undefined;
}

/** A new item of a list, or a new member of an object. */
interface NewSlot {
  readonly index: undefined;
  readonly key: string | undefined;
  readonly wanted: JsonValue;
}

/** A list's changes: one slot after another. */
type Slot = KeptSlot | NewSlot;

/** A piece of text to replace. */
interface Patch {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Changes a JSON text to the wanted value with as few edits as possible. Values that are equal by {@link jsonEquals}
 * keep their bytes, with their spelling, spacing and order of keys. Only members of objects and items of lists that
 * differ are changed. Removed ones go with their lines. New ones copy the style of their neighbours: line ends,
 * indentation, colons, lists on one line, escaping. A new member comes after the one that it follows in `wanted`, or
 * else at the end. Of duplicate keys, the last one is changed, and all are removed. A text that is neither an object
 * nor a list, or the other of the two, becomes {@link renderJson} of the wanted value.
 *
 * The text's byte order mark and last line end stay, so decode the file with its mark (`ignoreBOM`).
 *
 * @throws {RefusedError} code `JSON_INVALID`: `text` is not JSON; `what` names it in the message
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { editJson } from "./edit_json.ts";
 * import { parseJson } from "./read_nodes.ts";
 * const wanted = parseJson('{"b": {"tags": ["x", "z"], "nsfw": false, "size": 1}, "a": {"size": 3.0}}', "PRIMARY");
 * assert.equal(
 *   editJson('{\r\n\t"a": {"size":3},\r\n\t"b": {"size":1,"tags":["x","y"]}\r\n}\r\n', wanted, "clip.json"),
 *   '{\r\n\t"a": {"size":3},\r\n\t"b": {"size":1,"tags":["x","z"],"nsfw":false}\r\n}\r\n',
 * );
 * ```
 */
export function editJson(text: string, wanted: JsonValue, what: string): string {
  return editNodes(text, readNodes(text, what), wanted);
}

/** As {@link editJson}, for a text that was read. @param root the text's outermost value */
export function editNodes(text: string, root: JsonNode, wanted: JsonValue): string {
  if (isJsonScalar(wanted) || isJsonArray(wanted) !== isJsonArray(root.value) || isJsonScalar(root.value)) {
    return jsonEquals(root.value, wanted) ? text : renderJson(wanted);
  }
  const editor = new Editor(text, root);
  editor.edit(root, wanted, rootPlace(text));
  return editor.result();
}

class Editor {
  readonly #text: string;
  readonly #layout: FileLayout;
  /** In the order of the text, without overlaps. */
  readonly #patches: Patch[] = [];

  constructor(text: string, root: JsonNode) {
    this.#text = text;
    this.#layout = new FileLayout(text, root);
  }

  result(): string {
    const pieces: string[] = [];
    let at = 0;
    for (const { start, end, text } of this.#patches) {
      pieces.push(this.#text.slice(at, start), text);
      at = end;
    }
    pieces.push(this.#text.slice(at));
    return pieces.join("");
  }

  /** Changes a value to the wanted one. */
  edit(node: JsonNode, wanted: JsonValue, place: Place): void {
    const { key, value, children } = node;
    if (children.length > 0 && isJsonObject(value) && isJsonObject(wanted) && wanted.size > 0) {
      if (hasSameKeys(children, wanted)) this.#editMembers(node, wanted, place);
      else this.#editList(node, memberSlots(children, wanted), place);
    } else if (children.length > 0 && isJsonArray(value) && isJsonArray(wanted) && wanted.length > 0) {
      this.#editList(node, itemSlots(value, wanted, place.depth), place);
    } else if (!jsonEquals(value, wanted)) {
      this.#replace(node.start, node.end, this.#layout.render(wanted, place, { key }));
    }
  }

  /** Changes an object to a wanted one with the same keys in the same order. */
  #editMembers(node: JsonNode, wanted: JsonObject, place: Place): void {
    const list = new ListText(this.#text, node);
    let index = 0;
    for (const value of wanted.values()) {
      const child = node.children[index];
      if (child !== undefined) this.#editItem(child, { index, wanted: value }, list, place);
      index++;
    }
  }

  #editList(node: JsonNode, slots: readonly Slot[], place: Place): void {
    const list = new ListText(this.#text, node);
    /** The end of the last item that stays, its index, and the new items after it. */
    let end = node.start + 1;
    let last = -1;
    let added = "";
    for (const [at, slot] of slots.entries()) {
      if (slot.index === undefined) {
        added += this.#newItem(node, list, { ...slot, last, isFirst: at === 0 }, place);
        continue;
      }
      const child = node.children[slot.index];
      if (child === undefined) continue;
      if (added !== "" || slot.index !== last + 1) {
        this.#replace(end, child.itemStart, added + this.#spaceBefore(list, slot.index, at === 0));
      }
      this.#editItem(child, slot, list, place);
      [end, last, added] = [child.end, slot.index, ""];
    }
    if (added !== "" || last !== node.children.length - 1) {
      this.#replace(end, node.end - 1, added + list.tail);
    }
  }

  #editItem(node: JsonNode, { index, wanted }: KeptSlot, list: ListText, place: Place): void {
    if (wanted === undefined) return;
    const isCompared = isJsonScalar(wanted) || place.depth < COMPARED_DEPTH_MAX;
    if (isCompared && jsonEquals(node.value, wanted)) return;
    this.edit(node, wanted, list.placeOf(index, place));
  }

  /** Returns a new item with its separator. `last` is the index of the text's item before it, or -1. */
  #newItem(
    node: JsonNode,
    list: ListText,
    { key, wanted, last, isFirst }: {
      key: string | undefined;
      wanted: JsonValue;
      last: number;
      isFirst: boolean;
    },
    place: Place,
  ): string {
    const beside = Math.max(last, 0);
    const space = isFirst ? copiedSpace(list.lead) : this.#layout.gapNear(list, last);
    const itemPlace = { ...list.placeOf(beside, place), lineBreak: lastLineBreak(space) ?? place.lineBreak };
    const name = key === undefined ? "" : this.#layout.renderString(key) + copiedSpace(list.colon(beside));
    const neighbour = node.children[beside];
    return space + name + this.#layout.render(wanted, itemPlace, { key, neighbour });
  }

  /** Returns the separator before an item that stays, after its predecessor has changed. */
  #spaceBefore(list: ListText, index: number, isFirst: boolean): string {
    const gap = list.gap(index);
    if (isFirst) return gap === undefined ? list.lead : indentedLike(list.lead, gap);
    return gap ?? indentedLike(this.#layout.gapNear(list, 1), list.lead);
  }

  #replace(start: number, end: number, text: string): void {
    this.#patches.push({ start, end, text });
  }
}

/** Whether an object in the text has the keys of a wanted one, each once and in the same order: most records have. */
function hasSameKeys(children: readonly JsonNode[], wanted: JsonObject): boolean {
  if (children.length !== wanted.size) return false;
  let index = 0;
  for (const key of wanted.keys()) {
    if (children[index++]?.key !== key) return false;
  }
  return true;
}

/** Returns members in the order of the text, and new ones in the order of `wanted`. */
function memberSlots(children: readonly JsonNode[], wanted: JsonObject): Slot[] {
  const lastIndexes = new Map<string | undefined, number>();
  for (const [index, { key }] of children.entries()) lastIndexes.set(key, index);
  /** The new members, by the index of the text's member that they follow, or -1. */
  const added = new Map<number, Slot[]>();
  let last = -1;
  for (const [key, value] of wanted) {
    const index = lastIndexes.get(key);
    if (index !== undefined) {
      last = index;
      continue;
    }
    const group = added.get(last) ?? [];
    added.set(last, group);
    group.push({ index, key, wanted: value });
  }
  const slots: Slot[] = last === -1 ? [] : [...added.get(-1) ?? []];
  for (const [index, { key = "" }] of children.entries()) {
    const value = wanted.get(key);
    // Of duplicate keys, all but the last have no meaning and stay.
    if (value !== undefined) {
      slots.push({ index, wanted: lastIndexes.get(key) === index ? value : undefined });
    }
    if (index !== last) slots.push(...added.get(index) ?? []);
  }
  // The members after the last one that stays.
  return [...slots, ...added.get(last) ?? []];
}

function itemSlots(old: readonly JsonValue[], wanted: readonly JsonValue[], depth: number): Slot[] {
  const items = depth < COMPARED_DEPTH_MAX
    ? alignItems(old, wanted)
    : wanted.map((value, index) => ({ index: index < old.length ? index : undefined, wanted: value }));
  return items.map(({ index, wanted }) =>
    index === undefined ? { index, key: undefined, wanted } : { index, wanted }
  );
}
