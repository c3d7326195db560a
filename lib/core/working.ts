import type { Context } from "./context.ts";

/** How often work that is silent is reported again: displays show the seconds that pass. */
const REPEAT_EVERY_MS = 1_000;

/** Reports work to the log for as long as it goes on, also while nothing is heard of it. */
export class Working implements Disposable {
  readonly #log: Context["log"];
  readonly #ticks: Disposable;
  readonly #label: string;
  #doneBytes = 0;
  #totalBytes: number | undefined;

  /** @param label what is done: `pushing to origin/main` */
  constructor({ clock, log }: Pick<Context, "clock" | "log">, label: string) {
    this.#log = log;
    this.#label = label;
    this.#ticks = clock.every(REPEAT_EVERY_MS, () => this.#show());
  }

  /** So many bytes are done. */
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
