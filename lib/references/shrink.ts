import { RefusedError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import type { CategoryPlan, Shrink } from "./plan.ts";
import { isJsonArray, isJsonObject, type JsonValue } from "./json/json_value.ts";

/** The share from which a title mentions removals. Larger ones are refused unless the settings say otherwise. */
const LARGE_SHARE = 0.5;

/** Returns the shrinkage with the larger share of losses, `first` if they are equal. */
export function largerShrink(first: Shrink, second: Shrink): Shrink {
  return lost(second) * first.before > lost(first) * second.before ||
      (first.before === 0 && second.before > 0)
    ? second
    : first;
}

/**
 * Whether more than a share of the models is removed or emptied. A category with one model is no exception: an error
 * message could replace it, too.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { exceeds } from "./shrink.ts";
 * assert.equal(exceeds({ removed: 1, emptied: 0, before: 2 }, 0.5), false);
 * assert.equal(exceeds({ removed: 1, emptied: 1, before: 3 }, 0.5), true);
 * assert.equal(exceeds({ removed: 1, emptied: 0, before: 1 }, 0.5), true);
 * assert.equal(exceeds({ removed: 0, emptied: 0, before: 0 }, 0), false);
 * ```
 */
export function exceeds(shrink: Shrink, share: number): boolean {
  return lost(shrink) > shrink.before * share;
}

/**
 * Refuses a plan that removes or empties more than a share of its category's models.
 *
 * @throws {RefusedError} code `SHRINK`
 */
export function refuseShrink({ category, shrink }: CategoryPlan, shareMax: number): void {
  if (!exceeds(shrink, shareMax)) return;
  const { removed, emptied, before } = shrink;
  const what = removed === 0
    ? `${emptied} of its ${plural(before, "model")} would be emptied`
    : `${removed} of its ${plural(before, "model")} would be removed${
      emptied === 0 ? "" : ` and ${emptied} emptied`
    }`;
  throw new RefusedError(
    `Cannot propose the changes of ${category}: ${what}, but references.max_shrink allows ${
      percent(shareMax)
    }`,
    {
      code: "SHRINK",
      hint:
        "to see them, run references-sync --dry-run --allow-shrink; if the removal is meant, run it with --allow-shrink",
    },
  );
}

/** Returns the end of a title: the category that loses a large share of its models; empty if there is none. */
export function shrinkNote(plans: readonly CategoryPlan[], shareMax: number): string {
  const large = plans.filter(({ shrink }) => exceeds(shrink, shareMax) || isLarge(shrink));
  const [first, ...others] = large;
  if (first === undefined) return "";
  const { removed, emptied, before } = first.shrink;
  const what = removed === 0
    ? `empties ${emptied}`
    : `removes ${removed}${emptied === 0 ? "" : ` and empties ${emptied}`}`;
  const of = plans.length === 1 ? "" : ` of ${first.category}`;
  const more = others.length === 0 ? "" : `, and models of ${others.length} more`;
  return ` - ${what} of ${plural(before, "model")}${of}${more}`;
}

/** Exactly half is not refused, so reviewers must see it in the title. One of two is obvious in the body. */
function isLarge(shrink: Shrink): boolean {
  return lost(shrink) > 1 && lost(shrink) >= shrink.before * LARGE_SHARE;
}

function lost({ removed, emptied }: Shrink): number {
  return removed + emptied;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

/** The field with an image model's files. A worker cannot use a record without it. */
const SUBSTANCE = "config";

/**
 * Whether a model's record loses its content: most of its fields, its `config`, or its own name. A field is lost if it
 * becomes missing, empty or `null`, or keeps nothing of its content. This detects an answer of a failing server that
 * has the names of all models but no content. Fields that PRIMARY removes from all records do not count.
 *
 * @param name the key of the record
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { isEmptied } from "./shrink.ts";
 * const before = new Map([["name", "a"], ["version", "1"], ["style", "generalist"]]);
 * assert.equal(isEmptied("a", before, new Map([["name", "a"]])), true);
 * assert.equal(isEmptied("a", before, new Map([["name", "a"], ["version", "2"]])), false);
 * ```
 */
export function isEmptied(name: string, before: JsonValue, after: JsonValue): boolean {
  if (!isJsonObject(before) || !isJsonObject(after)) return isLost(before, after);
  if (before.get("name") === name && after.get("name") !== name) return true;
  let held = 0;
  let lost = 0;
  for (const [field, value] of before) {
    if (isEmpty(value)) continue;
    held++;
    if (!isLost(value, after.get(field))) continue;
    if (field === SUBSTANCE) return true;
    lost++;
  }
  return lost * 2 > held;
}

/** Whether nothing remains of a value. A different number or text is a change, not a loss. */
function isLost(before: JsonValue, after: JsonValue | undefined): boolean {
  if (isEmpty(before)) return false;
  if (after === undefined || isEmpty(after)) return true;
  if (!isJsonObject(before)) return isJsonArray(before) && !isJsonArray(after);
  if (!isJsonObject(after)) return true;
  for (const [key, value] of before) {
    if (!isEmpty(value) && !isLost(value, after.get(key))) return false;
  }
  return true;
}

/** Whether a value is empty: `null`, an empty text, or a list or an object of empty values. */
function isEmpty(value: JsonValue): boolean {
  if (isJsonObject(value)) return value.values().every(isEmpty);
  if (isJsonArray(value)) return value.every(isEmpty);
  return value === null || value === "";
}
