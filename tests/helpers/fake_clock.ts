import type { Clock } from "../../lib/core/clock.ts";

/** A clock that stands still until it is told otherwise. */
export class FakeClock implements Clock {
  #nowMs: number;
  readonly #tickers = new Set<{ readonly periodMs: number; dueMs: number; readonly work: () => void }>();
  readonly #sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();

  constructor(start: string) {
    this.#nowMs = Date.parse(start);
  }

  /** How much longer each of those who sleep will. */
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

  /** Lets time pass, or jump: also backwards. What is due several times is done once. */
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

/** A clock on which short pauses are over at once, as between two attempts; long ones last until time has passed. */
export class QuickClock extends FakeClock {
  /** How long each short pause was, in milliseconds. */
  readonly pausesMs: number[] = [];
  readonly #shortMs: number;

  /** @param shortMs the longest pause that is over at once: less than whatever time limit is not to be */
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
