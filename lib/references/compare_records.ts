import { compareUtf8 } from "../core/portable_path.ts";
import { jsonEquals } from "./json/json_equals.ts";
import type { JsonObject, JsonValue } from "./json/json_value.ts";

/** A change of one model. */
export type ModelChange =
  | { readonly kind: "added"; readonly name: string; readonly after: JsonValue }
  | { readonly kind: "removed"; readonly name: string; readonly before: JsonValue }
  | {
    readonly kind: "modified";
    readonly name: string;
    readonly before: JsonValue;
    readonly after: JsonValue;
  };

/**
 * Returns the models that differ, sorted by name as in Python: by code point. Values are compared as in Python: the
 * order of keys does not matter, and `1`, `1.0` and `true` are equal.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { compareRecords } from "./compare_records.ts";
 * const before = new Map([["a", 1n], ["b", 2n]]);
 * const after = new Map<string, number | bigint>([["b", 2.0], ["c", 3n]]);
 * assert.deepEqual(compareRecords(before, after), [
 *   { kind: "removed", name: "a", before: 1n },
 *   { kind: "added", name: "c", after: 3n },
 * ]);
 * ```
 */
export function compareRecords(before: JsonObject, after: JsonObject): ModelChange[] {
  const changes: ModelChange[] = [];
  after.forEach((record, name) => {
    const old = before.get(name);
    if (old === undefined) changes.push({ kind: "added", name, after: record });
    else if (!jsonEquals(old, record)) changes.push({ kind: "modified", name, before: old, after: record });
  });
  before.forEach((record, name) => {
    if (!after.has(name)) changes.push({ kind: "removed", name, before: record });
  });
  return changes.sort((a, b) => compareUtf8(a.name, b.name));
}

/** Returns the names of the models with one kind of change. */
export function namesOf(changes: readonly ModelChange[], kind: ModelChange["kind"]): string[] {
  return changes.filter((change) => change.kind === kind).map(({ name }) => name);
}
