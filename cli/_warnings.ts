/** More warnings than this say nothing new; the rest are counted. */
const WARNINGS_MAX = 100;

/** What was logged as a warning or an error since the last result: `--json` has it in the result. */
export class Warnings {
  #messages: string[] = [];
  #leftOut = 0;

  add(message: string): void {
    if (this.#messages.length < WARNINGS_MAX) this.#messages.push(message);
    else this.#leftOut++;
  }

  /** Returns the messages and forgets them: a command that runs for long has many results. */
  take(): string[] {
    const messages = this.#leftOut === 0
      ? this.#messages
      : [...this.#messages, `${this.#leftOut} more warnings are left out`];
    this.#messages = [];
    this.#leftOut = 0;
    return messages;
  }
}
