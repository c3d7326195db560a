import { findRule } from "./allow_list.ts";
import { FREE, type GlobalRule } from "./allow_rules.ts";
import { methodOf } from "./bound_methods.ts";
import { CALL_CHECKS } from "./call_checks.ts";
import { type ArrayPlace, findArrayPlace } from "./joblib_array.ts";
import { buildDtype, makeDtype } from "./numpy_dtype.ts";
import { ARRAY_LEVEL, FILLED_LEVEL } from "./container_levels.ts";
import { arrayOf, bytesOfCall, bytesOfState, LOAD_BYTES } from "./load_cost.ts";
import { isOfTorch, type MachineOptions } from "./machine_options.ts";
import { NotedImport } from "./noted_import.ts";
import { FREE_INSTANCE, OF_THE_USER, PickleContainers } from "./pickle_containers.ts";
import { KEPT_BYTES, PICKLE_LIMITS } from "./pickle_limits.ts";
import type { PickleProblem } from "./pickle_problem.ts";
import { isBuiltIn, isStateOf } from "./reconstructor.ts";
import { isInert } from "./inert.ts";
import { STATE_CHECKS } from "./state_checks.ts";
import {
  describe,
  type GlobalValue,
  holdsWrapper,
  INSTANCE,
  type InstanceValue,
  isObject,
  mayBeText,
  type PickleValue,
  type TupleValue,
  UNCALLABLE,
  UNKNOWN,
  WRAPPER,
} from "./pickle_value.ts";
import { storedOf } from "./stored_value.ts";
import { bytesOf, INERT_WEIGHT, payloadOf } from "./value_measures.ts";

/** The shapes of names that Python's modules and classes have. */
const PLAUSIBLE_NAME = /^[\w.]+$/;

/** What Python can find in a module: of a name of another shape it is sure that there is none. */
const PLAUSIBLE_ATTRIBUTE = /^[\p{ID_Start}_][\p{ID_Continue}.]*$/u;

/**
 * What a pickle does, with values that are known as far as the imports and the calls need it, and nothing executed. Each
 * method is what one or several opcodes do; a {@link PickleProblem} says what is wrong with it.
 */
export class PickleMachine extends PickleContainers {
  /** What a BUILD has announced, until the walk takes it. */
  array: ArrayPlace | undefined;
  readonly #options: MachineOptions;
  /** Bytes of the largest array. */
  #largest = 0;
  readonly #globals = new Map<string, GlobalValue>();
  readonly #noted: NotedImport;

  constructor(options: MachineOptions) {
    super(options);
    this.#options = options;
    this.#noted = new NotedImport(options);
  }

