import { FREE, type GlobalRule } from "./rules/rule.ts";

/**
 * What is known of a value on the stack without making it. Constants are themselves; a string that is long or not
 * plain ASCII is {@link DATA}.
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

/** What a value takes of those who hash it, copy it or free it. */
export interface Measures {
  /** What hashing it takes, compared with a number: Python does not remember a tuple's hash, nor an integer's. */
  readonly weight: number;
  /** How deep hashing it goes: Python hashes a tuple in a tuple on the stack of C. */
  readonly nesting: number;
  /**
   * Bytes that a file chooses freely and that its hash depends on in a way that can be computed beforehand. Of text
   * that is none: Python's hashes of text begin with a secret. See `hash_cost.ts`.
   */
  readonly freedom: number;
  /** How deep freeing it goes on the stack of C. See `container_levels.ts`. */
  readonly levels: number;
}

/** An integer that is too large for any use: never a size, an index or an argument that a library writes. */
export interface IntegerValue {
  readonly kind: "integer";
  /** What Python stores it in, and goes through whenever it hashes it. */
  readonly bytes: number;
}

/** A value of a built-in type of which no more is known: bytes, long text, or what `type` says. */
export interface DataValue {
  readonly kind: "data";
  /** What is neither text nor bytes. */
  readonly type?: "float" | "set" | "frozenset";
  /** Of text and bytes, where there are more than a few. */
  readonly bytes?: number;
  /** See `Measures`: what hashing it takes, where that is not one. */
  readonly weight?: number;
  readonly freedom?: number;
  readonly levels?: number;
  /** Whether it is the source code that scipy makes methods of a distribution of. */
  readonly isTemplate?: boolean;
}

/** A value of which nothing is known: too much was remembered already, or it was refused before. */
export interface UnknownValue {
  readonly kind: "unknown";
}

/** What an import refers to. */
export interface GlobalValue {
  readonly kind: "global";
  readonly module: string;
  readonly name: string;
  /** `undefined` for one that is not allowed; only doubtful contents are walked on with it. */
  readonly rule: GlobalRule | undefined;
}

/** What came of a call or of a class. */
export interface InstanceValue {
  readonly kind: "instance";
  /** What its class may do; `undefined` for what may only be stored. */
  readonly rule?: GlobalRule;
  /** Whether BUILD has set its state. */
  isBuilt: boolean;
  /** What hashing it takes, where that is not its address: of a named tuple, of a number of numpy's. */
  readonly hashed?: Omit<Measures, "levels">;
  /** Of an array, once it is known. */
  array?: { readonly elements: number; readonly bytes: number };
  /** See `Measures`. */
  levels: number;
  isHeld: boolean;
}

/** A list: what is in it is counted and weighed, not kept. */
export interface ListValue {
  readonly kind: "list";
  count: number;
  /** See `Measures`: of all items together, as a set of the list hashes them. */
  weight: number;
  nesting: number;
  freedom: number;
  levels: number;
  /** See {@link isInert}. */
  isInert: boolean;
  /** Items whose hashes cannot be told apart. */
  alike: number;
  /** Whether it is in something else, which would not know of more levels. */
  isHeld: boolean;
}

export interface TupleValue extends Measures {
  readonly kind: "tuple";
  /** `undefined` where there are too many to be remembered. */
  readonly items: readonly PickleValue[] | undefined;
  /** Whether joblib's array class, or a wrapped array, is anywhere inside. */
  readonly holdsWrapper: boolean;
  /** Tuples inside each other, this one included; a dictionary counts as two. */
  readonly depth: number;
  /** See {@link isInert}. */
  readonly isInert: boolean;
}

/** A dictionary that began empty: with everything in it, as long as that is little and its keys are constants. */
export interface DictValue {
  readonly kind: "dict";
  entries: ReadonlyMap<string, PickleValue> | undefined;
  /** Entries that were set, known or not. */
  count: number;
  levels: number;
  isHeld: boolean;
  /** See {@link isInert}. */
  isInert: boolean;
  /** A key that no library writes into a state; known of every dictionary, however large. */
  forgedKey: string | undefined;
}

/** A `numpy.dtype`: what it is made from, and, after its BUILD, its state. */
export interface DtypeValue {
  readonly kind: "dtype";
  /** What it was made of: `f8`; a name of a class that its fields belong to is `V`. */
  readonly type: string;
  state: DtypeState | undefined;
  isBuilt: boolean;
}

