import { plural } from "../../core/format.ts";
import { FREE, type GlobalRule } from "./rules/rule.ts";

/**
 * What is known about a value on the stack, which is never created. A constant stands for itself; a string that is long or
 * not plain ASCII is {@link DATA}.
 */
export type PickleValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | IntegerValue
  | DataValue
  | UnknownValue
  | GlobalValue
  | InstanceValue
  | TupleValue
  | ListValue
  | DictValue
  | DtypeValue
  | ArrayWrapperValue;

/** The work of Python to hash or free a value. */
export interface Measures {
  /** The time to hash it, where a number counts 1. Python does not cache the hashes of tuples and integers. */
  readonly weight: number;
  /** The recursion depth of hashing it: Python hashes nested tuples on the C stack. */
  readonly nesting: number;
  /**
   * The bytes that a file chooses freely and that determine the hash predictably. Zero for text, whose hash depends on a
   * secret of the process. See `hash_cost.ts`.
   */
  readonly freedom: number;
  /** The recursion depth of freeing it on the C stack. See `container_levels.ts`. */
  readonly levels: number;
}

/** An integer that is too large to be a size, an index or an argument that a library writes. */
export interface IntegerValue {
  readonly kind: "integer";
  /** Its size in Python's memory, all of which hashing reads. */
  readonly bytes: number;
}

/** A value of a built-in type with unknown contents: bytes or long text, unless `type` says otherwise. */
export interface DataValue {
  readonly kind: "data";
  /** The type, if it is neither text nor bytes. */
  readonly type?: "float" | "set" | "frozenset";
  /** The length of text and bytes, unless they are short. */
  readonly bytes?: number;
  /** See {@link Measures}; the weight is 1 by default. */
  readonly weight?: number;
  readonly freedom?: number;
  readonly levels?: number;
  /** Whether it is the source code from which scipy creates methods of a distribution. */
  readonly isTemplate?: boolean;
}

/** A value about which nothing is known: tracking reached its limit, or the value was refused. */
export interface UnknownValue {
  readonly kind: "unknown";
}

/** An imported global. */
export interface GlobalValue {
  readonly kind: "global";
  readonly module: string;
  readonly name: string;
  /** `undefined` if it is not allowed; only the walk of possible pickles goes on with it. */
  readonly rule: GlobalRule | undefined;
}

/** The result of a call, or an object of a class. */
export interface InstanceValue {
  readonly kind: "instance";
  /** The rule of its class; `undefined` for an object that may only be stored. */
  readonly rule?: GlobalRule;
  /** Whether BUILD has set its state. */
  isBuilt: boolean;
  /** The measures of its hash, if that is not its address: for a named tuple, for a number of numpy's. */
  readonly hashed?: Omit<Measures, "levels">;
  /** The size of an array, once it is known. */
  array?: { readonly elements: number; readonly bytes: number };
  /** See `Measures`. */
  levels: number;
  isHeld: boolean;
}

/** A list. Its items are counted and measured, not kept. */
export interface ListValue {
  readonly kind: "list";
  count: number;
  /** See {@link Measures}: of all items together, which a set of the list would hash. */
  weight: number;
  nesting: number;
  freedom: number;
  levels: number;
  /** See {@link isInert}. */
  isInert: boolean;
  /** The number of items whose hashes are unknown and may be equal. */
  alike: number;
  /** Whether another container holds it already, which does not learn of later items. */
  isHeld: boolean;
}

export interface TupleValue extends Measures {
  readonly kind: "tuple";
  /** `undefined` if there are too many to track. */
  readonly items: readonly PickleValue[] | undefined;
  /** Whether it contains joblib's array class or placeholder, at any depth. */
  readonly holdsWrapper: boolean;
  /** The depth of nested tuples, this one included; a dictionary counts as two. */
  readonly depth: number;
  /** See {@link isInert}. */
  readonly isInert: boolean;
}

/** A dictionary. Its entries are tracked as long as they are few and their keys are strings. */
export interface DictValue {
  readonly kind: "dict";
  entries: ReadonlyMap<string, PickleValue> | undefined;
  /** The number of entries, tracked or not. */
  count: number;
  levels: number;
  isHeld: boolean;
  /** See {@link isInert}. */
  isInert: boolean;
  /** A key that no library writes into a state; found in dictionaries of any size. */
  forgedKey: string | undefined;
}

/** A `numpy.dtype`: the type it was created from, and its state after BUILD. */
export interface DtypeValue {
  readonly kind: "dtype";
  /** The kind and size that it was created from: `f8`; `V` for a class of records. */
  readonly type: string;
  state: DtypeState | undefined;
  isBuilt: boolean;
}

export interface DtypeState {
  /** The size of an element. */
  readonly itemBytes: number;
  /** Whether elements are or contain references to Python objects. */
  readonly hasObject: boolean;
  /** The flags that numpy writes. */
  readonly flags: number;
  /** The number of nested types, itself included; repeated ones count each time. */
  readonly parts: number;
  /** The depth of nested types, itself included. */
  readonly depth: number;
  /** Whether an element is itself an array. In numpy, only fields of records have such a type. */
  readonly isSubArray: boolean;
}

