import { weightOf } from "../cost/value_measures.ts";
import { countOfShape } from "../numpy/numpy_dtype.ts";
import { isObject, isPayload, type PickleValue } from "../pickle_value.ts";
import type { CallCheck } from "./rule.ts";

// The arguments that a call may have: those that its library writes. The callable would iterate over, convert or call an
// argument of another type, by code that the pickle chooses; and a number is often the size of an allocation. The comment of
// each check says what the callable does. A problem completes "calls builtins.set": `with a size`.

type Args = readonly PickleValue[];

const STRANGE = "with unexpected arguments";

const BIT_GENERATOR = /^(MT19937|PCG64(DXSM)?|Philox|SFC64)$/;

/** More outputs than a tree has. */
const OUTPUTS_MAX = 1_000_000;

export const CALL_CHECKS: Readonly<Record<CallCheck, (args: Args) => string>> = {
  /** Copies a list. From a range, it would create any number of elements. */
  list: ([list, ...others]: Args) =>
    list === undefined || (isList(list) && others.length === 0) ? "" : STRANGE,
  /** Copies a list, up to a length that allocates nothing. */
  deque: ([list, length = null, ...others]: Args) =>
    list === undefined || ((isList(list) || isNone(list)) && isNumberOrNone(length) && others.length === 0)
      ? ""
      : STRANGE,
  /** Stores constants. */
  constants: (args: Args) =>
    args.every((item) => isNumber(item) || !isObject(item) || item.kind === "data") ? "" : STRANGE,
  /** Copies bytes, or encodes text that Python 2 wrote. A number would be the size of an allocation. */
  bytes([content, codec, ...others]: Args) {
    if (content === undefined) return "";
    if (isNumber(content)) return "with a size";
    const isKnown = isText(content) && (codec === undefined ? isPayload(content) : isLatin1(codec));
    return isKnown && others.length === 0 ? "" : STRANGE;
  },
  /** Encodes text to bytes, as protocol 2 writes them. Other codecs decompress or import modules. */
  encode([text, codec, ...others]: Args) {
    if (!isLatin1(codec)) return "with a codec that is not latin1";
    return isText(text) && others.length === 0 ? "" : STRANGE;
  },
  /** Decodes ten bytes, or takes numbers; then a time zone. */
  moment: ([first = null, ...others]: Args) =>
    (isText(first) || isNumber(first)) &&
      others.every((item) => isNumber(item) || item === null || isMade(item))
      ? ""
      : STRANGE,
  /** Stores a difference and a name. */
  timezone: ([offset = null, name = "", ...others]: Args) =>
    isMade(offset) && isText(name) && others.length === 0 ? "" : STRANGE,
  /** Parses text. */
  decimal: ([text, ...others]: Args) => isText(text) && others.length === 0 ? "" : STRANGE,
  /** Joins text. */
  texts: (args: Args) => args.every(isText) ? "" : STRANGE,
  /** Stores constants, and objects created from constants. */
  parts: (args: Args) =>
    args.every((item) => !isObject(item) || item.kind === "data" || isMade(item)) ? "" : STRANGE,
  /** Takes an array, its positions in the table, and the number of the table's dimensions. */
  block: ([values = null, places = null, dimensions, ...others]: Args) =>
    isMade(values) && (isMade(places) || isNumber(places)) && typeof dimensions === "number" &&
      others.length === 0
      ? ""
      : STRANGE,
  /** Takes a tuple of blocks and a list of axes. */
  blocks: ([blocks = null, axes = null, ...others]: Args) =>
    isObject(blocks) && blocks.kind === "tuple" && blocks.items?.every(isMade) === true && isList(axes) &&
      others.length === 0
      ? ""
      : STRANGE,
  /** Calls `cls.__new__(cls, **d)`. By the name of a dtype, it would look up a class. */
  index([cls = null, given = null, ...others]: Args) {
    const entries = isObject(given) && given.kind === "dict" ? given.entries : undefined;
    const isKnown = entries !== undefined && [...entries].every(([key, value]) => {
      if (!INDEX_ARGUMENTS.has(key)) return false;
      // The names are hashed.
      if (key === "name" || key === "names") return weightOf(value) <= NAMES_WEIGHT;
      return !INDEX_DATA.has(key) || isMade(value);
    });
    return isGlobal(cls) && isKnown && others.length === 0 ? "" : STRANGE;
  },
  /** Creates an empty object, which SETITEMS fills. */
  nothing: (args: Args) => args.length === 0 ? "" : STRANGE,
  /** Copies a dictionary, whose keys have been hashed. */
  dict: ([dict, ...others]: Args) =>
    dict === undefined || (isObject(dict) && dict.kind === "dict" && others.length === 0) ? "" : STRANGE,
  /** Stores the factory of missing values, which loading does not call. */
  factory: (args: Args) =>
    args.length <= 1 && args.every((item) => !isObject(item) || item.kind === "global") ? "" : STRANGE,
  /** Allocates an array of a shape and type: always an empty array of bytes, until the state is set. */
  array: ([, shape, type, ...others]: Args) =>
    isNothing(shape) && isByte(type) && others.length === 0 ? "" : STRANGE,
  /** Does the same for the data and for the mask. */
  maskedArray: ([, , shape, type, ...others]: Args) =>
    isNothing(shape) && isByte(type) && others.length === 0 ? "" : STRANGE,
  /** Copies an element from bytes, whose length numpy checks. For objects, the bytes would be addresses. */
  scalar([dtype, content, ...others]: Args) {
    if (!isDtypeOfData(dtype)) return "with an unknown type or a type of objects";
    return isText(content) && others.length === 0 ? "" : STRANGE;
  },
  /** Creates a view of bytes, whose length numpy checks. A view of an array could outlive the array's memory. */
  buffer([content, dtype, shape, order = "C", ...others]: Args) {
    if (!isDtypeOfData(dtype)) return "with an unknown type or a type of objects";
    const isShape = typeof shape === "number" || countOfShape(shape) !== undefined;
    return isPayload(content) && isShape && typeof order === "string" && others.length === 0 ? "" : STRANGE;
  },
  /**
   * Calls the second argument with the first, to create numpy's generator from a name, a class or a bit generator. `takes`
   * in the rule restricts both to numpy's own.
   */
  generator: ([bits = null, maker = null, ...others]: Args) =>
    isBitGenerator(bits) && (maker === null || isGlobal(maker)) && others.length === 0 ? "" : STRANGE,
  /** Allocates a number for each output, and reads as many from the array without checking its length. */
  tree([features, classes = null, outputs, ...others]: Args) {
    const elements = isObject(classes) && classes.kind === "instance" ? classes.array?.elements ?? 0 : 0;
    const isKnown = typeof features === "number" && typeof outputs === "number" && outputs >= 0 &&
      outputs <= OUTPUTS_MAX && outputs <= elements && others.length === 0;
    return isKnown ? "" : STRANGE;
  },
  /** Sets the C fields of a Cython class from a tuple, each by its type. */
  cython: ([cls = null, checksum, state = null, ...others]: Args) =>
    isGlobal(cls) && typeof checksum === "number" &&
      (state === null || (isObject(state) && state.kind === "tuple")) &&
      others.length === 0
      ? ""
      : STRANGE,
  /** Does the same, but without a state: attributes in this one would not be checked, those of BUILD are. */
  unfilled: ([cls = null, checksum, state = null, ...others]: Args) =>
    isGlobal(cls) && typeof checksum === "number" && state === null && others.length === 0 ? "" : STRANGE,
  /** Calls `cls.__new__(cls)`, which sets C fields to zero. `takes` in the rule restricts the class. */
  class: ([cls = null, ...others]: Args) => isGlobal(cls) && others.length === 0 ? "" : STRANGE,
  /** Copies a tuple or a list. From a range, it would create any number of elements. */
  shape: ([shape = null, ...others]: Args) =>
    isObject(shape) && (shape.kind === "tuple" || shape.kind === "list") && others.length === 0
      ? ""
      : STRANGE,
};

