import { jsonEquals } from "./json/json_equals.ts";
import { isJsonArray, isJsonObject, type JsonValue } from "./json/json_value.ts";

/** A change of one field. */
export interface FieldChange {
  /** The path as in JavaScript: `config.files[0].sha256sum`; empty for the whole model. */
  readonly path: string;
  /** `undefined` for a new field. */
  readonly before: JsonValue | undefined;
  /** `undefined` for a removed field. */
  readonly after: JsonValue | undefined;
}

/**
 * Returns the fields in which two values differ, at the deepest level with the same shape. Lists of different lengths
 * differ as a whole.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { fieldChanges } from "./field_changes.ts";
 * const before = new Map([["nsfw", new Map([["level", 1n]])]]);
 * const after = new Map([["nsfw", new Map([["level", 2n]])]]);
 * assert.deepEqual(fieldChanges(before, after), [{ path: "nsfw.level", before: 1n, after: 2n }]);
 * ```
 */
export function fieldChanges(before: JsonValue, after: JsonValue): FieldChange[] {
  return [...differences(before, after, "")];
}

function* differences(
  before: JsonValue | undefined,
  after: JsonValue | undefined,
  path: string,
): Generator<FieldChange> {
  if (before !== undefined && after !== undefined) {
    if (jsonEquals(before, after)) return;
    if (isJsonObject(before) && isJsonObject(after)) {
      for (const key of new Set([...before.keys(), ...after.keys()])) {
        yield* differences(before.get(key), after.get(key), memberPath(path, key));
      }
      return;
    }
    if (isJsonArray(before) && isJsonArray(after) && before.length === after.length) {
      for (const [index, item] of before.entries()) {
        yield* differences(item, after[index], `${path}[${index}]`);
      }
      return;
    }
  }
  yield { path, before, after };
}

function memberPath(path: string, key: string): string {
  if (!/^[\p{L}_][\p{L}\p{N}_-]*$/u.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}
