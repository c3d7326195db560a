/** Returns the value of a JSON text; `undefined` if the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Returns a value from outside as JSON in one line. `JSON.parse()` reads any depth, but `JSON.stringify()` overflows
 * the stack on deeply nested objects whose keys are numbers. For those it returns {@link DEEPLY_NESTED}.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { jsonText } from "./json.ts";
 * assert.equal(jsonText({ a: [1] }), '{"a":[1]}');
 * assert.equal(jsonText(JSON.parse('{"0":'.repeat(100_000) + "1" + "}".repeat(100_000))), "deeply nested JSON");
 * ```
 */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "nothing";
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return DEEPLY_NESTED;
  }
}

/** Stands for a value that {@link jsonText} cannot write. */
export const DEEPLY_NESTED = "deeply nested JSON";
