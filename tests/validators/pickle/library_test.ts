import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import * as z from "zod";
import imports from "../../../lib/validators/pickle/rules/library_imports.json" with { type: "json" };
import { findRule } from "../../../lib/validators/pickle/rules/allow_list.ts";
import { ANY_NAMES, inspectBytes, refusesBytes } from "./inspect_bytes.ts";
import { PROTO_4, rawPickle, stackGlobal, text, uint32 } from "../../helpers/raw_pickle.ts";
import samples from "./samples.json" with { type: "json" };

const Samples = z.record(z.string(), z.string());
const PASS = Object.entries(Samples.parse(samples.pass));
const FAIL = Object.entries(Samples.parse(samples.fail));

const decoded = (sample: string) => new Uint8Array(inflateSync(Uint8Array.fromBase64(sample)));

Deno.test("pickles of scikit-learn, scipy, numpy, pandas, statsmodels and imbalanced-learn pass", async () => {
  assert.ok(PASS.length > 70);
  for (const [what, sample] of PASS) {
    for (const name of ["m.pkl", "model", "weights.bin"]) {
      assert.equal(await inspectBytes(decoded(sample), name).catch((error) => `${what}: ${error}`), true);
    }
  }
});

Deno.test("newer versions with other module names pass", async () => {
  const renamed = [
    ["cnumpy.core.", "cnumpy._core."],
    ["cnumpy\nrecarray", "cnumpy.rec\nrecarray"],
    ["cnumpy\nrecord", "cnumpy.rec\nrecord"],
    ["cpandas.core.frame\nDataFrame", "cpandas\nDataFrame"],
    ["cpandas.core.series\nSeries", "cpandas\nSeries"],
    ["cpandas.core.indexes.base\nIndex", "cpandas\nIndex"],
    ["cpandas.core.indexes.range\n", "cpandas\n"],
    ["cpathlib\n", "cpathlib._local\n"],
  ] as const;
  const ofText = PASS.filter(([what]) => what.endsWith("protocol 0"));
  assert.ok(ofText.length > 15);
  for (const [what, sample] of ofText) {
    const latin1 = renamed.reduce(
      (written, [from, to]) => written.replaceAll(from, to),
      new TextDecoder("latin1").decode(decoded(sample)),
    );
    const content = Uint8Array.from(latin1, (char) => char.charCodeAt(0));
    assert.equal(await inspectBytes(content, "m.pkl").catch((error) => `${what}: ${error}`), true);
  }
});

Deno.test("a model whose formula is evaluated by loading is refused", async () => {
  assert.ok(FAIL.length > 0);
  for (const [, sample] of FAIL) {
    await refusesBytes(decoded(sample), /with a formula, which is code that loading evaluates/, [
      "m.pkl",
      "model",
    ]);
  }
});

const HMM = rawPickle(
  stackGlobal("hmmlearn.hmm", "GaussianHMM"),
  ")",
  0x81,
  "}",
  text("monitor_"),
  stackGlobal("hmmlearn.base", "ConvergenceMonitor"),
  ")",
  0x81,
  "sb.",
);

Deno.test("models of hmmlearn pass", async () => {
  assert.equal(await inspectBytes(rawPickle(PROTO_4, HMM), "m.pkl"), true);
});

