import {
  float64,
  global,
  type PicklePart,
  PROTO_4,
  rawPickle,
  stackGlobal,
  text,
  uint32,
} from "../../helpers/raw_pickle.ts";
import { ANY_NAMES, inspectBytes, refusesBytes } from "./inspect_bytes.ts";
import { joined, rawZip } from "../../helpers/raw_zip.ts";

const make = (module: string, name: string) => rawPickle(stackGlobal(module, name), ")", 0x81);
const call = (module: string, name: string, ...args: PicklePart[]) =>
  rawPickle(stackGlobal(module, name), "(", ...args, "tR");
const state = (...entries: PicklePart[]) => rawPickle("}(", ...entries, "ub");
const ESTIMATOR = make("sklearn.svm._classes", "SVC");
const KERNEL = make("sklearn.gaussian_process.kernels", "RBF");
const RANGE = call("builtins", "range", "K", 5);
const BUILTIN = (name: string) => stackGlobal("builtins", name);

/** More entries than the machine tracks. */
const many = rawPickle(...Array.from({ length: 100 }, (_, at) => rawPickle(text(`a${at}`), "N")));

/** More text than the memo keeps, in different texts that each begin with a number. */
const muchText = filled(300_000, rawPickle(text("".padEnd(250, "x")), 0x94, "0"));

/** Copies of these opcodes, each with a different number of seven digits in its first text. */
function filled(count: number, opcodes: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(count * opcodes.length);
  const encoder = new TextEncoder();
  for (let at = 0; at < count; at++) {
    bytes.set(opcodes, at * opcodes.length);
    encoder.encodeInto(`${1_000_000 + at}`, bytes.subarray(at * opcodes.length + 2));
  }
  return bytes;
}

const pairs = (count: number, key: (at: number) => Uint8Array) =>
  joined(Array.from({ length: count }, (_, at) => rawPickle(key(at), "N")));

const HOSTILE: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  "a kernel in the place of a version, which is printed": [
    rawPickle(ESTIMATOR, state(text("_sklearn_version"), KERNEL)),
    /"_sklearn_version"/,
  ],
  "a version that is not text, among many entries": [
    rawPickle(ESTIMATOR, state(many, text("_sklearn_version"), KERNEL)),
    /"_sklearn_version"/,
  ],
  "an address that numpy looks up": [
    rawPickle(ESTIMATOR, state(text("__array_interface__"), "}")),
    /"__array_interface__"/,
  ],
  "an address that numpy looks up, among many entries": [
    rawPickle(ESTIMATOR, state(many, text("__array_interface__"), "}")),
    /"__array_interface__"/,
  ],
  "a special name that is written with escapes": [
    rawPickle(ESTIMATOR, state("V__array_interf\\u0061ce__\n", "}")),
    /letters are hidden by escapes/,
  ],
  "a special name that Python 2 would have written with escapes": [
    rawPickle(ESTIMATOR, state("S'__array_interf\\x61ce__'\n", "}")),
    /letters are hidden by escapes/,
  ],
  "a special name in octal": [
    rawPickle(ESTIMATOR, state("S'\\137_class__'\n", "}")),
    /letters are hidden by escapes/,
  ],
  "an address among the items of a Bunch, which are its attributes": [
    rawPickle(make("sklearn.utils", "Bunch"), text("__array_interface__"), "}s"),
    /adds to an object/,
  ],
  "an address among the items of a Bunch of protocol 0": [
    call(
      "copyreg",
      "_reconstructor",
      stackGlobal("sklearn.utils", "Bunch"),
      BUILTIN("dict"),
      rawPickle("}", text("__array_interface__"), "}s"),
    ),
    /with unexpected contents/,
  ],
  "a tuple of a range": [
    call(
      "copyreg",
      "_reconstructor",
      stackGlobal("sklearn.impute._iterative", "_ImputerTriplet"),
      BUILTIN("tuple"),
      RANGE,
    ),
    /with unexpected contents/,
  ],
  "a dictionary of an object with methods": [
    call("copyreg", "_reconstructor", stackGlobal("sklearn.utils", "Bunch"), BUILTIN("dict"), ESTIMATOR),
    /with unexpected contents/,
  ],
  "an object whose base is not a built-in type": [
    call("copyreg", "_reconstructor", stackGlobal("sklearn.utils", "Bunch"), BUILTIN("bytearray"), RANGE),
    /with unexpected contents/,
  ],
  "a kernel that numpy's random numbers call": [
    call("numpy.random._pickle", "__randomstate_ctor", text("MT19937"), KERNEL),
    /with unexpected arguments/,
  ],
  "a kernel in the place of a bit generator": [
    call("numpy.random._pickle", "__generator_ctor", KERNEL),
    /with unexpected arguments/,
  ],
  "an object of Python's made by Cython": [
    call("sklearn.neighbors._kd_tree", "newObj", stackGlobal("sklearn.isotonic", "IsotonicRegression")),
    /passes sklearn\.isotonic\.IsotonicRegression/,
  ],
  "an object that Cython makes another of": [
    call("sklearn.neighbors._kd_tree", "newObj", ESTIMATOR),
    /with unexpected arguments/,
  ],
  "a Cython constructor of another module": [
    stackGlobal("sklearn.tree._tree", "__pyx_unpickle_TreeBuilder"),
    /imports sklearn\.tree\._tree\.__pyx_unpickle_TreeBuilder/,
  ],
  "a Cython constructor of its own": [
    stackGlobal("sklearn.svm._libsvm", "__pyx_unpickle_Enum"),
    /imports sklearn\.svm\._libsvm\.__pyx_unpickle_Enum/,
  ],
  "an error of LightGBM": [stackGlobal("lightgbm.sklearn", "LGBMNotFittedError"), /imports lightgbm/],
  "an error of XGBoost": [stackGlobal("xgboost.core", "XGBoostError"), /imports xgboost/],
  "keys with equal hashes": [
    rawPickle("}(", pairs(25_000, (at) => multiple(at + 1)), "u"),
    /would take Python too long to hash/,
  ],
  "elements of a set with equal hashes": [
    rawPickle(
      BUILTIN("set"),
      "](",
      joined(Array.from({ length: 25_000 }, (_, at) => multiple(at + 1))),
      "e",
      0x85,
      "R",
    ),
    /would take Python too long to hash/,
  ],
  "a special name beyond the limit of the memo": [
    rawPickle(
      muchText,
      text("__array_interface__"),
      0x94,
      "0",
      ESTIMATOR,
      rawPickle("}j", uint32(300_000), "}sb"),
    ),
    /"__array_interface__"/,
  ],
};

