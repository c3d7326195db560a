import { RefusedError } from "../core/errors.ts";
import type { CategoryPlan } from "./plan_category.ts";

/** How many of the models that a file has are removed. */
export interface Shrink {
  readonly removed: number;
  readonly before: number;
}

/** The share from which reviewers are to notice a removal at the first look: what `publish` refuses as well. */
const LARGE_SHARE = 0.5;

/** Returns the one that loses the larger share; the first of equals. */
export function largerShrink(first: Shrink, second: Shrink): Shrink {
  return second.removed * first.before > first.removed * second.before ||
      (first.before === 0 && second.before > 0)
    ? second
    : first;
}

/**
 * Whether more than a share of the models is removed. One of one is all of them: small categories are no exception,
 * because an error message replaces those as well.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { exceeds } from "./shrink.ts";
 * assert.equal(exceeds({ removed: 1, before: 2 }, 0.5), false);
 * assert.equal(exceeds({ removed: 2, before: 3 }, 0.5), true);
 * assert.equal(exceeds({ removed: 1, before: 1 }, 0.5), true);
 * assert.equal(exceeds({ removed: 0, before: 0 }, 0), false);
 * ```
 */
export function exceeds({ removed, before }: Shrink, share: number): boolean {
  return removed > before * share;
}

/**
 * Holds back a plan that removes more than a share of the models of its category.
 *
 * @throws {RefusedError} code `SHRINK`
 */
export function refuseShrink({ category, shrink }: CategoryPlan, shareMax: number): void {
  if (!exceeds(shrink, shareMax)) return;
  throw new RefusedError(
    `Cannot propose the changes of ${category}: ${shrink.removed} of its ${shrink.before} models would be removed, ` +
      `references.max_shrink allows ${percent(shareMax)}`,
    {
      code: "SHRINK",
      hint:
        "to see them, run references-sync --dry-run --allow-shrink; if the removal is meant, run it with --allow-shrink",
    },
  );
}

/** The end of a title: which categories lose a large share of their models; nothing where none does. */
export function shrinkNote(plans: readonly CategoryPlan[], shareMax: number): string {
  const large = plans.filter(({ shrink }) => exceeds(shrink, Math.min(shareMax, LARGE_SHARE)));
  const [first, ...others] = large;
  if (first === undefined) return "";
  const { removed, before } = first.shrink;
  const of = plans.length === 1 ? "" : ` of ${first.category}`;
  const more = others.length === 0 ? "" : `, and models of ${others.length} more`;
  return ` - removes ${removed} of ${before} models${of}${more}`;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}
