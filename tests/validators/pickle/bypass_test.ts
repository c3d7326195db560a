import assert from "node:assert/strict";
import { crc32, deflateSync, gzipSync } from "node:zlib";
import type { Sha256 } from "../../../lib/core/hash.ts";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { inspectByPolicy, inspectPickle } from "../../../lib/validators/pickle/inspect_pickle.ts";
import {
  arrayWrapper,
  float64,
  global,
  PROTO_4,
  rawPickle,
  stackGlobal,
  text,
  uint32,
} from "../../helpers/raw_pickle.ts";
import { descriptor, extraField, FLAG, joined, type RawEntry, rawZip } from "../../helpers/raw_zip.ts";
import { rawTar, tarMember } from "../../helpers/raw_tar.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

const SHA256: Sha256 = "0".repeat(64);

async function inspect(
  content: Uint8Array,
  name = "model.pkl",
  patterns: readonly string[] = [],
): Promise<void> {
  using dir = tempDir();
  const location = `${dir.path}/${name}`;
  Deno.writeFileSync(location, content);
  const file = { path: name, location, size: content.length, sha256: SHA256 };
  await inspectPickle(testContext(), file, { patterns });
}

async function refuses(content: Uint8Array, expected: RegExp, name = "model.pkl"): Promise<void> {
  await assert.rejects(() => inspect(content, name), (error: unknown) => {
    assert.ok(error instanceof InvalidModelError);
    assert.equal(error.path, name);
    assert.match(error.message, expected);
    return true;
  });
}

/** Calls with one argument, then the end. */
const CALL = rawPickle(text("id"), 0x85, "R.");
const SYSTEM = rawPickle(PROTO_4, stackGlobal("os", "system"), CALL);
const OS_SYSTEM = /imports os\.system at byte 14; allowed are models of scikit-learn/;

Deno.test("a refused import is reported with its place, its name, the allowed imports, and how to allow it", async () => {
  await assert.rejects(() => inspect(SYSTEM), {
    message:
      "Cannot activate model.pkl: its pickle imports os.system at byte 14; allowed are models of scikit-learn, " +
      "imbalanced-learn, hmmlearn, statsmodels, scipy, xgboost, lightgbm and catboost, data of numpy, joblib and " +
      "pandas, dates, collections and built-in data types",
    hint:
      "do not allow os.system: with it, a file can run any code or read any file; save the model without it",
    exitCode: 5,
  });
});

const FORBIDDEN: readonly (readonly [module: string, name: string])[] = [
  ["os", "system"],
  ["posix", "system"],
  ["nt", "system"],
  ["subprocess", "Popen"],
  ["builtins", "eval"],
  ["builtins", "exec"],
  ["builtins", "getattr"],
  ["builtins", "__import__"],
  ["builtins", "open"],
  ["builtins", "compile"],
  ["builtins", "type"],
  ["__builtin__", "apply"],
  ["pickle", "loads"],
  ["_pickle", "loads"],
  ["pydoc", "locate"],
  ["operator", "attrgetter"],
  ["operator", "methodcaller"],
  ["functools", "partial"],
  ["importlib", "import_module"],
  ["torch.storage", "_load_from_bytes"],
  ["numpy", "load"],
  ["numpy", "__builtins__"],
  ["numpy", "memmap"],
  ["numpy.core", "_ufunc_reconstruct"],
  ["numpy.testing._private.utils", "runstring"],
  ["numpy.f2py.crackfortran", "getlincoef"],
  ["numpy.f2py.diagnose", "run_command"],
  ["numpy.distutils.exec_command", "exec_command"],
  ["joblib", "load"],
  ["joblib.numpy_pickle", "load"],
  ["joblib.numpy_pickle_compat", "NDArrayWrapper"],
  ["joblib.externals.cloudpickle", "loads"],
  ["joblib.externals.loky.process_executor", "_ExecutorManagerThread"],
  ["scipy.io", "loadmat"],
  ["scipy.io.matlab._mio5", "MatFile5Reader"],
  ["scipy.stats._distn_infrastructure", "rv_sample"],
  ["scipy.stats._distn_infrastructure", "rv_continuous"],
  ["sklearn.datasets", "fetch_openml"],
  ["sklearn.datasets._base", "RemoteFileMetadata"],
  ["sklearn.externals._packaging.version", "Version"],
  ["sklearn.utils._testing", "TempMemmap"],
  ["sklearn.utils", "os"],
  ["sklearn.base", "clone"],
  ["xgboost.core", "ctypes"],
  ["collections", "namedtuple"],
];

