import { PICKLE_LIMITS } from "../limits.ts";
import { PickleProblem } from "../pickle_problem.ts";
import { DATA, isDecisive, isObject, type PickleValue, UNKNOWN } from "../pickle_value.ts";

/** Forbids another BUILD of a dtype that is in use: numpy's arrays of it would not learn of a new state. */
export function closeDtype(value: PickleValue): void {
  if (isObject(value) && value.kind === "dtype") value.isBuilt = true;
}

/** The stack, the marks and the memo of a pickle. */
export class PickleStack {
  /** The offset of the current opcode. */
  offset = 0;
  /** The number of opcodes so far. */
  steps = 0;
  /** The reason to refuse the contents if they turn out to be a pickle. */
  protected suspicion: PickleProblem | undefined;
  readonly #isCertain: boolean;
  readonly #isLater: boolean;
  readonly #stack: PickleValue[] = [];
  readonly #marks: number[] = [];
  readonly #memo: (PickleValue | undefined)[] = [];
  #memoCount = 0;
  #isMemoLost = false;
  #memoTextBytes = 0;
  #decisiveBytes = 0;

  /** @param options see `MachineOptions` */
  constructor({ isCertain, isLater = false }: { readonly isCertain: boolean; readonly isLater?: boolean }) {
    this.#isCertain = isCertain;
    this.#isLater = isLater;
  }

  broken(problem: string): PickleProblem {
    return new PickleProblem("broken", this.offset, problem);
  }

  refused(problem: string, global?: string): PickleProblem {
    return new PickleProblem("refused", this.offset, problem, global);
  }

  /** Refuses contents that are certainly a pickle; otherwise remembers the first reason to refuse them. */
  suspect(problem: string, global?: string): void {
    if (this.#isCertain) throw this.refused(problem, global);
    // Creates one error only, because it takes a hundred times as long as an opcode.
    this.suspicion ??= this.refused(problem, global);
  }

  push(value: PickleValue): void {
    if (this.#stack.length >= PICKLE_LIMITS.stack) {
      throw this.refused(`has more than ${PICKLE_LIMITS.stack} values on its stack`);
    }
    this.#stack.push(value);
  }

  pop(): PickleValue {
    const value = this.#stack.length > this.#floor ? this.#stack.pop() : undefined;
    if (value === undefined) throw this.broken("pops from an empty stack");
    return value;
  }

  top(): PickleValue {
    const value = this.#stack.length > this.#floor ? this.#stack.at(-1) : undefined;
    if (value === undefined) throw this.broken("pops from an empty stack");
    return value;
  }

  /** POP removes a mark if no value is above it. */
  discard(): void {
    if (this.#marks.length > 0 && this.#stack.length === this.#floor) this.#marks.pop();
    else this.pop();
  }

  mark(): void {
    if (this.#marks.length >= PICKLE_LIMITS.marks) {
      throw this.refused(`has more than ${PICKLE_LIMITS.marks} nested marks`);
    }
    this.#marks.push(this.#stack.length);
  }

  popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.broken("pops to a missing mark");
    return this.#stack.splice(mark);
  }

  remember(index: number): void {
    const value = this.top();
    if (index >= PICKLE_LIMITS.memo) {
      // Raw numbers contain such indexes by chance. The replaced values are not tracked.
      this.suspect(`has more than ${PICKLE_LIMITS.memo} memo entries`);
      return this.loseMemo();
    }
    if (this.#memo[index] === undefined) this.#memoCount++;
    this.#memo[index] = this.#forMemo(value);
  }

  rememberNext(): void {
    this.remember(this.#memoCount);
  }

  /** Makes all values from the memo unknown from now on. */
  loseMemo(): void {
    this.#isMemoLost = true;
  }

  recall(index: number): void {
    const value = this.#isMemoLost ? UNKNOWN : this.#memo[index];
    if (value === undefined && this.#isLater) {
      // An `Unpickler` that loads several pickles keeps its memo.
      this.suspect(`loads the memo entry ${index} of another pickle`);
      return this.push(UNKNOWN);
    }
    // Once there is a reason to refuse, the numbers of entries are no longer certain.
    if (value === undefined && this.suspicion !== undefined) return this.push(UNKNOWN);
    if (value === undefined) throw this.broken(`loads the memo entry ${index}, which does not exist`);
    if (isObject(value) && value.kind === "wrapper") {
      throw this.refused("uses joblib's placeholder of an array twice");
    }
    closeDtype(value);
    this.push(value);
  }

  /** Replaces the top value. */
  replaceTop(value: PickleValue): void {
    this.#stack[this.#stack.length - 1] = value;
  }

  get #floor(): number {
    return this.#marks.at(-1) ?? 0;
  }

  #forMemo(value: PickleValue): PickleValue {
    if (typeof value !== "string") return value;
    this.#memoTextBytes += value.length;
    if (this.#memoTextBytes <= PICKLE_LIMITS.memoTextBytes) return value;
    if (!isDecisive(value)) return DATA;
    this.#decisiveBytes += value.length;
    if (this.#decisiveBytes > PICKLE_LIMITS.decisiveTextBytes) {
      throw this.refused("has too much text in its memo");
    }
    return value;
  }
}
