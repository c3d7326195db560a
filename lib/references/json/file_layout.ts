import { exampleId, type FileHabits, type ListKind, listKind, readHabits } from "./file_habits.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "./json_value.ts";
import { copiedSpace, hasLineBreak, lastLineBreak, ListText, type Place } from "./list_text.ts";
import type { JsonNode } from "./read_nodes.ts";
import { isJsonScalar, renderRawString, renderScalar, renderString } from "./render_scalar.ts";

/** The separators of a list. */
interface ListLayout {
  readonly lead: string;
  readonly gap: string;
  readonly tail: string;
  readonly colon: string;
}

/** The key of a new value, and a value of the same list whose style it copies. */
export interface NewValue {
  readonly key?: string | undefined;
  readonly neighbour?: JsonNode | undefined;
}

/** Writes new values in the style of a file. */
export class FileLayout {
  readonly #text: string;
  readonly #root: JsonNode;
  readonly #isRaw: boolean;
  #habits: FileHabits | undefined;

  constructor(text: string, root: JsonNode) {
    this.#text = text;
    this.#root = root;
    // A file with one unescaped non-ASCII character has all of them unescaped. A byte order mark does not count.
    this.#isRaw = /[^\0-\x7f]/.test(text.slice(root.start, root.end));
  }

  /** Returns numbers as Python writes them, and texts with the file's escaping. */
  render(value: JsonValue, place: Place, { key, neighbour }: NewValue = {}): string {
    const pieces: string[] = [];
    this.#write(pieces, value, place, { key, neighbour });
    return pieces.join("");
  }

  renderString(text: string): string {
    return this.#isRaw ? renderRawString(text) : renderString(text);
  }

  /** Returns the separator between a new item and another one, from the item at `index` or near it. */
  gapNear(list: ListText, index: number): string {
    const gap = list.gap(index) ?? list.gap(1);
    if (gap !== undefined) return copiedSpace(gap);
    return hasLineBreak(list.lead) ? `,${copiedSpace(list.lead)}` : this.#known.inlineGap;
  }

  get #known(): FileHabits {
    return this.#habits ??= readHabits(this.#text, this.#root);
  }

  #write(pieces: string[], value: JsonValue, place: Place, about: NewValue): void {
    if (isJsonScalar(value)) {
      pieces.push(typeof value === "string" ? this.renderString(value) : renderScalar(value));
      return;
    }
    const [open, close] = isJsonArray(value) ? "[]" : "{}";
    if ((isJsonArray(value) ? value.length : value.size) === 0) {
      pieces.push(`${open}${close}`);
      return;
    }
    const layout = this.#layoutFor(value, place, about);
    const inner: Place = {
      depth: place.depth + 1,
      lineBreak: lastLineBreak(layout.lead) ?? lastLineBreak(layout.gap) ?? place.lineBreak,
      isInline: !hasLineBreak(layout.lead) && !hasLineBreak(layout.gap),
    };
    let before = `${open}${layout.lead}`;
    for (const [name, item] of isJsonArray(value) ? value.entries() : value) {
      const key = isJsonObject(value) ? String(name) : undefined;
      pieces.push(before);
      if (key !== undefined) pieces.push(this.renderString(key), layout.colon);
      this.#write(pieces, item, inner, { key });
      before = layout.gap;
    }
    pieces.push(`${layout.tail}${close}`);
  }

  #layoutFor(
    value: readonly JsonValue[] | JsonObject,
    place: Place,
    { key, neighbour }: NewValue,
  ): ListLayout {
    const kind = listKind(value);
    const { examples } = this.#known;
    const named = key === undefined ? undefined : examples.get(exampleId(kind, place, key));
    const beside = neighbour !== undefined && looksLike(neighbour, kind) ? neighbour : undefined;
    for (const example of [named, beside, examples.get(exampleId(kind, place))]) {
      if (example === undefined) continue;
      const list = new ListText(this.#text, example);
      // A list on one line stays on one line, unless its other items have line breaks.
      if (example === beside || !place.isInline || list.isInline) return this.#layoutOf(list);
    }
    return this.#habitualLayout(kind, place);
  }

  #habitualLayout(kind: ListKind, place: Place): ListLayout {
    const { examples, unit, colon, inlineGap } = this.#known;
    const example = examples.get(exampleId(kind));
    const list = example === undefined ? undefined : new ListText(this.#text, example);
    if (list?.isInline) return this.#layoutOf(list);
    if (place.isInline) return { lead: "", gap: inlineGap, tail: "", colon };
    const lead = `${place.lineBreak}${unit}`;
    return { lead, gap: `,${lead}`, tail: place.lineBreak, colon };
  }

  #layoutOf(list: ListText): ListLayout {
    return {
      lead: copiedSpace(list.lead),
      gap: this.gapNear(list, 1),
      tail: copiedSpace(list.tail),
      colon: copiedSpace(list.colon(0)),
    };
  }
}

function looksLike(node: JsonNode, kind: ListKind): boolean {
  return node.children.length > 0 && listKind(node.value) === kind;
}