/** Imports with which a pickle runs code or accesses files. */
const GADGETS = (
  "os:system posix:system nt:system os:popen subprocess:Popen subprocess:check_output builtins:eval builtins:exec " +
  "builtins:compile builtins:open builtins:__import__ __builtin__:execfile builtins:setattr builtins:type builtins:map " +
  "builtins:globals io:open io:FileIO _io:open pickle:loads _pickle:loads marshal:loads types:FunctionType types:CodeType " +
  "types:MethodType functools:partial functools:reduce operator:methodcaller operator:attrgetter operator:itemgetter " +
  "itertools:starmap importlib:import_module runpy:run_path runpy:_run_code code:interact pydoc:locate pydoc:pipepager " +
  "timeit:timeit cProfile:run bdb:Bdb pdb:run ctypes:CDLL _ctypes:dlopen socket:create_connection shutil:rmtree " +
  "shutil:copyfile tempfile:NamedTemporaryFile webbrowser:open urllib.request:urlopen logging.config:dictConfig " +
  "multiprocessing.util:_exit_function asyncio.unix_events:_UnixSubprocessTransport copyreg:_reduce_ex pathlib:os " +
  "numpy:load numpy:save numpy:fromfile numpy:memmap numpy:loadtxt numpy:genfromtxt numpy:frompyfunc numpy:DataSource " +
  "numpy.core:load numpy.core._multiarray_umath:fromfile numpy.core.multiarray:fromfile numpy.core.memmap:memmap " +
  "numpy.core._multiarray_umath:_load_from_filelike numpy.core.umath:frompyfunc numpy.lib.npyio:load numpy.lib:load " +
  "numpy.lib.npyio:NpzFile numpy.lib.npyio:DataSource numpy.testing._private.utils:runstring numpy.testing:runstring " +
  "numpy.f2py:compile numpy.f2py.crackfortran:myeval numpy.distutils.exec_command:exec_command numpy.ctypeslib:load_library " +
  "numpy.lib.shape_base:apply_along_axis numpy.core:seterrcall numpy.ma.core:load numpy._core.records:fromfile " +
  "numpy.core.records:fromfile numpy.rec:fromfile numpy.core.function_base:add_newdoc numpy.core._internal:_ctypes " +
  "joblib:load joblib.numpy_pickle:load joblib.numpy_pickle:NumpyUnpickler joblib.memory:Memory joblib:Memory " +
  "joblib.memory:MemorizedFunc joblib.memory:MemorizedResult joblib.parallel:BatchedCalls joblib.func_inspect:get_func_code " +
  "joblib.externals.cloudpickle:loads joblib.externals.loky.backend.spawn:prepare joblib._store_backends:FileSystemStoreBackend " +
  "sklearn.utils._joblib:load sklearn.utils._joblib:Memory sklearn.externals.joblib:load sklearn.datasets:fetch_openml " +
  "sklearn.datasets:load_files sklearn.datasets._base:load_files sklearn.datasets:load_svmlight_file sklearn.utils:check_memory " +
  "sklearn.utils._testing:TempMemmap sklearn.base:clone sklearn.metrics:make_scorer sklearn.metrics:get_scorer " +
  "sklearn.metrics._scorer:partial sklearn.metrics._scorer:get_scorer sklearn.utils.fixes:delayed sklearn.utils.parallel:Parallel " +
  "sklearn.pipeline:Parallel sklearn.pipeline:check_memory sklearn.tree:export_graphviz sklearn.tree._export:_DOTTreeExporter " +
  "sklearn.inspection._plot.decision_boundary:DecisionBoundaryDisplay sklearn.utils._estimator_html_repr:Template " +
  "sklearn.ensemble._forest:Parallel sklearn.linear_model._base:sys sklearn.feature_extraction.text:partial " +
  "sklearn.metrics.pairwise:partial sklearn.metrics.pairwise:pairwise_distances_chunked sklearn.preprocessing._data:os " +
  "pandas:read_pickle pandas:read_csv pandas:eval pandas:ExcelWriter pandas:HDFStore pandas.io.pickle:read_pickle " +
  "pandas.io.common:get_handle pandas.core.computation.eval:eval pandas.core.frame:DataFrame.eval pandas:DataFrame.query " +
  "pandas.core.frame:DataFrame.to_pickle pandas.compat.pickle_compat:loads pandas.core.base:PandasObject " +
  "pandas.core.internals.managers:sys pandas.core.indexes.base:getitem pandas.core.arrays:partial " +
  "scipy.io:loadmat scipy.io.matlab:loadmat scipy.io._mmio:mmread scipy:LowLevelCallable scipy._lib._ccallback:LowLevelCallable " +
  "scipy._lib._ccallback:CData scipy.sparse:load_npz scipy.sparse._matrix_io:load_npz scipy.special:seterr scipy.special:errstate " +
  "scipy.spatial:KDTree scipy.spatial._ckdtree:cKDTree scipy.optimize:minimize scipy.stats:rv_histogram " +
  "scipy.stats._distn_infrastructure:rv_continuous scipy.stats._distn_infrastructure:rv_discrete scipy.stats.sampling:NumericalInversePolynomial " +
  "scipy.datasets._fetchers:fetch_data scipy.misc:face " +
  "statsmodels.iolib.smpickle:load_pickle statsmodels.api:load statsmodels.datasets.utils:get_rdataset statsmodels.base.model:Results.load " +
  "statsmodels.base.wrapper:ResultsWrapper.load statsmodels.formula.api:ols statsmodels.base.model:Model.from_formula " +
  "statsmodels.base.data:handle_data statsmodels.tools.web:webdoc patsy:dmatrices patsy.eval:EvalEnvironment patsy.eval:EvalFactor " +
  "imblearn.datasets:fetch_datasets imblearn.utils.testing:warns imblearn.pipeline:check_memory imblearn.keras:import_keras " +
  "hmmlearn.base:os hmmlearn.utils:normalize dill._dill:_load_type cloudpickle.cloudpickle:_make_function torch:load " +
  "torch.hub:load torch.storage:_load_from_bytes torch.jit:load torch._utils:_import_dotted_name torch.serialization:load " +
  "torch._dynamo.guards:GuardBuilder xgboost.core:ctypes lightgbm.basic:ctypes catboost.utils:read_cd uuid:_load_system_functions " +
  "uuid:os uuid:UUID.__class__ datetime:sys datetime:datetime.__class__ decimal:sys zoneinfo:reset_tzpath zoneinfo:ZoneInfo.from_file " +
  "zoneinfo:ZoneInfo.__class__ pytz:open_resource pytz:timezone dateutil.tz:gettz dateutil.zoneinfo:get_zonefile_instance " +
  "collections:namedtuple enum:Enum re:Scanner re:_compile string:Template"
).split(" ");

