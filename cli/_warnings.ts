/** More warnings say nothing new; they are counted. */
const WARNINGS_MAX = 100;

/** The warnings and errors that were logged since the last result, for the result of `--json`. */
export class Warnings {
  #messages: string[] = [];
  #leftOut = 0;

  add(message: string): void {
    if (this.#messages.length < WARNINGS_MAX) this.#messages.push(message);
    else this.#leftOut++;
  }

  /** Returns the messages and removes them, because a long-running command has many results. */
  take(): string[] {
    const messages = this.#leftOut === 0
      ? this.#messages
      : [...this.#messages, `${this.#leftOut} more warnings are left out`];
    this.#messages = [];
    this.#leftOut = 0;
    return messages;
  }
}
