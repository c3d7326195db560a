import type { Context } from "../core/context.ts";
import type { Log } from "../core/log.ts";
import { Working } from "../core/working.ts";

/** One progress bar for concurrent transfers. It is shown until it is disposed, also while no bytes move. */
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

  /** Sets a part's number of bytes, which is smaller than before if its transfer started over. */
  report(part: string, bytes: number): void {
    this.#doneBytes += bytes - (this.#parts.get(part) ?? 0);
    this.#parts.set(part, bytes);
    this.#working.report(Math.min(this.#doneBytes, this.#totalBytes), this.#totalBytes);
  }

  [Symbol.dispose](): void {
    this.#working[Symbol.dispose]();
  }

  /** Returns the run's log for one part: its progress goes into the shared bar. */
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
