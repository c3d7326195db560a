import { UNSHOWN, UNSHOWN_IN_JSON } from "./control_characters.ts";

/**
 * Quotes text from outside for a message: one line, nothing invisible, no escape sequence that a terminal would obey.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { quote } from "./quote.ts";
 * assert.equal(quote("a\nb"), '"a\\nb"');
 * assert.equal(quote("ab\u202exe"), '"ab\\u202exe"');
 * ```
 */
export function quote(text: string): string {
  return printableJson(text);
}

/**
 * JSON that shows on a terminal as it is: it may be read there, and JSON itself spells out but some of the characters
 * that a terminal obeys.
 */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSHOWN_IN_JSON, escape);
}

/** Makes text from outside safe to print as one line, without quoting it. */
export function oneLine(text: string): string {
  return text.replace(UNSHOWN, escape);
}

/**
 * Makes lines safe to print: line ends and tabs stay, everything else that a terminal obeys or does not show is
 * spelled out.
 */
export function printableLines(text: string): string {
  return text.replace(UNSHOWN, (char, index: number) => {
    if (char === "\n" || char === "\t") return char;
    const isLineEnd = char === "\r" && (index + 1 === text.length || text[index + 1] === "\n");
    return isLineEnd ? char : escape(char);
  });
}

function escape(char: string): string {
  const units = Array.from({ length: char.length }, (_, index) => char.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
