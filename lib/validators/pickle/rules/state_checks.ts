import { weightOf } from "../cost/value_measures.ts";
import { countOfShape } from "../numpy/numpy_dtype.ts";
import { isObject, isPayload, type PickleValue } from "../pickle_value.ts";
import type { StateCheck } from "./rule.ts";

// The states that BUILD may set on an object, by what its class does with them. For a class without `__setstate__`, Python
// copies a dictionary into the object's own, and sets the second part of a pair by `setattr`. The comment of each check says
// what the class does. A problem completes "sets the state of an object": `to an unexpected value`.

const STRANGE = "to an unexpected value";

/** The slots that scipy's interpolators have besides their attributes. */
const SLOTS = new Set(["_y_axis", "_y_extra_shape", "dtype", "c", "x", "extrapolate", "axis"]);

/** The attributes that `IsotonicRegression` writes. Its own method computes with two of them as soon as they are set. */
const ISOTONIC = new Set(
  ("y_min y_max increasing out_of_bounds n_features_in_ feature_names_in_ increasing_ X_min_ X_max_ X_thresholds_ " +
    "y_thresholds_ _necessary_X_ _necessary_y_ _sklearn_version _sklearn_output_config").split(" "),
);

const UUID = new Set(["int", "is_safe"]);

const TEMPLATE = "_parse_arg_template";

/** The attributes that `rv_generic` writes. */
const DISTRIBUTION = new Set(
  ("_stats_has_moments _random_state _ctor_param badvalue name a b xtol moment_type moment_tol inc shapes extradoc " +
    "numargs vecentropy __doc__ " + TEMPLATE).split(" "),
);

/** The attributes that `NDFrame.__getstate__` writes, in versions 1 to 3. */
const FRAME = new Set("_mgr _data _typ _metadata attrs _attrs _flags _name name".split(" "));

/** The weight of a column's name (see {@link weightOf}), which may be a tuple of a few names. */
const NAME_WEIGHT = 64;

/** The attributes of pandas arrays that are backed by an array of numpy. */
const BACKED = new Set("_ndarray _data _dtype _codes _freq freq _readonly _cache".split(" "));

