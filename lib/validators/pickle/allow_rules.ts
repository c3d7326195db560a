import type { CallCheck } from "./call_checks.ts";
import { PANDAS_RULES } from "./pandas_rules.ts";
import { PYTHON_RULES } from "./python_rules.ts";
import { SKLEARN_CLASS } from "./sklearn_classes.ts";
import type { StateCheck } from "./state_checks.ts";

/** What a pickle may do with something that it imports. */
export interface GlobalRule {
  /**
   * - `value`: store it or hand it to a call that takes it.
   * - `make`: as well an empty object of it, without its constructor (NEWOBJ), which is then filled.
   * - `call`: as well call it with arguments.
   */
  readonly use: "value" | "make" | "call";
  /** Objects that are understood, because what follows in the stream depends on them. */
  readonly makes?: "dtype" | "wrapper" | "data" | "set" | "range" | "stored" | "attribute" | "script";
  /** Whether an object is made with arguments that it stores, as named tuples are. */
  readonly takesNew?: boolean;
  /** Whether what is called may be made without its constructor as well. */
  readonly isMadeToo?: boolean;
  /** Whether its hash can be computed beforehand from its state. */
  readonly isHashedByState?: boolean;
  /** Arguments that are looked at more closely. */
  readonly checks?: "reconstructor" | CallCheck;
  /** What BUILD may set on its objects, once; attributes unless something else is said. */
  readonly state?: StateCheck;
  /** What its objects may be filled with before: by APPENDS, or by SETITEMS. */
  readonly fill?: "items" | "pairs";
  /** Whether its items are found as attributes, so that Python and numpy look up special names among them. */
  readonly hasItemsAsAttributes?: boolean;
  /** Whether its arguments and its state have to be inert (`inert.ts`), and its objects are so. */
  readonly isInert?: boolean;
  /** Which globals, `module:name`, a call takes among its arguments; without it, none. */
  readonly takes?: RegExp;
}

/** Modules and names are held against `module:name`. The first that matches counts. */
export type Rule = readonly [pattern: RegExp, rule: GlobalRule];

/** Of what the user allows: it may be called with whatever there is. */
export const FREE: GlobalRule = { use: "call", takes: /^/ };

// Beside each entry stands what arguments and a state of an attacker's choice do, and so what it may get. An entry that
// is only a value is stored: nothing is done with it while a pickle is loaded.

/** numpy's classes of arrays. */
const ARRAY = "numpy(\\.rec|\\._?core\\.records)?:(ndarray|matrix|recarray)|numpy\\.ma(\\.core)?:MaskedArray";

/** Cython's classes of distances and of trees of neighbours. */
const NEIGHBOURS =
  "sklearn\\.(metrics|neighbors)(\\.\\w+)*:(DistanceMetric|(?!PyFunc)[A-Z]\\w+Distance|BallTree|KDTree)(32|64)?";

