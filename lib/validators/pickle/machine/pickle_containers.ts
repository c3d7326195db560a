import { ContainerLevels, FILLED_LEVEL } from "../cost/container_levels.ts";
import { HashCost } from "../cost/hash_cost.ts";
import { LOAD_BYTES, type LoadCost } from "../cost/load_cost.ts";
import { freedomOfConstants, measureAll, nestingOf } from "../cost/value_measures.ts";
import { PICKLE_LIMITS } from "../limits.ts";
import type { PickleProblem } from "../pickle_problem.ts";
import {
  DATA,
  type DataValue,
  describe,
  type DictValue,
  FREE_INSTANCE,
  holdsWrapper,
  isForged,
  isInert,
  isObject,
  type ListValue,
  type PickleValue,
  SET,
  type TupleValue,
} from "../pickle_value.ts";
import { KeptValues } from "./kept_values.ts";
import type { MachineOptions } from "./machine_options.ts";
import { PickleStack } from "./pickle_stack.ts";

/** The tuples, lists, sets and dictionaries of a pickle, and their cost for the program that loads it. */
export class PickleContainers extends PickleStack {
  /** The number of imports so far, allowed or not. */
  imports = 0;
  protected importsGetattr = false;
  /** Whether a container that another one already held stopped being inert (see {@link isInert}). */
  protected isLateForeign = false;
  protected readonly kept = new KeptValues();
  protected readonly levels = new ContainerLevels();
  readonly #cost: LoadCost;
  /** The cost of the items of lists, which are hashed when a set is created from a list. */
  readonly #listed = new HashCost();

  constructor(options: MachineOptions) {
    super(options);
    this.#cost = options.cost;
  }

  tuple(items: readonly PickleValue[]): TupleValue {
    const tuple = this.kept.tuple(items);
    if (tuple.holdsWrapper && tuple.items === undefined) throw this.wrapperMisused();
    if (items.length > 0) this.allocate(LOAD_BYTES.tuple);
    this.levels.hold(items);
    // A tuple of which nothing is tracked does not know the levels of its items either.
    if (tuple.items === undefined && tuple.levels === 0) this.put(tuple, items);
    return tuple;
  }

  /** Creates an empty list. */
  list(): ListValue {
    this.allocate(LOAD_BYTES.list);
    return {
      kind: "list",
      count: 0,
      weight: 1,
      nesting: 1,
      freedom: 0,
      alike: 0,
      levels: 0,
      isHeld: false,
      isInert: true,
    };
  }

  /** Creates an empty set. */
  set(): DataValue {
    this.allocate(LOAD_BYTES.set);
    return SET;
  }

  /** FROZENSET: creates a frozen set. */
  frozen(items: readonly PickleValue[]): DataValue {
    this.contain(items);
    this.allocate(LOAD_BYTES.set + LOAD_BYTES.setItem * items.length);
    const { freedom, levels } = measureAll(items);
    return { kind: "data", type: "frozenset", weight: this.#hash(items), freedom, levels };
  }

  /** Creates an empty dictionary. */
  dict(): DictValue {
    this.allocate(LOAD_BYTES.dict);
    return this.kept.dict();
  }

  /** Checks values that are put into a container. */
  contain(items: readonly PickleValue[]): void {
    if (items.some(holdsWrapper)) throw this.wrapperMisused();
    this.levels.hold(items);
  }

  /** APPEND and APPENDS: adds items to the value on the stack. */
  extend(items: readonly PickleValue[], target = this.top()): void {
    this.allocate(LOAD_BYTES.item * items.length);
    if (!isObject(target) || target.kind !== "list") {
      this.contain(items);
      this.#checkFilled(target, "items", items);
      return this.put(target, items, FILLED_LEVEL);
    }
    target.count += items.length;
    const constants = freedomOfConstants(items);
    if (constants !== undefined) {
      target.weight += items.length;
      target.freedom += constants;
      return;
    }
    this.contain(items);
    const { nesting, freedom } = measureAll(items);
    target.weight += this.#listed.weigh(items, target);
    target.nesting = Math.max(target.nesting, nesting);
    target.freedom += freedom;
    this.#keepInert(target, items);
    this.put(target, items);
  }

  /** ADDITEMS: adds items to a set. */
  addItems(items: readonly PickleValue[]): void {
    this.contain(items);
    this.#hash(items);
    this.allocate(LOAD_BYTES.setItem * items.length);
    this.#checkFilled(this.top(), "items", items);
    this.put(this.top(), items);
  }

  /** SETITEM and SETITEMS. @param pairs key, value, key, value */
  setItems(pairs: readonly PickleValue[], target = this.top()): void {
    this.contain(pairs);
    this.#hash(pairs.filter((_, index) => index % 2 === 0));
    const isDict = isObject(target) && target.kind === "dict";
    if (!isDict) this.#checkFilled(target, "pairs", pairs);
    this.allocate(LOAD_BYTES.entry * pairs.length / 2);
    this.put(target, pairs, isDict ? 0 : FILLED_LEVEL);
    if (pairs.length % 2 !== 0) throw this.broken("sets a key without a value");
    if (!isDict) return;
    this.#keepInert(target, pairs);
    for (let index = 0; index < pairs.length; index += 2) {
      this.kept.setEntry(target, pairs[index] ?? null, pairs[index + 1] ?? null);
    }
  }

  /** Updates whether a list or a dictionary is inert; containers that already hold it do not learn of it. */
  #keepInert(target: ListValue | DictValue, values: readonly PickleValue[]): void {
    if (!target.isInert || values.every(isInert)) return;
    target.isInert = false;
    this.isLateForeign ||= target.isHeld;
  }