for (const [module, name] of FORBIDDEN) {
  Deno.test(`the import of ${module}.${name} is refused`, async () => {
    const expected = new RegExp(`imports ${module}\\.${name} `);
    await refuses(rawPickle(PROTO_4, stackGlobal(module, name), CALL), expected);
    await refuses(rawPickle(0x80, 2, global(module, name), "."), expected);
    await refuses(rawPickle(global(module, name), "(S'id'\ntR."), expected);
    await refuses(rawPickle("(S'id'\n", `i${module}\n${name}\n.`), expected);
    await refuses(rawPickle(0x80, 2, "(", global(module, name), "S'id'\no."), expected);
  });
}

const BYPASSES: Readonly<Record<string, readonly [Uint8Array, RegExp, name?: string]>> = {
  "names that were memoised": [
    rawPickle(PROTO_4, text("os"), 0x94, text("system"), 0x94, "00h", 0, "h", 1, 0x93, CALL),
    /imports os\.system/,
  ],
  "a memo entry that is overwritten": [
    rawPickle(PROTO_4, text("numpy"), "q", 0, "0", text("os"), "q", 0, "0h", 0, text("system"), 0x93, CALL),
    /imports os\.system/,
  ],
  "a name that is duplicated": [rawPickle(PROTO_4, text("os"), "2", 0x93, "."), /imports os\.os/],
  "a name that is the result of a call": [
    rawPickle(PROTO_4, text("os"), stackGlobal("collections", "Counter"), ")R", 0x93, CALL),
    /name is not a constant|letters are hidden by escapes/,
  ],
  "a name with escapes": [
    rawPickle(PROTO_4, "V\\u006fs\n", text("system"), 0x93, CALL),
    /name is not a constant|letters are hidden by escapes/,
  ],
  "a module that is bytes": [
    rawPickle(PROTO_4, "C", 2, "os", text("system"), 0x93, CALL),
    /name is not a constant|letters are hidden by escapes/,
  ],
  "a dotted name in an allowed module": [
    rawPickle(PROTO_4, stackGlobal("numpy", "core.os.system"), CALL),
    /imports numpy\.core\.os\.system/,
  ],
  "a dotted name of an allowed class": [
    rawPickle(PROTO_4, stackGlobal("collections", "OrderedDict.__init__.__globals__"), "."),
    /imports collections\.OrderedDict\.__init__/,
  ],
  "a missing memo entry": [
    rawPickle(PROTO_4, "h", 7, "."),
    /loads the memo entry 7, which does not exist/,
  ],
  "an extension": [rawPickle(0x80, 2, 0x82, 1, ")R."), /uses the extension 1/],
  "an extension of two bytes": [rawPickle(0x80, 2, 0x83, 1, 1, "."), /uses the extension 257/],
  "an extension of four bytes": [rawPickle(0x80, 2, 0x84, uint32(9), "."), /uses the extension 9/],
  "a persistent object": [rawPickle(0x80, 2, "Pos.system\n."), /refers to an object outside/],
  "a persistent object from the stack": [rawPickle(0x80, 2, "NQ."), /refers to an object outside/],
  "a class known by its shape that is called": [
    rawPickle(PROTO_4, stackGlobal("sklearn.utils._mocking", "Popen"), CALL),
    /imports sklearn\.utils\._mocking\.Popen/,
  ],
  "a class that is passed to a function that calls it": [
    rawPickle(
      PROTO_4,
      stackGlobal("numpy.random._pickle", "__generator_ctor"),
      text("id"),
      stackGlobal("sklearn.svm", "SVC"),
      0x86,
      "R.",
    ),
    /passes sklearn\.svm\.SVC to numpy\.random\._pickle\.__generator_ctor/,
  ],
  "the result of a call that is called": [
    rawPickle(PROTO_4, stackGlobal("collections", "Counter"), ")R", CALL),
    /calls an object/,
  ],
  "a codec that is not text": [
    rawPickle(PROTO_4, stackGlobal("_codecs", "encode"), text("x"), text("zip"), 0x86, "R."),
    /calls _codecs\.encode with a codec/,
  ],
  "an allocation by a number": [
    rawPickle(PROTO_4, stackGlobal("builtins", "bytearray"), "J", uint32(0x7fffffff), 0x85, "R."),
    /calls builtins\.bytearray with a size/,
  ],
  "a built-in type that is called": [
    rawPickle(PROTO_4, stackGlobal("builtins", "list"), stackGlobal("builtins", "range"), 0x85, "R."),
    /calls builtins\.list/,
  ],
  "an attribute set on a class": [
    rawPickle(PROTO_4, stackGlobal("sklearn.base", "BaseEstimator"), "N}", text("a"), "Ns", 0x86, "b."),
    /sets the state of sklearn\.base\.BaseEstimator/,
  ],
  "an item set on a class": [
    rawPickle(PROTO_4, stackGlobal("sklearn.base", "BaseEstimator"), text("a"), "Ns."),
    /adds to sklearn\.base\.BaseEstimator/,
  ],
  "_reconstructor with a base that is not a built-in type": [
    rawPickle(
      PROTO_4,
      stackGlobal("copyreg", "_reconstructor"),
      stackGlobal("sklearn.base", "BaseEstimator"),
      stackGlobal("sklearn.base", "BaseEstimator"),
      text("id"),
      0x87,
      "R.",
    ),
    /based on sklearn\.base\.BaseEstimator/,
  ],
  "_reconstructor with a list of arguments, which Python's own reader accepts": [
    rawPickle(
      PROTO_4,
      stackGlobal("copyreg", "_reconstructor"),
      "](",
      stackGlobal("sklearn.base", "BaseEstimator"),
      stackGlobal("sklearn.svm", "SVC"),
      text("id"),
      "eR.",
    ),
    /calls copyreg\._reconstructor with unexpected arguments/,
  ],
  "a second pickle behind the first": [
    joined([rawPickle(PROTO_4, "N."), SYSTEM]),
    /imports os\.system at byte 18/,
  ],
  "bytes behind the pickle": [rawPickle(PROTO_4, "N.", 0, 0, 0), /has the invalid opcode 0x00 at byte 4/],
  "a duplicate PROTO opcode": [rawPickle(PROTO_4, PROTO_4, "N."), /has a second PROTO opcode at byte 2/],
  "an unknown protocol": [rawPickle(0x80, 6, "N."), /protocol 6/],
  "a stream that breaks after the call": [
    rawPickle(PROTO_4, stackGlobal("os", "system"), text("id"), 0x85, "R", 0xff),
    OS_SYSTEM,
  ],
  "a pickle that is cut off": [rawPickle(PROTO_4, text("a"), "}"), /ends before its STOP at byte 6/],
  "a payload that is cut off": [
    rawPickle(PROTO_4, 0x8e, uint32(9), uint32(0), "ab"),
    /is cut off at byte 2/,
  ],
  "a payload larger than any file": [
    rawPickle(PROTO_4, 0x8e, uint32(0), uint32(0xffffffff)),
    /than any file has/,
  ],
  "a frame that ends inside an opcode": [
    rawPickle(PROTO_4, 0x95, uint32(1), uint32(0), text("os"), "."),
    /exceeds its frame/,
  ],
  "a memo index that would fill the memory": [
    rawPickle(PROTO_4, "Nr", uint32(0xffffffff), "."),
    /has more than \d+ memo entries/,
  ],
  "opcodes where joblib sees an array": [
    rawPickle(
      PROTO_4,
      arrayWrapper(8),
      joined([SYSTEM.subarray(2), new Uint8Array(64)]).subarray(0, 64),
      ".",
    ),
    /imports os\.system/,
  ],
  "an import behind an array": [
    rawPickle(
      PROTO_4,
      "(",
      arrayWrapper(4),
      new Uint8Array(32).fill(0xff),
      stackGlobal("os", "system"),
      "t.",
    ),
    /imports os\.system/,
  ],
  "an import behind an aligned array": [
    rawPickle(
      PROTO_4,
      "(",
      arrayWrapper(4, { isPadded: true }),
      2,
      0xff,
      0xff,
      new Uint8Array(32),
      stackGlobal("os", "system"),
      "t.",
    ),
    /imports os\.system/,
  ],
  "a padding that hides opcodes": [
    rawPickle(PROTO_4, arrayWrapper(1, { isPadded: true }), 200, new Uint8Array(208), "."),
    /padding of 200 bytes/,
  ],
  "an array that ends behind the file": [
    rawPickle(PROTO_4, arrayWrapper(1000), "."),
    /is cut off in an array/,
  ],
  "an array inside a frame": [
    rawPickle(PROTO_4, 0x95, uint32(400), uint32(0), arrayWrapper(1), new Uint8Array(400), "."),
    /array inside a frame/,
  ],
  "flags that make numbers objects": [rawPickle(PROTO_4, float64(1), "."), /flags that contradict its type/],
  "a placeholder from the memo": [
    rawPickle(
      PROTO_4,
      stackGlobal("joblib.numpy_pickle", "NumpyArrayWrapper"),
      ")",
      0x81,
      0x94,
      "0h",
      0,
      ".",
    ),
    /placeholder of an array twice/,
  ],
  "a placeholder that is the result of a call": [
    rawPickle(
      PROTO_4,
      stackGlobal("sklearn.neighbors._kd_tree", "newObj"),
      stackGlobal("joblib.numpy_pickle", "NumpyArrayWrapper"),
      0x85,
      "R.",
    ),
    /placeholder of an array for something else/,
  ],
  "zlib around it": [deflateSync(SYSTEM), OS_SYSTEM],
  "gzip around it": [gzipSync(SYSTEM), OS_SYSTEM],
  "gzip around it, with another name": [gzipSync(SYSTEM), OS_SYSTEM, "model.bin"],
  "gzip around it, four times": [
    gzipSync(gzipSync(gzipSync(gzipSync(SYSTEM)))),
    /is compressed more than 3 times/,
  ],
  "a second gzip stream": [
    joined([gzipSync(rawPickle(PROTO_4, "N.")), gzipSync(SYSTEM)]),
    /imports os\.system/,
  ],
  "bytes behind a gzip stream": [
    joined([gzipSync(rawPickle(PROTO_4, "N.")), new Uint8Array(9).fill(7)]),
    /cannot be decompressed|after its gzip stream/,
  ],
  "a zlib stream behind the first": [
    joined([deflateSync(rawPickle(PROTO_4, "N.")), deflateSync(SYSTEM)]),
    /after its zlib stream/,
  ],
  "bz2 around it": [rawPickle("BZh91AY&SY"), /compressed by bz2/],
  "xz around it": [rawPickle(0xfd, "7zXZ", 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46), /compressed by xz/],
  "a torch file with a malicious data.pkl": [
    rawZip([{ name: "archive/data.pkl", content: SYSTEM }, {
      name: "archive/data/0",
      content: new Uint8Array(64),
    }]),
    /the pickle "archive\/data\.pkl" in it imports os\.system/,
    "model.pt",
  ],
  "a torch file with one more pickle": [
    rawZip([
      { name: "archive/data.pkl", content: rawPickle(0x80, 2, "}.") },
      { name: "archive/EXTRA.PKL", content: SYSTEM, method: 8 },
    ]),
    /EXTRA\.PKL" in it imports os\.system/,
    "model.bin",
  ],
  "a torch file with a pickle under the name of a tensor": [
    rawZip([
      { name: "archive/data.pkl", content: rawPickle(0x80, 2, "}.") },
      { name: "archive/data/0", content: SYSTEM },
    ]),
    /imports os\.system/,
    "model.pth",
  ],
  "a pickle before a ZIP": [
    rawZip([{ name: "archive/data.pkl", content: "x" }], { prefix: SYSTEM }),
    /imports os\.system/,
    "model.pt",
  ],
  "an old torch file with a malicious object": [
    rawPickle(
      0x80,
      2,
      0x8a,
      10,
      new Uint8Array([0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]),
      ".",
      rawPickle(0x80, 2, "M", 0xe9, 3, "."),
      rawPickle(0x80, 2, "}."),
      SYSTEM,
    ),
    /imports os\.system/,
    "model.pt",
  ],
  "an extension in capitals": [SYSTEM, OS_SYSTEM, "MODEL.PICKLE"],
  "a name of another format": [SYSTEM, OS_SYSTEM, "model.onnx"],
  "no extension at all": [rawPickle(global("os", "system"), "(S'id'\ntR."), /imports os\.system/, "model"],
  "a broken stream without a name": [
    rawPickle(global("os", "system"), "(S'id'\ntR", 0xff),
    /imports os\.system/,
    "notes.txt",
  ],
  "something else with the name of a pickle": [
    new TextEncoder().encode('{"a": 1}'),
    /named like a pickle, but is neither one/,
    "a.JOBLIB",
  ],
};