Deno.test("no import that runs code or accesses files is allowed, whatever is in the generated list", async () => {
  for (const gadget of GADGETS) {
    const [module = "", name = ""] = gadget.split(":");
    for (const dialect of ["joblib", "torch", "torchscript"] as const) {
      assert.equal(findRule(module, name, { patterns: [] }, dialect), undefined, gadget);
      // A pattern for a whole package does not allow denied names.
      assert.equal(findRule(module, name, { patterns: ["bot.*"] }, dialect), undefined, gadget);
    }
    const called = rawPickle(PROTO_4, stackGlobal(module, name), text("id"), 0x85, "R.");
    await refusesBytes(called, /its pickle (imports|calls) /, ["m.pkl", "weights.bin"]);
  }
});

/** Parts of the names of functions that read, write, load, run or look up something. */
const SUSPICIOUS =
  /(^|_)(load|loads|dump|save|open|read|write|exec|eval|run|system|popen|import|compile|fetch|memmap|memory|file|path|url|pickle|getattr|setattr|partial|call|apply|vectorize|frompyfunc)(_|$)/i;

Deno.test("the generated list has no function that does more than compute", () => {
  const functions = Object.values(imports.functions).flatMap((names) => names.split(" "));
  assert.ok(functions.length > 500);
  // Polynomials are evaluated, and coefficients have a path.
  const found = functions.filter((name) =>
    SUSPICIOUS.test(name) && !/^eval_\w+|^(enet|lasso)_path$/.test(name)
  );
  assert.deepEqual(found, []);
  const packages = [...Object.keys(imports.functions), ...Object.keys(imports.classes)];
  const known =
    /^(sklearn|imblearn|hmmlearn|statsmodels)\.\w+$|^numpy(\._?core)?$|^scipy\.(special|spatial)$/;
  assert.deepEqual(packages.filter((name) => !known.test(name)), []);
  for (const gadget of GADGETS) {
    const [module = "", name = ""] = gadget.split(":");
    const key = module.split(".", 2).join(".");
    const listed = new Map(Object.entries({ ...imports.functions })).get(key)?.split(" ") ?? [];
    assert.ok(!listed.includes(name), gadget);
  }
});

const made = (module: string, name: string) => rawPickle(stackGlobal(module, name), ")", 0x81);
const entry = (key: string, value: Uint8Array) => rawPickle(text(key), value);
const state = (...entries: Uint8Array[]) => rawPickle("}(", ...entries, "ub");
const called = (module: string, name: string, ...args: Uint8Array[]) =>
  rawPickle(stackGlobal(module, name), "(", ...args, "tR");
const longText = (value: string) => rawPickle("X", uint32(value.length), value);

const TEMPLATE = (shapes = "a, b, ", more = "") =>
  `\ndef _parse_args(self, ${shapes} loc=0, scale=1):\n    return (${shapes}), loc, scale${more}\n\n` +
  `def _parse_args_rvs(self, ${shapes} loc=0, scale=1, size=None):\n    return self._argcheck_rvs(${shapes} loc, scale, size=size)\n\n` +
  `def _parse_args_stats(self, ${shapes} loc=0, scale=1, moments='mv'):\n    return (${shapes}), loc, scale, moments\n`;

