import type { PickleProblem } from "../pickle_problem.ts";
import { isDenied } from "../rules/allow_list.ts";
import { isKnownModule, isWord } from "../rules/known_modules.ts";

/** The other meaning that the bytes may have. See `MachineOptions`. */
export interface Doubts {
  readonly isText?: boolean;
  readonly isRest?: boolean;
}

/**
 * Remembers the first import that Python executes even if the stream breaks later. An import runs the whole module, so an
 * attacker needs no call, and could break the stream to make it look like other data.
 */
export class NotedImport {
  readonly #doubts: Doubts;
  #problem: PickleProblem | undefined;

  constructor(doubts: Doubts) {
    this.#doubts = doubts;
  }

  /** The reason to refuse the import; `undefined` if there was none. */
  get problem(): PickleProblem | undefined {
    return this.#problem;
  }

  /** Notes an import whose names are unknown, which text does not contain by chance. */
  noteUnknown(problem: () => PickleProblem): void {
    this.#problem ??= problem();
  }

  /** Notes an import, unless its bytes may occur by chance. */
  note(module: string, name: string, problem: () => PickleProblem): void {
    if (this.#problem === undefined && this.#isMeant(module, name)) this.#problem = problem();
  }

  #isMeant(module: string, name: string): boolean {
    const { isRest, isText } = this.#doubts;
    if (isRest === true) return isKnownModule(module) || isDenied(module, name);
    // The lines `cos` and `sin` are a list of words; `cos` and `system` import os.system.
    if (isText === true) return isKnownModule(module) || (isWord(module) && isDenied("", name));
    return !CONTROL.test(module);
  }
}

/** Folders have no such characters in their names; bytes of numbers are full of them. */
const CONTROL = /\p{Cc}/u;

/** Further imports are not named. */
const KEPT_MAX = 1_000;

/**
 * Collects the imports of a stream that are not allowed. The walk goes on after the first one, so that the refusal names
 * all of them and the user does not have to allow one after the other.
 */
export class MissingImports {
  readonly #names = new Set<string>();
  #refusal: PickleProblem | undefined;

  /** The reason to refuse the stream; `undefined` if there was none. */
  get refusal(): PickleProblem | undefined {
    return this.#refusal;
  }

  /** The imports in the order of the stream. */
  get names(): readonly string[] {
    return [...this.#names];
  }

  add(full: string): void {
    if (this.#names.size < KEPT_MAX) this.#names.add(full);
  }

  /** Refuses the stream; the first reason counts. */
  refuse(problem: PickleProblem): void {
    this.#refusal ??= problem;
  }
}
