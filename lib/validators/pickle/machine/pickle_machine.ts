import { ARRAY_LEVEL, FILLED_LEVEL } from "../cost/container_levels.ts";
import { arrayOf, bytesOfCall, bytesOfState, LOAD_BYTES } from "../cost/load_cost.ts";
import { bytesOf, INERT_WEIGHT, payloadOf } from "../cost/value_measures.ts";
import { KEPT_BYTES } from "../limits.ts";
import { type ArrayPlace, findArrayPlace } from "../numpy/joblib_array.ts";
import { buildDtype, makeDtype } from "../numpy/numpy_dtype.ts";
import {
  describe,
  FREE_INSTANCE,
  type GlobalValue,
  holdsWrapper,
  INSTANCE,
  type InstanceValue,
  isInert,
  isObject,
  OF_THE_USER,
  type PickleValue,
  type TupleValue,
  UNCALLABLE,
  WRAPPER,
} from "../pickle_value.ts";
import { CALL_CHECKS } from "../rules/call_checks.ts";
import { FREE, type GlobalRule, isOfTorch } from "../rules/rule.ts";
import { STATE_CHECKS } from "../rules/state_checks.ts";
import { isBuiltIn, isStateOf, methodOf, storedOf } from "./call_results.ts";
import { PickleImports } from "./pickle_imports.ts";

/**
 * Simulates what Python does for a pickle, without executing anything. Values are tracked as far as the checks of imports and
 * calls need them. Each method is the effect of one or several opcodes, and throws a {@link PickleProblem} if the effect is
 * not allowed.
 */
export class PickleMachine extends PickleImports {
  /** The array that the last BUILD announced, until the walk skips it. */
  array: ArrayPlace | undefined;
  /** The size of the largest array in bytes. */
  #largest = 0;

