import { RefusedError } from "../core/errors.ts";
import { isClutter } from "./clutter.ts";
import type { ModelSet } from "./model_set.ts";

/**
 * Housekeeping files that an earlier version published do not count.
 *
 * @throws {RefusedError} code `SHRINK`: more than half of what was published would disappear
 */
export function refuseShrink(set: ModelSet, published: readonly string[]): void {
  const before = published.filter((path) => !isClutter(path));
  const kept = new Set(set.files.map((file) => file.path));
  const gone = before.filter((path) => !kept.has(path)).length;
  if (gone * 2 <= before.length) return;
  throw new RefusedError(
    `Cannot publish ${set.dir}: ${gone} of the ${before.length} published files would disappear`,
    {
      code: "SHRINK",
      hint: "if that is meant, run again with --allow-shrink",
    },
  );
}
