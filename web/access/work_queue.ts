import { TransientError } from "../../lib/core/errors.ts";

/** The error for too many concurrent tasks. The request can be repeated in a moment. */
export class BusyError extends TransientError {}

/** Runs a bounded number of tasks at the same time, queues a bounded number, and rejects the rest. */
export class WorkQueue {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ runningMax, waitingMax }: { readonly runningMax: number; readonly waitingMax: number }) {
    this.#runningMax = runningMax;
    this.#waitingMax = waitingMax;
  }

  /** @throws {BusyError} if the queue is full */
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

  /** Passes the place of a finished task to the next in the queue, so that no other task takes it. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}
