import type { CallCheck } from "./call_checks.ts";
import { SKLEARN_CLASS } from "./sklearn_classes.ts";
import type { StateCheck } from "./state_checks.ts";
import { matchesAny } from "../../core/wildcards.ts";

/** What may be imported besides the models of the libraries that are known. */
export interface PickleAllowList {
  /** `package.module.Class`, where `*` stands for any characters: `mybot.models.*`. */
  readonly patterns: readonly string[];
}

/** What a pickle may do with something that it imports. */
export interface GlobalRule {
  /**
   * - `value`: store it or hand it to a call that takes it.
   * - `make`: as well an empty object of it, without its constructor (NEWOBJ), which is then filled.
   * - `call`: as well call it with arguments.
   */
  readonly use: "value" | "make" | "call";
  /** Objects that are understood, because what follows in the stream depends on them. */
  readonly makes?: "dtype" | "wrapper" | "data" | "set" | "stored";
  /** Whether an object is made with arguments that it stores, as named tuples are. */
  readonly takesNew?: boolean;
  /** Arguments that are looked at more closely. */
  readonly checks?: "reconstructor" | CallCheck;
  /** What BUILD may set on its objects, once; attributes unless something else is said. */
  readonly state?: StateCheck;
  /** What its objects may be filled with before: by APPENDS, or by SETITEMS. */
  readonly fill?: "items" | "pairs";
  /** Which globals, `module:name`, a call takes among its arguments; without it, none. */
  readonly takes?: RegExp;
}

/** Modules and names are held against `module:name`. The first that matches counts. */
type Rule = readonly [pattern: RegExp, rule: GlobalRule];

const ANY = /^/;

/** Of what the user allows: it may be called with whatever there is. */
export const FREE: GlobalRule = { use: "call", takes: ANY };

/** A class by Python's convention, private ones included. */
const CLASS = "_{0,2}[A-Z]\\w*";

