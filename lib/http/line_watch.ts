import type { Clock } from "../core/clock.ts";

/** Long enough to see past the slow start of a connection, and short beside what it may save. */
const WINDOW_MS = 1_000;

/** Up to here the disk, the processor or a rate limit holds a stream up, and a second one would only get in its way. */
const WAITING_SHARE_MAX = 0.5;

/** Watches whether a stream mostly waits for its line. */
export class LineWatch {
  readonly #clock: Clock;
  #windowStartMs: number;
  #sinceMs: number;
  #waitedMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#windowStartMs = this.#sinceMs = clock.monotonicMs();
  }

  /** From now on, bytes are waited for. */
  waiting(): void {
    this.#sinceMs = this.#clock.monotonicMs();
  }

  /** Bytes came. Whether more than half of the last second or longer was spent waiting for them. */
  cameSlowly(): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#waitedMs += nowMs - this.#sinceMs;
    const windowMs = nowMs - this.#windowStartMs;
    if (windowMs < WINDOW_MS) return false;
    const isSlow = this.#waitedMs > windowMs * WAITING_SHARE_MAX;
    this.#windowStartMs = nowMs;
    this.#waitedMs = 0;
    return isSlow;
  }
}
