import type { GlobalRule } from "./allow_rules.ts";

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

/** An integer that is too large for any use: never a size, an index or an argument that a library writes. */
export interface IntegerValue {
  readonly kind: "integer";
  /** What Python stores it in, and goes through whenever it hashes it. */
  readonly bytes: number;
}

/** A value of a built-in type of which no more is known: a list, a set, bytes, a float, long text. */
export interface DataValue {
  readonly kind: "data";
  /** What hashing it takes, where that is not one: of a frozen set. */
  readonly weight?: number;
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
}

/** A list: what is in it is counted and weighed, not kept. */
export interface ListValue {
  readonly kind: "list";
  count: number;
  /** What hashing all of it takes. */
  weight: number;
}

export interface TupleValue {
  readonly kind: "tuple";
  /** `undefined` where there are too many to be remembered. */
  readonly items: readonly PickleValue[] | undefined;
  /** Whether joblib's array class, or a wrapped array, is anywhere inside. */
  readonly holdsWrapper: boolean;
  /** Tuples inside each other, this one included; a dictionary counts as two. */
  readonly depth: number;
  /** What hashing it takes, compared with a number: Python does not remember a tuple's hash. */
  readonly weight: number;
}

/** A dictionary that began empty: with everything in it, as long as that is little and its keys are constants. */
export interface DictValue {
  readonly kind: "dict";
  entries: ReadonlyMap<string, PickleValue> | undefined;
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
export const UNKNOWN: UnknownValue = { kind: "unknown" };
/** What may only be stored. */
export const INSTANCE: InstanceValue = { kind: "instance", isBuilt: true };
export const WRAPPER: ArrayWrapperValue = { kind: "wrapper" };

/** Names that Python or numpy look up by themselves: `__setstate__`, `__array_interface__`, which holds an address. */
const SPECIAL = /^__\w+__$/;

/** What scikit-learn compares with its own version and prints: of anything but text, that runs methods of its class. */
const VERSION = "_sklearn_version";

/** Whether no library writes such an entry into the state of an object. */
export function isForged(key: PickleValue, value: PickleValue): boolean {
  if (typeof key !== "string" || !key.startsWith("_")) return false;
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

/** Whether joblib's array class, or a wrapped array, is it or is in it. */
export function holdsWrapper(value: PickleValue): boolean {
  if (!isObject(value)) return false;
  if (value.kind === "global") return value.rule?.makes === "wrapper";
  return value.kind === "wrapper" || (value.kind === "tuple" && value.holdsWrapper);
}

/** What hashing a value takes, compared with a number. */
export function weightOf(value: PickleValue): number {
  if (!isObject(value)) return 1;
  if (value.kind === "tuple" || value.kind === "list") return value.weight;
  if (value.kind === "data") return value.weight ?? 1;
  return value.kind === "dtype" ? value.state?.parts ?? 1 : 1;
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