for (const [what, [content, expected, name]] of Object.entries(BYPASSES)) {
  Deno.test(`refused: ${what}`, () => refuses(content, expected, name));
}

Deno.test("a file that merely begins like a pickle passes under another name", async () => {
  const texts = [
    "cats\nand dogs\n",
    "cos\nsin\ntan\n",
    "(see above)\nor below\n",
    "I am\n",
    ".",
    "N.",
    "",
    '{"a": 1}',
    "col1\ncol2\n",
  ];
  for (const content of texts) await inspect(new TextEncoder().encode(content), "notes.txt");
  await inspect(rawPickle(0x82, 1, 0xff), "weights.bin");
  await inspect(gzipSync("col1\ncol2\n"), "table.csv.gz");
  await inspect(rawZip([{ name: "a.txt", content: "cats\nand dogs\n" }]), "texts.zip");
});

Deno.test("a user's pattern allows a package, but no known gadget in it", async () => {
  const own = (module: string, name: string) => rawPickle(PROTO_4, stackGlobal(module, name), CALL);
  await inspect(own("mybot.models.trees", "Forest"), "model.pkl", ["mybot.models.*"]);
  await inspect(own("os", "system"), "model.pkl", ["os.system"]);
  for (const pattern of ["*", "os.*", "*.system", "mybot.*"]) {
    await assert.rejects(() => inspect(own("os", "system"), "model.pkl", [pattern]), InvalidModelError);
  }
  await assert.rejects(
    () => inspect(own("sklearn.datasets", "fetch_openml"), "m.pkl", ["sklearn.*"]),
    InvalidModelError,
  );
  await assert.rejects(
    () => inspect(own("mybot.models", "a.system"), "m.pkl", ["mybot.*"]),
    InvalidModelError,
  );
});

