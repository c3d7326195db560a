import { findRule, FREE, type PickleAllowList } from "./allow_list.ts";
import { type ArrayPlace, findArrayPlace } from "./joblib_array.ts";
import { buildDtype, makeDtype } from "./numpy_dtype.ts";
import { KeptValues } from "./kept_values.ts";
import { KEPT_BYTES, PICKLE_LIMITS } from "./pickle_limits.ts";
import { PickleProblem } from "./pickle_problem.ts";
import {
  DATA,
  describe,
  type DictValue,
  type GlobalValue,
  holdsWrapper,
  INSTANCE,
  isObject,
  type PickleValue,
  type TupleValue,
  UNKNOWN,
  WRAPPER,
} from "./pickle_value.ts";

/** A dtype that is used elsewhere has the state that it keeps: numpy's arrays of it do not learn of another. */
export function closeDtype(value: PickleValue): void {
  if (isObject(value) && value.kind === "dtype") value.isBuilt = true;
}

/** Who reads the pickle, which decides what is read and what may be imported. */
export type PickleDialect = "python" | "joblib" | "torch";

export interface MachineOptions {
  readonly allowed: PickleAllowList;
  readonly dialect: PickleDialect;
  /**
   * Whether these bytes are a pickle beyond doubt. Of doubtful ones, an import that is not allowed counts only when
   * something is made of it or the end is reached: a text can begin as an import does.
   */
  readonly isCertain: boolean;
}

/** The shapes of names that Python's modules and classes have. */
const PLAUSIBLE_NAME = /^[\w.]+$/;

/** What Python can find in a module: of a name of another shape it is sure that there is none. */
const PLAUSIBLE_ATTRIBUTE = /^[\p{ID_Start}_][\p{ID_Continue}.]*$/u;

/**
 * A pickle's stack and memo, with values that are known as far as the imports and the calls need it, and nothing
 * executed. Each method is what one or several opcodes do; a {@link PickleProblem} says what is wrong with it.
 */
