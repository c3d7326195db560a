import type { OpcodeBudget } from "../limits.ts";
import { countOfShape } from "../numpy/numpy_dtype.ts";
import { isObject, type PickleValue } from "../pickle_value.ts";
import type { GlobalRule } from "../rules/rule.ts";
import { HashCost } from "./hash_cost.ts";
import { bytesOf, ITEM_BYTES } from "./value_measures.ts";

// The memory that loading allocates beyond the bytes of the file. Each call is harmless by itself, but a file can make a
// gigabyte of copies of one text in the memo, or of empty sets, which take a byte each in the file. So the memory is added
// up over all calls, pickles and entries of a file.

/** The sizes of objects in Python's memory, with the references to them. */
export const LOAD_BYTES = {
  tuple: 48,
  list: 56,
  item: 8,
  dict: 64,
  entry: 48,
  set: 216,
  setItem: 32,
  instance: 150,
  /** The size of a number, for each element of a range that is copied. */
  rangeItem: 40,
} as const;

/**
 * The memory that opcodes may allocate for each of their bytes. Tuples of numbers need 8 and arrays 1; a list of empty lists
 * needs 56, which the budget of every file covers for a megabyte of them.
 */
const BYTES_PER_BYTE = 8;

/** The cost of the walked opcodes for the program that loads the file. */
export class LoadCost {
  readonly hashing = new HashCost();
  /** The keys whose hashes are unknown and may be equal. */
  readonly keys = { alike: 0 };
  readonly #budget: OpcodeBudget;
  #bytes = 0;
  /** The part of the budget that these opcodes used. */
  #taken = 0;

  constructor(budget: OpcodeBudget) {
    this.#budget = budget;
  }

  /** Counts an allocation at an offset of the stream. @returns whether it is within the limit */
  allocate(bytes: number, offset: number): boolean {
    this.#bytes += bytes;
    const beyond = this.#bytes - BYTES_PER_BYTE * offset - this.#taken;
    if (beyond <= 0) return true;
    this.#taken += beyond;
    this.#budget.allocations -= beyond;
    return this.#budget.allocations >= 0;
  }
}

/** The sizes of objects without their arguments. numpy's generators are 3 KB; the rest stands for the time to seed them. */
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

/** For each output, a tree allocates its number of classes. */
const OUTPUT_BYTES = 16;

/** Returns the bytes that a call allocates. It is assumed to copy all its arguments. */
export function bytesOfCall(rule: GlobalRule, args: readonly PickleValue[]): number {
  const own = OBJECT_BYTES[rule.checks ?? "nothing"] ?? LOAD_BYTES.instance;
  if (rule.makes === "range") return own + LOAD_BYTES.rangeItem * rangeLength(args);
  const outputs = rule.checks === "tree" && typeof args[2] === "number" ? OUTPUT_BYTES * args[2] : 0;
  // An item takes four times as much memory in a set as in a list.
  const copies = rule.makes === "set" ? LOAD_BYTES.setItem / 8 : 1;
  return own + outputs + copies * args.reduce((sum: number, item) => sum + bytesOf(item), 0);
}

/** Returns the length of `range(...)`; arguments that are not numbers count as 0. */
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

/** Libraries parse a model into structures larger than its bytes. */
const MODEL_FACTOR = 4;
const MODEL_BYTES = 64 * 1024;

/**
 * Returns the bytes that BUILD allocates: attributes are copied into the object's dictionary, and arrays into C memory.
 *
 * @param unknown the size of a state whose contents are not tracked
 */
export function bytesOfState(rule: GlobalRule | undefined, state: PickleValue, unknown: number): number {
  if (rule?.state === "array") return bytesOfArray(state);
  const own = bytesOf(state);
  if (rule?.state === "model") return own + MODEL_BYTES + MODEL_FACTOR * contentsOf(state, unknown);
  return rule?.state === "data" || rule?.state === "tree" ? own + contentsOf(state, unknown) : own;
}

/**
 * The state of an array is (version, shape, dtype, order, contents). For objects, numpy allocates as many elements as the
 * shape says and sets each field of each.
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

/** Returns the size of an array by its state. */
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
