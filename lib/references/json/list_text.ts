import type { JsonNode } from "./read_nodes.ts";

/** Longer white space is not copied to new items: the file would grow with their number. */
const COPIED_SPACE_MAX = 1000;

/** The position of a value, for its replacement. */
export interface Place {
  /** The number of lists and objects around it. */
  readonly depth: number;
  /** The line break and indentation of its line. */
  readonly lineBreak: string;
  /** Whether the list or object around it is on one line. */
  readonly isInline: boolean;
}

/** The white space and separators of a list or an object with items. */
export class ListText {
  readonly #text: string;
  readonly #node: JsonNode;
  /** The white space before the first item. */
  readonly lead: string;
  /** Whether the items are on one line, judged by the first two. */
  readonly isInline: boolean;

  constructor(text: string, node: JsonNode) {
    this.#text = text;
    this.#node = node;
    this.lead = text.slice(node.start + 1, node.children[0]?.itemStart);
    this.isInline = !hasLineBreak(this.lead) && !hasLineBreak(this.gap(1) ?? "");
  }

  /** The white space after the last item. */
  get tail(): string {
    return this.#text.slice(this.#node.children.at(-1)?.end, this.#node.end - 1);
  }

  /** The white space and comma before an item; `undefined` for the first item and for a missing one. */
  gap(index: number): string | undefined {
    const previous = this.#node.children[index - 1];
    const item = this.#node.children[index];
    return previous === undefined || item === undefined
      ? undefined
      : this.#text.slice(previous.end, item.itemStart);
  }

  /** The text between a key and its value; empty in a list. */
  colon(index: number): string {
    const child = this.#node.children[index];
    return this.#text.slice(child?.keyEnd, child?.start);
  }

  /** The position of an item. */
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

/** Returns the last line break in white space, and the indentation after it. */
export function lastLineBreak(space: string): string | undefined {
  const start = lastLineStart(space);
  if (start === 0) return undefined;
  // A comma and blanks may follow.
  const [indent = ""] = space.slice(start).split(",", 1);
  return (space.endsWith("\r\n", start) ? "\r\n" : space.slice(start - 1, start)) + indent;
}

/** Returns white space with the indentation of other white space, if both contain line breaks. */
export function indentedLike(space: string, other: string): string {
  const lastLine = space.slice(lastLineStart(space));
  const wanted = other.slice(lastLineStart(other));
  // In some files, lines begin with the comma: it belongs to the item after it.
  const isLayout = hasLineBreak(space) && hasLineBreak(other) && !`${lastLine}${wanted}`.includes(",");
  return isLayout ? space.slice(0, lastLineStart(space)) + wanted : space;
}

/** Returns white space, with its comma or colon, for a new item. Blanks at line ends are removed. */
export function copiedSpace(space: string): string {
  if (space.length > COPIED_SPACE_MAX) return `${space.trim()} `;
  const start = lastLineStart(space);
  return space.slice(0, start).replace(/[ \t]/g, "") + space.slice(start);
}

function lastLineStart(space: string): number {
  return Math.max(space.lastIndexOf("\n"), space.lastIndexOf("\r")) + 1;
}
