import type { Clock } from "../core/clock.ts";

/** Aborts what it watches when no sign of life comes for a while, or when `signal` is aborted. */
export class StallWatch implements Disposable {
  readonly #clock: Clock;
  readonly #outer: AbortSignal;
  readonly #inner = new AbortController();
  readonly #done = new AbortController();
  readonly #onAbort = () => this.#inner.abort(this.#outer.reason);
  #lastMs: number;

  /** @param onStall makes the error that the watched work is aborted with */
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

  /** For whatever is watched. */
  get signal(): AbortSignal {
    return this.#inner.signal;
  }

  /** Something came. */
  beat(): void {
    this.#lastMs = this.#clock.monotonicMs();
  }

  [Symbol.dispose](): void {
    this.#done.abort();
    this.#outer.removeEventListener("abort", this.#onAbort);
  }

  /** One timer, however many beats there are. */
  async #watch(stallMs: number, onStall: () => Error): Promise<void> {
    try {
      for (;;) {
        const leftMs = this.#lastMs + stallMs - this.#clock.monotonicMs();
        if (leftMs <= 0) return this.#inner.abort(onStall());
        await this.#clock.sleep(leftMs, this.#done.signal);
      }
    } catch {
      // Disposed of: the work has ended.
    }
  }
}
