import type { Clock } from "../core/clock.ts";

/** What GitHub asks for between requests that change something: "Best practices for using the REST API". */
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
    // Taken before waiting, so that two that wait at once do not begin at once.
    this.#nextMs = startMs + BETWEEN_WRITES_MS;
    if (startMs > nowMs) await this.#clock.sleep(startMs - nowMs, this.#signal);
  }
}
