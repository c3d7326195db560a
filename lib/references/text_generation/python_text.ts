/** The characters that `str.strip()` removes, which differ from JavaScript's `trim`. */
const BLANK = "[\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const BLANKS_AROUND = new RegExp(`^${BLANK}+|${BLANK}+$`, "g");

/** Returns Python's `str.strip()` of a text. */
export function pythonStrip(text: string): string {
  // Most texts have nothing to remove. The search for blanks takes ten times as long.
  return isPrintable(text.charCodeAt(0)) && isPrintable(text.charCodeAt(text.length - 1))
    ? text
    : text.replace(BLANKS_AROUND, "");
}

/** Whether a character is printable ASCII and not a space. */
function isPrintable(code: number): boolean {
  return code > 0x20 && code < 0x7f;
}

/** Digits with single underscores between them. */
const DIGITS = "\\d+(?:_\\d+)*";
const FLOAT = new RegExp(`^[+-]?(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`, "i");

/**
 * Returns Python's `float()` of an ASCII text; `undefined` if it is not a finite number.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { pythonFloat } from "./python_text.ts";
 * assert.equal(pythonFloat(" 12"), 12);
 * assert.equal(pythonFloat("1_000.5e0"), 1000.5);
 * assert.equal(pythonFloat("7B"), undefined);
 * assert.equal(pythonFloat(""), undefined);
 * ```
 */
export function pythonFloat(text: string): number | undefined {
  const stripped = pythonStrip(text);
  if (!FLOAT.test(stripped)) return undefined;
  const value = Number(stripped.replaceAll("_", ""));
  return Number.isFinite(value) ? value : undefined;
}

/** Compares as `sorted()` does: by code point. JavaScript compares UTF-16 units. */
export function compareCodePoints(a: string, b: string): number {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const [left, right] = [a.codePointAt(at) ?? 0, b.codePointAt(at) ?? 0];
    if (left !== right) return left - right;
  }
  return a.length - b.length;
}
