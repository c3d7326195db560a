/**
 * A JSON value as Python's `json` module reads it: a number with neither point nor exponent is an exact integer
 * (`bigint`), any other a float (`number`); an object keeps the order of its keys, integer-like ones too.
 */
export type JsonValue =
  | null
  | boolean
  | string
  | bigint
  | number
  | readonly JsonValue[]
  | JsonObject;

/** Of a key that a text names twice the last value counts, in the place of the first, as in Python. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** Whether a value is an object. */
export function isJsonObject(value: JsonValue): value is JsonObject {
  return value instanceof Map;
}

/** Whether a value is a list; `Array.isArray()` does not narrow a list that cannot be written to. */
export function isJsonArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
