/**
 * Runs at most `countMax` tasks concurrently. `add` waits for a free slot. The next `add` or `drain` throws the first
 * failure.
 */
export class Pool {
  readonly #countMax: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Starts a task as soon as a slot is free. */
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

  /** Waits for every task to end, and ignores failures. */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/**
 * Returns the results of all promises once every one of them has settled. If one fails, its error is thrown after the
 * others have ended. Otherwise their work would continue in the background after the caller has given up, with its
 * folders locked.
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

/**
 * Does several pieces of work at once. The first failure aborts the signal of the others, and is thrown once all have
 * ended.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { together } from "./concurrency.ts";
 * const fails = () => Promise.reject(new Error("full"));
 * const waits = (signal: AbortSignal) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
 * await assert.rejects(together(new AbortController().signal, [waits, fails]), /full/);
 * ```
 */
export async function together(
  signal: AbortSignal,
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const stop = new AbortController();
  const inner = AbortSignal.any([signal, stop.signal]);
  await Promise.all(works.map((work) => work(inner).catch((error) => stop.abort(error))));
  stop.signal.throwIfAborted();
}
