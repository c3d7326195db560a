import { RefusedError } from "../core/errors.ts";
import type { CategoryPlan, Shrink } from "./plan.ts";

/** The share from which reviewers are to notice a removal at the first look: what is held back unless set otherwise. */
const LARGE_SHARE = 0.5;

/** Returns the one that loses the larger share; the first of equals. */
export function largerShrink(first: Shrink, second: Shrink): Shrink {
  return lost(second) * first.before > lost(first) * second.before ||
      (first.before === 0 && second.before > 0)
    ? second
    : first;
}

/**
 * Whether more than a share of the models is removed or emptied. One of one is all of them: small categories are no
 * exception, because an error message replaces those as well.
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
 * Holds back a plan that removes or empties more than a share of the models of its category.
 *
 * @throws {RefusedError} code `SHRINK`
 */
export function refuseShrink({ category, shrink }: CategoryPlan, shareMax: number): void {
  if (!exceeds(shrink, shareMax)) return;
  const { removed, emptied, before } = shrink;
  const what = removed === 0
    ? `${emptied} of its ${before} models would be emptied`
    : `${removed} of its ${before} models would be removed${emptied === 0 ? "" : ` and ${emptied} emptied`}`;
  throw new RefusedError(
    `Cannot propose the changes of ${category}: ${what}, references.max_shrink allows ${percent(shareMax)}`,
    {
      code: "SHRINK",
      hint:
        "to see them, run references-sync --dry-run --allow-shrink; if the removal is meant, run it with --allow-shrink",
    },
  );
}

/** The end of a title: which categories lose a large share of their models; nothing where none does. */
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
  return ` - ${what} of ${before} models${of}${more}`;
}

/** Just half is not held back, so that the title is where it is noticed. One of two is seen at a glance in the body. */
function isLarge(shrink: Shrink): boolean {
  return lost(shrink) > 1 && lost(shrink) >= shrink.before * LARGE_SHARE;
}

function lost({ removed, emptied }: Shrink): number {
  return removed + emptied;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}
