import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, LazyObject } from "./json_value.ts";

/**
 * Whether two values are equal by Python's `==`. The order of keys does not matter, that of lists does. Numbers are
 * compared exactly, whatever their type; `true` is 1 and `false` is 0.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { jsonEquals } from "./json_equals.ts";
 * assert.equal(jsonEquals(1n, 1), true);
 * assert.equal(jsonEquals(1n, true), true);
 * assert.equal(jsonEquals(2n ** 53n + 1n, 2 ** 53), false);
 * ```
 */
export function jsonEquals(a: JsonValue, b: JsonValue): boolean {
  if (a === b) return true;
  if (a instanceof LazyObject && b instanceof LazyObject && a.hasSameText(b)) return true;
  if (isJsonObject(a)) return isJsonObject(b) && objectsEqual(a, b);
  if (isJsonArray(a)) return isJsonArray(b) && arraysEqual(a, b);
  const number = numberOf(a);
  return number !== undefined && number === numberOf(b);
}

function objectsEqual(a: JsonObject, b: JsonObject): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    const other = b.get(key);
    // Values are never `undefined`: the other object lacks the key.
    if (other === undefined || !jsonEquals(value, other)) return false;
  }
  return true;
}

function arraysEqual(a: readonly JsonValue[], b: readonly JsonValue[]): boolean {
  return a.length === b.length && a.every((value, index) => jsonEquals(value, b[index] ?? null));
}

/** Returns the exact number of a value, whole ones as an integer; `undefined` for other values. */
function numberOf(value: JsonValue): bigint | number | undefined {
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  return typeof value === "bigint" ? value : undefined;
}
