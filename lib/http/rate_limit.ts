import type { Clock } from "../core/clock.ts";

/** Sleeps shorter than this cost more than they smooth. */
const PAUSE_MS_MIN = 20;

/** A longer pause is cut, so that whoever watches for signs of life gets some. */
const PAUSE_MS_MAX = 1_000;

/** Keeps what passes through it, on all connections together, under a rate. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #bytesPerSecond: number;
  /** When the bytes that passed so far would have passed at exactly the rate. */
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
   * Takes note of bytes that passed, and waits until they may have.
   *
   * @param onPause called while it waits, about once a second
   */
  async pass(bytes: number, onPause: () => void): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    // Time in which nothing came is not saved up for a burst.
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
 * Reads a rate as people write it: bytes a second, with `K`, `M` or `G` (of 1024), as curl's `--limit-rate` takes it.
 *
 * @throws {RangeError} when it is none
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
  throw new RangeError(`"${text}" is no rate such as 500K or 10M (bytes a second)`);
}
