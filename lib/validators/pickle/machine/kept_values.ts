import { measureAll } from "../cost/value_measures.ts";
import { KEPT_BYTES, PICKLE_LIMITS } from "../limits.ts";
import {
  DATA,
  type DictValue,
  holdsWrapper,
  isForged,
  isInert,
  isObject,
  type PickleValue,
  type TupleValue,
} from "../pickle_value.ts";

/** Shared by the dictionaries that are empty, as most are. */
const NO_ENTRIES: ReadonlyMap<string, PickleValue> = new Map();

/** Stands for tuples that are not tracked. */
const SOME_TUPLE: TupleValue = {
  kind: "tuple",
  items: undefined,
  holdsWrapper: false,
  depth: 1,
  isInert: false,
  weight: Infinity,
  nesting: Infinity,
  freedom: Infinity,
  levels: 0,
};
/** Stand for untracked tuples that are cheap to hash: of any bytes, and of at most eight. */
const LIGHT_TUPLE: TupleValue = {
  ...SOME_TUPLE,
  weight: PICKLE_LIMITS.tupleItems,
  nesting: PICKLE_LIMITS.tupleItems,
};
const SAFE_TUPLE: TupleValue = { ...LIGHT_TUPLE, freedom: 8 };
const EMPTY_TUPLE: TupleValue = {
  ...SOME_TUPLE,
  items: [],
  isInert: true,
  weight: 1,
  nesting: 1,
  freedom: 0,
};
const WRAPPED_TUPLE: TupleValue = { ...SOME_TUPLE, holdsWrapper: true };

/**
 * Creates the values that need memory of our own, and counts that memory, even if they are dropped later. Beyond the limit,
 * and for contents that no check uses, only the kind of a value is known.
 */
export class KeptValues {
  #bytes = 0;
  #lastTuple: TupleValue = EMPTY_TUPLE;

  /** Counts bytes. @returns whether they are within the limit */
  spend(bytes: number): boolean {
    if (this.#bytes + bytes > PICKLE_LIMITS.keptBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  tuple(items: readonly PickleValue[]): TupleValue {
    if (items.length === 0) return EMPTY_TUPLE;
    // A column of numbers is a million tuples of the same dtype and bytes: all share one value.
    const last = this.#lastTuple;
    if (last.items?.length === items.length && last.items.every((item, index) => item === items[index])) {
      return last;
    }
    const holds = items.some(holdsWrapper);
    const isShort = items.length <= PICKLE_LIMITS.tupleItems;
    const isKept = this.spend(KEPT_BYTES.tuple + (isShort ? KEPT_BYTES.tupleItem * items.length : 0));
    if (holds && !(isShort && isKept)) return WRAPPED_TUPLE;
    const measures = measureAll(items);
    if (!isKept && measures.weight > LIGHT_TUPLE.weight) return SOME_TUPLE;
    if (!isKept) return measures.freedom <= SAFE_TUPLE.freedom ? SAFE_TUPLE : LIGHT_TUPLE;
    // As a key, a long tuple costs what its items cost.
    if (!isShort) return { ...SOME_TUPLE, ...measures };
    const kept = items.some((item) => depthOf(item) > INNER_DEPTH_MAX) ? items.map(shallow) : items;
    const depth = kept.reduce((most: number, item) => Math.max(most, 1 + depthOf(item)), 1);
    this.#lastTuple = {
      kind: "tuple",
      items: kept,
      holdsWrapper: holds,
      depth,
      isInert: items.every(isInert),
      ...measures,
    };
    return this.#lastTuple;
  }

  /** Creates an empty dictionary. Its count is known even beyond the limit. */
  dict(): DictValue {
    const entries = this.spend(KEPT_BYTES.dict) ? NO_ENTRIES : undefined;
    return { kind: "dict", entries, count: 0, forgedKey: undefined, levels: 0, isHeld: false, isInert: true };
  }

  setEntry(dict: DictValue, key: PickleValue, value: PickleValue): void {
    dict.count++;
    if (typeof key === "string" && isForged(key, value)) dict.forgedKey = key;
    const { entries } = dict;
    const isKept = typeof key === "string" && entries !== undefined &&
      entries.size < PICKLE_LIMITS.dictEntries &&
      this.spend(KEPT_BYTES.dictEntry + (entries.size === 0 ? KEPT_BYTES.dictTable : 0));
    if (!isKept) dict.entries = undefined;
    else if (entries instanceof Map && entries.size > 0) entries.set(key, entryOf(value));
    else dict.entries = new Map([[key, entryOf(value)]]);
  }
}

/**
 * The deepest tuple that a check needs is the unit in the metadata in the state of a dtype. Deeper ones are dropped, so that
 * a million nested tuples are not kept as a chain.
 */
const INNER_DEPTH_MAX = 3;

function depthOf(value: PickleValue): number {
  if (!isObject(value)) return 0;
  if (value.kind === "dict") return 2;
  return value.kind === "tuple" ? value.depth : 0;
}

function shallow(value: PickleValue): PickleValue {
  if (depthOf(value) <= INNER_DEPTH_MAX) return value;
  return holdsWrapper(value) ? WRAPPED_TUPLE : SOME_TUPLE;
}

/** No check needs a dictionary within another one. */
function entryOf(value: PickleValue): PickleValue {
  return isObject(value) && value.kind === "dict" ? DATA : shallow(value);
}
