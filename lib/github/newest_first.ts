/** A run or an artifact, as far as its age matters. */
export interface Dated {
  readonly id: number;
  readonly created_at?: string | null | undefined;
}

/**
 * Returns runs or artifacts, newest first: by `created_at`, then by id. GitHub does not promise that ids grow with
 * time: an artifact of a second attempt may have a smaller id. An entry without a valid time comes after all dated
 * entries with a larger id, and never affects their order.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { newestFirst } from "./newest_first.ts";
 * const [first, second] = [{ id: 9, created_at: "2026-11-20T00:00:00Z" }, { id: 4, created_at: "2026-11-21T00:00:00Z" }];
 * assert.deepEqual(newestFirst([first, second]).map(({ id }) => id), [4, 9]);
 * assert.deepEqual(newestFirst([first, second, { id: 5 }, { id: 10 }]).map(({ id }) => id), [10, 4, 9, 5]);
 * ```
 */
export function newestFirst<T extends Dated>(items: readonly T[]): T[] {
  const timed = items.map((item) => ({ item, time: Date.parse(item.created_at ?? "") }));
  const [undated = [], dated = []] = [true, false].map((isUndated) =>
    timed.filter(({ time }) => Number.isNaN(time) === isUndated)
  );
  dated.sort((a, b) => b.time - a.time || b.item.id - a.item.id);
  const behind = Map.groupBy(
    undated.map(({ item }) => item).sort((a, b) => b.id - a.id),
    ({ id }) => dated.findLastIndex(({ item }) => item.id > id),
  );
  return [
    ...behind.get(-1) ?? [],
    ...dated.flatMap(({ item }, index) => [item, ...behind.get(index) ?? []]),
  ];
}
