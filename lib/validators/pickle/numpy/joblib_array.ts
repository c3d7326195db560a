import { isObject, type PickleValue } from "../pickle_value.ts";
import { countOfShape } from "./numpy_dtype.ts";

// When joblib sets the state of a wrapper, it reads the bytes of the array from the current position in the file. Source:
// `NumpyArrayWrapper.read_array` and `NumpyUnpickler.load_build` in joblib's `numpy_pickle.py`.

/** The contents of an array behind its wrapper in the stream. */
export type ArrayPlace = { readonly elements: number } & ArrayContents;

type ArrayContents =
  /** So many bytes. Since joblib 1.2, a byte with the length of a padding and the padding come before. */
  | { readonly kind: "raw"; readonly bytes: number; readonly isPadded: boolean }
  /** A pickle, which joblib reads by Python's own reader. */
  | { readonly kind: "pickled" };

/** joblib's alignment, and so the longest padding. A pickle cannot begin with such a small byte. */
export const ALIGNMENT_BYTES = 16;

/** The entries that joblib writes. Another entry could replace the method that reads the array. */
const KEYS = new Set([
  "subclass",
  "shape",
  "order",
  "dtype",
  "allow_mmap",
  "numpy_array_alignment_bytes",
]);

/** The classes of arrays that joblib writes; the reader would accept any class. */
const SUBCLASS = /^numpy:(ndarray|matrix)$/;

/** Returns the array that a wrapper's state describes, or the problem with it. */
export function findArrayPlace(state: PickleValue): ArrayPlace | string {
  const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
  if (entries === undefined) return "describes an array in an unexpected way";
  for (const key of entries.keys()) {
    if (!KEYS.has(key)) return `describes an array with ${JSON.stringify(key)}, which joblib does not write`;
  }
  const subclass = entries.get("subclass");
  const isArray = subclass !== undefined && isObject(subclass) && subclass.kind === "global" &&
    SUBCLASS.test(`${subclass.module}:${subclass.name}`);
  if (!isArray) return "describes an array of a class that joblib does not write";
  const order = entries.get("order");
  if (order !== "C" && order !== "F") return "describes an array of an unexpected order";
  const dtype = entries.get("dtype");
  if (
    dtype === undefined || dtype === null || !isObject(dtype) || dtype.kind !== "dtype" ||
    dtype.state === undefined
  ) {
    return "describes an array of an unknown dtype";
  }
  const canMap = entries.get("allow_mmap");
  if (typeof canMap !== "boolean") return "describes an array in an unexpected way";
  const alignment = entries.get("numpy_array_alignment_bytes");
  if (alignment !== undefined && alignment !== null && alignment !== ALIGNMENT_BYTES) {
    return `describes an array that is not aligned to ${ALIGNMENT_BYTES} bytes`;
  }
  const count = countOfShape(entries.get("shape"));
  if (count === undefined) return "describes an array of an unexpected shape";
  if (dtype.state.hasObject) {
    // In a memory-mapped array, the file would determine the addresses of the objects.
    if (canMap) return "describes an array of objects that is mapped into memory";
    return { kind: "pickled", elements: count };
  }
  // joblib cannot write them: it divides by their size.
  if (dtype.state.itemBytes === 0) return "describes an array of empty elements";
  const bytes = count * dtype.state.itemBytes;
  if (!Number.isSafeInteger(bytes)) return "describes an array that is larger than any file";
  return { kind: "raw", elements: count, bytes, isPadded: alignment === ALIGNMENT_BYTES };
}