export const STATE_CHECKS: Readonly<Record<StateCheck, (state: PickleValue) => string>> = {
  /** Stores a dictionary of attributes; calls nothing. */
  attributes: (state: PickleValue) =>
    isObject(state) && state.kind === "tuple" ? STRANGE : attributesProblem(state),
  /** Stores attributes, or a pair of attributes and slots. */
  slots(state: PickleValue) {
    if (!isObject(state) || state.kind !== "tuple") return attributesProblem(state);
    const [attributes = null, slots = null, ...others] = state.items ?? [];
    const entries = isObject(slots) && slots.kind === "dict" ? slots.entries : undefined;
    const isKnown = entries !== undefined && others.length === 0 &&
      [...entries.keys()].every((key) => SLOTS.has(key));
    return isKnown ? attributesProblem(attributes) : STRANGE;
  },
  /** Stores attributes, which are in a tuple. */
  wrappedAttributes(state: PickleValue) {
    const items = isObject(state) && state.kind === "tuple" ? state.items ?? [] : [];
    const [attributes = null] = items;
    return items.length === 1 && isObject(attributes) ? attributesProblem(attributes) : STRANGE;
  },
  /** Stores a number and its origin. */
  uuid(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    return entries !== undefined &&
        [...entries].every(([key, value]) => UUID.has(key) && isShortInteger(value))
      ? ""
      : STRANGE;
  },
  /**
   * Executes the template, which has to be scipy's, and calls methods that other attributes could replace. Older versions
   * write a pair from which scipy creates a template, which is not supported.
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
  /** Stores attributes. When it is freed, it calls its `close`, which would close the object in `_qhull`: it has to be None. */
  delaunay(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    return entries !== undefined && (entries.get("_qhull") ?? null) === null && !entries.has("close")
      ? attributesProblem(state)
      : STRANGE;
  },
  /** Stores attributes. A formula among them would be evaluated. */
  modelData(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    if (entries === undefined) return STRANGE;
    if (entries.has("restore_design_info")) return "with a formula, which is code that loading evaluates";
    return attributesProblem(state);
  },
  /** Sets each entry of a table or a column as an attribute. */
  frame(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    if (entries === undefined) return STRANGE;
    const strange = [...entries.keys()].find((key) => !FRAME.has(key));
    if (strange !== undefined) return `with the attribute ${JSON.stringify(strange)}`;
    // `Flags(table, **flags)` takes a single known flag.
    const flags = entries.get("_flags") ?? null;
    const isKnown =
      [flags, entries.get("attrs") ?? null, entries.get("_attrs") ?? null].every(isDictOrNone) &&
      ["_name", "name"].every((key) => weightOf(entries.get(key) ?? null) <= NAME_WEIGHT);
    const manager = entries.get("_mgr") ?? entries.get("_data") ?? null;
    return isKnown && isManager(manager) ? "" : STRANGE;
  },
  /** Takes an array, its dtype, and a dictionary of attributes that pandas sets. */
  backedArray(state: PickleValue) {
    const items = isObject(state) && state.kind === "tuple" ? state.items ?? [] : [null, null, state];
    const [, , more = null] = items;
    const entries = isObject(more) && more.kind === "dict" ? more.entries : undefined;
    const isKnown = items.length === 3 && entries !== undefined &&
      [...entries.keys()].every((key) => BACKED.has(key));
    return isKnown ? "" : STRANGE;
  },
  /** The code in the archive receives any state. */
  script: () => "",
  /** Has no state: these dictionaries have their items as attributes. */
  nothing: (state: PickleValue) =>
    state === null || (isObject(state) && state.kind === "dict" && state.entries?.size === 0) ? "" : STRANGE,
  /** Stores attributes, and interpolates between two of them, which have to be arrays. */
  isotonic(state: PickleValue) {
    const entries = isObject(state) && state.kind === "dict" ? state.entries : undefined;
    const problem = attributesProblem(state);
    if (entries === undefined || problem !== "") return problem === "" ? STRANGE : problem;
    const strange = [...entries].find(([key, value]) =>
      !ISOTONIC.has(key) || (/_thresholds_$|^_necessary/.test(key) && !isArray(value))
    );
    return strange === undefined ? "" : `with the attribute ${JSON.stringify(strange[0])}`;
  },
  /** Stores attributes and parses the model, which is text or bytes: a number would be taken for an address. */
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
   * Takes (version, shape, dtype, is in Fortran order, contents) and copies the contents, whose size numpy checks. For
   * objects, it first allocates and clears as many as the shape says, so the list has to be as long.
   */
  array(state: PickleValue) {
    const items = isObject(state) && state.kind === "tuple" ? state.items ?? [] : [];
    const fill = items[6] ?? null;
    // A masked array also has a mask and a fill value, which numpy converts.
    const isMasked = items.length === 7 && isContent(items[5]) &&
      (!isObject(fill) || fill.kind === "data" || isArray(fill));
    return items.length === 5 || isMasked ? arrayProblem(items) : STRANGE;
  },
  /** Takes numbers and arrays, whose types Cython checks. */
  data: (state: PickleValue) =>
    isObject(state) && (state.kind === "tuple" || state.kind === "dict") ? "" : STRANGE,
  /** Copies the bytes of two arrays. It would call conversion methods of other objects. */
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
  // numpy adds the dimensions of the elements to those of the array, and never writes such a dtype.
  if (state.isSubArray) return "of an array whose elements are arrays";
  if (!state.hasObject) return isContent(content) ? "" : STRANGE;
  if (content === undefined || !isObject(content) || content.kind !== "list") return STRANGE;
  return content.count === count ? "" : `with ${content.count} objects for a shape of ${count}`;
}

/** Whether it is bytes, or text, which Python 2 wrote for bytes. */
function isContent(value: PickleValue | undefined): boolean {
  return typeof value === "string" || isPayload(value);
}

/** Whether it is an array of numpy, none of whose methods the pickle chose. */
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

/** Whether an integer has at most 16 bytes, as that of a UUID: hashing one reads all of it. */
function isShortInteger(value: PickleValue): boolean {
  return typeof value === "number" || (typeof value === "bigint" && value >> 128n === 0n);
}

/** Dictionaries within a state are not tracked: they are data. */
function isDictOrNone(value: PickleValue): boolean {
  return value === null || (isObject(value) && value.kind === "data");
}

function isManager(value: PickleValue): boolean {
  return isObject(value) && value.kind === "instance" && value.rule?.checks === "blocks";
}