Deno.test("a ZIP in the form of torch's writer is inspected", async () => {
  // Data descriptors, padding in the local headers, hidden names, and ZIP64 records in a small file.
  const entry = (name: string, content: Uint8Array): RawEntry => ({
    name,
    content,
    both: { flags: FLAG.utf8 | FLAG.descriptor, mode: 0 },
    local: { crc: 0, bytes: 0, compressedBytes: 0, extra: extraField(0x4246, new Uint8Array(20)) },
    behind: descriptor({ crc: crc32(content), compressedBytes: content.length, bytes: content.length }),
  });
  const others = [
    entry("m/.format_version", rawPickle("1")),
    entry("m/data/0", new Uint8Array(100_000)),
    entry("m/.data/serialization_id", rawPickle("123")),
  ];
  await inspect(
    rawZip([entry("m/data.pkl", rawPickle(0x80, 2, "}.")), ...others], { zip64: {} }),
    "model.pt",
  );
  const bad = rawZip([entry("m/data.pkl", SYSTEM), ...others], { zip64: {} });
  await refuses(bad, /imports os\.system/, "model.pt");
});

Deno.test("a torch file with nothing but tensors passes", async () => {
  const storage = rawPickle(
    "(",
    "X",
    uint32(7),
    "storage",
    global("torch", "FloatStorage"),
    "X",
    uint32(1),
    "0",
    "X",
    uint32(3),
    "cpu",
    "K",
    4,
    "tQ",
  );
  const tensor = rawPickle(
    global("torch._utils", "_rebuild_tensor_v2"),
    "(",
    storage,
    rawPickle("K", 0, "K", 4, 0x85, "K", 1, 0x85, 0x89),
    global("collections", "OrderedDict"),
    ")RtR",
  );
  const data = rawPickle(0x80, 2, "}", "X", uint32(1), "w", tensor, "s.");
  await inspect(
    rawZip([{ name: "archive/data.pkl", content: data }, {
      name: "archive/data/0",
      content: new Uint8Array(16),
    }]),
    "model.pt",
  );
});

