/**
 * A JSON value as Python's `json` module reads it. A number without a point and an exponent is an exact integer
 * (`bigint`), any other is a float (`number`). An object keeps the order of its keys, also of integer-like ones.
 */
export type JsonValue =
  | null
  | boolean
  | string
  | bigint
  | number
  | readonly JsonValue[]
  | JsonObject;

/** Of duplicate keys, the last value counts, at the position of the first, as in Python. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** Whether a value is an object. */
export function isJsonObject(value: JsonValue): value is JsonObject {
  return value instanceof Map;
}

/** Whether a value is a list. `Array.isArray()` does not narrow read-only lists. */
export function isJsonArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
