import type { Context } from "./context.ts";

/** How long files are recognised before signals and timers get a turn. */
const SLICE_MS = 50;

/** Lets signals and timers run during long work that waits for nothing else. */
export class Turns {
  readonly #context: Pick<Context, "clock" | "signal">;
  #sinceMs: number;

  constructor(context: Pick<Context, "clock" | "signal">) {
    this.#context = context;
    this.#sinceMs = context.clock.monotonicMs();
  }

  /** Called between steps. @throws when the run is interrupted */
  async next(): Promise<void> {
    this.#context.signal.throwIfAborted();
    if (this.#context.clock.monotonicMs() - this.#sinceMs < SLICE_MS) return;
    await new Promise((resolve) => setTimeout(resolve));
    this.#sinceMs = this.#context.clock.monotonicMs();
    this.#context.signal.throwIfAborted();
  }
}