/** What Python and numpy store data in. Python 2 named builtins __builtin__, and protocols below 3 still do. */
const DATA_RULES: readonly Rule[] = [
  // Goes through what it gets, and hashes it: a list, which costs as much in the file. Of a range, it would make numbers.
  [/^(builtins|__builtin__):(set|frozenset)$/, { use: "call", makes: "set", checks: "list" }],
  // Stores its arguments. As keys, complex numbers of the same hash are found in a moment.
  [/^(builtins|__builtin__):(complex|slice)$/, { use: "call", makes: "stored", checks: "constants" }],
  // Stores its arguments. numpy makes a list of it when it sets an array or a generator: it counts for as many numbers.
  [/^(builtins|__builtin__):(range|xrange)$/, { use: "call", makes: "range", checks: "constants" }],
  // Copies bytes or encodes text: as often as the file says, so copies are added up. A number would be a size, and the
  // call an allocation of as many bytes.
  [/^(builtins|__builtin__):(bytes|bytearray)$/, { use: "call", makes: "data", checks: "bytes" }],
  // As the factory of a defaultdict, the base of an object, a dtype of an array.
  [/^(builtins|__builtin__):(object|dict|list|tuple|int|long|float|bool|str|unicode)$/, { use: "value" }],
  // `base.__new__(cls, state)`, and `base.__init__(obj, state)`, of what may be made: the state is of the base's own type.
  [/^(copyreg|copy_reg):_reconstructor$/, { use: "call", checks: "reconstructor", takes: /^/ }],
  // Other codecs than latin1 decompress, or import modules.
  [/^_codecs:encode$/, { use: "call", makes: "data", checks: "encode" }],
  // Begins empty. It is filled by its own methods before a state could hide them.
  [/^collections:OrderedDict$/, { use: "call", checks: "nothing", fill: "pairs" }],
  // Copies a dictionary; it would count what is in anything else, a range too.
  [/^collections:Counter$/, { use: "call", checks: "dict", fill: "pairs" }],
  // Copies a list; a length limits it and allocates nothing.
  [/^collections:deque$/, { use: "call", checks: "deque", fill: "items" }],
  // Stores what makes missing values, and calls it when one is asked for, which loading does not.
  [/^collections:defaultdict$/, {
    use: "call",
    checks: "factory",
    fill: "pairs",
    takes: /^((builtins|__builtin__):(dict|list|set|tuple|int|float|bool|str)|collections:OrderedDict)$/,
  }],

  // Takes sizes, offsets and flags of the state as they are, and reads outside of memory with forged ones: both are those
  // that numpy writes (`numpy_dtype.ts`).
  [/^numpy:dtype$/, {
    use: "call",
    makes: "dtype",
    takes: /^numpy(\.rec|\._?core\.records)?:(record|void)$/,
  }],
  // As the class of an array or of an element.
  [/^numpy(\.rec|\._?core\.records)?:(ndarray|matrix|recarray|record|void|generic|number)$/, {
    use: "value",
  }],
  [
    /^numpy:(bool_?|str_|bytes_|object_|[cu]?int(8|16|32|64|c|p|_)?|(long)?(float|double|complex)\d*_?|datetime64|timedelta64)$/,
    { use: "value" },
  ],
  // Allocates a shape of a type: the empty one. The state brings shape, dtype and contents, and numpy holds the size of
  // the contents against the shape; of objects it allocates as many elements first, of whatever size. Arrays of objects
  // in each other are freed on the stack.
  [/^numpy\._?core\.multiarray:_reconstruct$/, {
    use: "call",
    checks: "array",
    state: "array",
    takes: new RegExp(`^(${ARRAY})$`),
  }],
  // Copies bytes, as many as the dtype has; of objects it would take them for addresses.
  [/^numpy\._?core\.multiarray:scalar$/, { use: "call", makes: "stored", checks: "scalar" }],
  // A view of bytes; numpy holds their size against shape and dtype.
  [/^numpy\._?core\.numeric:_frombuffer$/, { use: "call", makes: "stored", checks: "buffer" }],
  // As _reconstruct, for the data and the mask. The fill value is converted to the dtype: a number, text or an array.
  [/^numpy\.ma(\.core)?:_mareconstruct$/, {
    use: "call",
    checks: "maskedArray",
    state: "array",
    takes: new RegExp(`^(${ARRAY})$`),
  }],
  [/^numpy\.ma(\.core)?:(MaskedArray|MaskedConstant)$/, { use: "value" }],
  // Calls its second argument with the first: a function of this module, or a bit generator of numpy's. The state is
  // numbers, which the setters of numpy convert and check. A generator is 3 KB and a tenth of a millisecond: they are
  // added up.
  [/^numpy\.random\._pickle:__(randomstate|generator|bit_generator)_ctor$/, {
    use: "call",
    checks: "generator",
    state: "data",
    takes: /^numpy\.random\._(pickle:__bit_generator_ctor|\w+:(MT19937|PCG64(DXSM)?|Philox|SFC64))$/,
  }],
  [/^numpy\.random\.(_mt19937:MT19937|_pcg64:PCG64(DXSM)?|_philox:Philox|_sfc64:SFC64)$/, { use: "value" }],
  [/^numpy\.random\.bit_generator:SeedSequence$/, { use: "value" }],
  // Makes an object of the class that it is given, if that extends its own, and sets C fields, each by its type.
  [/^numpy\.random\.bit_generator:__pyx_unpickle_SeedSequence$/, {
    use: "call",
    checks: "cython",
    state: "data",
    takes: /^numpy\.random\.bit_generator:SeedSequence$/,
  }],
  // joblib reads an array's bytes from the file as its state says: the keys, sizes and classes that joblib writes
  // (`joblib_array.ts`).
  [/^joblib\.numpy_pickle:NumpyArrayWrapper$/, { use: "make", makes: "wrapper" }],
];

