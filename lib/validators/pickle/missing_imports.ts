import type { PickleProblem } from "./pickle_problem.ts";

/** More are counted, and not named. */
const KEPT_MAX = 1_000;

/**
 * The imports of a stream that are not allowed. A stream that is refused for one is walked on, so that the refusal names
 * them all: the user would otherwise allow one after the other.
 */
export class MissingImports {
  readonly #names = new Set<string>();
  #refusal: PickleProblem | undefined;

  /** Why the stream is refused, whatever else is found in it. */
  get refusal(): PickleProblem | undefined {
    return this.#refusal;
  }

  /** In the order in which they were found. */
  get names(): readonly string[] {
    return [...this.#names];
  }

  add(full: string): void {
    if (this.#names.size < KEPT_MAX) this.#names.add(full);
  }

  /** Decides that the stream is refused. */
  refuse(problem: PickleProblem): void {
    this.#refusal ??= problem;
  }
}
