import type { Clock } from "../core/clock.ts";

/** Shorter pauses cost more time than they smooth. */
const PAUSE_MS_MIN = 20;

/** Longer pauses are divided, so that a stall watch gets signs of life. */
const PAUSE_MS_MAX = 1_000;

/** Limits the rate of all connections together. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #bytesPerSecond: number;
  /** The time at which the bytes so far would have passed at exactly the limited rate. */
  #paidUntilMs: number;

  constructor(
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
    bytesPerSecond: number,
  ) {
    this.#clock = clock;
    this.#signal = signal;
    this.#bytesPerSecond = bytesPerSecond;
    this.#paidUntilMs = clock.monotonicMs();
  }

  /**
   * Counts bytes, and waits until the rate allows them.
   *
   * @param onPause called about once a second while it waits
   */
  async pass(bytes: number, onPause: () => void): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    // Idle time is not saved up for a burst.
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs) + bytes / this.#bytesPerSecond * 1000;
    let aheadMs = this.#paidUntilMs - nowMs;
    while (aheadMs >= PAUSE_MS_MIN) {
      const pauseMs = Math.min(aheadMs, PAUSE_MS_MAX);
      await this.#clock.sleep(pauseMs, this.#signal);
      onPause();
      aheadMs -= pauseMs;
    }
  }
}

const UNITS: Readonly<Record<string, number>> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/**
 * Returns a rate in bytes a second. It is written with `K`, `M` or `G` (of 1024), as in curl's `--limit-rate`.
 *
 * @throws {RangeError} if the text is not a rate
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseRate } from "./rate_limit.ts";
 * assert.equal(parseRate("500K"), 512_000);
 * assert.equal(parseRate("1.5MB/s"), 1_572_864);
 * assert.throws(() => parseRate("fast"), RangeError);
 * ```
 */
export function parseRate(text: string): number {
  const [, amount, unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?(?:\/s|ps)?\s*$/i.exec(text) ?? [];
  const rate = Number(amount) * (UNITS[unit.toLowerCase()] ?? NaN);
  if (Number.isFinite(rate) && rate >= 1) return Math.floor(rate);
  throw new RangeError(`"${text}" is not a rate such as 500K or 10M (bytes a second)`);
}