export class PickleMachine {
  /** Of the opcode that is at work. */
  offset = 0;
  /** Opcodes up to now. */
  steps = 0;
  /** Imports up to now, allowed or not. */
  imports = 0;
  /** What a BUILD has announced, until the walk takes it. */
  array: ArrayPlace | undefined;
  readonly #options: MachineOptions;
  readonly #stack: PickleValue[] = [];
  readonly #marks: number[] = [];
  readonly #memo: (PickleValue | undefined)[] = [];
  #memoCount = 0;
  #memoTextBytes = 0;
  readonly #globals = new Map<string, GlobalValue>();
  readonly #kept = new KeptValues();
  #suspicion: PickleProblem | undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
  }

  broken(problem: string): PickleProblem {
    return new PickleProblem("broken", this.offset, problem);
  }

  refused(problem: string, global?: string): PickleProblem {
    return new PickleProblem("refused", this.offset, problem, global);
  }

  /** Refuses at once what is a pickle beyond doubt; otherwise remembers why it would be refused. */
  suspect(problem: string, global?: string): void {
    if (this.#options.isCertain) throw this.refused(problem, global);
    // An error is made once: making it takes a hundred times as long as an opcode.
    this.#suspicion ??= this.refused(problem, global);
  }

  /** Refuses what no pickler writes and some reader takes; of doubtful bytes it is no sign of anything. */
  irregular(problem: string): void {
    this.suspect(problem);
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
    if (index >= PICKLE_LIMITS.memo) throw this.refused(`remembers more than ${PICKLE_LIMITS.memo} values`);
    if (this.#memo[index] === undefined) this.#memoCount++;
    this.#memo[index] = this.#forMemo(value);
  }

  rememberNext(): void {
    this.remember(this.#memoCount);
  }

  recall(index: number): void {
    const value = this.#memo[index];
    // Once there is a reason to refuse, which number a value has is no longer certain.
    if (value === undefined && this.#suspicion !== undefined) return this.push(UNKNOWN);
    if (value === undefined) throw this.broken(`recalls value ${index}, which was never remembered`);
    if (isObject(value) && value.kind === "wrapper") {
      throw this.refused("uses joblib's place-holder of an array twice");
    }
    closeDtype(value);
    this.push(value);
  }

  import(module: PickleValue, name: PickleValue): GlobalValue | typeof UNKNOWN {
    this.imports++;
    if (typeof module !== "string" || typeof name !== "string") {
      this.suspect("imports something whose name is not a constant");
      return UNKNOWN;
    }
    const key = `${module}:${name}`;
    const known = this.#globals.get(key);
    if (known !== undefined) return known;
    const full = `${module}.${name}`;
    if (!PLAUSIBLE_NAME.test(full) || !PLAUSIBLE_ATTRIBUTE.test(name)) {
      if (this.#options.isCertain) throw this.refused(`imports ${full}`, full);
      // Any folder on Python's path is a module, whatever its name; attributes have names of one shape.
      if (module === "" || !PLAUSIBLE_ATTRIBUTE.test(name)) throw this.broken(`imports ${full}`);
    }
    if (this.#globals.size >= PICKLE_LIMITS.globals) {
      throw this.refused(`imports more than ${PICKLE_LIMITS.globals} things`);
    }
    // A dotted name goes on to attributes, and so to whatever a module has imported itself.
    const { allowed, dialect } = this.#options;
    const rule = name.includes(".") ? undefined : findRule(module, name, allowed, dialect === "torch");
    if (rule === undefined) this.suspect(`imports ${full}`, full);
    const found: GlobalValue = { kind: "global", module, name, rule };
    this.#globals.set(key, found);
    return found;
  }

  extension(code: number): void {
    this.suspect(`uses the extension ${code}, whose meaning is not in the file`);
    this.push(UNKNOWN);
  }

  persistent(): void {
    if (this.#options.dialect !== "torch") this.suspect("refers to an object outside of the file");
    this.push(INSTANCE);
  }

  tuple(items: readonly PickleValue[]): TupleValue {
    const tuple = this.#kept.tuple(items);
    if (tuple.holdsWrapper && tuple.items === undefined) throw this.#wrapperMisused();
    return tuple;
  }

  /** A dictionary that is empty. */
  dict(): DictValue | typeof DATA {
    return this.#kept.dict();
  }

  /** Checks what goes into a list or a set. */
  contain(items: readonly PickleValue[]): void {
    if (items.some(holdsWrapper)) throw this.#wrapperMisused();
  }

  /** Puts items into what APPEND and ADDITEMS find on the stack. */
  extend(items: readonly PickleValue[]): void {
    this.contain(items);
    this.#checkFilled(this.top());
  }

  /** @param pairs key, value, key, value */
  setItems(pairs: readonly PickleValue[], target = this.top()): void {
    this.contain(pairs);
    if (pairs.length % 2 !== 0) throw this.broken("sets a key without a value");
    if (!isObject(target) || target.kind !== "dict") return this.#checkFilled(target);
    for (let index = 0; index < pairs.length && target.entries !== undefined; index += 2) {
      this.#kept.setEntry(target, pairs[index] ?? null, pairs[index + 1] ?? null);
    }
  }

  /** REDUCE, INST and OBJ: `callee(*args)`. */
  call(callee: PickleValue, args: PickleValue): void {
    const target = this.#callable(callee);
    const { rule } = target;
    const full = describe(target);
    if (rule.use !== "call") throw this.refused(`calls ${full}`, full);
    const items = isObject(args) && args.kind === "tuple" ? args.items : undefined;
    // What the user allowed is called with whatever there is.
    if (items === undefined && rule === FREE) return this.push(INSTANCE);
    if (items === undefined) throw this.refused(`calls ${full} with arguments that cannot be told`);
    if (rule.checks !== "reconstructor" && items.some(holdsWrapper)) throw this.#wrapperMisused();
    for (const item of items) {
      const isTaken = !isObject(item) || item.kind !== "global" ||
        rule.takes?.test(`${item.module}:${item.name}`) === true;
      if (!isTaken) throw this.refused(`hands ${describe(item)} to ${full}`, describe(item));
    }
    this.push(this.#result(target, items));
  }

  /** NEWOBJ: `cls.__new__(cls, *args)`, without the constructor. */
  make(callee: PickleValue, args: PickleValue, hasNames = false): void {
    const target = this.#callable(callee);
    const isFree = target.rule === FREE;
    if (target.rule.use !== "make" && !isFree) {
      throw this.refused(`makes an object of ${describe(target)}`, describe(target));
    }
    if (holdsWrapper(args)) throw this.#wrapperMisused();
    // What is made without its constructor needs none; only named tuples store some.
    const hasNone = isObject(args) && args.kind === "tuple" && args.items?.length === 0 && !hasNames;
    if (!hasNone && !isFree && target.rule.takesNew !== true) {
      throw this.refused(`makes an object of ${describe(target)} with arguments`, describe(target));
    }
    this.push(target.rule.makes === "wrapper" ? WRAPPER : INSTANCE);
  }

  /** BUILD: sets the state of what is on the stack. */
  build(state: PickleValue): void {
    const target = this.top();
    if (holdsWrapper(state)) throw this.#wrapperMisused();
    if (!isObject(target)) return this.suspect(`sets the state of ${describe(target)}`);
    switch (target.kind) {
      case "instance":
        return;
      case "wrapper": {
        if (this.#options.dialect !== "joblib") return;
        const place = findArrayPlace(state);
        if (typeof place === "string") throw this.refused(place);
        this.array = place;
        // joblib puts the array in the place of the place-holder.
        this.#stack[this.#stack.length - 1] = INSTANCE;
        return;
      }
      case "dtype": {
        if (target.isBuilt) throw this.refused("sets the state of a numpy.dtype twice");
        const built = buildDtype(target, state);
        if (typeof built === "string") throw this.refused(built);
        target.state = built;
        target.isBuilt = true;
        return;
      }
      case "global":
      case "unknown":
        // That would change a class or a function for everybody.
        throw this.#suspicion ?? this.refused(`sets the state of ${describe(target)}`, describe(target));
      default:
        this.suspect(`sets the state of ${describe(target)}`);
    }
  }

  /** STOP: the value that the pickle stands for. */
  stop(): PickleValue {
    const value = this.pop();
    if (this.#suspicion !== undefined && this.imports > 0) throw this.#suspicion;
    return value;
  }

  get #floor(): number {
    return this.#marks.at(-1) ?? 0;
  }

  #callable(callee: PickleValue): GlobalValue & { readonly rule: NonNullable<GlobalValue["rule"]> } {
    if (!isObject(callee)) throw this.broken(`calls ${describe(callee)}`);
    const rule = callee.kind === "global" ? callee.rule : undefined;
    if (callee.kind === "global" && rule !== undefined) return { ...callee, rule };
    throw this.#suspicion ?? this.refused(`calls ${describe(callee)}`, describe(callee));
  }

  #result({ rule, module, name }: GlobalValue, items: readonly PickleValue[]): PickleValue {
    if (rule?.makes === "dtype") {
      const dtype = makeDtype(items);
      if (typeof dtype === "string") throw this.refused(dtype);
      if (!this.#kept.spend(KEPT_BYTES.dtype)) throw this.refused("makes too much to be remembered");
      return dtype;
    }
    if (
      rule?.checks === "noNumbers" &&
      items.some((item) => typeof item === "number" || typeof item === "bigint")
    ) {
      throw this.refused(`calls ${module}.${name} with a size`);
    }
    // As pickles of protocol 2 write bytes; other codecs decompress, or load modules.
    if (rule?.checks === "encode" && items[1] !== "latin1" && items[1] !== "latin-1") {
      throw this.refused(`calls ${module}.${name} with a codec that is not latin1`);
    }
    if (rule?.makes === "data") return DATA;
    return rule?.checks === "reconstructor" ? this.#reconstructed(items) : INSTANCE;
  }

  /** `copyreg._reconstructor(cls, base, state)`: as NEWOBJ, of a class that is an object or extends a built-in type. */
  #reconstructed([cls = null, base = null, state = null]: readonly PickleValue[]): PickleValue {
    const target = this.#callable(cls);
    const isBuiltIn = isObject(base) && base.kind === "global" &&
      /^(builtins|__builtin__)$/.test(base.module);
    if ((target.rule.use !== "make" && target.rule !== FREE) || !isBuiltIn) {
      throw this.refused(
        `makes an object of ${describe(target)}, based on ${describe(base)}`,
        describe(target),
      );
    }
    if (holdsWrapper(state)) throw this.#wrapperMisused();
    return target.rule.makes === "wrapper" ? WRAPPER : INSTANCE;
  }

  #checkFilled(target: PickleValue): void {
    if (!isObject(target) || target.kind !== "global") return;
    this.suspect(`adds to ${describe(target)}`, describe(target));
  }

  #forMemo(value: PickleValue): PickleValue {
    if (typeof value !== "string") return value;
    this.#memoTextBytes += value.length;
    return this.#memoTextBytes > PICKLE_LIMITS.memoTextBytes ? DATA : value;
  }

  #wrapperMisused(): PickleProblem {
    return this.refused("uses joblib's place-holder of an array as something else");
  }
}
