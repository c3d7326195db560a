import { type Clock, systemClock } from "../../lib/core/clock.ts";

/** A clock that stands still until `advance` is called. */
export class FakeClock implements Clock {
  #nowMs: number;
  readonly #tickers = new Set<{ readonly periodMs: number; dueMs: number; readonly work: () => void }>();
  readonly #sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();

  constructor(start: string) {
    this.#nowMs = Date.parse(start);
  }

  /** The remaining time of each pending sleep. */
  get sleepsMs(): number[] {
    return Array.from(this.#sleepers, ({ untilMs }) => untilMs - this.#nowMs);
  }

  now(): Date {
    return new Date(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const sleeper = { untilMs: this.#nowMs + durationMs, wake: resolve };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      }, { once: true });
    });
  }

  every(periodMs: number, work: () => void): Disposable {
    const ticker = { periodMs, dueMs: this.#nowMs + periodMs, work };
    this.#tickers.add(ticker);
    return { [Symbol.dispose]: () => void this.#tickers.delete(ticker) };
  }

  /** Moves the time, possibly backwards. Periodic work that is due several times runs once. */
  advance(durationMs: number): void {
    this.#nowMs += durationMs;
    for (const ticker of this.#tickers) {
      if (ticker.dueMs > this.#nowMs) continue;
      ticker.dueMs = this.#nowMs + ticker.periodMs;
      ticker.work();
    }
    for (const sleeper of this.#sleepers) {
      if (sleeper.untilMs > this.#nowMs) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}

/** A fake clock that skips short pauses, such as those between attempts; long ones last until time passes. */
export class QuickClock extends FakeClock {
  /** The lengths of the short pauses. */
  readonly pausesMs: number[] = [];
  readonly #shortMs: number;

  /** @param shortMs the longest pause that is skipped: shorter than the time limits in the test */
  constructor(start: string, shortMs: number = SHORT_MS) {
    super(start);
    this.#shortMs = shortMs;
  }

  override sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    if (durationMs > this.#shortMs) return super.sleep(durationMs, signal);
    if (signal.aborted) return Promise.reject(signal.reason);
    this.pausesMs.push(durationMs);
    this.advance(durationMs);
    return Promise.resolve();
  }
}

const SHORT_MS = 5 * 60_000;

/** Longer than the pauses of a wait for a lock, which another process may hold for any time. */
const SHORTEST_MS = 300;

/**
 * The system's clock, moved forward by each pause: pauses from a third of a second to `longestMs` are skipped. Time limits,
 * which are longer, and the pauses of a wait for a lock, which are shorter, take real time.
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
    // Yields to the event loop: a loop of pauses must not block other work.
    await systemClock.sleep(0, signal);
  }

  every(periodMs: number, work: () => void): Disposable {
    return systemClock.every(periodMs, work);
  }
}