/** A `.npy` file: numpy's header, then the bytes of the elements. */
function npy(header: string, elements: Uint8Array, version = 1): Uint8Array<ArrayBuffer> {
  const length = version === 1 ? [header.length % 256, header.length >> 8] : uint32(header.length);
  return joined([rawPickle(0x93, "NUMPY", version, 0), new Uint8Array(length), rawPickle(header), elements]);
}

const NPY_OBJECTS = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n";
const NPY_NUMBERS = "{'descr': '<f4', 'fortran_order': False, 'shape': (9, 4), }     \n";

Deno.test("a numpy array of objects is inspected, alone and in an archive, whatever the form of its header", async () => {
  const headers = [
    NPY_OBJECTS,
    "{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }\n",
    "{'descr': '<f4', 'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n",
    "{'descr': '<f4' and 'O', 'fortran_order': False, 'shape': (1,), }\n",
  ];
  for (const header of headers) {
    for (const version of [1, 2, 3]) {
      await refuses(npy(header, SYSTEM, version), /imports os\.system/, "a.npy");
    }
  }
  await refuses(npy(NPY_OBJECTS.padStart(70_000, " "), SYSTEM, 2), /imports os\.system/, "weights.bin");
  await refuses(gzipSync(npy(NPY_OBJECTS, SYSTEM)), /imports os\.system/, "a.bin");
  const archive = rawZip([{ name: "w.npy", content: npy(NPY_NUMBERS, SYSTEM) }, {
    name: "a.npy",
    content: npy(NPY_OBJECTS, SYSTEM),
  }]);
  await refuses(archive, /the pickle "a\.npy" in it imports os\.system/, "a.npz");
});

