// The files beside this one have the rules. The comment of a rule says what its import does with arguments and a state that
// an attacker chose; the rule follows from that. An import with the use `value` is only stored, and loading does nothing
// with it.

/** The program that reads a pickle. It determines the meaning of the bytes and the imports that are allowed. */
export type PickleDialect = "python" | "joblib" | "torch" | "torchscript";

/** The imports that the user allows besides the models of known libraries. */
export interface PickleAllowList {
  /** `package.module.Class`, where `*` stands for any characters: `mybot.models.*`. */
  readonly patterns: readonly string[];
}

/** The permitted uses of an import in a pickle. */
export interface GlobalRule {
  /**
   * - `value`: store it, or pass it to a call that takes it.
   * - `make`: also create an object of it without calling its constructor (NEWOBJ), which is then filled.
   * - `call`: also call it with arguments.
   */
  readonly use: "value" | "make" | "call";
  /** The kind of object that a call makes, where the rest of the stream depends on it. */
  readonly makes?: "dtype" | "wrapper" | "data" | "set" | "range" | "stored" | "attribute" | "script";
  /** Whether NEWOBJ takes arguments, which the object stores, as named tuples do. */
  readonly takesNew?: boolean;
  /** Whether a callable may also be created without its constructor. */
  readonly isMadeToo?: boolean;
  /** Whether the hash of an object follows from its state, so that a file can choose it. */
  readonly isHashedByState?: boolean;
  /** The check of a call's arguments. */
  readonly checks?: "reconstructor" | CallCheck;
  /** The check of the state that BUILD sets, once; `attributes` by default. */
  readonly state?: StateCheck;
  /** The additions to an object that are allowed before its state is set: by APPENDS (`items`) or SETITEMS (`pairs`). */
  readonly fill?: "items" | "pairs";
  /** Whether items are looked up as attributes: Python and numpy then find special names among the items. */
  readonly hasItemsAsAttributes?: boolean;
  /** Whether its arguments and its state have to be inert (see `isInert`), which makes its objects inert, too. */
  readonly isInert?: boolean;
  /** The globals, as `module:name`, that a call takes among its arguments; none by default. */
  readonly takes?: RegExp;
}

/** A rule for the imports whose `module:name` matches. The first match counts. */
export type Rule = readonly [pattern: RegExp, rule: GlobalRule];

/** The checks in `rules/call_checks.ts`. */
export type CallCheck =
  | "list"
  | "deque"
  | "constants"
  | "bytes"
  | "encode"
  | "moment"
  | "timezone"
  | "decimal"
  | "texts"
  | "parts"
  | "block"
  | "blocks"
  | "index"
  | "nothing"
  | "dict"
  | "factory"
  | "array"
  | "maskedArray"
  | "scalar"
  | "buffer"
  | "generator"
  | "tree"
  | "cython"
  | "unfilled"
  | "class"
  | "shape";

/** The checks in `rules/state_checks.ts`. */
export type StateCheck =
  | "attributes"
  | "slots"
  | "wrappedAttributes"
  | "uuid"
  | "distribution"
  | "delaunay"
  | "modelData"
  | "frame"
  | "backedArray"
  | "script"
  | "nothing"
  | "isotonic"
  | "model"
  | "array"
  | "data"
  | "tree";

/** The rule for what the user allows: it may be called with any arguments. */
export const FREE: GlobalRule = { use: "call", takes: /^/ };

/** Whether torch reads the pickle, in Python or in C++. */
export function isOfTorch(dialect: PickleDialect): boolean {
  return dialect === "torch" || dialect === "torchscript";
}
