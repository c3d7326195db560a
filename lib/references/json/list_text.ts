import type { JsonNode } from "./read_nodes.ts";

/** White space that is longer is no layout that new items should copy: it would grow with their number. */
const COPIED_SPACE_MAX = 1000;

/** Where a value stands, for what is written in its place. */
export interface Place {
  /** How many lists and objects it is in. */
  readonly depth: number;
  /** The line break and the indentation that its line begins with. */
  readonly lineBreak: string;
  /** Whether the list or object that it is in stands on one line. */
  readonly isInline: boolean;
}

/** How the parts of a list or an object that has items (members) stand in its text. */
export class ListText {
  readonly #text: string;
  readonly #node: JsonNode;
  /** White space before the first item. */
  readonly lead: string;
  /** Whether the items stand on one line, as far as the first two tell. */
  readonly isInline: boolean;

  constructor(text: string, node: JsonNode) {
    this.#text = text;
    this.#node = node;
    this.lead = text.slice(node.start + 1, node.children[0]?.itemStart);
    this.isInline = !hasLineBreak(this.lead) && !hasLineBreak(this.gap(1) ?? "");
  }

  /** White space behind the last. */
  get tail(): string {
    return this.#text.slice(this.#node.children.at(-1)?.end, this.#node.end - 1);
  }

  /** White space and a comma before an item; `undefined` for the first and for one that is not there. */
  gap(index: number): string | undefined {
    const previous = this.#node.children[index - 1];
    const item = this.#node.children[index];
    return previous === undefined || item === undefined
      ? undefined
      : this.#text.slice(previous.end, item.itemStart);
  }

  /** What stands between a key and its value; empty in a list. */
  colon(index: number): string {
    const child = this.#node.children[index];
    return this.#text.slice(child?.keyEnd, child?.start);
  }

  /** Where an item stands. */
  placeOf(index: number, list: Place): Place {
    return {
      depth: list.depth + 1,
      lineBreak: lastLineBreak(this.gap(index) ?? this.lead) ?? list.lineBreak,
      isInline: this.isInline,
    };
  }
}

export function hasLineBreak(space: string): boolean {
  return lastLineStart(space) > 0;
}

/** The last line break in white space, and the indentation behind it. */
export function lastLineBreak(space: string): string | undefined {
  const start = lastLineStart(space);
  if (start === 0) return undefined;
  // A comma may follow it, and blanks behind that.
  const [indent = ""] = space.slice(start).split(",", 1);
  return (space.endsWith("\r\n", start) ? "\r\n" : space.slice(start - 1, start)) + indent;
}

/** White space with the indentation of other white space, where both end a line. */
export function indentedLike(space: string, other: string): string {
  const lastLine = space.slice(lastLineStart(space));
  const wanted = other.slice(lastLineStart(other));
  // Some begin their lines with the comma: that belongs to what follows it.
  const isLayout = hasLineBreak(space) && hasLineBreak(other) && !`${lastLine}${wanted}`.includes(",");
  return isLayout ? space.slice(0, lastLineStart(space)) + wanted : space;
}

/** White space, with its comma or colon if it has one, as it is copied for a new item: no line ends with blanks. */
export function copiedSpace(space: string): string {
  if (space.length > COPIED_SPACE_MAX) return `${space.trim()} `;
  const start = lastLineStart(space);
  return space.slice(0, start).replace(/[ \t]/g, "") + space.slice(start);
}

function lastLineStart(space: string): number {
  return Math.max(space.lastIndexOf("\n"), space.lastIndexOf("\r")) + 1;
}
