import { PICKLE_LIMITS } from "../limits.ts";
import { PickleProblem } from "../pickle_problem.ts";
import { DATA, isDecisive, isObject, type PickleValue, UNKNOWN } from "../pickle_value.ts";

/** A dtype that is used elsewhere has the state that it keeps: numpy's arrays of it do not learn of another. */
export function closeDtype(value: PickleValue): void {
  if (isObject(value) && value.kind === "dtype") value.isBuilt = true;
}

/** A pickle's stack, marks and memo, and what is wrong with what is done to them. */
export class PickleStack {
  /** Of the opcode that is at work. */
  offset = 0;
  /** Opcodes up to now. */
  steps = 0;
  /** Why doubtful contents are to be refused if they are a pickle. */
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

  /** Refuses at once what is a pickle beyond doubt; otherwise remembers why it would be refused. */
  suspect(problem: string, global?: string): void {
    if (this.#isCertain) throw this.refused(problem, global);
    // An error is made once: making it takes a hundred times as long as an opcode.
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
    if (value === undefined) throw this.broken("takes a value from an empty stack");
    return value;
  }

  top(): PickleValue {
    const value = this.#stack.length > this.#floor ? this.#stack.at(-1) : undefined;
    if (value === undefined) throw this.broken("takes a value from an empty stack");
    return value;
  }

  /** POP takes a mark where nothing is above it. */
  discard(): void {
    if (this.#marks.length > 0 && this.#stack.length === this.#floor) this.#marks.pop();
    else this.pop();
  }

  mark(): void {
    if (this.#marks.length >= PICKLE_LIMITS.marks) {
      throw this.refused(`has more than ${PICKLE_LIMITS.marks} marks inside each other`);
    }
    this.#marks.push(this.#stack.length);
  }

  popToMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.broken("goes back to a mark that is not there");
    return this.#stack.splice(mark);
  }

  remember(index: number): void {
    const value = this.top();
    if (index >= PICKLE_LIMITS.memo) {
      // Raw numbers have such indexes by chance. What they replace is not followed.
      this.suspect(`remembers more than ${PICKLE_LIMITS.memo} values`);
      return this.loseMemo();
    }
    if (this.#memo[index] === undefined) this.#memoCount++;
    this.#memo[index] = this.#forMemo(value);
  }

  rememberNext(): void {
    this.remember(this.#memoCount);
  }

  /** From now on, nothing is known of what is recalled. */
  loseMemo(): void {
    this.#isMemoLost = true;
  }

  recall(index: number): void {
    const value = this.#isMemoLost ? UNKNOWN : this.#memo[index];
    if (value === undefined && this.#isLater) {
      // One `pickle.Unpickler` that loads several pickles keeps what it remembers.
      this.suspect(`recalls value ${index} of another pickle`);
      return this.push(UNKNOWN);
    }
    // Once there is a reason to refuse, which number a value has is no longer certain.
    if (value === undefined && this.suspicion !== undefined) return this.push(UNKNOWN);
    if (value === undefined) throw this.broken(`recalls value ${index}, which was never remembered`);
    if (isObject(value) && value.kind === "wrapper") {
      throw this.refused("uses joblib's place-holder of an array twice");
    }
    closeDtype(value);
    this.push(value);
  }

  /** Puts a value in the place of the top one. */
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
      throw this.refused("remembers more text than can be told apart");
    }
    return value;
  }
}