export interface DtypeState {
  /** Bytes of an element. */
  readonly itemBytes: number;
  /** Whether elements are, or have in them, references to Python objects. */
  readonly hasObject: boolean;
  /** As numpy writes them. */
  readonly flags: number;
  /** Types inside each other, itself included, counted as often as they are named. */
  readonly parts: number;
  /** The longest chain of types inside each other, itself included. */
  readonly depth: number;
  /** Whether an element is itself an array. numpy has arrays of these only as the field of a record. */
  readonly isSubArray: boolean;
}

/** joblib's place-holder, behind whose BUILD an array's bytes follow. */
export interface ArrayWrapperValue {
  readonly kind: "wrapper";
}

export const DATA: DataValue = { kind: "data" };
/** Eight bytes, which decide its hash. */
export const FLOAT: DataValue = { kind: "data", type: "float", freedom: 8 };
export const SET: DataValue = { kind: "data", type: "set" };
export const UNKNOWN: UnknownValue = { kind: "unknown" };
/** What may only be stored. */
export const INSTANCE: InstanceValue = { kind: "instance", isBuilt: true, levels: 0, isHeld: true };
/** The same, of numbers that decide its hash: `complex`, `slice`, a short range. */
export const STORED_NUMBERS: InstanceValue = {
  ...INSTANCE,
  hashed: { weight: 8, nesting: 1, freedom: 24 },
};
export const WRAPPER: ArrayWrapperValue = { kind: "wrapper" };

/** Of what the user allows: it may be filled and set as the pickle wants. */
export const FREE_INSTANCE: InstanceValue = {
  kind: "instance",
  rule: FREE,
  isBuilt: false,
  levels: 0,
  isHeld: false,
};

/** Something that was made by what the user allowed. */
export const OF_THE_USER = { kind: "global", module: "", name: "", rule: FREE } as const;

/** Names that Python or numpy look up by themselves: `__setstate__`, `__array_interface__`, which holds an address. */
const SPECIAL = /^__\w+__$/;

/** What scikit-learn compares with its own version and prints: of anything but text, that runs methods of its class. */
const VERSION = "_sklearn_version";

/** Whether no library writes such an entry into the state of an object. */
export function isForged(key: PickleValue, value: PickleValue): boolean {
  if (typeof key !== "string" || !key.startsWith("_")) return false;
  // Objects that document themselves have it, and nothing is done with it.
  if (key === "__doc__") return value !== null && typeof value !== "string" && !isPayload(value);
  return SPECIAL.test(key) || (key === VERSION && typeof value !== "string");
}

/** Whether {@link isForged} depends on a text: a key, or a version. */
export function isDecisive(text: string): boolean {
  return text === VERSION || SPECIAL.test(text) || /^\d[\w.+-]{0,15}$/.test(text);
}

/** Narrows to the values that are no constants. */
export function isObject(
  value: PickleValue,
): value is Exclude<PickleValue, string | number | bigint | boolean | null> {
  return typeof value === "object" && value !== null;
}

/** Whether joblib's array class, or a wrapped array, is it or is in it; or `getattr`, which may only be called. */
export function holdsWrapper(value: PickleValue): boolean {
  if (!isObject(value)) return false;
  if (value.kind === "global") return value.rule?.makes === "wrapper" || value.rule?.makes === "attribute";
  return value.kind === "wrapper" || (value.kind === "tuple" && value.holdsWrapper);
}

/** Text or bytes of which no more is known. */
export function isPayload(value: PickleValue | undefined): value is DataValue {
  return value !== undefined && isObject(value) && value.kind === "data" && value.type === undefined;
}

/** What Python stops at when it is called. */
export const UNCALLABLE: ReadonlySet<string> = new Set(["tuple", "list", "dict", "data", "integer", "dtype"]);

/** Whether a name can be text, which Python insists on. */
export function mayBeText(name: PickleValue): boolean {
  return typeof name === "string" || isPayload(name) || name === UNKNOWN;
}

/** How a value is told in a message. */
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
      return "something that cannot be told";
    case "data":
      return "data";
    case "integer":
      return `a number of ${value.bytes} bytes`;
    default:
      return `a ${value.kind}`;
  }
}

/**
 * Whether nothing in a value has attributes of the pickle's choice: constants, arrays, what a call has made of them, and
 * containers of these. Libraries ask such values for methods while they load a file, and of any other object they may get
 * a function that the pickle has stored there. What the user allows counts as well.
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
