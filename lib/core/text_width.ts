/** Characters that take two columns (UAX #11, wide and fullwidth). */
const WIDE =
  /[\p{Emoji_Presentation}\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE10-\uFE19\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{16FE0}-\u{18DFF}\u{1B000}-\u{1B2FF}\u{1F200}-\u{1F265}\u{1F300}-\u{1F64F}\u{1F680}-\u{1F6FF}\u{1F900}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;

/** Combining marks and invisible characters. */
const ZERO = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11FF]/u;

function columnsOf(char: string): number {
  return ZERO.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
}

/**
 * Returns the width of a line in terminal columns. An emoji of several characters counts as their sum; a terminal may
 * draw it narrower.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { textWidth } from "./text_width.ts";
 * assert.deepEqual(["abc", "模型", "e\u0301", "🚀"].map(textWidth), [3, 4, 1, 2]);
 * ```
 */
export function textWidth(line: string): number {
  let columns = 0;
  for (const char of line) columns += columnsOf(char);
  return columns;
}

/**
 * Returns the beginning of a line that fits into `columnsMax`, with an ellipsis if it was cut.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { cutToWidth } from "./text_width.ts";
 * assert.equal(cutToWidth("pushing", 7), "pushing");
 * assert.equal(cutToWidth("pushing", 5), "push…");
 * assert.equal(cutToWidth("模型模型", 4), "模…");
 * ```
 */
export function cutToWidth(line: string, columnsMax: number): string {
  if (textWidth(line) <= columnsMax) return line;
  let kept = "";
  let columns = 1;
  for (const char of line) {
    columns += columnsOf(char);
    if (columns > columnsMax) break;
    kept += char;
  }
  return columnsMax < 1 ? "" : `${kept}…`;
}