  /** Notes that a container holds values. @param own the levels that the container itself adds */
  protected put(target: PickleValue, values: readonly PickleValue[], own = 0): void {
    if (!this.levels.put(target, values, own)) {
      throw this.refused("nests containers so deeply that freeing them would crash Python");
    }
  }

  /** Counts the memory that Python allocates. */
  protected allocate(bytes: number): void {
    if (this.#cost.allocate(bytes, this.offset)) return;
    const problem = "makes Python allocate far more memory than the file has bytes";
    if (this.imports > 0) throw this.refused(problem);
    this.suspect(problem);
  }

  /**
   * Allows filling an object only before its state is set, as picklers do: attributes could replace `append` and `extend`.
   * Nothing but an import gives a value such attributes, so before the first one, raw numbers are only suspected.
   *
   * @param added items, or keys and values
   */
  #checkFilled(target: PickleValue, how: "items" | "pairs", added: readonly PickleValue[]): void {
    if (cannotBeFilled(target, how)) {
      // Python's fast reader passes over nothing that is added to anything.
      if (added.length > 0) throw this.broken(`adds to ${describe(target)}`);
      return;
    }
    if (!isObject(target)) return;
    if (target === FREE_INSTANCE || target === DATA || (target.kind === "data" && how === "items")) return;
    if (target.kind === "instance" && target.rule?.fill === how && !target.isBuilt) {
      const isForgedItem = how === "pairs" &&
        added.some((key, at) => at % 2 === 0 && isForged(key, added[at + 1] ?? null));
      if (!isForgedItem || target.rule.hasItemsAsAttributes !== true) return;
    }
    const problem = `adds to ${describe(target)}`;
    if (target.kind === "global" || target.kind === "unknown") return this.suspect(problem, describe(target));
    if (this.imports > 0) throw this.refused(problem);
    this.suspect(problem);
  }

  /** Counts and returns the cost of hashing values. */
  #hash(values: readonly PickleValue[]): number {
    const { hashing, keys } = this.#cost;
    if (values.some((value) => nestingOf(value) > PICKLE_LIMITS.hashedNesting)) {
      throw this.refused(
        `has keys of more than ${PICKLE_LIMITS.hashedNesting} nested tuples`,
      );
    }
    const weight = hashing.weigh(values, keys);
    if (!hashing.spend(weight)) throw this.refused("has keys that would take Python too long to hash");
    return weight;
  }

  protected wrapperMisused(): PickleProblem {
    if (this.importsGetattr) return this.getattrMisused();
    return this.refused("uses joblib's placeholder of an array for something else");
  }

  /** `getattr` may only be called, and only to get something that is allowed by its own name. */
  protected getattrMisused(): PickleProblem {
    return this.refused("imports builtins.getattr", "builtins.getattr");
  }
}

/** Whether Python certainly stops when it adds something to a value. {@link DATA} may be a bytearray, which can be filled. */
function cannotBeFilled(target: PickleValue, how: "items" | "pairs"): boolean {
  if (!isObject(target)) return true;
  if (target.kind === "tuple" || target.kind === "integer") return true;
  return how === "items" && target.kind === "dict";
}
