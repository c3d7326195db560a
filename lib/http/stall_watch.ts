import type { Clock } from "../core/clock.ts";

/** Aborts the watched work after a time without a sign of life, or when `signal` is aborted. */
export class StallWatch implements Disposable {
  readonly #clock: Clock;
  readonly #outer: AbortSignal;
  readonly #inner = new AbortController();
  readonly #done = new AbortController();
  readonly #onAbort = () => this.#inner.abort(this.#outer.reason);
  #lastMs: number;

  /** @param onStall returns the error with which the work is aborted */
  constructor(
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
    stallMs: number,
    onStall: () => Error,
  ) {
    signal.throwIfAborted();
    this.#clock = clock;
    this.#outer = signal;
    this.#lastMs = clock.monotonicMs();
    signal.addEventListener("abort", this.#onAbort, { once: true });
    this.#watch(stallMs, onStall);
  }

  /** The signal for the watched work. */
  get signal(): AbortSignal {
    return this.#inner.signal;
  }

  /** Reports a sign of life. */
  beat(): void {
    this.#lastMs = this.#clock.monotonicMs();
  }

  [Symbol.dispose](): void {
    this.#done.abort();
    this.#outer.removeEventListener("abort", this.#onAbort);
  }

  /** Uses one timer, whatever the number of beats. */
  async #watch(stallMs: number, onStall: () => Error): Promise<void> {
    try {
      for (;;) {
        const leftMs = this.#lastMs + stallMs - this.#clock.monotonicMs();
        if (leftMs <= 0) return this.#inner.abort(onStall());
        await this.#clock.sleep(leftMs, this.#done.signal);
      }
    } catch {
      // It was disposed of: the work has ended.
    }
  }
}
