import { UNSHOWN, UNSHOWN_IN_JSON } from "./control_characters.ts";

/**
 * Returns text from outside in quotes, for a message: one line, with invisible characters and escape sequences escaped.
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
 * Returns JSON that is safe to print on a terminal. `JSON.stringify()` escapes only some of the characters that a
 * terminal interprets.
 */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSHOWN_IN_JSON, escape);
}

/** Returns text from outside as one line that is safe to print, without quotes. */
export function oneLine(text: string): string {
  return text.replace(UNSHOWN, escape);
}

/** Returns a word for a POSIX shell, in single quotes unless it needs none. */
export function shellWord(word: string): string {
  return /^[\w./:@%+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * Returns lines that are safe to print. Line ends and tabs stay; other control characters and invisible characters are
 * escaped.
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
