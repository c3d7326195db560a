import type { OpcodeBudget } from "../limits.ts";
import { countOfShape } from "../numpy/numpy_dtype.ts";
import { isObject, type PickleValue } from "../pickle_value.ts";
import type { GlobalRule } from "../rules/rule.ts";
import { HashCost } from "./hash_cost.ts";
import { bytesOf, ITEM_BYTES } from "./value_measures.ts";

// What loading takes of memory that is not in the file. Each call is harmless by itself: a file makes a gigabyte of copies
// of one text that it remembers, or of empty sets, which are a byte each in the file. So all of it is added up, over all
// calls, pickles and entries of a file.

/** What things take in Python's memory, with what they are referred to by. */
export const LOAD_BYTES = {
  tuple: 48,
  list: 56,
  item: 8,
  dict: 64,
  entry: 48,
  set: 216,
  setItem: 32,
  instance: 150,
  /** What a range is made into by whatever copies it: a number each. */
  rangeItem: 40,
} as const;

/**
 * What a file's opcodes may take for each of their bytes: a list of empty lists takes 56, and a megabyte of them is within
 * what every file may; tuples of numbers take 8, arrays 1.
 */
const BYTES_PER_BYTE = 8;

/** What a walk's opcodes cost those who load the file. */
export class LoadCost {
  readonly hashing = new HashCost();
  /** Keys whose hashes cannot be told apart. */
  readonly keys = { alike: 0 };
  readonly #budget: OpcodeBudget;
  #bytes = 0;
  /** What of the budget these opcodes have taken. */
  #taken = 0;

  constructor(budget: OpcodeBudget) {
    this.#budget = budget;
  }

  /** Whether Python may allocate as much more at a place of the stream; it is counted then. */
  allocate(bytes: number, offset: number): boolean {
    this.#bytes += bytes;
    const beyond = this.#bytes - BYTES_PER_BYTE * offset - this.#taken;
    if (beyond <= 0) return true;
    this.#taken += beyond;
    this.#budget.allocations -= beyond;
    return this.#budget.allocations >= 0;
  }
}

/** What objects have besides their arguments: numpy's generators 3 KB, and the tenth of a millisecond of seeding them. */
const OBJECT_BYTES: Partial<Record<NonNullable<GlobalRule["checks"]>, number>> = {
  generator: 16 * 1024,
  tree: 1024,
  class: 2048,
  cython: 1024,
  unfilled: 1024,
  array: 200,
  maskedArray: 400,
  deque: 700,
  dict: 300,
};

/** For each output a tree allocates its number of classes. */
const OUTPUT_BYTES = 16;

/** What a call allocates. Whatever has a size among its arguments is taken to be copied. */
export function bytesOfCall(rule: GlobalRule, args: readonly PickleValue[]): number {
  const own = OBJECT_BYTES[rule.checks ?? "nothing"] ?? LOAD_BYTES.instance;
  if (rule.makes === "range") return own + LOAD_BYTES.rangeItem * rangeLength(args);
  const outputs = rule.checks === "tree" && typeof args[2] === "number" ? OUTPUT_BYTES * args[2] : 0;
  // A set has four times as much for an item as a list.
  const copies = rule.makes === "set" ? LOAD_BYTES.setItem / 8 : 1;
  return own + outputs + copies * args.reduce((sum: number, item) => sum + bytesOf(item), 0);
}

/** How many numbers `range(...)` has; what is not a number makes none. */
function rangeLength(args: readonly PickleValue[]): number {
  const [first = 0, second, step = 1] = args.map((item) => {
    if (isObject(item) && item.kind === "integer") return Infinity;
    return typeof item === "number" || typeof item === "bigint" || typeof item === "boolean"
      ? Number(item)
      : 0;
  });
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  if (!Number.isFinite(start) || !Number.isFinite(stop)) return Infinity;
  return Number.isFinite(step) && step !== 0 ? Math.max(0, Math.ceil((stop - start) / step)) : 1;
}

/** Libraries parse a model into structures that are larger than its bytes. */
const MODEL_FACTOR = 4;
const MODEL_BYTES = 64 * 1024;

/**
 * What BUILD allocates: attributes are copied into an object's own dictionary, and arrays of a state into C's memory.
 *
 * @param unknown what a state may have of which no more is known
 */
export function bytesOfState(rule: GlobalRule | undefined, state: PickleValue, unknown: number): number {
  if (rule?.state === "array") return bytesOfArray(state);
  const own = bytesOf(state);
  if (rule?.state === "model") return own + MODEL_BYTES + MODEL_FACTOR * contentsOf(state, unknown);
  return rule?.state === "data" || rule?.state === "tree" ? own + contentsOf(state, unknown) : own;
}

/**
 * (version, shape, dtype, order, contents): of objects as many as the shape has, whatever an element's size; each field of
 * each is set by itself.
 */
function bytesOfArray(state: PickleValue): number {
  const items = isObject(state) && state.kind === "tuple" ? state.items ?? [] : [];
  const array = arrayOf(state);
  const contents = items.slice(4).reduce((sum: number, item) => sum + bytesOf(item), 0);
  if (array?.hasObject !== true) return contents;
  return contents + array.bytes + ITEM_BYTES * array.parts * array.elements;
}

interface ArraySize {
  readonly elements: number;
  readonly bytes: number;
  readonly hasObject: boolean;
  /** Types in an element, itself included. */
  readonly parts: number;
}

/** What an array's state says of its size. */
export function arrayOf(
  state: PickleValue,
): ArraySize | undefined {
  const [, shape, dtype] = isObject(state) && state.kind === "tuple" ? state.items ?? [] : [];
  const elements = countOfShape(shape);
  if (elements === undefined || dtype === undefined || !isObject(dtype) || dtype.kind !== "dtype") {
    return undefined;
  }
  const { itemBytes = 0, hasObject = false, parts = 1 } = dtype.state ?? {};
  return { elements, bytes: elements * itemBytes, hasObject, parts };
}

function contentsOf(state: PickleValue, unknown: number): number {
  if (!isObject(state)) return 0;
  const values = state.kind === "dict"
    ? state.entries?.values()
    : state.kind === "tuple"
    ? state.items
    : undefined;
  if (values === undefined) return unknown;
  return [...values].reduce((sum: number, item) => sum + bytesOf(item), 0);
}
