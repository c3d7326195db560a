import { countOfShape } from "./joblib_array.ts";
import { isObject, isPayload, type PickleValue } from "./pickle_value.ts";

// What BUILD may set on an object, by what its class does with it. Where a class has no `__setstate__`, Python puts a
// dictionary into the object's own; of a pair, the second part goes through `setattr`. Each check completes "sets the
// state of an object": `to something that cannot be told`.

const STRANGE = "to something that cannot be told";

/** The places that scipy's interpolators have besides their attributes. */
const SLOTS = new Set(["_y_axis", "_y_extra_shape", "dtype", "c", "x", "extrapolate", "axis"]);

/** What `IsotonicRegression` writes. It computes with two of them as soon as they are set, by a method of its own. */
const ISOTONIC = new Set(
  ("y_min y_max increasing out_of_bounds n_features_in_ feature_names_in_ increasing_ X_min_ X_max_ X_thresholds_ " +
    "y_thresholds_ _necessary_X_ _necessary_y_ _sklearn_version _sklearn_output_config").split(" "),
);

export const STATE_CHECKS = {
  /** A dictionary of attributes: stored, nothing called. */
  attributes: (state: PickleValue) =>
    isObject(state) && state.kind === "tuple" ? STRANGE : attributesProblem(state),
  /** Attributes, or a pair of them and of those that have a place of their own. */
  slots(state: PickleValue) {
    if (!isObject(state) || state.kind !== "tuple") return attributesProblem(state);
    const [attributes = null, slots = null, ...others] = state.items ?? [];
    const entries = isObject(slots) && slots.kind === "dict" ? slots.entries : undefined;
    const isKnown = entries !== undefined && others.length === 0 &&
      [...entries.keys()].every((key) => SLOTS.has(key));
    return isKnown ? attributesProblem(attributes) : STRANGE;
  },
  /** Nothing: what `__getattr__` finds in these dictionaries are their items. */
  nothing: (state: PickleValue) =>
    state === null || (isObject(state) && state.kind === "dict" && state.entries?.size === 0) ? "" : STRANGE,
  isotonic(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    const problem = attributesProblem(state);
    if (entries === undefined || problem !== "") return problem === "" ? STRANGE : problem;
    const strange = [...entries].find(([key, value]) =>
      !ISOTONIC.has(key) || (/_thresholds_$|^_necessary/.test(key) && !isArray(value))
    );
    return strange === undefined ? "" : `with the attribute ${JSON.stringify(strange[0])}`;
  },
  /** Attributes, of which a model's own format is text or bytes: anything else would be taken for an address. */
  model(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    if (entries === undefined) return STRANGE;
    const isKnown = ["handle", "_handle"].every((key) => {
      const value = entries.get(key) ?? null;
      return value === null || typeof value === "string" || isPayload(value);
    });
    return isKnown ? attributesProblem(state) : "with a model that is not data";
  },
  /**
   * (version, shape, dtype, is Fortran's order, contents): copies the contents, whose size numpy checks. Of objects it
   * allocates and clears as many as the shape says before it goes through the list.
   */
  array(state: PickleValue) {
    const items = isObject(state) && state.kind === "tuple" ? state.items ?? [] : [];
    const fill = items[6] ?? null;
    // Those of a masked array: the mask, and what stands for what is masked, which numpy converts.
    const isMasked = items.length === 7 && isContent(items[5]) &&
      (!isObject(fill) || fill.kind === "data" || isArray(fill));
    return items.length === 5 || isMasked ? arrayProblem(items) : STRANGE;
  },
  /** Numbers and arrays, which Cython holds against the types of its fields. */
  data: (state: PickleValue) =>
    isObject(state) && (state.kind === "tuple" || state.kind === "dict") ? "" : STRANGE,
  /** A tree's: copies the bytes of two arrays, and asks whatever stands in their place to convert itself. */
  tree(state: PickleValue) {
    if (!isObject(state) || state.kind !== "dict") return STRANGE;
    const { entries } = state;
    if (entries === undefined) return "";
    return ["nodes", "values"].every((key) => isArray(entries.get(key) ?? null)) ? "" : STRANGE;
  },
} as const satisfies Record<string, (state: PickleValue) => string>;

export type StateCheck = keyof typeof STATE_CHECKS;

function arrayProblem([version, shape, dtype, isFortran, content]: readonly PickleValue[]): string {
  const count = countOfShape(shape);
  const state = dtype !== undefined && isObject(dtype) && dtype.kind === "dtype" ? dtype.state : undefined;
  if (
    typeof version !== "number" || count === undefined || state === undefined || isObject(isFortran ?? null)
  ) {
    return STRANGE;
  }
  // numpy adds the dimensions of the element to those of the array, and writes no such dtype.
  if (state.isSubArray) return "of an array whose elements are arrays";
  if (!state.hasObject) return isContent(content) ? "" : STRANGE;
  if (content === undefined || !isObject(content) || content.kind !== "list") return STRANGE;
  return content.count === count ? "" : `with ${content.count} objects for a shape of ${count}`;
}

/** Bytes, or text as Python 2 wrote them. */
function isContent(value: PickleValue | undefined): boolean {
  return typeof value === "string" || isPayload(value);
}

/** What numpy makes: none of its methods is the pickle's. */
function isArray(value: PickleValue): boolean {
  return isObject(value) && value.kind === "instance" &&
    (value.rule === undefined || value.rule.state === "array");
}

function attributesProblem(state: PickleValue): string {
  if (state === null) return "";
  if (!isObject(state) || state.kind !== "dict") return STRANGE;
  return state.forgedKey === undefined ? "" : `with the attribute ${JSON.stringify(state.forgedKey)}`;
}
