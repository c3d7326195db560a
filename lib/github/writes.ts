import type { Clock } from "../core/clock.ts";
import { TransientError } from "../core/errors.ts";
import { wasRateLimited } from "../http/status_error.ts";
import { pauseBeforeRetry, type RetryContext, type RetryPolicy } from "../core/retry.ts";

/** GitHub asks for a second between writes: "Best practices for using the REST API". */
const BETWEEN_WRITES_MS = 1_000;

/** Keeps a client's writes a second apart. */
export class WritePace {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #nextMs = -Infinity;

  constructor({ clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal }) {
    this.#clock = clock;
    this.#signal = signal;
  }

  /** Waits until the next write may begin. */
  async wait(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const startMs = Math.max(nowMs, this.#nextMs);
    // Set before waiting, so that two concurrent writes get different times.
    this.#nextMs = startMs + BETWEEN_WRITES_MS;
    if (startMs > nowMs) await this.#clock.sleep(startMs - nowMs, this.#signal);
  }
}

/** Fewer attempts than for reads: each one costs a search as well. */
const WRITE_RETRIES: RetryPolicy = { attemptsMax: 4, firstDelayMs: 2_000, delayMsMax: 30_000 };

/**
 * Sends a write that must not be done twice, and returns its result. A failed write may have succeeded on the server
 * (no answer, or a 5xx): then `find` checks for its result before the write is sent again.
 *
 * @throws what `find` throws; the last error of `write`. Any error except a {@link TransientError} is thrown at once, and
 * so is a rate limit, which the client has waited for already
 */
export async function writeOnce<Result>(
  context: RetryContext,
  write: () => Promise<Result>,
  find: () => Promise<Result | undefined>,
): Promise<Result> {
  for (let attempt = 1;; attempt++) {
    try {
      return await write();
    } catch (error) {
      const isUncertain = error instanceof TransientError && error.code !== "RATE_LIMITED" &&
        !wasRateLimited(error);
      if (!isUncertain || attempt >= WRITE_RETRIES.attemptsMax) throw error;
      await pauseBeforeRetry(context, WRITE_RETRIES, attempt, error);
      const found = await find();
      if (found !== undefined) return found;
    }
  }
}
