import { onceAfter } from "./clock.ts";

/** The runtime's timers, or those of a test. */
export interface Timers {
  nowMs(): number;
  /** Returns a function that cancels the call. */
  callLater(call: () => void, afterMs: number): () => void;
}

const REAL_TIMERS: Timers = {
  nowMs: () => performance.now(),
  callLater(call, afterMs) {
    const later = onceAfter(afterMs, call);
    return () => later[Symbol.dispose]();
  },
};

/** Calls a function once after a time, of which pauses are no part. */
export class TimeLimit implements Disposable {
  readonly #onOver: () => void;
  readonly #timers: Timers;
  #leftMs: number;
  /** Since when the time counts; `undefined` before the start and in a pause. */
  #since: number | undefined;
  /** A timer that runs on in a pause, and is started again if it ends too early: pauses may be many and short. */
  #cancel: (() => void) | undefined;
  #isDisposed = false;

  constructor(limitMs: number, onOver: () => void, timers: Timers = REAL_TIMERS) {
    this.#leftMs = limitMs;
    this.#onOver = onOver;
    this.#timers = timers;
  }

  /** Starts the time, or ends a pause. */
  start(): void {
    if (this.#isDisposed || this.#since !== undefined) return;
    this.#since = this.#timers.nowMs();
    this.#cancel ??= this.#timers.callLater(() => this.#check(), this.#leftMs);
  }

  pause(): void {
    if (this.#since === undefined) return;
    this.#leftMs -= this.#timers.nowMs() - this.#since;
    this.#since = undefined;
  }

  #check(): void {
    this.#cancel = undefined;
    if (this.#since === undefined) return;
    this.pause();
    if (this.#leftMs > 0) this.start();
    else this.#onOver();
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#cancel?.();
  }
}
