import { weightOf } from "../cost/value_measures.ts";
import { countOfShape } from "../numpy/numpy_dtype.ts";
import { isObject, isPayload, type PickleValue } from "../pickle_value.ts";
import type { CallCheck } from "./rule.ts";

// What each callable does with its arguments, and so which it may get: those that its library writes. An argument of
// another type would be gone through, converted or called by code that the pickle chooses, and a number is often the
// size of what is allocated. Each check completes "calls builtins.set": `with a size`.

type Args = readonly PickleValue[];

const STRANGE = "with arguments that cannot be told";

const BIT_GENERATOR = /^(MT19937|PCG64(DXSM)?|Philox|SFC64)$/;

/** More outputs than a tree has. */
const OUTPUTS_MAX = 1_000_000;

export const CALL_CHECKS: Readonly<Record<CallCheck, (args: Args) => string>> = {
  /** Copies a list. Of a range, it would make a number of elements that costs nothing to name. */
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
  /** Copies bytes, or encodes text as Python 2 wrote it. A number would be a size. */
  bytes([content, codec, ...others]: Args) {
    if (content === undefined) return "";
    if (isNumber(content)) return "with a size";
    const isKnown = isText(content) && (codec === undefined ? isPayload(content) : isLatin1(codec));
    return isKnown && others.length === 0 ? "" : STRANGE;
  },
  /** As pickles of protocol 2 write bytes. Other codecs decompress, or load modules. */
  encode([text, codec, ...others]: Args) {
    if (!isLatin1(codec)) return "with a codec that is not latin1";
    return isText(text) && others.length === 0 ? "" : STRANGE;
  },
  /** Ten bytes as text or data, or numbers; then a time zone. */
  moment: ([first = null, ...others]: Args) =>
    (isText(first) || isNumber(first)) &&
      others.every((item) => isNumber(item) || item === null || isMade(item))
      ? ""
      : STRANGE,
  /** A difference, and a name. */
  timezone: ([offset = null, name = "", ...others]: Args) =>
    isMade(offset) && isText(name) && others.length === 0 ? "" : STRANGE,
  /** Parses text. */
  decimal: ([text, ...others]: Args) => isText(text) && others.length === 0 ? "" : STRANGE,
  /** Joins text. */
  texts: (args: Args) => args.every(isText) ? "" : STRANGE,
  /** Stores constants, and objects that are made of such. */
  parts: (args: Args) =>
    args.every((item) => !isObject(item) || item.kind === "data" || isMade(item)) ? "" : STRANGE,
  /** An array, its places in the table, and the table's dimensions. */
  block: ([values = null, places = null, dimensions, ...others]: Args) =>
    isMade(values) && (isMade(places) || isNumber(places)) && typeof dimensions === "number" &&
      others.length === 0
      ? ""
      : STRANGE,
  /** A tuple of blocks, and a list of axes. */
  blocks: ([blocks = null, axes = null, ...others]: Args) =>
    isObject(blocks) && blocks.kind === "tuple" && blocks.items?.every(isMade) === true && isList(axes) &&
      others.length === 0
      ? ""
      : STRANGE,
  /** `cls.__new__(cls, **d)`: arguments that pandas writes. Of a dtype's name, it would look up a class. */
  index([cls = null, given = null, ...others]: Args) {
    const entries = isObject(given) && given.kind === "dict" ? given.entries : undefined;
    const isKnown = entries !== undefined && [...entries].every(([key, value]) => {
      if (!INDEX_ARGUMENTS.has(key)) return false;
      // Names are hashed.
      if (key === "name" || key === "names") return weightOf(value) <= NAMES_WEIGHT;
      return !INDEX_DATA.has(key) || isMade(value);
    });
    return isGlobal(cls) && isKnown && others.length === 0 ? "" : STRANGE;
  },
  /** Begins empty: what is in it comes by SETITEMS. */
  nothing: (args: Args) => args.length === 0 ? "" : STRANGE,
  /** Copies a dictionary, whose keys are hashed already. */
  dict: ([dict, ...others]: Args) =>
    dict === undefined || (isObject(dict) && dict.kind === "dict" && others.length === 0) ? "" : STRANGE,
  /** Stores the type that makes missing values, for which nothing asks while it is loaded. */
  factory: (args: Args) =>
    args.length <= 1 && args.every((item) => !isObject(item) || item.kind === "global") ? "" : STRANGE,
  /** Allocates a shape of a type: always the empty one, of bytes, until the state comes. */
  array: ([, shape, type, ...others]: Args) =>
    isNothing(shape) && isByte(type) && others.length === 0 ? "" : STRANGE,
  /** The same for the data and for the mask. */
  maskedArray: ([, , shape, type, ...others]: Args) =>
    isNothing(shape) && isByte(type) && others.length === 0 ? "" : STRANGE,
  /** Copies an element from bytes, which numpy holds to be long enough; of objects it would take an array's memory. */
  scalar([dtype, content, ...others]: Args) {
    if (!isDtypeOfData(dtype)) return "with a type that cannot be told, or of objects";
    return isText(content) && others.length === 0 ? "" : STRANGE;
  },
  /** A view of bytes, which numpy holds to be long enough for the shape. Of an array, it would outlive its memory. */
  buffer([content, dtype, shape, order = "C", ...others]: Args) {
    if (!isDtypeOfData(dtype)) return "with a type that cannot be told, or of objects";
    const isShape = typeof shape === "number" || countOfShape(shape) !== undefined;
    return isPayload(content) && isShape && typeof order === "string" && others.length === 0 ? "" : STRANGE;
  },
  /**
   * Makes numpy's generator of a name, a class or a bit generator, by a function: what `takes` holds to be them. Any other
   * object would be called.
   */
  generator: ([bits = null, maker = null, ...others]: Args) =>
    isBitGenerator(bits) && (maker === null || isGlobal(maker)) && others.length === 0 ? "" : STRANGE,
  /** Allocates a number for each output, and reads as many from the array without looking at its length. */
  tree([features, classes = null, outputs, ...others]: Args) {
    const elements = isObject(classes) && classes.kind === "instance" ? classes.array?.elements ?? 0 : 0;
    const isKnown = typeof features === "number" && typeof outputs === "number" && outputs >= 0 &&
      outputs <= OUTPUTS_MAX && outputs <= elements && others.length === 0;
    return isKnown ? "" : STRANGE;
  },
  /** Cython's: sets C fields from a tuple, each by its type. */
  cython: ([cls = null, checksum, state = null, ...others]: Args) =>
    isGlobal(cls) && typeof checksum === "number" &&
      (state === null || (isObject(state) && state.kind === "tuple")) &&
      others.length === 0
      ? ""
      : STRANGE,
  /** The same, where the state comes by BUILD: attributes of this one would not be checked. */
  unfilled: ([cls = null, checksum, state = null, ...others]: Args) =>
    isGlobal(cls) && typeof checksum === "number" && state === null && others.length === 0 ? "" : STRANGE,
  /** `obj.__new__(obj)`, of what `takes` holds to be a class with C fields that begin as zeros. */
  class: ([cls = null, ...others]: Args) => isGlobal(cls) && others.length === 0 ? "" : STRANGE,
  /** Copies a tuple or a list. A range would be made into as many numbers. */
  shape: ([shape = null, ...others]: Args) =>
    isObject(shape) && (shape.kind === "tuple" || shape.kind === "list") && others.length === 0
      ? ""
      : STRANGE,
};

/** What `Index.__reduce__` and those of its kinds write. */
const INDEX_ARGUMENTS = new Set(
  "data name start stop step levels codes labels sortorder names tz freq left right closed".split(" "),
);
/** What hashing the names of an index takes, as `weightOf` measures it. */
const NAMES_WEIGHT = 1_000;
const INDEX_DATA = new Set(["data", "left", "right"]);

/** Integers, however they are written: an allocation would be as large as one. */
function isNumber(value: PickleValue): boolean {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ||
    (isObject(value) && value.kind === "integer");
}

function isList(value: PickleValue): boolean {
  return isObject(value) && value.kind === "list";
}

/** (), as Python writes what a queue begins with. */
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

/** (0,). */
function isNothing(shape: PickleValue | undefined): boolean {
  return shape !== undefined && isObject(shape) && shape.kind === "tuple" && shape.items?.length === 1 &&
    shape.items[0] === 0;
}

/** "b", as text or as bytes, of which nothing is known: of a shape without elements, any type is harmless. */
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

/** What a call or a class has made, of which no more is known. */
function isMade(value: PickleValue): boolean {
  return isObject(value) && value.kind === "instance";
}
