import { PassingError } from "../../lib/core/errors.ts";

/** Too much of the same work is going on: the request can be repeated in a moment. */
export class BusyError extends PassingError {}

/** Runs a bounded number of tasks at once, lets a bounded number wait in order, and refuses the rest. */
export class WorkQueue {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ runningMax, waitingMax }: { readonly runningMax: number; readonly waitingMax: number }) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  /** @throws {BusyError} where as many wait as may */
  async run<Result>(task: () => Promise<Result>): Promise<Result> {
    await this.#enter();
    try {
      return await task();
    } finally {
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < this.#runningMax) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= this.#waitingMax) {
      throw new BusyError("Cannot check the password: too many sign-ins at once", {
        code: "BUSY",
        hint: "try again in a few seconds",
        retryAfterMs: 5_000,
      });
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The place of a task that ended goes to the next one: no other task comes in between. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}
