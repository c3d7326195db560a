import type { Log } from "../core/log.ts";

/** One bar for parts that move side by side. */
export class SharedProgress {
  readonly #log: Log;
  readonly #label: string;
  readonly #totalBytes: number;
  readonly #parts = new Map<string, number>();
  #doneBytes = 0;

  constructor(log: Log, label: string, totalBytes: number) {
    this.#log = log;
    this.#label = label;
    this.#totalBytes = totalBytes;
  }

  /** A part now has so many bytes; fewer than before when it was begun anew. */
  report(part: string, bytes: number): void {
    this.#doneBytes += bytes - (this.#parts.get(part) ?? 0);
    this.#parts.set(part, bytes);
    this.#log.progress(this.#label, Math.min(this.#doneBytes, this.#totalBytes), this.#totalBytes);
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