/** The arguments that `Index.__reduce__` and its subclasses write. */
const INDEX_ARGUMENTS = new Set(
  "data name start stop step levels codes labels sortorder names tz freq left right closed".split(" "),
);
/** The weight of an index's names (see {@link weightOf}). */
const NAMES_WEIGHT = 1_000;
const INDEX_DATA = new Set(["data", "left", "right"]);

/** Whether it is an integer of any notation, which could be the size of an allocation. */
function isNumber(value: PickleValue): boolean {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ||
    (isObject(value) && value.kind === "integer");
}

function isList(value: PickleValue): boolean {
  return isObject(value) && value.kind === "list";
}

/** Whether it is (), which Python writes as the initial items of a deque. */
function isNone(value: PickleValue): boolean {
  return isObject(value) && value.kind === "tuple" && value.items?.length === 0;
}

function isNumberOrNone(value: PickleValue): boolean {
  return value === null || typeof value === "number";
}

function isText(value: PickleValue | undefined): boolean {
  return typeof value === "string" || isPayload(value);
}

function isLatin1(codec: PickleValue | undefined): boolean {
  return codec === "latin1" || codec === "latin-1";
}

/** Whether it is the shape (0,). */
function isNothing(shape: PickleValue | undefined): boolean {
  return shape !== undefined && isObject(shape) && shape.kind === "tuple" && shape.items?.length === 1 &&
    shape.items[0] === 0;
}

/** Whether it is "b", as text or as bytes with unknown contents: for an empty shape, any type is harmless. */
function isByte(type: PickleValue | undefined): boolean {
  return type === "b" || isPayload(type);
}

function isDtypeOfData(value: PickleValue | undefined): boolean {
  return value !== undefined && isObject(value) && value.kind === "dtype" && value.state?.hasObject === false;
}

function isBitGenerator(value: PickleValue): boolean {
  if (typeof value === "string") return BIT_GENERATOR.test(value);
  return value === null || isGlobal(value) ||
    (isObject(value) && value.kind === "instance" && value.rule?.checks === "generator");
}

function isGlobal(value: PickleValue): boolean {
  return isObject(value) && value.kind === "global";
}

/** Whether it is the result of a call or an object of a class. */
function isMade(value: PickleValue): boolean {
  return isObject(value) && value.kind === "instance";
}
