/** Line ends, tabs and escape sequences. */
// deno-lint-ignore no-control-regex -- they are what is looked for
const CONTROL = /[\u0000-\u001f]/g;

/** Control characters, and those by which a name can look like another or turn the text around it. */
const HIDING = /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]/g;

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
  return JSON.stringify(text).replace(HIDING, escape);
}

/**
 * JSON that shows on a terminal as it is: it may be read there, and JSON itself spells out but some of the characters
 * that a terminal obeys.
 */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(HIDING, escape);
}

/** Makes text from outside safe to print as one line, without quoting it. */
export function oneLine(text: string): string {
  return text.replace(CONTROL, escape).replace(HIDING, escape);
}

function escape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
