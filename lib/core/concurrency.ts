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
 * An amount that concurrent tasks share, such as memory. Tasks start in the order of their calls, so that a large one does
 * not wait forever.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { Budget } from "./concurrency.ts";
 * const memory = new Budget(4);
 * const order: string[] = [];
 * const large = memory.spend(3, async () => void order.push("large"));
 * const next = memory.spend(2, async () => void order.push("next"));
 * await Promise.all([large, next]);
 * assert.deepEqual(order, ["large", "next"]);
 * ```
 */
export class Budget {
  readonly #total: number;
  #spent = 0;
  readonly #waiting: { readonly amount: number; readonly start: () => void }[] = [];

  constructor(total: number) {
    this.#total = total;
  }

  /** Runs a task as soon as the amount is free. A task that needs more than there is runs alone. */
  async spend<T>(amount: number, task: () => Promise<T>): Promise<T> {
    const share = Math.min(amount, this.#total);
    const started = Promise.withResolvers<void>();
    this.#waiting.push({ amount: share, start: started.resolve });
    this.#startNext();
    await started.promise;
    try {
      return await task();
    } finally {
      this.#spent -= share;
      this.#startNext();
    }
  }

  #startNext(): void {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      if (this.#spent + next.amount > this.#total) return;
      this.#waiting.shift();
      this.#spent += next.amount;
      next.start();
    }
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

/** Does work for each item of a list, up to `countMax` at once, as {@link together}. */
export async function eachAtOnce<Item>(
  signal: AbortSignal,
  items: readonly Item[],
  countMax: number,
  work: (item: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const worker = async (signal: AbortSignal) => {
    for (const item of queue) await work(item, signal);
  };
  await together(signal, Array.from({ length: Math.min(countMax, items.length) }, () => worker));
}
