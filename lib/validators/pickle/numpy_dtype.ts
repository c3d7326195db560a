import { type DtypeState, type DtypeValue, isObject, type PickleValue } from "./pickle_value.ts";

// What numpy writes: `dtype.__reduce__`, which is (type, align, copy), and the state (version, byte order, (base, shape)
// of a sub-array, names, fields, bytes, alignment, flags). Source: numpy/core/src/multiarray/descriptor.c.

/** The flag of elements that are, or have in them, references to Python objects. */
const FLAG_HAS_OBJECT = 1;

/** Layouts of the state: 3, and 4, which adds the unit of times. */
const VERSIONS = [3, 4];

const TYPE = /^[<>=|]?([?bBhHiIlLqQefdgFDGuUSVOMmca])(\d{0,9})$/;

/** Bytes of a character of `U`. */
const UNICODE_BYTES = 4;

/** The dtype that a call makes, or what is wrong with it. */
export function makeDtype(args: readonly PickleValue[]): DtypeValue | string {
  const [made] = args;
  // A class of records: its fields follow in the state.
  if (made !== undefined && isObject(made) && made.kind === "global") {
    return { kind: "dtype", type: "V", state: undefined, isBuilt: false };
  }
  const found = typeof made === "string" ? TYPE.exec(made) : null;
  if (found === null) return "makes a numpy.dtype of something that cannot be told";
  const [, type = "", digits = ""] = found;
  const size = sizeOf(type, digits);
  return {
    kind: "dtype",
    type,
    state: size === undefined ? undefined : { itemBytes: size, hasObject: type === "O" },
    isBuilt: false,
  };
}

/** `undefined` where only the state tells. */
function sizeOf(type: string, digits: string): number | undefined {
  if (type === "?") return 1;
  if (type === "O") return 8;
  if (digits === "") return undefined;
  return type === "U" ? Number(digits) * UNICODE_BYTES : Number(digits);
}

/**
 * The state that a BUILD gives a dtype, or what is wrong with it. Flags that contradict the type are refused: with them
 * numpy would take bytes of the file for addresses, and joblib would read a pickle where an array is.
 */
export function buildDtype(dtype: DtypeValue, state: PickleValue): DtypeState | string {
  const items = isObject(state) && state.kind === "tuple" ? state.items : undefined;
  if (items === undefined || items.length < 8 || items.length > 9) {
    return "gives a numpy.dtype a state that cannot be told";
  }
  const [version, , base, , fields, bytes, , flags] = items;
  if (typeof version !== "number" || !VERSIONS.includes(version)) {
    return "gives a numpy.dtype a state of a version that is not known";
  }
  if (typeof bytes !== "number" || typeof flags !== "number") {
    return "gives a numpy.dtype a state that cannot be told";
  }
  const itemBytes = bytes === -1 ? dtype.state?.itemBytes : bytes;
  const isFixed = dtype.type !== "V" && dtype.state !== undefined;
  if (itemBytes === undefined || itemBytes < 0 || (isFixed && itemBytes !== dtype.state?.itemBytes)) {
    return "gives a numpy.dtype a size that contradicts its type";
  }
  const parts = partsOf(base ?? null, fields ?? null);
  if (parts === undefined || parts.some((part) => part.offset + part.state.itemBytes > itemBytes)) {
    return "gives a numpy.dtype fields that cannot be told";
  }
  const hasObject = (flags & FLAG_HAS_OBJECT) !== 0;
  if (hasObject !== (dtype.type === "O" || parts.some((part) => part.state.hasObject))) {
    return "gives a numpy.dtype flags that contradict its type";
  }
  return { itemBytes, hasObject };
}

interface Part {
  readonly state: DtypeState;
  readonly offset: number;
}

function partsOf(base: PickleValue, fields: PickleValue): Part[] | undefined {
  const entries = fields === null ? [] : fieldsOf(fields);
  if (entries === undefined) return undefined;
  const parts = entries.map((entry) => partOf(entry));
  if (base !== null) parts.push(partOf(base));
  return parts.every((part) => part !== undefined) ? parts : undefined;
}

function fieldsOf(fields: PickleValue): PickleValue[] | undefined {
  if (!isObject(fields) || fields.kind !== "dict" || fields.entries === undefined) return undefined;
  return [...fields.entries.values()];
}

/** A field is (dtype, offset) or (dtype, offset, title), a sub-array (dtype, shape). */
function partOf(value: PickleValue): Part | undefined {
  const items = isObject(value) && value.kind === "tuple" ? value.items : undefined;
  const [dtype, offset] = items ?? [];
  if (dtype === undefined || !isObject(dtype) || dtype.kind !== "dtype" || dtype.state === undefined) {
    return undefined;
  }
  return { state: dtype.state, offset: typeof offset === "number" && offset >= 0 ? offset : 0 };
}