const NORM = made("scipy.stats._continuous_distns", "norm_gen");
const distribution = (template: string, ...entries: Uint8Array[]) =>
  rawPickle(NORM, state(entry("_parse_arg_template", longText(template)), ...entries));
const VALUE = stackGlobal("sklearn.metrics", "auc");
const INSTANCE = made("sklearn.base", "BaseEstimator");
const getattr = (target: Uint8Array, name: string) =>
  rawPickle("cbuiltins\ngetattr\n", target, text(name), 0x86, "R");

Deno.test("the template that scipy writes for a distribution passes", async () => {
  for (const shapes of ["", "a, b, ", "low, high, "]) {
    const content = rawPickle(
      PROTO_4,
      distribution(TEMPLATE(shapes), entry("__doc__", longText("x".repeat(900)))),
      ".",
    );
    assert.equal(await inspectBytes(content, "m.pkl"), true);
  }
});

const frame = (...entries: Uint8Array[]) => rawPickle(made("pandas", "DataFrame"), state(...entries));
const newIndex = (name: string, ...entries: Uint8Array[]) =>
  called(
    "pandas.core.indexes.base",
    "_new_Index",
    stackGlobal("pandas", name),
    rawPickle("}(", ...entries, "u"),
  );
const MANAGER = called("pandas.core.internals.managers", "BlockManager", rawPickle(")"), rawPickle("]"));
/** An object with a function that a library would call. */
const FILLED = rawPickle(INSTANCE, state(entry("dtype", VALUE)));
/** Nested tuples, each of which contains the next one twice. */
const BOMB = rawPickle("N", ...Array.from({ length: 40 }, () => rawPickle("2", 0x86)));
const FOREIGN = /with objects that its library does not write/;
const CANNOT_BE_TOLD = /an unexpected value|unexpected arguments/;

