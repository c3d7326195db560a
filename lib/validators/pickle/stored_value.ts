import type { GlobalRule } from "./allow_rules.ts";
import { countOfShape } from "./joblib_array.ts";
import { INSTANCE, type InstanceValue, isObject, type PickleValue, STORED_NUMBERS } from "./pickle_value.ts";
import { bytesOf, measureAll } from "./value_measures.ts";

/** numpy's numbers of up to eight bytes are hashed as Python's, texts with a secret: no file can foresee which are alike. */
const ALONE = /^[biufMmSU]$/;
const ALONE_BYTES = 8;

/** Bytes of an element that hashing takes about as long for as for a number. */
const ELEMENT_BYTES = 16;

/** What a call gives that only stores its arguments: something that may be a key, and be stored. */
export function storedOf(rule: GlobalRule, args: readonly PickleValue[]): InstanceValue {
  switch (rule.checks) {
    case "moment":
      // Without a time zone, its bytes are hashed with a secret.
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
