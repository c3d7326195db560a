import assert from "node:assert/strict";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { inspectPickle } from "../../../lib/validators/pickle/inspect_pickle.ts";
import { float64, PROTO_4, rawPickle, stackGlobal, text, uint32 } from "../../helpers/raw_pickle.ts";
import { stagedFile } from "../../helpers/model_files.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

async function inspect(content: Uint8Array, name = "m.pkl"): Promise<void> {
  using dir = tempDir();
  await inspectPickle(testContext(), stagedFile(dir.path, name, content), { patterns: [] });
}

const ESTIMATOR = rawPickle(stackGlobal("sklearn.base", "BaseEstimator"), ")", 0x81);
const ORDERED = rawPickle(stackGlobal("collections", "OrderedDict"), ")R");
const VALUE = stackGlobal("sklearn.svm", "SVC");
const size = rawPickle(0x8a, 5, 0, 0, 0, 0, 16);
const range = rawPickle(stackGlobal("builtins", "range"), "K", 5, 0x85, "R");
const called = (module: string, name: string, ...args: Uint8Array[]) =>
  rawPickle(stackGlobal(module, name), "(", ...args, "tR");
const state = (key: string) => rawPickle("}", text(key), VALUE, "s");
const array = called(
  "numpy.core.multiarray",
  "_reconstruct",
  stackGlobal("numpy", "ndarray"),
  rawPickle("K", 0, 0x85),
  rawPickle("C", 1, "b"),
);
const objects = rawPickle(
  stackGlobal("numpy", "dtype"),
  text("O8"),
  0x89,
  0x88,
  0x87,
  "R(K",
  3,
  text("|"),
  "NNNJ",
  uint32(0xffffffff),
  "J",
  uint32(0xffffffff),
  "K",
  63,
  "tb",
);

/** Tuples, each of which contains the previous one twice: hashing the last takes exponential time. */
const nested = rawPickle(
  "K",
  1,
  0x85,
  ...Array.from({ length: 60 }, () => rawPickle("2", 0x86)),
);

const HOSTILE: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  "an item set in an import": [
    rawPickle(stackGlobal("builtins", "dict"), text("a"), "Ns"),
    /adds to builtins\.dict/,
  ],
  "an item set in an estimator": [rawPickle(ESTIMATOR, text("a"), "Ns"), /adds to an object/],
  "an estimator that is appended to": [rawPickle(ESTIMATOR, "Na"), /adds to an object/],
  "a state that shadows append": [rawPickle(ESTIMATOR, state("append"), "bNa"), /adds to an object/],
  "a state that shadows extend": [rawPickle(ESTIMATOR, state("extend"), "b(Ne"), /adds to an object/],
  "a state that shadows add": [rawPickle(ESTIMATOR, state("add"), "b(N", 0x90), /adds to an object/],
  "a queue that is filled when its state is set": [
    rawPickle(called("collections", "deque", rawPickle("]")), state("append"), "bNa"),
    /adds to an object/,
  ],
  "a dictionary of a class that is filled when its state is set": [
    rawPickle(ORDERED, state("x"), "b", text("a"), "Ns"),
    /adds to an object/,
  ],
  "a state that is set twice": [
    rawPickle(ESTIMATOR, state("x"), "b", state("y"), "b"),
    /state of an object twice/,
  ],
  "a state with the next state's method": [
    rawPickle(ESTIMATOR, state("__setstate__"), "b"),
    /"__setstate__"/,
  ],
  "a state with another class": [rawPickle(ESTIMATOR, state("__class__"), "b"), /"__class__"/],
  "a state that goes through setattr": [rawPickle(ESTIMATOR, "N", state("x"), 0x86, "b"), /unexpected/],
  "a state that is not a dictionary": [rawPickle(ESTIMATOR, ORDERED, "b"), /unexpected/],
  "an item that is found as a method": [
    rawPickle(stackGlobal("scipy.optimize", "OptimizeResult"), ")", 0x81, text("__setstate__"), VALUE, "sNb"),
    /adds to an object/,
  ],
  "an isotonic regression with its own method": [
    rawPickle(stackGlobal("sklearn.isotonic", "IsotonicRegression"), ")", 0x81, state("_build_f"), "b"),
    /"_build_f"/,
  ],
  "a booster with an address": [
    rawPickle(stackGlobal("xgboost.core", "Booster"), ")", 0x81, "}", text("handle"), "K", 8, "sb"),
    /a model that is not data/,
  ],
  "an estimator with arguments": [
    rawPickle(stackGlobal("sklearn.base", "BaseEstimator"), "K", 1, 0x85, 0x81),
    /with arguments/,
  ],
  "an estimator with named arguments": [
    rawPickle(stackGlobal("sklearn.base", "BaseEstimator"), ")}", 0x92),
    /with arguments/,
  ],
  "a numpy.dtype by NEWOBJ_EX": [
    rawPickle(stackGlobal("numpy", "dtype"), text("f8"), 0x85, "}", 0x92),
    /makes an object of numpy\.dtype/,
  ],
  "an array by NEWOBJ": [
    rawPickle(stackGlobal("numpy", "ndarray"), size, 0x85, 0x85, 0x81),
    /makes an object of numpy\.ndarray/,
  ],
  "a queue by NEWOBJ": [rawPickle(stackGlobal("collections", "deque"), ")", 0x81), /makes an object of/],
  "an array of a shape of its own": [
    called(
      "numpy.core.multiarray",
      "_reconstruct",
      stackGlobal("numpy", "ndarray"),
      rawPickle(size, 0x85),
      text("O"),
    ),
    /with unexpected arguments/,
  ],
  "an array with fewer objects than its shape": [
    rawPickle(array, "(K", 1, size, 0x85, objects, 0x89, "](NetB".replace("B", "b")),
    /with 1 objects for a shape of/,
  ],
  "an array that gets a second state": [
    rawPickle(array, ...[1, 2].map(() => rawPickle("(K", 1, "K", 0, 0x85, float64(), 0x89, "C", 0, "tb"))),
    /state of an object twice/,
  ],
  "a view of an array": [
    called("numpy.core.numeric", "_frombuffer", array, float64(), rawPickle("K", 0, 0x85), text("C")),
    /with unexpected arguments/,
  ],
  "a number of objects": [
    called("numpy.core.multiarray", "scalar", objects, array),
    /of objects/,
  ],
  "64 GiB by bytearray": [called("builtins", "bytearray", size), /with a size/],
  "64 GiB by bytes": [called("builtins", "bytes", size), /with a size/],
  "64 GiB by bytes, in hexadecimal": [
    called("builtins", "bytes", rawPickle("I0x1000000000\n")),
    /an overlong or oddly written number/,
  ],
  "64 GiB by Python 2's bytearray": [called("__builtin__", "bytearray", size), /with a size/],
  "bytes of a range": [called("builtins", "bytes", range), /with unexpected arguments/],
  "a set of a range": [called("builtins", "set", range), /with unexpected arguments/],
  "a frozen set of a range": [called("builtins", "frozenset", range), /with unexpected arguments/],
  "a queue of a range": [called("collections", "deque", range), /with unexpected arguments/],
  "a counter of a range": [called("collections", "Counter", range), /with unexpected arguments/],
  "an ordered dictionary of a range": [called("collections", "OrderedDict", range), /unexpected/],
  "a tree of so many outputs": [
    called("sklearn.tree._tree", "Tree", rawPickle("K", 1), array, rawPickle("J", uint32(0x7fffffff))),
    /with unexpected arguments/,
  ],
  "a key that takes forever to hash": [rawPickle("}", nested, "Ns"), /would take Python too long to hash/],
  "a key among others": [rawPickle("}(", nested, "Nu"), /would take Python too long to hash/],
  "an element of a set": [rawPickle(0x8f, "(", nested, 0x90), /would take Python too long to hash/],
  "an element of a frozen set": [rawPickle("(", nested, 0x91), /would take Python too long to hash/],
  "a key in a dictionary of protocol 0": [rawPickle("(", nested, "Nd"), /would take Python too long to hash/],
  "an element of a set that is called": [
    rawPickle(stackGlobal("builtins", "set"), "](", nested, "e", 0x85, "R"),
    /would take Python too long to hash/,
  ],
};