/** joblib's placeholder of an array, whose bytes follow its BUILD in the stream. */
export interface ArrayWrapperValue {
  readonly kind: "wrapper";
}

export const DATA: DataValue = { kind: "data" };
/** Its eight bytes determine the hash. */
export const FLOAT: DataValue = { kind: "data", type: "float", freedom: 8 };
export const SET: DataValue = { kind: "data", type: "set" };
export const UNKNOWN: UnknownValue = { kind: "unknown" };
/** An object that may only be stored. */
export const INSTANCE: InstanceValue = { kind: "instance", isBuilt: true, levels: 0, isHeld: true };
/** An object that may only be stored and whose hash follows from numbers: `complex`, `slice`, a short range. */
export const STORED_NUMBERS: InstanceValue = {
  ...INSTANCE,
  hashed: { weight: 8, nesting: 1, freedom: 24 },
};
export const WRAPPER: ArrayWrapperValue = { kind: "wrapper" };

/** An object of a class that the user allows: the pickle may fill it and set any state. */
export const FREE_INSTANCE: InstanceValue = {
  kind: "instance",
  rule: FREE,
  isBuilt: false,
  levels: 0,
  isHeld: false,
};

/** A callable that came from something the user allows. */
export const OF_THE_USER = { kind: "global", module: "", name: "", rule: FREE } as const;

/** Names that Python or numpy look up implicitly: `__setstate__`, or `__array_interface__`, which holds an address. */
const SPECIAL = /^__\w+__$/;

/** scikit-learn compares this entry with its own version and prints it. Other values than text would run their methods. */
const VERSION = "_sklearn_version";

/** Whether an entry in an object's state is one that no library writes, and that has an effect. */
export function isForged(key: PickleValue, value: PickleValue): boolean {
  if (typeof key !== "string" || !key.startsWith("_")) return false;
  // Some objects carry a docstring, which nothing evaluates.
  if (key === "__doc__") return value !== null && typeof value !== "string" && !isPayload(value);
  return SPECIAL.test(key) || (key === VERSION && typeof value !== "string");
}

/** Whether a text may influence {@link isForged}: as a key, or as a version. */
export function isDecisive(text: string): boolean {
  return text === VERSION || SPECIAL.test(text) || /^\d[\w.+-]{0,15}$/.test(text);
}

/** Narrows to the values that are not constants. */
export function isObject(
  value: PickleValue,
): value is Exclude<PickleValue, string | number | bigint | boolean | null> {
  return typeof value === "object" && value !== null;
}

/** Whether a value is or contains joblib's array class or placeholder; or is `getattr`, which may only be called. */
export function holdsWrapper(value: PickleValue): boolean {
  if (!isObject(value)) return false;
  if (value.kind === "global") return value.rule?.makes === "wrapper" || value.rule?.makes === "attribute";
  return value.kind === "wrapper" || (value.kind === "tuple" && value.holdsWrapper);
}

/** Whether a value is text or bytes with unknown contents. */
export function isPayload(value: PickleValue | undefined): value is DataValue {
  return value !== undefined && isObject(value) && value.kind === "data" && value.type === undefined;
}

/** Kinds of values that Python cannot call. */
export const UNCALLABLE: ReadonlySet<string> = new Set(["tuple", "list", "dict", "data", "integer", "dtype"]);

/** Whether a value may be text, which Python requires of names. */
export function mayBeText(name: PickleValue): boolean {
  return typeof name === "string" || isPayload(name) || name === UNKNOWN;
}

/** Returns a value as shown in messages. */
export function describe(value: PickleValue): string {
  if (value === null) return "None";
  if (!isObject(value)) return `the constant ${String(value)}`;
  switch (value.kind) {
    case "global":
      return `${value.module}.${value.name}`;
    case "instance":
    case "wrapper":
      return "an object";
    case "unknown":
      return "an unknown value";
    case "data":
      return "data";
    case "integer":
      return `a number of ${plural(value.bytes, "byte")}`;
    default:
      return `a ${value.kind}`;
  }
}

/**
 * Whether nothing in a value has attributes that the pickle chose: constants, arrays, results of calls with them, objects
 * of classes that the user allows, and containers of these. Some libraries call methods of values while they load a file.
 * On other objects, such a method could be a function that the pickle stored there.
 */
export function isInert(value: PickleValue): boolean {
  if (!isObject(value)) return true;
  switch (value.kind) {
    case "data":
      return value.type === undefined || value.type === "float";
    case "integer":
    case "dtype":
      return true;
    case "tuple":
    case "list":
    case "dict":
      return value.isInert;
    case "instance":
      return value.rule === undefined || value.rule === FREE || value.rule.state === "array" ||
        value.rule.isInert === true;
    default:
      return false;
  }
}