/** LONG1 of a multiple of 2^61 - 1. */
function multiple(factor: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(factor) * ((1n << 61n) - 1n) & 0xffffffffffffffffn, true);
  new DataView(bytes.buffer).setBigUint64(8, BigInt(factor) * ((1n << 61n) - 1n) >> 64n, true);
  return rawPickle(0x8a, 16, bytes);
}

for (const [what, [opcodes, expected]] of Object.entries(HOSTILE)) {
  Deno.test(`refused, under any name: ${what}`, async () => {
    const pickle = rawPickle(PROTO_4, opcodes, ".");
    const names = pickle.length > 1_000_000 ? ["m.bin"] : ANY_NAMES;
    await refusesBytes(pickle, expected, names);
    if (names === ANY_NAMES) {
      await refusesBytes(rawZip([{ name: "a", content: pickle }]), expected, ["m.zip"]);
    }
  });
}

const TORCH_HOSTILE: Readonly<Record<string, Uint8Array>> = {
  "a size of a range": rawPickle(
    global("torch", "Size"),
    global("__builtin__", "xrange"),
    "K",
    5,
    0x85,
    "R",
    0x85,
    "R",
  ),
  "a nested tensor, whose sizes torch does not check": global("torch._utils", "_rebuild_nested_tensor"),
  "a device that is an object": rawPickle(
    global("torch", "device"),
    global("collections", "OrderedDict"),
    ")R",
    0x85,
    "R",
  ),
};

for (const [what, opcodes] of Object.entries(TORCH_HOSTILE)) {
  Deno.test(`refused in torch's files: ${what}`, async () => {
    const pickle = rawPickle(0x80, 2, opcodes, ".");
    await refusesBytes(rawZip([{ name: "a/data.pkl", content: pickle }]), /unexpected|imports torch/, [
      "m.pt",
      "m",
    ]);
  });
}

Deno.test("the same objects pass as their libraries write them", async () => {
  const honest = [
    rawPickle(ESTIMATOR, state(many, text("_sklearn_version"), text("1.2.1"))),
    rawPickle(ESTIMATOR, state("Vna\\u00efve\n", "N", "V\\u005c\n", "N", "S'\\\\x41\\xe4'\n", "N")),
    call("copyreg", "_reconstructor", stackGlobal("sklearn.utils", "Bunch"), BUILTIN("dict"), "}"),
    call("copyreg", "_reconstructor", stackGlobal("sklearn.svm", "SVC"), BUILTIN("object"), "N"),
    rawPickle(
      call(
        "numpy.random._pickle",
        "__generator_ctor",
        call("numpy.random._pickle", "__bit_generator_ctor", text("PCG64")),
      ),
    ),
    rawPickle(make("scipy.optimize._lbfgsb_py", "LbfgsInvHessProduct"), state(text("shape"), "N")),
    call("sklearn.neighbors._kd_tree", "newObj", stackGlobal("sklearn.neighbors._kd_tree", "KDTree")),
    rawPickle("}(", pairs(25_000, (at) => rawPickle("J", uint32(at))), "u"),
    rawPickle("}", text("__array_interface__"), "Ns"),
    rawPickle(muchText, ESTIMATOR, state(text("_sklearn_version"), text("1.2.1"), 0x94)),
    float64(),
  ];
  for (const opcodes of honest) await inspectBytes(joined([PROTO_4, opcodes, rawPickle(".")]), "m.pkl");
  const torch = rawPickle(
    global("torch", "Size"),
    "(K",
    2,
    "K",
    3,
    "t",
    0x85,
    "R0",
    global("torch", "device"),
    text("cpu"),
    0x85,
    "R.",
  );
  await inspectBytes(rawZip([{ name: "a/data.pkl", content: rawPickle(0x80, 2, torch) }]), "m.pt");
});