const SKLEARN_RULES: readonly Rule[] = [
  // Allocates numbers for its outputs, of which there are not more than a million, and no more than its array has. The
  // state is a dictionary of arrays, whose dtypes and shapes it checks, and which it copies. It does not check where
  // branches lead: only predicting follows them.
  [/^sklearn\.tree\._tree:Tree$/, { use: "call", checks: "tree", state: "tree" }],
  // Store a number each.
  [/^sklearn\.linear_model\._sgd_fast:[A-Z]\w*$/, { use: "call", checks: "constants" }],
  [/^sklearn\._loss\._loss:Cy[A-Z]\w*$/, { use: "call", checks: "constants" }],
  // `__pyx_unpickle_CyHalfSquaredError(cls, checksum, state)`: as of SeedSequence. The losses have numbers alone.
  [/^sklearn\._loss\._loss:__pyx_unpickle_Cy\w+$/, {
    use: "call",
    checks: "cython",
    state: "data",
    takes: /^sklearn\._loss\._loss:Cy\w+$/,
  }],
  // `cls.__new__(cls)`: C fields begin as zeros. The state is a tuple of arrays, each assigned to a field of its type.
  [/^sklearn\.(metrics|neighbors)(\.\w+)*:newObj$/, {
    use: "call",
    checks: "class",
    state: "data",
    takes: new RegExp(`^${NEIGHBOURS}$`),
  }],
  [new RegExp(`^${NEIGHBOURS}$`), { use: "value" }],
  // Scores and functions that a search, a selection or a clustering was told to compute with.
  [/^sklearn\.metrics(\.\w+)*:(\w+_(score|loss|error|ratio)|_passthrough_scorer)$/, { use: "value" }],
  [
    /^sklearn\.feature_selection\._(univariate_selection:(f_classif|f_oneway|f_regression|r_regression|chi2)|mutual_info:mutual_info_(classif|regression))$/,
    { use: "value" },
  ],
  [/^sklearn\.cluster\._kmeans:_kmeans_single_(lloyd|elkan)$/, { use: "value" }],
  // A named tuple: stores its arguments, and is hashed with all that is in them.
  [/^sklearn\.impute\._iterative:_ImputerTriplet$/, { use: "make", takesNew: true }],
  // Its state is computed with as soon as it is set, by a method of its own: known names, and arrays.
  [/^sklearn\.isotonic:IsotonicRegression$/, { use: "make", state: "isotonic" }],
  // A dictionary that ignores its state. Its items are its attributes.
  [/^sklearn\.utils(\._bunch)?:Bunch$/, {
    use: "make",
    state: "attributes",
    fill: "pairs",
    hasItemsAsAttributes: true,
  }],
  // Made without a constructor. The state becomes attributes; its `_sklearn_version` is compared and printed, and is text.
  [SKLEARN_CLASS, { use: "make" }],
];

const OTHER_RULES: readonly Rule[] = [
  // Made without a constructor, the state becomes attributes. dok_matrix is a dictionary as well.
  [/^scipy\.sparse(\.\w+)?:(bsr|coo|csc|csr|dia|dok|lil)_(matrix|array)$/, { use: "make", fill: "pairs" }],
  // The same, and a few places that are set by name. Not KDTree and cKDTree of scipy.spatial: they take addresses within
  // the tree from the bytes of their state.
  [
    /^scipy\.interpolate(\.\w+)?:([BN]?d?PPoly|BPoly|BSpline|\w+Spline|\w+Interpolator|\w*1DInterpolator|R[bB][fF]\w*|interp[12]d)$/,
    { use: "make", state: "slots" },
  ],
  // Which array library an interpolator computes with.
  [/^scipy\._lib\.array_api_compat\.numpy\._aliases:asarray$/, { use: "value" }],
  // A dictionary whose items are its attributes, and so no state.
  [/^scipy\.optimize(\._\w+)?:OptimizeResult$/, {
    use: "make",
    state: "nothing",
    fill: "pairs",
    hasItemsAsAttributes: true,
  }],
  // Made without a constructor, the state becomes attributes.
  [/^scipy\.optimize(\._\w+)?:LbfgsInvHessProduct$/, { use: "make" }],

  // Parses its model, which is text or bytes. A number in its place is an address that it frees.
  [/^xgboost(\.core)?:Booster$/, { use: "make", state: "model" }],
  [/^lightgbm(\.basic)?:Booster$/, { use: "make", state: "model" }],
  // Made without a constructor, the state becomes attributes.
  [
    /^xgboost(\.(core|sklearn|callback))?:(XGB(Model|RF)?(Classifier|Regressor|Ranker)?|EarlyStopping|EvaluationMonitor|LearningRateScheduler)$/,
    { use: "make" },
  ],
  [/^lightgbm(\.sklearn)?:LGBM(Model|Classifier|Regressor|Ranker)$/, { use: "make" }],
  // The same; CatBoost parses its model, which it takes as bytes alone.
  [/^(catboost(\.core)?|_catboost):_?CatBoost(Classifier|Regressor|Ranker)?$/, { use: "make" }],
];

export const RULES: readonly Rule[] = [
  ...DATA_RULES,
  ...PYTHON_RULES,
  ...SKLEARN_RULES,
  ...OTHER_RULES,
  ...PANDAS_RULES,
];