  /** Refuses what no pickler writes and some reader takes. */
  irregular(problem: string): void {
    if (this.#options.isForeign !== true) this.suspect(problem);
  }

  import(module: PickleValue, name: PickleValue): GlobalValue | typeof UNKNOWN {
    this.imports++;
    if (typeof module !== "string" || typeof name !== "string") {
      const problem = "imports something whose name is not a constant";
      if (!mayBeText(module) || !mayBeText(name) || this.#options.isRest === true) throw this.broken(problem);
      this.suspect(problem);
      this.#noted.noteUnknown(() => this.refused(problem));
      return UNKNOWN;
    }
    const key = `${module}:${name}`;
    const known = this.#globals.get(key);
    if (known !== undefined) return known;
    const full = `${module}.${name}`;
    if (!PLAUSIBLE_NAME.test(full) || !PLAUSIBLE_ATTRIBUTE.test(name)) {
      if (this.#options.isCertain) throw this.refused(`imports ${full}`, full);
      // Any folder on Python's path is a module, whatever its name; attributes have names of one shape. The module is
      // imported before Python looks for the name in it.
      if (module !== "") this.#noted.note(module, name, () => this.refused(`imports ${full}`, full));
      if (module === "" || !PLAUSIBLE_ATTRIBUTE.test(name)) throw this.broken(`imports ${full}`);
    }
    if (this.#globals.size >= PICKLE_LIMITS.globals) {
      throw this.refused(`imports more than ${PICKLE_LIMITS.globals} things`);
    }
    const { allowed, dialect } = this.#options;
    const rule = findRule(module, name, allowed, dialect) ?? this.#ruleOfMissing(module, name, full);
    if (rule?.makes === "attribute") this.importsGetattr = true;
    const value: GlobalValue = { kind: "global", module, name, rule };
    this.#globals.set(key, value);
    return value;
  }

  /** What may be done with an import that is not allowed: anything, once the stream is refused anyway. */
  #ruleOfMissing(module: string, name: string, full: string): GlobalRule | undefined {
    const { isCertain, isRest, missing } = this.#options;
    const problem = () => this.refused(`imports ${full}`, full);
    this.#noted.note(module, name, problem);
    if (isRest === true && this.#noted.problem === undefined) throw this.broken(`imports ${full}`);
    missing.add(full);
    if (isCertain) missing.refuse(this.suspicion ?? problem());
    else this.suspect(`imports ${full}`, full);
    return missing.refusal === undefined ? undefined : FREE;
  }

  /**
   * What may be done with an import that is allowed, and not what the stream does with it: anything, as the stream is
   * refused, so that the refusal names all of these imports.
   */
  #misused(target: GlobalValue, problem: string): GlobalRule {
    const { isCertain, missing } = this.#options;
    const refusal = this.suspicion ?? this.refused(problem, describe(target));
    if (!isCertain) throw refusal;
    missing.add(describe(target));
    missing.refuse(refusal);
    return FREE;
  }

  /** An import whose names are longer than any. */
  importNothingKnown(): typeof UNKNOWN {
    this.imports++;
    const problem = "imports something whose name is not a constant";
    if (this.#options.isRest === true) throw this.broken(problem);
    this.suspect(problem);
    return UNKNOWN;
  }

  /** Returns why a stream that breaks does not pass. */
  whereBroken(problem: PickleProblem): PickleProblem {
    return this.#noted.problem ?? problem;
  }

  /** Python stops at a code that the program has not registered, and programs register none. */
  extension(code: number): void {
    const problem = `uses the extension ${code}, whose meaning is not in the file`;
    throw this.#options.isCertain ? this.refused(problem) : this.broken(problem);
  }

  persistent(): void {
    if (!isOfTorch(this.#options.dialect)) this.suspect("refers to an object outside of the file");
    this.push(INSTANCE);
  }

  /** REDUCE, INST and OBJ: `callee(*args)`. */
  call(callee: PickleValue, args: PickleValue): void {
    const target = this.#callable(callee);
    const full = describe(target);
    const rule = target.rule.use === "call" ? target.rule : this.#misused(target, `calls ${full}`);
    const items = isObject(args) && args.kind === "tuple" ? args.items : undefined;
    // What the user allowed is called with whatever there is.
    if (items === undefined && rule === FREE) return this.push(FREE_INSTANCE);
    if (items === undefined) throw this.refused(`calls ${full} with arguments that cannot be told`);
    if (rule.makes === "attribute") return this.push(this.#attribute(items));
    if (rule.checks !== "reconstructor" && items.some(holdsWrapper)) throw this.wrapperMisused();
    for (const item of items) {
      const isTaken = !isObject(item) || item.kind !== "global" || item.rule === FREE ||
        rule.takes?.test(`${item.module}:${item.name}`) === true;
      if (!isTaken) throw this.refused(`hands ${describe(item)} to ${full}`, describe(item));
    }
    this.levels.hold(items);
    this.push(this.#result({ ...target, rule }, items));
  }

  /** NEWOBJ: `cls.__new__(cls, *args)`, without the constructor. */
  make(callee: PickleValue, args: PickleValue, hasNames = false): void {
    const target = this.#callable(callee);
    if (holdsWrapper(args)) throw this.wrapperMisused();
    // What is made without its constructor needs none; only named tuples store some.
    const hasNone = isObject(args) && args.kind === "tuple" && args.items?.length === 0 && !hasNames;
    const isMade = target.rule.use === "make" || target.rule.isMadeToo === true;
    const isAllowed = target.rule === FREE || (isMade && (hasNone || target.rule.takesNew === true));
    const problem = `makes an object of ${describe(target)}${isMade ? " with arguments" : ""}`;
    const rule = isAllowed ? target.rule : this.#misused(target, problem);
    this.push(rule.makes === "wrapper" ? WRAPPER : this.#made(rule, args));
  }

  /** BUILD: sets the state of what is on the stack. */
  build(state: PickleValue): void {
    const target = this.top();
    if (holdsWrapper(state)) throw this.wrapperMisused();
    this.levels.hold([state]);
    if (!isObject(target)) return this.suspect(`sets the state of ${describe(target)}`);
    switch (target.kind) {
      case "instance":
        return this.#buildInstance(target, state);
      case "wrapper": {
        // torch's files have no arrays of joblib's, and a reader of joblib's would not take all of this for opcodes.
        if (isOfTorch(this.#options.dialect)) throw this.wrapperMisused();
        if (this.#options.dialect === "python") return;
        const place = findArrayPlace(state);
        if (typeof place === "string") throw this.refused(place);
        this.array = place;
        // joblib puts the array in the place of the place-holder.
        this.replaceTop(this.#joblibArray(place));
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
        throw this.suspicion ?? this.refused(`sets the state of ${describe(target)}`);
      default:
        this.suspect(`sets the state of ${describe(target)}`);
    }
  }

  /** STOP: the value that the pickle stands for. */
  stop(): PickleValue {
    const value = this.pop();
    if (this.importsGetattr && holdsWrapper(value)) throw this.getattrMisused();
    if (this.suspicion !== undefined && this.imports > 0) throw this.suspicion;
    return value;
  }

  #callable(callee: PickleValue): GlobalValue & { readonly rule: NonNullable<GlobalValue["rule"]> } {
    if (!isObject(callee)) throw this.broken(`calls ${describe(callee)}`);
    if (UNCALLABLE.has(callee.kind)) throw this.suspicion ?? this.broken(`calls ${describe(callee)}`);
    if (callee.kind === "global" && callee.rule !== undefined) return { ...callee, rule: callee.rule };
    if (callee.kind === "global" && this.suspicion !== undefined) {
      this.#options.missing.refuse(this.suspicion);
      return { ...callee, rule: FREE };
    }
    // What the user allowed may make what is called, as `getattr` does.
    if (callee.kind === "instance" && callee.rule === FREE) return OF_THE_USER;
    throw this.suspicion ?? this.refused(`calls ${describe(callee)}`);
  }

  #result({ rule, module, name }: GlobalValue, items: readonly PickleValue[]): PickleValue {
    if (rule?.makes === "dtype") {
      const dtype = makeDtype(items);
      if (typeof dtype === "string") throw this.refused(dtype);
      if (!this.kept.spend(KEPT_BYTES.dtype)) throw this.refused("makes too much to be remembered");
      return dtype;
    }
    if (rule?.checks !== undefined && rule.checks !== "reconstructor") {
      const problem = CALL_CHECKS[rule.checks](items);
      if (problem !== "") throw this.refused(`calls ${module}.${name} ${problem}`);
    }
    if (rule?.isInert === true) this.#checkInert(items, `calls ${module}.${name}`);
    if (rule !== undefined && rule !== FREE) this.allocate(bytesOfCall(rule, items));
    switch (rule?.makes) {
      case "set":
        return this.frozen(items);
      case "data":
        return payloadOf(bytesOf(items[0] ?? null));
      case "script":
        return this.#instance(rule);
      case "range":
      case "stored":
        return storedOf(rule, items);
    }
    if (rule?.checks === "reconstructor") return this.#reconstructed(items);
    const made = this.#instance(rule);
    this.put(made, items, rule?.fill === undefined ? 0 : FILLED_LEVEL);
    return made;
  }

  /**
   * `getattr(object, name)`, as protocols below 4 write a method of a class, and all of them one of an object: of a class
   * it is an import of both names.
   */
  #attribute([target = null, name = null, ...others]: readonly PickleValue[]): PickleValue {
    if (isObject(target) && typeof name === "string" && !name.startsWith("__") && others.length === 0) {
      if (target.kind === "global") return this.import(target.module, `${target.name}.${name}`);
      const method = methodOf(target, name);
      if (method !== undefined) return method;
    }
    throw this.getattrMisused();
  }

  /** `copyreg._reconstructor(cls, base, state)`: as NEWOBJ, of a class that is an object or extends a built-in type. */
  #reconstructed([cls = null, base = null, state = null]: readonly PickleValue[]): PickleValue {
    const target = this.#callable(cls);
    const isFree = target.rule === FREE;
    const named = isObject(base) && base.kind === "global" ? base : undefined;
    const isBased = isBuiltIn(base) || named?.rule === FREE;
    if ((target.rule.use !== "make" && target.rule.isMadeToo !== true && !isFree) || !isBased) {
      throw this.refused(
        `makes an object of ${describe(target)}, based on ${describe(base)}`,
        isBased ? describe(target) : named && describe(named),
      );
    }
    if (holdsWrapper(state)) throw this.wrapperMisused();
    const isForgedItem = isObject(state) && state.kind === "dict" && state.forgedKey !== undefined &&
      target.rule.hasItemsAsAttributes === true;
    if (!isFree && (!isBuiltIn(base) || !isStateOf(base, state) || isForgedItem)) {
      throw this.refused(`makes an object of ${describe(target)} with contents that cannot be told`);
    }
    return target.rule.makes === "wrapper" ? WRAPPER : this.#made(target.rule, state);
  }

  /** An object that is made of arguments or of a state, which is copied into it. */
  #made(rule: GlobalRule, content: PickleValue): InstanceValue {
    if (rule === FREE) return FREE_INSTANCE;
    this.allocate(LOAD_BYTES.instance + bytesOf(content));
    this.levels.hold([content]);
    const made = this.#instance(rule, isObject(content) && content.kind === "tuple" ? content : undefined);
    this.put(made, [content]);
    return made;
  }

  #joblibArray({ elements, ...place }: ArrayPlace): InstanceValue {
    if (place.kind === "pickled" || !this.kept.spend(KEPT_BYTES.instance)) return INSTANCE;
    this.#largest = Math.max(this.#largest, place.bytes);
    return { ...INSTANCE, array: { elements, bytes: place.bytes } };
  }

  /** A new object of what a rule is about. @param hashed what a named tuple's hash is made of */
  #instance(rule: GlobalRule | undefined, hashed?: TupleValue): InstanceValue {
    if (rule === undefined || rule === FREE) return FREE_INSTANCE;
    if (!this.kept.spend(KEPT_BYTES.instance)) throw this.refused("makes too much to be remembered");
    const instance: InstanceValue = { kind: "instance", rule, isBuilt: false, levels: 0, isHeld: false };
    if (rule.isHashedByState === true) {
      return { ...instance, hashed: { weight: 1, nesting: 1, freedom: Infinity } };
    }
    // The hash is computed from the state, as that of a type of pandas' is from all of its categories.
    if (rule.isInert === true) {
      return { ...instance, hashed: { weight: INERT_WEIGHT, nesting: 1, freedom: Infinity } };
    }
    return hashed === undefined || hashed.items?.length === 0 ? instance : { ...instance, hashed };
  }

  /** What is handed over may not be an object whose attributes the pickle has chosen. */
  #checkInert(values: readonly PickleValue[], what: string): void {
    const isKnown = values.every((value) => isInert(value) || (isObject(value) && value.kind === "global"));
    if (!isKnown || this.isLateForeign) {
      throw this.refused(`${what} with objects that its library does not write`);
    }
  }

  /** The first state may hide the methods of a class behind attributes: a second would be set by them. */
  #buildInstance(target: InstanceValue, state: PickleValue): void {
    const { rule } = target;
    if (rule === FREE) return;
    if (rule === undefined) return this.suspect("sets the state of an object that has none");
    if (target.isBuilt) throw this.refused("sets the state of an object twice");
    const problem = STATE_CHECKS[rule.state ?? "attributes"](state);
    if (problem !== "") throw this.refused(`sets the state of an object ${problem}`);
    if (rule.isInert === true) this.#checkInert([state], "sets the state of an object");
    this.allocate(bytesOfState(rule, state, this.#largest));
    target.isBuilt = true;
    const array = rule.state === "array" ? arrayOf(state) : undefined;
    if (array !== undefined) {
      target.array = array;
      this.#largest = Math.max(this.#largest, array.bytes);
    }
    this.put(target, [state], array?.hasObject === true ? ARRAY_LEVEL : 0);
  }
}
