import type { Context } from "../core/context.ts";
import type { Log } from "../core/log.ts";
import { Working } from "../core/working.ts";

/** One bar for parts that move side by side. It is shown until it is disposed of, also while no part moves. */
export class SharedProgress implements Disposable {
  readonly #log: Log;
  readonly #working: Working;
  readonly #totalBytes: number;
  readonly #parts = new Map<string, number>();
  #doneBytes = 0;

  constructor(context: Pick<Context, "clock" | "log">, label: string, totalBytes: number) {
    this.#log = context.log;
    this.#working = new Working(context, label);
    this.#totalBytes = totalBytes;
  }

  /** A part now has so many bytes; fewer than before when it was begun anew. */
  report(part: string, bytes: number): void {
    this.#doneBytes += bytes - (this.#parts.get(part) ?? 0);
    this.#parts.set(part, bytes);
    this.#working.report(Math.min(this.#doneBytes, this.#totalBytes), this.#totalBytes);
  }

  [Symbol.dispose](): void {
    this.#working[Symbol.dispose]();
  }

  /** The run's log for the work on one part, whose own progress goes into the shared bar. */
  logOf(part: string): Log {
    const log = this.#log;
    return {
      debug: (message, fields) => log.debug(message, fields),
      info: (message, fields) => log.info(message, fields),
      warn: (message, fields) => log.warn(message, fields),
      error: (message, fields) => log.error(message, fields),
      progress: (_label, doneBytes) => this.report(part, doneBytes),
    };
  }
}