const FORGED: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  "a distribution with other code": [
    distribution("\nimport os; os.system('id')\n" + " ".repeat(300)),
    /"_parse_arg_template"/,
  ],
  "a distribution whose template has a default": [
    distribution(TEMPLATE("a=__import__('os').system('id'), ")),
    /"_parse_arg_template"/,
  ],
  "a distribution whose template has a line more": [
    distribution(TEMPLATE() + "import os\n"),
    /"_parse_arg_template"/,
  ],
  "a distribution whose template returns a call": [
    distribution(TEMPLATE("a, ", ", __import__('os')")),
    /"_parse_arg_template"/,
  ],
  "a distribution with a short template": [distribution("import os"), /"_parse_arg_template"/],
  "a distribution without a template": [rawPickle(NORM, state(entry("name", text("x")))), CANNOT_BE_TOLD],
  "a distribution with a method of the file's": [
    distribution(TEMPLATE(), entry("_attach_methods", VALUE)),
    /"_attach_methods"/,
  ],
  "a distribution whose state is a pair": [rawPickle(NORM, "}N", 0x86, "b"), CANNOT_BE_TOLD],
  "an object that is closed when it is freed": [
    rawPickle(made("scipy.spatial._qhull", "Delaunay"), state(entry("_qhull", INSTANCE))),
    CANNOT_BE_TOLD,
  ],
  "data of statsmodels with a formula": [
    rawPickle(
      made("statsmodels.base.data", "PandasData"),
      state(entry("restore_design_info", rawPickle(0x88)), entry("formula", text("__import__('os')"))),
    ),
    /with a formula/,
  ],
  "a table with a property": [
    rawPickle(made("pandas", "DataFrame"), state(entry("columns", VALUE))),
    /with the attribute "columns"/,
  ],
  "a table without data": [
    rawPickle(made("pandas", "DataFrame"), state(entry("_typ", text("x")))),
    CANNOT_BE_TOLD,
  ],
  "an array of pandas' with a property": [
    rawPickle(
      called(
        "pandas._libs.arrays",
        "__pyx_unpickle_NDArrayBacked",
        stackGlobal("pandas.core.arrays.categorical", "Categorical"),
        rawPickle("K", 1, "N"),
      ),
      rawPickle("(", INSTANCE, INSTANCE, rawPickle("}", text("__class__"), VALUE, "s"), "tb"),
    ),
    CANNOT_BE_TOLD,
  ],
  "an index of another class": [
    called("pandas.core.indexes.base", "_new_Index", stackGlobal("sklearn.svm", "SVC"), rawPickle("}")),
    /passes sklearn\.svm\.SVC to pandas\.core\.indexes\.base\._new_Index/,
  ],
  "an index with other arguments": [
    called(
      "pandas.core.indexes.base",
      "_new_Index",
      stackGlobal("pandas", "Index"),
      rawPickle("}", text("dtype"), text("category"), "s"),
    ),
    CANNOT_BE_TOLD,
  ],
  "a UUID of an object": [rawPickle(made("uuid", "UUID"), state(entry("int", INSTANCE))), CANNOT_BE_TOLD],
  "a moment with a function for its zone": [
    called("datetime", "datetime", rawPickle("C", 10, new Uint8Array(10)), VALUE),
    /passes sklearn\.metrics\.auc to datetime\.datetime/,
  ],
  "a decimal of a number": [called("decimal", "Decimal", rawPickle("K", 5)), CANNOT_BE_TOLD],
  "a path of an object": [called("pathlib", "PosixPath", INSTANCE), CANNOT_BE_TOLD],
  "a function that is called": [called("numpy", "mean", INSTANCE), /calls numpy\.mean/],
  "a class that is called": [called("hmmlearn.hmm", "GaussianHMM"), /calls hmmlearn\.hmm\.GaussianHMM/],
  "an attribute of an object": [getattr(INSTANCE, "fit"), /imports builtins\.getattr/],
  "a special attribute of a distribution": [getattr(NORM, "__class__"), /imports builtins\.getattr/],
  "an attribute of a class": [
    getattr(stackGlobal("sklearn.svm", "SVC"), "fit"),
    /imports sklearn\.svm\.SVC\.fit/,
  ],
  "getattr as a value": [rawPickle("cbuiltins\ngetattr\n", 0x85), /imports builtins\.getattr/],
  "getattr in a list": [rawPickle("]cbuiltins\ngetattr\na"), /imports builtins\.getattr/],
  "getattr in a state": [
    rawPickle(INSTANCE, "}", text("func"), "cbuiltins\ngetattr\nsb"),
    /imports builtins\.getattr/,
  ],
  "getattr as a factory": [
    called("collections", "defaultdict", rawPickle("cbuiltins\ngetattr\n")),
    /imports builtins\.getattr/,
  ],
  "a method of a distribution that makes source code of its arguments": [
    getattr(NORM, "_construct_argparser"),
    /imports builtins\.getattr/,
  ],
  "a method of a distribution that executes source code": [
    getattr(NORM, "_attach_argparser_methods"),
    /imports builtins\.getattr/,
  ],
  "an object that calls another method when it is freed": [
    rawPickle(made("scipy.spatial._qhull", "Delaunay"), state(entry("close", VALUE))),
    CANNOT_BE_TOLD,
  ],
  "a table whose data is another object": [frame(entry("_mgr", INSTANCE)), CANNOT_BE_TOLD],
  "a table whose attributes are an object, whose keys pandas asks for": [
    frame(entry("_mgr", MANAGER), entry("attrs", rawPickle(INSTANCE, state(entry("keys", VALUE))))),
    CANNOT_BE_TOLD,
  ],
  "a column whose name takes too long to hash": [
    frame(entry("_mgr", MANAGER), entry("name", BOMB)),
    CANNOT_BE_TOLD,
  ],
  "an index whose name takes too long to hash": [newIndex("Index", entry("name", BOMB)), CANNOT_BE_TOLD],
  "an index whose levels have names that take too long to hash": [
    newIndex("MultiIndex", entry("names", rawPickle("]", BOMB, "a"))),
    CANNOT_BE_TOLD,
  ],
  "an index of an object with attributes": [newIndex("Index", entry("data", FILLED)), FOREIGN],
  "an index of a table": [newIndex("Index", entry("data", frame(entry("_mgr", MANAGER)))), FOREIGN],
  "an index whose levels are objects": [
    newIndex("MultiIndex", entry("levels", rawPickle("]", FILLED, "a"))),
    FOREIGN,
  ],
  "an index whose levels are filled after they are in it": [
    rawPickle(
      "]q",
      1,
      "0}",
      text("levels"),
      "h",
      1,
      "sq",
      2,
      "0h",
      1,
      FILLED,
      "a0",
      stackGlobal("pandas.core.indexes.base", "_new_Index"),
      stackGlobal("pandas", "MultiIndex"),
      "h",
      2,
      0x86,
      "R",
    ),
    FOREIGN,
  ],
  "a block of an object": [
    called("pandas._libs.internals", "_unpickle_block", FILLED, rawPickle("K", 0), rawPickle("K", 2)),
    FOREIGN,
  ],
  "a manager whose axes are objects": [
    called("pandas.core.internals.managers", "BlockManager", rawPickle(")"), rawPickle("]", FILLED, "a")),
    FOREIGN,
  ],
  "a manager whose state has objects in it": [
    rawPickle(
      made("pandas.core.internals.managers", "SingleBlockManager"),
      rawPickle("(]]]}", text("0.14.1"), "}", text("axes"), "]", FILLED, "asstb"),
    ),
    FOREIGN,
  ],
  "an array of pandas' of objects": [
    rawPickle(made("pandas.core.arrays.integer", "IntegerArray"), state(entry("_data", FILLED))),
    FOREIGN,
  ],
  "types of pandas' as keys, each hashed with all of its categories": [
    rawPickle(
      "}(",
      made("pandas.core.dtypes.dtypes", "CategoricalDtype"),
      "q",
      1,
      "N",
      ...Array.from({ length: 5_000 }, () => rawPickle("h", 1, "N")),
      "u",
    ),
    /would take Python too long to hash/,
  ],
  "a UUID of a long number": [
    rawPickle(made("uuid", "UUID"), state(entry("int", rawPickle(0x8a, 17, new Uint8Array(17).fill(1))))),
    CANNOT_BE_TOLD,
  ],
  "an array of pandas' that is filled without a check": [
    called(
      "pandas._libs.arrays",
      "__pyx_unpickle_NDArrayBacked",
      stackGlobal("pandas", "PandasArray"),
      rawPickle("K", 1, "(NN}", text("__array_interface__"), "}st"),
    ),
    /passes pandas\.PandasArray|unexpected arguments/,
  ],
  "an array of intervals with a special attribute": [
    rawPickle(
      called(
        "pandas._libs.interval",
        "__pyx_unpickle_IntervalMixin",
        stackGlobal("pandas.core.arrays.interval", "IntervalArray"),
        rawPickle("K", 1, "N"),
      ),
      "}",
      text("__array_interface__"),
      "}s",
      0x85,
      "b",
    ),
    /with the attribute "__array_interface__"/,
  ],
  "a template behind a backslash": [
    rawPickle(
      NORM,
      "}",
      text("_parse_arg_template"),
      `V\\\\u000a${TEMPLATE().trimStart().replaceAll("\n", "\\u000a")}\nsb`,
    ),
    /"_parse_arg_template"/,
  ],
  "a method of an object that is not a function of a distance": [
    getattr(made("scipy.interpolate", "Rbf"), "_call_norm"),
    /imports builtins\.getattr/,
  ],
  "a method of a distribution that is called": [
    rawPickle(getattr(NORM, "_entropy"), ")R"),
    /calls an object/,
  ],
};

