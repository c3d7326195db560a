import { isObject, type PickleValue } from "../pickle_value.ts";
import { countOfShape } from "./numpy_dtype.ts";

// Source: `NumpyArrayWrapper.read_array` and `NumpyUnpickler.load_build` in joblib's `numpy_pickle.py`: when the state
// of a wrapper is set, the array's bytes are read from where the file stands.

/** What stands in the stream behind an array's wrapper, and how much of it. */
export type ArrayPlace = { readonly elements: number } & ArrayContents;

type ArrayContents =
  /** As many bytes; before them a byte with the length of the padding, and the padding, in joblib 1.2 and later. */
  | { readonly kind: "raw"; readonly bytes: number; readonly isPadded: boolean }
  /** A pickle of its own, read by Python's own reader. */
  | { readonly kind: "pickled" };

/** What joblib aligns to, and so the longest padding. A pickle cannot begin with a byte as small. */
export const ALIGNMENT_BYTES = 16;

/** What joblib writes of a wrapper. Any other entry could shadow the method that reads the array. */
const KEYS = new Set([
  "subclass",
  "shape",
  "order",
  "dtype",
  "allow_mmap",
  "numpy_array_alignment_bytes",
]);

/** The classes whose arrays joblib writes by itself; the reader makes an array of whatever class is named. */
const SUBCLASS = /^numpy:(ndarray|matrix)$/;

/** What follows, as the wrapper's state says; or what is wrong with it. */
export function findArrayPlace(state: PickleValue): ArrayPlace | string {
  const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
  if (entries === undefined) return "describes an array in a way that cannot be told";
  for (const key of entries.keys()) {
    if (!KEYS.has(key)) return `describes an array with ${JSON.stringify(key)}, which joblib does not write`;
  }
  const subclass = entries.get("subclass");
  const isArray = subclass !== undefined && isObject(subclass) && subclass.kind === "global" &&
    SUBCLASS.test(`${subclass.module}:${subclass.name}`);
  if (!isArray) return "describes an array of a class that joblib does not write";
  const order = entries.get("order");
  if (order !== "C" && order !== "F") return "describes an array of an order that cannot be told";
  const dtype = entries.get("dtype");
  if (
    dtype === undefined || dtype === null || !isObject(dtype) || dtype.kind !== "dtype" ||
    dtype.state === undefined
  ) {
    return "describes an array whose dtype cannot be told";
  }
  const canMap = entries.get("allow_mmap");
  if (typeof canMap !== "boolean") return "describes an array in a way that cannot be told";
  const alignment = entries.get("numpy_array_alignment_bytes");
  if (alignment !== undefined && alignment !== null && alignment !== ALIGNMENT_BYTES) {
    return `describes an array that is not aligned to ${ALIGNMENT_BYTES} bytes`;
  }
  const count = countOfShape(entries.get("shape"));
  if (count === undefined) return "describes an array whose shape cannot be told";
  if (dtype.state.hasObject) {
    // Mapped into memory, addresses would be read from the file.
    if (canMap) return "describes an array of objects that may be mapped into memory";
    return { kind: "pickled", elements: count };
  }
  // joblib cannot write these: it divides by their size.
  if (dtype.state.itemBytes === 0) return "describes an array of elements without a size";
  const bytes = count * dtype.state.itemBytes;
  if (!Number.isSafeInteger(bytes)) return "describes an array that is larger than any file";
  return { kind: "raw", elements: count, bytes, isPadded: alignment === ALIGNMENT_BYTES };
}
