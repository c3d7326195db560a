import { isJsonArray, isJsonObject, type JsonValue } from "./json/json_value.ts";

/** The field of an image model that names its files: without it a record is of no use to a worker. */
const SUBSTANCE = "config";

/**
 * Whether a model's record loses its content: most of its fields, its `config`, or its own name for another. A field is
 * lost when it is gone, empty or `null`, or when nothing of what it held is left. An answer in which a failing server
 * keeps the names of all models and nothing else is found by this. A field that PRIMARY drops from all records is not.
 *
 * @param name what the record is kept under
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { isEmptied } from "./emptied_record.ts";
 * const before = new Map([["name", "a"], ["version", "1"], ["style", "generalist"]]);
 * assert.equal(isEmptied("a", before, new Map([["name", "a"]])), true);
 * assert.equal(isEmptied("a", before, new Map([["name", "a"], ["version", "2"]])), false);
 * ```
 */
export function isEmptied(name: string, before: JsonValue, after: JsonValue): boolean {
  if (!isJsonObject(before) || !isJsonObject(after)) return isLost(before, after);
  const held = [...before].filter(([, value]) => !isEmpty(value));
  const lost = held.filter(([field, value]) => isLost(value, after.get(field))).map(([field]) => field);
  const isRenamed = before.get("name") === name && after.get("name") !== name;
  return isRenamed || lost.includes(SUBSTANCE) || lost.length * 2 > held.length;
}

/** Whether nothing is left of a value. Another number or another text in its place is a change, not a loss. */
function isLost(before: JsonValue, after: JsonValue | undefined): boolean {
  if (isEmpty(before)) return false;
  if (after === undefined || isEmpty(after)) return true;
  if (isJsonObject(before)) {
    return !isJsonObject(after) ||
      [...before].every(([key, value]) => isEmpty(value) || isLost(value, after.get(key)));
  }
  return isJsonArray(before) && !isJsonArray(after);
}

/** Whether a value says nothing: `null`, an empty text, or a list or an object of nothing else. */
function isEmpty(value: JsonValue): boolean {
  if (isJsonObject(value)) return [...value.values()].every(isEmpty);
  if (isJsonArray(value)) return value.every(isEmpty);
  return value === null || value === "";
}