Deno.test("numpy arrays of numbers and of allowed objects pass", async () => {
  await inspect(npy(NPY_NUMBERS, SYSTEM), "a.npy");
  await inspect(npy(NPY_OBJECTS, rawPickle(PROTO_4, stackGlobal("numpy", "dtype"), ".")), "a.npy");
  await inspect(rawPickle(0x93, "NUMPY", 1), "a.npy");
  await inspect(rawPickle(0x93, "NUMPY", 2, 0, 0xff, 0xff, 0xff, 0xff), "a.npy");
});

Deno.test("a tar of torch's first versions is refused, other tars pass", async () => {
  const files = (name: string) =>
    rawTar(
      tarMember({ name, content: rawPickle("K", 0, ".") }),
      tarMember({ name: "pickle", content: SYSTEM }),
    );
  await refuses(files("storages"), /is a tar of torch before 0\.2/, "model.pt");
  await refuses(files("./storages"), /is a tar of torch before 0\.2/, "model.bin");
  const link = rawTar(tarMember({ name: "l", type: "2", linkName: "storages" }));
  await refuses(link, /is a tar that cannot be inspected: /, "model.pt");
  await inspect(rawTar(tarMember({ name: "vocabulary.txt", content: "cats\n" })), "vocabulary.tar");
});

Deno.test("a tar is recognised by every notation of its checksum that Python accepts", async () => {
  const tar = rawTar(tarMember({ name: "storages", content: SYSTEM }));
  const sum = parseInt(new TextDecoder().decode(tar.subarray(148, 154)), 8);
  const binary = new Uint8Array([0x80, 0, 0, 0, 0, 0, sum >> 8, sum & 255]);
  for (const field of [rawPickle("+", sum.toString(8)), rawPickle("0o", sum.toString(8)), binary]) {
    tar.fill(0, 148, 156);
    tar.set(field, 148);
    await refuses(tar, /is a tar /, "model.pt");
  }
});

Deno.test("the policy refuse refuses files that are or contain a pickle, and no others", async () => {
  const byPolicy = async (content: Uint8Array, name: string) => {
    using dir = tempDir();
    const location = `${dir.path}/${name}`;
    Deno.writeFileSync(location, content);
    const file = { path: name, location, size: content.length, sha256: SHA256 };
    await inspectByPolicy(testContext(), file, { policy: "refuse", allow: [] });
  };
  const harmless = rawPickle(PROTO_4, stackGlobal("numpy", "dtype"), ".");
  const pickles: Record<string, Uint8Array> = {
    "model.pkl": harmless,
    "model.bin": harmless,
    "old.bin": rawPickle(global("numpy", "dtype"), "."),
    "model.joblib": gzipSync(harmless),
    "model.pt": rawZip([{ name: "m/data.pkl", content: rawPickle(0x80, 2, "}.") }]),
    "a.npy": npy(NPY_OBJECTS, harmless),
  };
  for (const [name, content] of Object.entries(pickles)) {
    await assert.rejects(() => byPolicy(content, name), {
      message:
        `Cannot activate ${name}: it is or contains a pickle, which activation.validate.pickle.policy refuses`,
    });
  }
  await byPolicy(gzipSync("col1\ncol2\n"), "table.csv.gz");
  await byPolicy(npy(NPY_NUMBERS, harmless), "a.npy");
});
