import { bytesOf, measureAll } from "../cost/value_measures.ts";
import { countOfShape } from "../numpy/numpy_dtype.ts";
import {
  type GlobalValue,
  INSTANCE,
  type InstanceValue,
  isObject,
  type PickleValue,
  STORED_NUMBERS,
} from "../pickle_value.ts";
import type { GlobalRule } from "../rules/rule.ts";

/**
 * Kinds of numpy values whose hashes a file cannot make equal: numbers of up to eight bytes are hashed like Python's, texts
 * with a secret.
 */
const ALONE = /^[biufMmSU]$/;
const ALONE_BYTES = 8;

/** So many bytes of an element take about as long to hash as a number. */
const ELEMENT_BYTES = 16;

/** Returns the result of a call that only stores its arguments, with the cost of hashing it as a key. */
export function storedOf(rule: GlobalRule, args: readonly PickleValue[]): InstanceValue {
  switch (rule.checks) {
    case "moment":
      // Without a time zone, the hash depends on a secret.
      return args.length < 2
        ? INSTANCE
        : { ...INSTANCE, hashed: { weight: 4, nesting: 1, freedom: Infinity } };
    case "timezone":
    case "decimal":
      return {
        ...INSTANCE,
        hashed: { weight: 1 + bytesOf(args[0] ?? null) / 16, nesting: 1, freedom: Infinity },
      };
    case "parts":
    case "constants": {
      const { weight, nesting } = measureAll(args);
      return weight <= (STORED_NUMBERS.hashed?.weight ?? 0)
        ? STORED_NUMBERS
        : { ...INSTANCE, hashed: { weight, nesting, freedom: Infinity } };
    }
    case "scalar":
      return scalarOf(args);
    case "buffer": {
      const [, , shape] = args;
      const elements = typeof shape === "number" ? shape : countOfShape(shape) ?? 0;
      return { ...INSTANCE, array: { elements, bytes: bytesOf(args[0] ?? null) } };
    }
    default:
      return INSTANCE;
  }
}

function scalarOf([dtype = null]: readonly PickleValue[]): InstanceValue {
  const { type, state } = isObject(dtype) && dtype.kind === "dtype" ? dtype : { type: "V", state: undefined };
  const { itemBytes = 0, parts = 1, depth = 1 } = state ?? {};
  const isText = type === "S" || type === "U";
  if (ALONE.test(type) && itemBytes <= (isText ? ELEMENT_BYTES : ALONE_BYTES)) return INSTANCE;
  const weight = parts + Math.floor(itemBytes / ELEMENT_BYTES);
  return { ...INSTANCE, hashed: { weight, nesting: depth, freedom: isText ? 0 : Infinity } };
}

/**
 * Methods that scipy stores together with its object, by the check of the object's state. Other methods of a distribution
 * create source code from their arguments, or execute it.
 */
const METHODS: Readonly<Partial<Record<NonNullable<GlobalRule["state"]>, RegExp>>> = {
  distribution: /^_(entropy|(cdf|ppf)_single|mom\d_sc)$/,
  // Functions of a distance, in `Rbf`.
  slots: /^_h_\w+$/,
};

/** A method of an object may only be stored. */
const METHOD: InstanceValue = { ...INSTANCE, rule: { use: "value" } };

/** Returns the method that `getattr` finds on an object; `undefined` for one that no library stores. */
export function methodOf(target: PickleValue, name: string): InstanceValue | undefined {
  if (!isObject(target) || target.kind !== "instance") return undefined;
  const methods = target.rule?.state === undefined ? undefined : METHODS[target.rule.state];
  return methods?.test(name) === true ? METHOD : undefined;
}

// Protocols 0 and 1 create objects by `copyreg._reconstructor(cls, base, state)`, which calls `base.__new__(cls, state)` and
// `base.__init__(obj, state)`.

/** Whether the base is a built-in type of Python. */
export function isBuiltIn(base: PickleValue): base is GlobalValue {
  return isObject(base) && base.kind === "global" && /^(builtins|__builtin__)$/.test(base.module);
}

/** Whether the state suits the base. The base would iterate over any other value, however long it is. */
export function isStateOf(base: GlobalValue, state: PickleValue): boolean {
  if (base.name === "object") return state === null;
  const kind = isObject(state) ? state.kind : undefined;
  return (base.name === "dict" || base.name === "tuple") && kind === base.name;
}
