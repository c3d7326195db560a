import type { PickleProblem } from "../pickle_problem.ts";
import { isDenied } from "../rules/allow_list.ts";
import { isKnownModule, isWord } from "../rules/known_modules.ts";

/** What bytes are besides a pickle, perhaps. See `MachineOptions`. */
export interface Doubts {
  readonly isText?: boolean;
  readonly isRest?: boolean;
}

/**
 * The first import that Python carries out although the stream may break behind it. An import runs all of a module: an
 * attacker needs no call, and ends the stream so that it seems to be no pickle.
 */
export class NotedImport {
  readonly #doubts: Doubts;
  #problem: PickleProblem | undefined;

  constructor(doubts: Doubts) {
    this.#doubts = doubts;
  }

  /** Why it is refused; `undefined` as long as there is none. */
  get problem(): PickleProblem | undefined {
    return this.#problem;
  }

  /** Notes an import whose names are not known, which no text has by chance. */
  noteUnknown(problem: () => PickleProblem): void {
    this.#problem ??= problem();
  }

  /** Notes an import, unless its bytes may be there by chance. */
  note(module: string, name: string, problem: () => PickleProblem): void {
    if (this.#problem === undefined && this.#isMeant(module, name)) this.#problem = problem();
  }

  #isMeant(module: string, name: string): boolean {
    const { isRest, isText } = this.#doubts;
    if (isRest === true) return isKnownModule(module) || isDenied(module, name);
    // `cos`, `sin`, `tan` is a list of words; `cos`, `system` is none.
    if (isText === true) return isKnownModule(module) || (isWord(module) && isDenied("", name));
    return !CONTROL.test(module);
  }
}

/** No folder has a name with such a character, and bytes of numbers are full of them. */
const CONTROL = /\p{Cc}/u;

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
