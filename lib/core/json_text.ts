/**
 * Returns a value from outside as JSON in one line. `JSON.parse()` reads any depth, `JSON.stringify()` overflows the
 * stack: for what is nested too deep to be written the text says so.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { jsonText } from "./json_text.ts";
 * assert.equal(jsonText({ a: [1] }), '{"a":[1]}');
 * assert.equal(jsonText(JSON.parse("[".repeat(100_000) + "]".repeat(100_000))), "deeply nested JSON");
 * ```
 */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "nothing";
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return "deeply nested JSON";
  }
}
