import type { Context } from "./context.ts";

/** The report interval of work without progress, so that displays can show the elapsed seconds. */
const REPEAT_EVERY_MS = 1_000;

/** Reports work to the log once a second until it is disposed of, even without progress. */
export class Working implements Disposable {
  readonly #log: Context["log"];
  readonly #ticks: Disposable;
  readonly #label: string;
  #doneBytes = 0;
  #totalBytes: number | undefined;

  /** @param label the current work: `pushing to origin/main` */
  constructor({ clock, log }: Pick<Context, "clock" | "log">, label: string) {
    this.#log = log;
    this.#label = label;
    this.#ticks = clock.every(REPEAT_EVERY_MS, () => this.#show());
  }

  /** Reports the bytes done so far. */
  report(doneBytes: number, totalBytes: number | undefined): void {
    this.#doneBytes = doneBytes;
    this.#totalBytes = totalBytes;
    this.#show();
  }

  [Symbol.dispose](): void {
    this.#ticks[Symbol.dispose]();
  }

  #show(): void {
    this.#log.progress(this.#label, this.#doneBytes, this.#totalBytes);
  }
}
