import { isObject, type PickleValue } from "./pickle_value.ts";

// Source: `NumpyArrayWrapper.read_array` and `NumpyUnpickler.load_build` in joblib's `numpy_pickle.py`: when the state
// of a wrapper is set, the array's bytes are read from where the file stands.

/** What stands in the stream behind an array's wrapper. */
export type ArrayPlace =
  /** As many bytes; before them a byte with the length of the padding, and the padding, in joblib 1.2 and later. */
  | { readonly kind: "raw"; readonly bytes: number; readonly isPadded: boolean }
  /** A pickle of its own, read by Python's own reader. */
  | { readonly kind: "pickled" };

/** What joblib aligns to, and so the longest padding. A pickle cannot begin with a byte as small. */
export const ALIGNMENT_BYTES = 16;

/** What follows, told from the wrapper's state; or what is wrong with that. */
export function findArrayPlace(state: PickleValue): ArrayPlace | string {
  const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
  if (entries === undefined) return "describes an array in a way that cannot be told";
  const dtype = entries.get("dtype");
  if (
    dtype === undefined || dtype === null || !isObject(dtype) || dtype.kind !== "dtype" ||
    dtype.state === undefined
  ) {
    return "describes an array whose dtype cannot be told";
  }
  if (dtype.state.hasObject) {
    // Mapped into memory, addresses would be read from the file.
    if (entries.get("allow_mmap") !== false) {
      return "describes an array of objects that may be mapped into memory";
    }
    return { kind: "pickled" };
  }
  const count = countOf(entries.get("shape"));
  if (count === undefined) return "describes an array whose shape cannot be told";
  const bytes = count * dtype.state.itemBytes;
  if (!Number.isSafeInteger(bytes)) return "describes an array that is larger than any file";
  const alignment = entries.get("numpy_array_alignment_bytes");
  if (alignment !== undefined && alignment !== null && alignment !== ALIGNMENT_BYTES) {
    return `describes an array that is not aligned to ${ALIGNMENT_BYTES} bytes`;
  }
  return { kind: "raw", bytes, isPadded: alignment === ALIGNMENT_BYTES };
}

/** Elements of a shape; without a dimension there is one. */
function countOf(shape: PickleValue | undefined): number | undefined {
  const items = shape !== undefined && isObject(shape) && shape.kind === "tuple" ? shape.items : undefined;
  if (items === undefined) return undefined;
  let count = 1;
  // What numpy multiplies in 64 bits must not overflow there, whatever a zero makes of it in the end.
  let largest = 1;
  for (const item of items) {
    if (typeof item !== "number" || !Number.isSafeInteger(item) || item < 0) return undefined;
    count *= item;
    largest *= Math.max(item, 1);
    if (largest > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return count;
}
