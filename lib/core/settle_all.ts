/**
 * Returns the results of all promises once every one of them has settled. Where one fails its error is thrown, but not
 * before the others have ended: what they started would go on behind a caller that gives up, with its folders locked.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { settleAll } from "./settle_all.ts";
 * assert.deepEqual(await settleAll([Promise.resolve(1), "two"]), [1, "two"]);
 * ```
 */
export async function settleAll<T extends readonly unknown[]>(
  promises: readonly [...T],
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}