for (const [what, [opcodes, expected]] of Object.entries(HOSTILE)) {
  Deno.test(`refused, under any name: ${what}`, async () => {
    for (const name of ["m.pkl", "m.joblib", "weights.bin"]) {
      await assert.rejects(() => inspect(rawPickle(PROTO_4, opcodes, "."), name), (error: unknown) => {
        assert.ok(error instanceof InvalidModelError, String(error));
        assert.match(error.message, expected);
        return true;
      });
    }
  });
}

const REEXPORTED = [
  ["sklearn.utils._joblib", "Memory"],
  ["sklearn.utils._joblib", "Parallel"],
  ["sklearn.utils.parallel", "Parallel"],
  ["sklearn.utils.discovery", "Path"],
  ["sklearn.tree._export", "StringIO"],
  ["sklearn.pipeline", "Bunch"],
  ["sklearn.compose._column_transformer", "Counter"],
  ["sklearn.utils._available_if", "MethodType"],
  ["sklearn.utils._estimator_html_repr", "Template"],
  ["sklearn.utils._mocking", "CheckingClassifier"],
  ["sklearn.metrics._dist_metrics", "PyFuncDistance"],
  ["scipy.interpolate._ndgriddata", "cKDTree"],
  ["scipy.spatial", "KDTree"],
] as const;

for (const [module, name] of REEXPORTED) {
  Deno.test(`the import of ${module}.${name}, which is not a plain class of that module, is refused`, async () => {
    const pickle = rawPickle(PROTO_4, stackGlobal(module, name), ")", 0x81, ".");
    await assert.rejects(() => inspect(pickle), InvalidModelError);
  });
}

Deno.test("objects pass as picklers write them", async () => {
  const honest = [
    rawPickle(ESTIMATOR, "}", text("a"), "K", 1, "sb"),
    rawPickle(ORDERED, text("a"), "Ns", "}", text("_metadata"), "Nsb"),
    rawPickle(called("collections", "deque", rawPickle("]"), rawPickle("K", 3)), "Na"),
    rawPickle(array, "(K", 1, "K", 2, 0x85, objects, 0x89, "](NNetb"),
    rawPickle("}", text("a"), "K", 1, 0x86, "Ns"),
    rawPickle(stackGlobal("builtins", "set"), "](K", 1, "K", 2, "e", 0x85, "R"),
    // LightGBM's parameters.
    called("collections", "defaultdict", stackGlobal("collections", "OrderedDict")),
  ];
  for (const opcodes of honest) await inspect(rawPickle(PROTO_4, opcodes, "."));
});
