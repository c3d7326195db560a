import { weightOf } from "../cost/value_measures.ts";
import { countOfShape } from "../numpy/numpy_dtype.ts";
import { isObject, isPayload, type PickleValue } from "../pickle_value.ts";
import type { StateCheck } from "./rule.ts";

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

const UUID = new Set(["int", "is_safe"]);

const TEMPLATE = "_parse_arg_template";

/** What `rv_generic` writes. */
const DISTRIBUTION = new Set(
  ("_stats_has_moments _random_state _ctor_param badvalue name a b xtol moment_type moment_tol inc shapes extradoc " +
    "numargs vecentropy __doc__ " + TEMPLATE).split(" "),
);

/** What `NDFrame.__getstate__` writes, in versions 1 to 3. */
const FRAME = new Set("_mgr _data _typ _metadata attrs _attrs _flags _name name".split(" "));

/** What hashing the name of a column takes, as `weightOf` measures it: of a tuple with a few names in it. */
const NAME_WEIGHT = 64;

/** Attributes of arrays that pandas backs with one of numpy's. */
const BACKED = new Set("_ndarray _data _dtype _codes _freq freq _readonly _cache".split(" "));

export const STATE_CHECKS: Readonly<Record<StateCheck, (state: PickleValue) => string>> = {
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
  /** Attributes, in a tuple. */
  wrappedAttributes(state: PickleValue) {
    const items = isObject(state) && state.kind === "tuple" ? state.items ?? [] : [];
    const [attributes = null] = items;
    return items.length === 1 && isObject(attributes) ? attributesProblem(attributes) : STRANGE;
  },
  /** A number, and where it comes from. */
  uuid(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    return entries !== undefined &&
        [...entries].every(([key, value]) => UUID.has(key) && isShortInteger(value))
      ? ""
      : STRANGE;
  },
  /**
   * scipy executes the template, and calls methods of its own that other attributes would hide. Older versions write a
   * pair, of which it makes a template.
   */
  distribution(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    if (entries === undefined) return STRANGE;
    const strange = [...entries].find(([key, value]) =>
      !DISTRIBUTION.has(key) || (key === TEMPLATE && !isTemplate(value)) ||
      (/^(numargs|moment_type)$/.test(key) && typeof value !== "number")
    );
    if (strange !== undefined) return `with the attribute ${JSON.stringify(strange[0])}`;
    return entries.has(TEMPLATE) ? "" : STRANGE;
  },
  /** Attributes. When it is freed, it calls its `close`, which closes another object: one that is None. */
  delaunay(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    return entries !== undefined && (entries.get("_qhull") ?? null) === null && !entries.has("close")
      ? attributesProblem(state)
      : STRANGE;
  },
  /** Attributes, without a formula to evaluate. */
  modelData(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    if (entries === undefined) return STRANGE;
    if (entries.has("restore_design_info")) return "with a formula, which is code that loading evaluates";
    return attributesProblem(state);
  },
  /** What pandas writes of a table or a column: it sets each as an attribute. */
  frame(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    if (entries === undefined) return STRANGE;
    const strange = [...entries.keys()].find((key) => !FRAME.has(key));
    if (strange !== undefined) return `with the attribute ${JSON.stringify(strange)}`;
    // `Flags(table, **flags)` takes one that it knows.
    const flags = entries.get("_flags") ?? null;
    const isKnown =
      [flags, entries.get("attrs") ?? null, entries.get("_attrs") ?? null].every(isDictOrNone) &&
      ["_name", "name"].every((key) => weightOf(entries.get(key) ?? null) <= NAME_WEIGHT);
    const manager = entries.get("_mgr") ?? entries.get("_data") ?? null;
    return isKnown && isManager(manager) ? "" : STRANGE;
  },
  /** An array of numpy's, its dtype, and what pandas sets as attributes. */
  backedArray(state: PickleValue) {
    const items = isObject(state) && state.kind === "tuple" ? state.items ?? [] : [null, null, state];
    const [, , more = null] = items;
    const entries = isObject(more) && more.kind === "dict" ? more.entries : undefined;
    const isKnown = items.length === 3 && entries !== undefined &&
      [...entries.keys()].every((key) => BACKED.has(key));
    return isKnown ? "" : STRANGE;
  },
  /** Whatever the code of the archive takes. */
  script: () => "",
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
};

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

function isTemplate(value: PickleValue): boolean {
  return isObject(value) && value.kind === "data" && value.isTemplate === true;
}

/** Of 16 bytes, as a UUID has: Python goes through all of it whenever it hashes one. */
function isShortInteger(value: PickleValue): boolean {
  return typeof value === "number" || (typeof value === "bigint" && value >> 128n === 0n);
}

/** A dictionary in a state is data, of which no more is known. */
function isDictOrNone(value: PickleValue): boolean {
  return value === null || (isObject(value) && value.kind === "data");
}

function isManager(value: PickleValue): boolean {
  return isObject(value) && value.kind === "instance" && value.rule?.checks === "blocks";
}
