import { type Clock, systemClock } from "../../lib/core/clock.ts";

/** Longer than the wait for a lock, which another process may hold for as long as it takes. */
const SHORTEST_MS = 300;

/**
 * The system's clock, put forward whenever somebody pauses: pauses of a third of a second and longer are over at once,
 * up to `longestMs`. Time limits, which are longer, and the wait for a lock, which is shorter, are real.
 */
export class HurriedClock implements Clock {
  #aheadMs: number;
  readonly #longestMs: number;

  /** @param aheadMs how far it is ahead at the start */
  constructor(longestMs = 2_000, aheadMs = 0) {
    this.#longestMs = longestMs;
    this.#aheadMs = aheadMs;
  }

  now(): Date {
    return new Date(systemClock.now().getTime() + this.#aheadMs);
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#aheadMs;
  }

  async sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    if (durationMs < SHORTEST_MS || durationMs > this.#longestMs) {
      return await systemClock.sleep(durationMs, signal);
    }
    this.#aheadMs += durationMs;
    // A turn of the event loop: whoever loops over pauses must not keep others from going on.
    await systemClock.sleep(0, signal);
  }

  every(periodMs: number, work: () => void): Disposable {
    return systemClock.every(periodMs, work);
  }
}
