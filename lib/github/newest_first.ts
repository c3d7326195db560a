/** What GitHub numbers, and mostly dates. */
export interface Dated {
  readonly id: number;
  readonly created_at?: string | null | undefined;
}

/**
 * Returns runs or artifacts, the newest first: by `created_at`, then by id. GitHub does not promise that ids grow with
 * time: an artifact of a second attempt may have a smaller one. Where the time of any is missing or not readable, ids
 * decide alone.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { newestFirst } from "./newest_first.ts";
 * const [first, second] = [{ id: 9, created_at: "2026-11-20T00:00:00Z" }, { id: 4, created_at: "2026-11-21T00:00:00Z" }];
 * assert.deepEqual(newestFirst([first, second]).map(({ id }) => id), [4, 9]);
 * assert.deepEqual(newestFirst([first, second, { id: 5 }]).map(({ id }) => id), [9, 5, 4]);
 * ```
 */
export function newestFirst<T extends Dated>(items: readonly T[]): T[] {
  const dated = items.map((item) => ({ item, time: Date.parse(item.created_at ?? "") }));
  const areDated = dated.every(({ time }) => !Number.isNaN(time));
  return dated.sort((a, b) => (areDated ? b.time - a.time : 0) || b.item.id - a.item.id).map(({ item }) =>
    item
  );
}
