import type { JsonValue } from "./json_value.ts";
import { readValue } from "./read_nodes.ts";

/**
 * Reads JSON as Python's `json.loads` reads bytes: integers exactly, any other number as a double; of a key that is
 * there twice the last value, in the place of the first; half a surrogate pair (`\ud800`) stays what it is; a byte
 * order mark at the beginning is passed over. Unlike Python it refuses NaN, Infinity and a number that becomes
 * Infinity, since they cannot be written as JSON again, and what is over 500 levels deep. As Python it refuses control
 * characters in texts and integers of more than 4300 digits. How long a text may be is for the caller to bound.
 *
 * `what` is what the text is, for messages: `clip.json`. Whose fault it is, the caller knows: of a server's answer that
 * is no JSON at all it may say {@link UnreachableError}.
 *
 * @throws {RefusedError} code `JSON_INVALID`: what was found and what was expected, by line and column; a number that
 * cannot be written, by its path too
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseJson } from "./parse_json.ts";
 * assert.deepEqual(parseJson('{"b": 3.0, "1": 9007199254740993}', "x"), new Map<string, number | bigint>([
 *   ["b", 3],
 *   ["1", 9007199254740993n],
 * ]));
 * assert.throws(() => parseJson('{"Deliberate": {"size": 1e400}}', "x"), /Deliberate\.size at line 1, column 25 is 1e400/);
 * ```
 */
export function parseJson(text: string, what: string): JsonValue {
  return readValue(text, what);
}