  /** REDUCE, INST and OBJ: `callee(*args)`. */
  call(callee: PickleValue, args: PickleValue): void {
    const target = this.#callable(callee);
    const full = describe(target);
    const rule = target.rule.use === "call" ? target.rule : this.misused(target, `calls ${full}`);
    const items = isObject(args) && args.kind === "tuple" ? args.items : undefined;
    // Calls of what the user allows may have any arguments.
    if (items === undefined && rule === FREE) return this.push(FREE_INSTANCE);
    if (items === undefined) throw this.refused(`calls ${full} with unexpected arguments`);
    if (rule.makes === "attribute") return this.push(this.#attribute(items));
    if (rule.checks !== "reconstructor" && items.some(holdsWrapper)) throw this.wrapperMisused();
    for (const item of items) {
      const isTaken = !isObject(item) || item.kind !== "global" || item.rule === FREE ||
        rule.takes?.test(`${item.module}:${item.name}`) === true;
      if (!isTaken) throw this.refused(`passes ${describe(item)} to ${full}`, describe(item));
    }
    this.levels.hold(items);
    this.push(this.#result({ ...target, rule }, items));
  }

  /** NEWOBJ: `cls.__new__(cls, *args)`, without the constructor. */
  make(callee: PickleValue, args: PickleValue, hasNames = false): void {
    const target = this.#callable(callee);
    if (holdsWrapper(args)) throw this.wrapperMisused();
    // Only named tuples take arguments here; without a constructor, other classes have no use for them.
    const hasNone = isObject(args) && args.kind === "tuple" && args.items?.length === 0 && !hasNames;
    const isMade = target.rule.use === "make" || target.rule.isMadeToo === true;
    const isAllowed = target.rule === FREE || (isMade && (hasNone || target.rule.takesNew === true));
    const problem = `makes an object of ${describe(target)}${isMade ? " with arguments" : ""}`;
    const rule = isAllowed ? target.rule : this.misused(target, problem);
    this.push(rule.makes === "wrapper" ? WRAPPER : this.#made(rule, args));
  }

  /** BUILD: sets the state of the value on the stack. */
  build(state: PickleValue): void {
    const target = this.top();
    if (holdsWrapper(state)) throw this.wrapperMisused();
    this.levels.hold([state]);
    if (!isObject(target)) return this.suspect(`sets the state of ${describe(target)}`);
    switch (target.kind) {
      case "instance":
        return this.#buildInstance(target, state);
      case "wrapper": {
        // torch's files contain no arrays of joblib. For joblib, the bytes behind would be an array instead of opcodes.
        if (isOfTorch(this.options.dialect)) throw this.wrapperMisused();
        if (this.options.dialect === "python") return;
        const place = findArrayPlace(state);
        if (typeof place === "string") throw this.refused(place);
        this.array = place;
        // joblib replaces the placeholder by the array.
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
        // This would change a class or a function in the whole program.
        throw this.suspicion ?? this.refused(`sets the state of ${describe(target)}`);
      default:
        this.suspect(`sets the state of ${describe(target)}`);
    }
  }

  /** STOP: returns the value of the pickle. */
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
      this.options.missing.refuse(this.suspicion);
      return { ...callee, rule: FREE };
    }
    // The result of something that the user allows may be called, too.
    if (callee.kind === "instance" && callee.rule === FREE) return OF_THE_USER;
    throw this.suspicion ?? this.refused(`calls ${describe(callee)}`);
  }

  #result({ rule, module, name }: GlobalValue, items: readonly PickleValue[]): PickleValue {
    if (rule?.makes === "dtype") {
      const dtype = makeDtype(items);
      if (typeof dtype === "string") throw this.refused(dtype);
      if (!this.kept.spend(KEPT_BYTES.dtype)) throw this.refused("has too many objects to be tracked");
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
   * `getattr(object, name)`: protocols below 4 refer to a method of a class by it, and all protocols to a method of an
   * object. For a class, it counts as an import of both names.
   */
  #attribute([target = null, name = null, ...others]: readonly PickleValue[]): PickleValue {
    if (isObject(target) && typeof name === "string" && !name.startsWith("__") && others.length === 0) {
      if (target.kind === "global") return this.import(target.module, `${target.name}.${name}`);
      const method = methodOf(target, name);
      if (method !== undefined) return method;
    }
    throw this.getattrMisused();
  }

  /** `copyreg._reconstructor(cls, base, state)`: like NEWOBJ, for a class that extends `object` or another built-in type. */
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
      throw this.refused(`makes an object of ${describe(target)} with unexpected contents`);
    }
    return target.rule.makes === "wrapper" ? WRAPPER : this.#made(target.rule, state);
  }

  /** Creates an object from arguments or a state, which are copied into it. */
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

  /** Creates an object of the rule's class. @param hashed the items that determine the hash of a named tuple */
  #instance(rule: GlobalRule | undefined, hashed?: TupleValue): InstanceValue {
    if (rule === undefined || rule === FREE) return FREE_INSTANCE;
    if (!this.kept.spend(KEPT_BYTES.instance)) throw this.refused("has too many objects to be tracked");
    const instance: InstanceValue = { kind: "instance", rule, isBuilt: false, levels: 0, isHeld: false };
    if (rule.isHashedByState === true) {
      return { ...instance, hashed: { weight: 1, nesting: 1, freedom: Infinity } };
    }
    // The hash follows from the state: that of a pandas dtype from all of its categories.
    if (rule.isInert === true) {
      return { ...instance, hashed: { weight: INERT_WEIGHT, nesting: 1, freedom: Infinity } };
    }
    return hashed === undefined || hashed.items?.length === 0 ? instance : { ...instance, hashed };
  }

  /** Refuses objects whose attributes the pickle chose (see {@link isInert}). */
  #checkInert(values: readonly PickleValue[], what: string): void {
    const isKnown = values.every((value) => isInert(value) || (isObject(value) && value.kind === "global"));
    if (!isKnown || this.isLateForeign) {
      throw this.refused(`${what} with objects that its library does not write`);
    }
  }

  /** Sets a state once only: attributes of the first could replace the method that sets the second. */
  #buildInstance(target: InstanceValue, state: PickleValue): void {
    const { rule } = target;
    if (rule === FREE) return;
    if (rule === undefined) return this.suspect("sets the state of an object that has no state");
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