for (const [what, [opcodes, expected]] of Object.entries(FORGED)) {
  Deno.test(`refused: ${what}`, async () => {
    await refusesBytes(rawPickle(PROTO_4, opcodes, "."), expected, ANY_NAMES);
  });
}

Deno.test("keys whose hashes the file chooses are limited", async () => {
  const uuids = Array.from({ length: 60_000 }, (_, at) => {
    const int = (BigInt(at) * (2n ** 61n - 1n)).toString();
    return rawPickle(made("uuid", "UUID"), rawPickle("}", text("int"), `L${int}L\n`, "sb"), "N");
  });
  await refusesBytes(
    rawPickle(PROTO_4, "}(", ...uuids, "u."),
    /would take Python too long to hash|to be tracked|allocate/,
    ["m.pkl"],
  );
});

Deno.test("an object whose attributes are not a dictionary is refused", async () => {
  for (
    const [module, name] of [
      ["xgboost.core", "Booster"],
      ["lightgbm.basic", "Booster"],
      ["statsmodels.base.data", "ModelData"],
      ["sklearn.isotonic", "IsotonicRegression"],
      ["pandas.core.frame", "DataFrame"],
    ] as const
  ) {
    const pickle = rawPickle(PROTO_4, stackGlobal(module, name), ")", 0x81, "]b.");
    await refusesBytes(pickle, /to an unexpected value/, ["m.pkl"]);
  }
});
