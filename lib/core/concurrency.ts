/**
 * Runs tasks side by side, at most `countMax` at once. `add` waits for a free place; the first failure is thrown by
 * the next `add` or by `drain`.
 */
export class Pool {
  readonly #countMax: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Starts a task as soon as there is a place for it. */
  async add(task: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#countMax) await Promise.race(this.#running);
    this.#throwFailure();
    const running: Promise<void> = task()
      .catch((error) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Waits for every task to end. */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFailure();
  }

  /** Waits for every task to end, whatever comes of it. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/**
 * Returns the results of all promises once every one of them has settled. Where one fails its error is thrown, but not
 * before the others have ended: what they started would go on behind a caller that gives up, with its folders locked.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { settleAll } from "./concurrency.ts";
 * assert.deepEqual(await settleAll([Promise.resolve(1), "two"]), [1, "two"]);
 * ```
 */
export async function settleAll<T extends readonly unknown[]>(
  promises: readonly [...T],
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}