const RULES: readonly Rule[] = [
  // Python 2 named the module __builtin__, and protocols below 3 still do.
  [/^(builtins|__builtin__):(set|frozenset)$/, { use: "call", makes: "set", checks: "list" }],
  [/^(builtins|__builtin__):(complex|slice|range|xrange)$/, {
    use: "call",
    makes: "stored",
    checks: "constants",
  }],
  // A number would be a size, and the call an allocation of as many bytes.
  [/^(builtins|__builtin__):(bytes|bytearray)$/, { use: "call", makes: "data", checks: "bytes" }],
  [/^(builtins|__builtin__):(object|dict|list|tuple|int|long|float|bool|str|unicode)$/, { use: "value" }],
  [/^(copyreg|copy_reg):_reconstructor$/, { use: "call", checks: "reconstructor", takes: ANY }],
  [/^_codecs:encode$/, { use: "call", makes: "data", checks: "encode" }],
  [/^collections:OrderedDict$/, { use: "call", checks: "nothing", fill: "pairs" }],
  [/^collections:Counter$/, { use: "call", checks: "dict", fill: "pairs" }],
  [/^collections:deque$/, { use: "call", checks: "deque", fill: "items" }],
  [/^collections:defaultdict$/, {
    use: "call",
    checks: "factory",
    fill: "pairs",
    takes: /^((builtins|__builtin__):(dict|list|set|tuple|int|float|bool|str)|collections:OrderedDict)$/,
  }],

  [/^numpy:dtype$/, { use: "call", makes: "dtype", takes: /^numpy(\.rec)?:(record|void)$/ }],
  [/^numpy(\.rec)?:(ndarray|matrix|recarray|record|void|generic|number)$/, { use: "value" }],
  [
    /^numpy:(bool_?|str_|bytes_|object_|[cu]?int(8|16|32|64|c|p|_)?|(long)?(float|double|complex)\d*_?|datetime64|timedelta64)$/,
    {
      use: "value",
    },
  ],
  [/^numpy\._?core\.multiarray:_reconstruct$/, {
    use: "call",
    checks: "array",
    state: "array",
    takes: /^(numpy(\.rec)?:(ndarray|matrix|recarray)|numpy\.ma(\.core)?:MaskedArray)$/,
  }],
  [/^numpy\._?core\.multiarray:scalar$/, { use: "call", makes: "stored", checks: "scalar" }],
  [/^numpy\._?core\.numeric:_frombuffer$/, { use: "call", makes: "stored", checks: "buffer" }],
  [/^numpy\.ma(\.core)?:_mareconstruct$/, {
    use: "call",
    checks: "maskedArray",
    state: "array",
    takes: /^(numpy(\.rec)?:(ndarray|matrix|recarray)|numpy\.ma(\.core)?:MaskedArray)$/,
  }],
  [/^numpy\.ma(\.core)?:(MaskedArray|MaskedConstant)$/, { use: "value" }],
  [/^numpy\.random\._pickle:__(randomstate|generator|bit_generator)_ctor$/, {
    use: "call",
    checks: "generator",
    state: "data",
    takes: /^numpy\.random\._(pickle:__bit_generator_ctor|\w+:(MT19937|PCG64(DXSM)?|Philox|SFC64))$/,
  }],
  [/^numpy\.random\.(_mt19937:MT19937|_pcg64:PCG64(DXSM)?|_philox:Philox|_sfc64:SFC64)$/, { use: "value" }],
  [/^numpy\.random\.bit_generator:SeedSequence$/, { use: "value" }],
  [/^numpy\.random\.bit_generator:__pyx_unpickle_SeedSequence$/, {
    use: "call",
    checks: "cython",
    state: "data",
    takes: /^numpy\.random\.bit_generator:SeedSequence$/,
  }],
  // What a FunctionTransformer is given: arithmetic, element by element.
  [
    /^numpy(\._?core\._multiarray_umath)?:(log|log1p|log2|log10|exp|expm1|exp2|sqrt|cbrt|square|abs|absolute|sign|sin|cos|tanh|reciprocal|negative)$/,
    {
      use: "value",
    },
  ],

  [/^joblib\.numpy_pickle:NumpyArrayWrapper$/, { use: "make", makes: "wrapper" }],

  // Cython's classes, which have no other way than to be called.
  [/^sklearn\.tree\._tree:Tree$/, { use: "call", checks: "tree", state: "data" }],
  [/^sklearn\.linear_model\._sgd_fast:[A-Z]\w*$/, { use: "call", checks: "constants" }],
  [/^sklearn\._loss\._loss:Cy[A-Z]\w*$/, { use: "call", checks: "constants" }],
  [/^sklearn(\.\w+)*:newObj$/, {
    use: "call",
    checks: "one",
    state: "data",
    takes: new RegExp(`^sklearn(\\.\\w+)*:${CLASS}$`),
  }],
  [/^sklearn(\.\w+)*:__pyx_unpickle_\w+$/, {
    use: "call",
    checks: "cython",
    state: "data",
    takes: new RegExp(`^sklearn(\\.\\w+)*:${CLASS}$`),
  }],
  // Scores that a search was told to use.
  [/^sklearn\.metrics(\.\w+)*:(\w+_(score|loss|error|ratio)|_passthrough_scorer)$/, { use: "value" }],
  // Functions that a selection, a clustering or an agglomeration was told to compute with.
  [
    /^sklearn\.feature_selection\._(univariate_selection:(f_classif|f_oneway|f_regression|r_regression|chi2)|mutual_info:mutual_info_(classif|regression))$/,
    { use: "value" },
  ],
  [/^sklearn\.cluster\._kmeans:_kmeans_single_(lloyd|elkan)$/, { use: "value" }],
  [/^numpy:(mean|median|average|sum|prod|std|var|amax|amin|max|min|nanmean|nanmedian)$/, { use: "value" }],
  [/^sklearn\.impute\._iterative:_ImputerTriplet$/, { use: "make", takesNew: true }],
  [/^sklearn\.isotonic:IsotonicRegression$/, { use: "make", state: "isotonic" }],
  // A dictionary, and one that ignores its state.
  [/^sklearn\.utils(\._bunch)?:Bunch$/, { use: "make", state: "attributes", fill: "pairs" }],
  // Cython's classes of distances and of trees of neighbours: `newObj` makes their objects.
  [
    /^sklearn\.(metrics|neighbors)(\.\w+)*:(DistanceMetric|(?!PyFunc)[A-Z]\w+Distance|BallTree|KDTree)(32|64)?$/,
    {
      use: "value",
    },
  ],
  [SKLEARN_CLASS, { use: "make" }],

  [/^scipy\.sparse(\.\w+)?:(bsr|coo|csc|csr|dia|dok|lil)_(matrix|array)$/, { use: "make", fill: "pairs" }],
  // Not KDTree and cKDTree of scipy.spatial: they take addresses within the tree from the bytes of their state.
  [
    /^scipy\.interpolate(\.\w+)?:([BN]?d?PPoly|BPoly|BSpline|\w+Spline|\w+Interpolator|\w*1DInterpolator|R[bB][fF]\w*|interp[12]d)$/,
    { use: "make", state: "slots" },
  ],
  // Which array library an interpolator computes with.
  [/^scipy\._lib\.array_api_compat\.numpy\._aliases:asarray$/, { use: "value" }],
  [/^scipy\.optimize(\._\w+)?:(OptimizeResult|LbfgsInvHessProduct)$/, {
    use: "make",
    state: "nothing",
    fill: "pairs",
  }],

  [/^xgboost(\.core)?:Booster$/, { use: "make", state: "model" }],
  [
    /^xgboost(\.(core|sklearn|callback))?:(XGB\w+|EarlyStopping|EvaluationMonitor|LearningRateScheduler)$/,
    {
      use: "make",
    },
  ],
  [/^lightgbm(\.basic)?:Booster$/, { use: "make", state: "model" }],
  [/^lightgbm(\.sklearn)?:LGBM\w+$/, { use: "make" }],
  [/^(catboost(\.core)?|_catboost):_?CatBoost\w*$/, { use: "make" }],
];

