import type { Clock } from "../../lib/core/clock.ts";

/** A clock that stands still until it is told otherwise. */
export class FakeClock implements Clock {
  #nowMs: number;
  readonly #sleepers = new Set<{ readonly untilMs: number; readonly wake: () => void }>();

  constructor(start: string) {
    this.#nowMs = Date.parse(start);
  }

  now(): Date {
    return new Date(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const sleeper = { untilMs: this.#nowMs + durationMs, wake: resolve };
      this.#sleepers.add(sleeper);
      signal.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      }, { once: true });
    });
  }

  /** Lets time pass, or jump: also backwards. */
  advance(durationMs: number): void {
    this.#nowMs += durationMs;
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

  override sleep(durationMs: number, signal: AbortSignal): Promise<void> {
    if (durationMs > SHORT_MS) return super.sleep(durationMs, signal);
    signal.throwIfAborted();
    this.pausesMs.push(durationMs);
    this.advance(durationMs);
    return Promise.resolve();
  }
}

const SHORT_MS = 5 * 60_000;