/** What torch's files are made of besides: tensors, their storages and kinds. */
const TORCH_RULES: readonly Rule[] = [
  [
    /^torch\._utils:_rebuild_(tensor|tensor_v2|tensor_v3|parameter|parameter_with_state|sparse_tensor|sparse_csr_tensor|qtensor|meta_tensor_no_storage|nested_tensor)$/,
    {
      use: "call",
      takes: /^torch:\w+$/,
      makes: "stored",
    },
  ],
  [/^torch(\.cuda|\.storage)?:\w+Storage$/, { use: "value" }],
  [/^torch:(Size|device)$/, { use: "call", makes: "stored" }],
  [
    /^torch:(Tensor|q?u?int\d+|b?float\d+\w*|complex\d+|double|half|bool|strided|sparse_co[ol]|contiguous_format|per_(tensor|channel)_affine(_symmetric)?)$/,
    {
      use: "value",
    },
  ],
  [/^torch\.nn\.parameter:(Parameter|Buffer)$/, { use: "value" }],
  [/^torch\.serialization:_get_layout$/, { use: "call" }],
];

/** Parts of module names below which nothing is allowed by a pattern: they fetch, build, test, or load other code. */
const DENIED_PARTS =
  /(^|\.)(_?datasets?|externals|_?testing|tests?|conftest|_show_versions|_build_utils|_build|f2py|distutils|setup|stats|io|signal|ctypes\w*|_?ccallback|cloudpickle\w*|dill|loky|numpy_pickle_(utils|compat)|estimator_checks)(\.|$)/;

/** Modules of Python that run, read, write, load or look up things. */
const DENIED_ROOTS = new Set(
  ("builtins __builtin__ os posix nt posixpath ntpath sys subprocess commands popen2 pty platform shutil tempfile pathlib glob " +
    "importlib imp runpy pkgutil zipimport site code codeop pdb bdb cProfile profile timeit trace doctest unittest " +
    "pickle _pickle cPickle copyreg copy_reg marshal shelve dill cloudpickle joblib types functools _functools operator " +
    "_operator itertools inspect gc ctypes _ctypes cffi mmap multiprocessing _multiprocessing threading _thread concurrent " +
    "asyncio socket _socket socketserver ssl http urllib urllib2 httplib requests ftplib smtplib telnetlib xmlrpc webbrowser " +
    "pydoc pip setuptools distutils ensurepip venv idlelib lib2to3 logging atexit signal sched codecs _codecs io _io " +
    "linecache tokenize ast compileall py_compile torch").split(" "),
);

/** Names that run, load or look up things wherever they are found. */
const DENIED_NAMES =
  /^(eval|exec|execfile|compile|open|getattr|setattr|delattr|__\w+__|system|popen\w*|Popen|run\w*|call|check_(call|output)|spawn\w*|load\w*|fetch\w*|loadtxt|genfromtxt|fromfile|memmap|attrgetter|itemgetter|methodcaller|partial|reduce|apply|locate|import_module|exec_command|_?ufunc_reconstruct|C?DLL|\w+DLL|\w*Unpickler|rv_\w+|\w+_gen)$/;

/**
 * What a pickle may do with `module.name`, `undefined` when it may not import it.
 *
 * An exact pattern is what the user says; one with `*` opens nothing that is known to run, load or look up things.
 */
export function findRule(
  module: string,
  name: string,
  allowed: PickleAllowList,
  isTorch: boolean,
): GlobalRule | undefined {
  const full = `${module}.${name}`;
  if (allowed.patterns.some((pattern) => pattern === full)) return FREE;
  const text = `${module}:${name}`;
  const rules = isTorch ? [...TORCH_RULES, ...RULES] : RULES;
  if (!DENIED_PARTS.test(module)) {
    const known = rules.find(([pattern]) => pattern.test(text))?.[1];
    if (known !== undefined) return known;
  }
  const isOpen = allowed.patterns.some((pattern) => startsLiterally(pattern) && matchesAny(full, [pattern]));
  return isOpen && !isDenied(module, name) ? FREE : undefined;
}

/** Whether something is known to run, load or look up things. */
export function isDenied(module: string, name: string): boolean {
  return DENIED_ROOTS.has(module.split(".", 1)[0] ?? "") || DENIED_PARTS.test(module) ||
    DENIED_NAMES.test(name);
}

/** A package has to be named: `*.Model` would be every package's. */
function startsLiterally(pattern: string): boolean {
  return /^\w+\./.test(pattern);
}

/** What is allowed, in a few words for messages. */
export const ALLOWED_IN_WORDS =
  "models of scikit-learn, numpy, scipy, joblib, xgboost, lightgbm and catboost, collections and built-in data types";
