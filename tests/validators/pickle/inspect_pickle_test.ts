import assert from "node:assert/strict";
import fc from "fast-check";
import type { Sha256 } from "../../../lib/core/hash.ts";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { decompressLz4 } from "../../../lib/validators/pickle/unpack/lz4_frame.ts";
import { inspectPickle } from "../../../lib/validators/pickle/inspect_pickle.ts";
import {
  KEPT_BYTES,
  opcodeBudget,
  PICKLE_LIMITS,
  UNWRAP_LIMITS,
} from "../../../lib/validators/pickle/limits.ts";
import { OPCODES } from "../../../lib/validators/pickle/machine/opcodes.ts";
import { PickleProblem } from "../../../lib/validators/pickle/pickle_problem.ts";
import { fileSource, type PickleSource, streamSource } from "../../../lib/validators/pickle/pickle_source.ts";
import {
  type WalkOptions,
  walkPickles,
  type WalkReport,
} from "../../../lib/validators/pickle/machine/walk_pickle.ts";
import {
  arrayWrapper,
  float64,
  global,
  type PicklePart,
  PROTO_4,
  rawPickle,
  stackGlobal,
  text,
  uint32,
} from "../../helpers/raw_pickle.ts";
import { joined } from "../../helpers/raw_zip.ts";
import { madeBy, PYTHON, WITHOUT_PYTHON } from "../../helpers/scikit_learn.ts";
import { SAID } from "../../helpers/python_fixture.ts";
import { tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

const SHA256: Sha256 = "0".repeat(64);
const SIGNAL = new AbortController().signal;

/** Every honest kind of value that users of scikit-learn store, in every protocol and compression. */
const STORE = `
import bz2, collections, joblib, numpy as np, pickle, scipy.sparse, warnings
from scipy.spatial import cKDTree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, IsolationForest
from sklearn.cluster import BisectingKMeans, FeatureAgglomeration
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, StandardScaler
from sklearn.svm import SVC
warnings.simplefilter("ignore")
x = np.random.RandomState(0).rand(60, 4)
y = (x[:, 0] > .5).astype(int)
models = [m.fit(x, y) for m in [
  RandomForestClassifier(5), GradientBoostingClassifier(n_estimators=3), HistGradientBoostingClassifier(max_iter=3),
  IsolationForest(n_estimators=3), KNeighborsClassifier(algorithm="kd_tree"), SVC(), SGDClassifier(),
  CalibratedClassifierCV(GaussianNB(), method="isotonic"), KBinsDiscretizer(), SelectKBest(k=2), BisectingKMeans(2),
  FeatureAgglomeration(2),
  GridSearchCV(LogisticRegression(), {"C": [1, 2]}, scoring=["accuracy", "roc_auc"], refit="accuracy"),
  make_pipeline(FunctionTransformer(np.log1p), StandardScaler(), LogisticRegression())]]
values = [TfidfVectorizer().fit(["a bb", "cc bb"]), np.zeros((0, 3)), np.float64(1), np.array(["a", None], dtype=object),
  np.array([(1, 2.)], dtype=[("a", "i4"), ("b", "f8", (2,))]), np.array([(1, None)], dtype=[("a", "i4"), ("b", "O")]),
  np.array(["2020"], dtype="M8[ns]"), np.array(["abc"]), np.ma.array([1, 2], mask=[0, 1]), np.matrix([[1]]),
  np.random.default_rng(0), np.random.RandomState(0), 1j, {1}, frozenset([2]), bytearray(b"x"), slice(1), range(3), b"x",
  collections.OrderedDict(a=1), collections.defaultdict(list, a=[1]), collections.deque([1], 3), collections.Counter("a"),
  np.zeros((2, 2), order="F"), np.rec.array([(1, 2.)], dtype=[("a", "i4"), ("b", "f8")]), 2**70, -1.5, None, True]
values += [getattr(scipy.sparse, k + "_matrix")(np.eye(3)) for k in "csr csc coo bsr dok lil dia".split()]
for protocol in range(6):
    pickle.dump([models, values], open(f"all.{protocol}.pkl", "wb"), protocol)
    joblib.dump([models, values], f"all.{protocol}.joblib", protocol=protocol)
joblib.dump(cKDTree(x), "tree.joblib")
joblib.dump([models, values], "all.zlib.JOBLIB", compress=3)
joblib.dump([models, values], "all.joblib.gz")
pickle.dump({"features": ["a"]}, open("features", "wb"))
class Bad:
    def __reduce__(self): return __import__("os").system, ("true",)
joblib.dump([np.zeros(9), np.array([Bad()], dtype=object)], "bad.joblib", compress=3)
`;

Deno.test({
  name: `pickles of scikit-learn, numpy and scipy pass in every protocol and compression${WITHOUT_PYTHON}`,
  ignore: PYTHON === undefined,
  fn: async () => {
    const folder = madeBy(STORE);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name !== SAID)
      .sort();
    assert.equal(names.length, 17);
    for (const path of names) {
      const location = `${folder}/${path}`;
      const file = { path, location, size: Deno.statSync(location).size, sha256: SHA256 };
      const inspecting = inspectPickle(testContext(), file, { patterns: [] });
      if (path === "bad.joblib") await assert.rejects(inspecting, /imports (posix|nt)\.system/);
      else if (path === "tree.joblib") {
        // Its state contains addresses, and a forged one crashes the reader, so the user has to allow it by name.
        await assert.rejects(inspecting, /imports scipy\.spatial\._ckdtree\.cKDTree/);
        await inspectPickle(testContext(), file, { patterns: ["scipy.spatial._ckdtree.cKDTree"] });
      } else await inspecting;
    }
  },
});

Deno.test("the table has the 68 opcodes of protocols 0 to 5", () => {
  assert.equal(OPCODES.filter((opcode) => opcode !== undefined).length, 68);
  assert.equal(OPCODES.length, 256);
});

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

const source = (bytes: Uint8Array, size = 64) => streamSource(pieces(bytes, size), SIGNAL);

const walk = (from: PickleSource, options: Partial<WalkOptions> = {}): Promise<WalkReport> =>
  walkPickles(from, {
    allowed: { patterns: [] },
    dialect: "joblib",
    isCertain: true,
    budget: opcodeBudget(0),
    ...options,
  });

/** Walks bytes in the dialect of every reader. Only a PickleProblem may be thrown. */
async function survives(bytes: Uint8Array, pieceBytes: number): Promise<void> {
  for (const dialect of ["joblib", "python", "torch"] as const) {
    for (const isCertain of [true, false]) {
      try {
        await walk(source(bytes, pieceBytes), { dialect, isCertain });
      } catch (error) {
        assert.ok(error instanceof PickleProblem, String(error));
      }
    }
  }
}

const HONEST: readonly Uint8Array[] = [
  rawPickle(PROTO_4, "(", arrayWrapper(3, { isPadded: true }), 1, 0xff, new Uint8Array(24), "t."),
  rawPickle(0x80, 2, "](", global("collections", "OrderedDict"), ")R}(", text("a"), "K", 1, "ue."),
  rawPickle("(lp0\nI1\naF1.5\naS'x'\np1\naVy\naL5L\na(dp2\ng1\nNsa."),
  rawPickle(
    PROTO_4,
    stackGlobal("sklearn.base", "BaseEstimator"),
    ")",
    0x81,
    0x94,
    "}",
    text("k"),
    0x88,
    "sb.",
  ),
];

Deno.test("honest pickles are walked to their end, whatever pieces they are read in", async () => {
  for (const bytes of HONEST) {
    for (const size of [1, 3, 7, 1000]) {
      const { broken, pickles } = await walk(source(bytes, size));
      assert.equal(broken, undefined);
      assert.equal(pickles, 1);
    }
  }
});

Deno.test("more padding before an array than joblib's alignment needs is refused", async () => {
  const padded = (bytes: number) =>
    rawPickle(PROTO_4, arrayWrapper(3, { isPadded: true }), bytes, new Uint8Array(bytes + 24), ".");
  assert.equal((await walk(source(padded(16)))).arrays, 1);
  await assert.rejects(() => walk(source(padded(17))), /has a padding of 17 bytes before an array/);
});

Deno.test("random bytes cause nothing but a refusal", async () => {
  const opcodes = [...OPCODES.keys()].filter((code) => OPCODES[code] !== undefined);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(fc.oneof(fc.constantFrom(...opcodes), fc.nat(255)), { maxLength: 200 }).map((codes) =>
      new Uint8Array(codes)
    ),
  );
  await fc.assert(fc.asyncProperty(bytes, fc.integer({ min: 1, max: 50 }), survives), { numRuns: 300 });
});

Deno.test("flipped bits of honest pickles cause nothing but a refusal", async () => {
  const flipped = fc.tuple(
    fc.constantFrom(...HONEST),
    fc.array(fc.tuple(fc.nat(400), fc.nat(7)), { maxLength: 4 }),
  );
  const property = fc.asyncProperty(flipped, async ([bytes, flips]) => {
    const copy = bytes.slice();
    for (const [at, bit] of flips) copy[at % copy.length] = (copy[at % copy.length] ?? 0) ^ (1 << bit);
    await survives(copy, 16);
  });
  await fc.assert(property, { numRuns: 300 });
});

Deno.test("a million nested opcodes are refused", async () => {
  for (const opcode of ["(", "N", "]", "}", ")"]) {
    const bytes = rawPickle(PROTO_4, opcode.repeat(1_100_000), ".");
    await assert.rejects(() => walk(source(bytes, 1 << 20)), /has more than \d+ (nested marks|values)/);
  }
  const nested = rawPickle(
    PROTO_4,
    ")",
    new Uint8Array(1_000_000).fill(0x85),
    ".",
  );
  await walk(source(nested, 1 << 20));
});

/** Returns the peak memory of a walk, as V8 reports it between reads. */
async function peakBytes(bytes: Uint8Array): Promise<number> {
  let peak = 0;
  async function* watched(): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces(bytes, 1 << 18)) {
      peak = Math.max(peak, Deno.memoryUsage().heapUsed);
      yield piece;
    }
  }
  const before = Deno.memoryUsage().heapUsed;
  await walk(streamSource(watched(), SIGNAL));
  return peak - before;
}

const times = (count: number, ...parts: PicklePart[]) =>
  joined(new Array<Uint8Array>(count).fill(rawPickle(...parts)));

Deno.test("nested tuples and dictionaries are not kept as a chain", async () => {
  const tuples = rawPickle(PROTO_4, ")", times(700_000, 0x85), ".");
  const dicts = rawPickle(PROTO_4, "}q", 0, times(200_000, "0}", text("k"), "h", 0, "sq", 0), ".");
  for (const bytes of [tuples, dicts]) {
    const peak = await peakBytes(bytes);
    assert.ok(peak < 80 * 1024 * 1024, `${peak} bytes`);
  }
});

Deno.test("the tracked depth suffices for an array of records with fields and sub-arrays", async () => {
  const state = rawPickle("(K", 3, text("|"), "N", text("a"), 0x85, "}", text("a"));
  const base = rawPickle(float64(), "K", 2, "K", 3, 0x86, 0x86);
  const field = rawPickle(
    stackGlobal("numpy", "dtype"),
    text("V48"),
    0x89,
    0x88,
    0x87,
    "R(K",
    3,
    text("|"),
    base,
    "NNK",
    48,
    "K",
    1,
    "K",
    0,
    "tb",
  );
  const record = rawPickle(
    stackGlobal("numpy", "dtype"),
    text("V48"),
    0x89,
    0x88,
    0x87,
    "R",
    state,
    field,
    "K",
    0,
    0x86,
    "sK",
    48,
    "K",
    1,
    "K",
    16,
    "tb",
  );
  const { broken } = await walk(source(rawPickle(PROTO_4, record, ".")));
  assert.equal(broken, undefined);
});

Deno.test("tracked values have a limit in memory, beyond which only their kind is known", async () => {
  const walkAfter = (tuples: number, ...opcodes: PicklePart[]) => {
    const spent = rawPickle(PROTO_4, "N", new Uint8Array(tuples).fill(0x85), "0");
    return walk(source(rawPickle(spent, ...opcodes, "N."), 1 << 20), { budget: opcodeBudget(1e9) });
  };
  const tupleBytes = KEPT_BYTES.tuple + KEPT_BYTES.tupleItem;
  const all = Math.floor(PICKLE_LIMITS.keptBytes / tupleBytes);
  // What is left suffices for no other value.
  assert.ok(PICKLE_LIMITS.keptBytes - all * tupleBytes < KEPT_BYTES.dict);
  const made = rawPickle(stackGlobal("sklearn.base", "BaseEstimator"), ")", 0x81);
  const placeholder = rawPickle(stackGlobal("joblib.numpy_pickle", "NumpyArrayWrapper"), ")", 0x81);
  const cases: readonly (readonly [number, Uint8Array, RegExp])[] = [
    [all, made, /too many objects to be tracked/],
    [all - 1, float64(), /too many objects to be tracked/],
    [all, rawPickle(placeholder, "}b"), /describes an array in an unexpected way/],
    // A dictionary is tracked until its first entry.
    [all - 1, rawPickle(placeholder, "}", text("k"), "Nsb"), /describes an array in an unexpected way/],
    [all - 2, rawPickle(placeholder, "}", text("k"), "Nsb"), /describes an array with "k"/],
  ];
  for (const [tuples, opcodes, expected] of cases) {
    await assert.rejects(() => walkAfter(tuples, opcodes), expected);
  }
});

Deno.test("the contents of long tuples and of dictionaries with many entries are not tracked", async () => {
  const called = (args: number) =>
    rawPickle(PROTO_4, stackGlobal("builtins", "slice"), "(", "N".repeat(args), "tR.");
  await walk(source(called(64)));
  await assert.rejects(() => walk(source(called(65))), /calls builtins\.slice with unexpected arguments/);
  const placeholder = (entries: number) =>
    rawPickle(
      PROTO_4,
      stackGlobal("joblib.numpy_pickle", "NumpyArrayWrapper"),
      ")",
      0x81,
      "}(",
      ...Array.from({ length: entries }, (_, at) => rawPickle(text(`k${at}`), "N")),
      "ub.",
    );
  await assert.rejects(() => walk(source(placeholder(64))), /describes an array with "k0"/);
  await assert.rejects(() => walk(source(placeholder(65))), /describes an array in an unexpected way/);
});

Deno.test("of text in the memo beyond a limit, only names and versions that decide are tracked, up to another limit", async () => {
  const budget = () => opcodeBudget(1e9);
  const memoized = (value: string, count: number) =>
    rawPickle("X", uint32(value.length), value, times(count, "q", 0), "0");
  const name = rawPickle(
    text("sklearn.base"),
    "q",
    1,
    "0",
    text("BaseEstimator"),
    "q",
    2,
    "0h",
    1,
    "h",
    2,
    0x93,
  );
  const after = (...spent: Uint8Array[]) => source(rawPickle(PROTO_4, ...spent, name, "0N."), 1 << 18);
  await walk(after(memoized("a".repeat(256), 262_000)), { budget: budget() });
  const full = memoized("a".repeat(256), 262_144);
  await assert.rejects(() => walk(after(full), { budget: budget() }), /whose name is not a constant/);

  const state = rawPickle(stackGlobal("sklearn.base", "BaseEstimator"), ")", 0x81, "}h", 0, "Nsb.");
  const forged = rawPickle(PROTO_4, full, memoized(`__${"a".repeat(252)}__`, 16_384), state);
  await assert.rejects(
    () => walk(source(forged, 1 << 18), { budget: budget() }),
    /with the attribute "__a+__"/,
  );
  const more = rawPickle(PROTO_4, full, memoized(`__${"a".repeat(252)}__`, 16_385), state);
  await assert.rejects(() => walk(source(more, 1 << 18), { budget: budget() }), /too much text in its memo/);
});

Deno.test("the limit of opcodes depends on the size of the file", async () => {
  const bytes = rawPickle(PROTO_4, "N0".repeat(100), "N.");
  const budget = { left: 150, max: 150, allocations: 1000, reason: ", which are too many for 9 bytes" };
  await assert.rejects(
    () => walk(source(bytes), { budget }),
    /has more than 150 opcodes, which are too many for 9 bytes/,
  );
  assert.equal(opcodeBudget(100).max, 10_002_000);
  assert.equal(opcodeBudget(1e12).max, 200_000_000);
});

Deno.test("the entries of an archive share its limit of opcodes", async () => {
  const budget = { left: 150, max: 150, allocations: 1000, reason: "" };
  const bytes = rawPickle(PROTO_4, "N0".repeat(40), "N.");
  await walk(source(bytes), { budget });
  await assert.rejects(() => walk(source(bytes), { budget }), /has more than 150 opcodes/);
});

Deno.test("an overlong number is refused, and an import behind it is found", async () => {
  const digits = "9".repeat(5000);
  for (const opcode of ["I", "L", "F"]) {
    const number = rawPickle(PROTO_4, `${opcode}${digits}\n.`);
    await assert.rejects(() => walk(source(number)), /has an overlong or oddly written number/);
    const unfinished = rawPickle(PROTO_4, `${opcode}${digits}`);
    await assert.rejects(() => walk(source(unfinished)), /has an overlong or oddly written number/);
    const doubtful = rawPickle(`${opcode}${digits}\n0cos\nsystem\n)R.`);
    await assert.rejects(() => walk(source(doubtful), { isCertain: false }), /overlong/);
  }
});

Deno.test("an odd memo index is refused, and an import behind it is found", async () => {
  for (const index of ["0_1", "+1", " 1", "000000000001", "0".repeat(5000)]) {
    for (const use of [`Np${index}\n`, `Np1\n0g${index}\n`]) {
      const bytes = rawPickle(`${use}0cos\nsystem\n)R.`);
      const strange = /numbers its memo entries as no pickler does|imports os\.system/;
      await assert.rejects(() => walk(source(bytes), { isCertain: false }), strange);
      await assert.rejects(() => walk(source(rawPickle(PROTO_4, bytes))), strange);
    }
  }
});

Deno.test("bytes with a million reasons to refuse them are read quickly", async () => {
  const bytes = rawPickle(times(300_000, 0x82, 1, "0"), "N.");
  const startedMs = performance.now();
  await walk(source(bytes, 1 << 18), { isCertain: false });
  // Creating an error for each took twenty seconds.
  assert.ok(performance.now() - startedMs < 5000);
});

Deno.test("long texts, bytes and numbers of an uncompressed file are skipped instead of read", async () => {
  const payload = 1 << 22;
  for (const opcode of ["X", "B", 0x8b]) {
    const bytes = rawPickle(PROTO_4, opcode, uint32(payload), new Uint8Array(payload), "N.");
    const file = { at: 0, readBytes: 0 };
    const readSync = (buffer: Uint8Array) => {
      const piece = bytes.subarray(file.at, file.at + buffer.length);
      buffer.set(piece);
      file.readBytes += piece.length;
      return piece.length === 0 ? null : piece.length;
    };
    const reading = fileSource(
      {
        seekSync: (offset) => file.at = Number(offset),
        readSync,
        read: (buffer) => Promise.resolve(readSync(buffer)),
      },
      bytes.length,
      SIGNAL,
    );
    const { broken } = await walk(reading, { budget: opcodeBudget(1e9) });
    assert.equal(broken, undefined);
    assert.ok(file.readBytes < payload / 16, `${opcode}: ${file.readBytes} bytes`);
  }
});

Deno.test("a walk ends when the run is interrupted", async () => {
  const bytes = rawPickle(PROTO_4, "N0".repeat(1000), ".");
  const stopped = streamSource(pieces(bytes, 64), AbortSignal.abort(new Error("stopped")));
  await assert.rejects(() => walk(stopped), /stopped/);
});

/** `lz4 -c` of `cos\nsystem\n(S"id"\ntR.`. */
const LZ4 = new Uint8Array(
  ("04224d186440a715000080636f730a73797374656d0a2853226964220a74522e000000000abef969".match(/../g) ?? []).map(
    (digits) => parseInt(digits, 16),
  ),
);

async function unpack(frame: Uint8Array): Promise<string> {
  let unpacked = "";
  for await (const piece of decompressLz4(source(frame, 5))) {
    unpacked += new TextDecoder("latin1").decode(piece);
  }
  return unpacked;
}

Deno.test("an LZ4 frame is inspected", async () => {
  assert.equal(await unpack(LZ4), 'cos\nsystem\n(S"id"\ntR.');
  using dir = tempDir();
  const location = `${dir.path}/model`;
  Deno.writeFileSync(location, LZ4);
  const file = { path: "model", location, size: LZ4.length, sha256: SHA256 };
  await assert.rejects(() => inspectPickle(testContext(), file, { patterns: [] }), /imports os\.system/);
});

/** A frame of linked blocks of at most 64 KiB, without checksums. */
function lz4Frame(...blocks: readonly Uint8Array[]): Uint8Array {
  const sized = blocks.map((block) =>
    joined([new Uint8Array(new Uint32Array([block.length]).buffer), block])
  );
  return joined([new Uint8Array([0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0]), ...sized, new Uint8Array(4)]);
}

Deno.test("LZ4 matches repeat their own output, and reach into the previous block", async () => {
  const repeated = rawPickle(0x2f, "ab", 2, 0, 4, 0x10, ".");
  assert.equal(await unpack(lz4Frame(repeated)), "ab" + "ab".repeat(12).slice(0, 15 + 4 + 4) + ".");
  assert.equal(
    await unpack(lz4Frame(rawPickle(0x40, "abcd"), rawPickle(0x00, 4, 0, 0x10, "."))),
    "abcdabcd.",
  );
});

Deno.test("an LZ4 frame that is broken, or reaches before its beginning, is refused", async () => {
  const frames = [
    LZ4.subarray(0, -6),
    joined([LZ4, new Uint8Array(1)]),
    lz4Frame(rawPickle(0x10, "a", 2, 0, 0x10, ".")),
    lz4Frame(rawPickle(0x10, "a", 0, 0, 0x10, ".")),
    lz4Frame(rawPickle(0xf0)),
    lz4Frame(new Uint8Array(70_000)),
    lz4Frame(joined([rawPickle(0x1f, "a", 1, 0), new Uint8Array(300).fill(255), rawPickle(0, 0x10, ".")])),
  ];
  for (const frame of frames) await assert.rejects(() => unpack(frame), PickleProblem);
  // More than a block of this frame may hold: in a match at its end, and in bytes behind a match.
  const match = (more: number) =>
    joined([rawPickle(0x1f, "a", 1, 0), new Uint8Array(more).fill(255), rawPickle(0)]);
  const bytes = rawPickle(0xf0, 255, 255, 255, 220, new Uint8Array(1000));
  for (const block of [joined([match(300), rawPickle(0)]), joined([match(254), bytes])]) {
    await assert.rejects(() => unpack(lz4Frame(block)), /has a block that cannot be decompressed/);
  }
  assert.equal((await unpack(lz4Frame(joined([match(250), bytes])))).length, 64_770);
  const stored = (size: number) =>
    joined([
      new Uint8Array([0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0]),
      uint32(size + 0x80000000),
      new Uint8Array(size),
      new Uint8Array(4),
    ]);
  assert.equal((await unpack(stored(65_536))).length, 65_536);
  await assert.rejects(() => unpack(stored(65_537)), /has a block larger than its header allows/);
  const random = fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (block) => {
    await unpack(lz4Frame(block)).catch((error) => assert.ok(error instanceof PickleProblem, String(error)));
  });
  await fc.assert(random, { numRuns: 300 });
});

Deno.test("a decompression bomb is refused", async () => {
  const { gzipSync } = await import("node:zlib");
  const zeros = joined([
    PROTO_4,
    rawPickle(0x8e, new Uint8Array(new BigUint64Array([BigInt(UNWRAP_LIMITS.freeBytes * 2)]).buffer)),
    new Uint8Array(UNWRAP_LIMITS.freeBytes * 2),
    rawPickle("."),
  ]);
  using dir = tempDir();
  const location = `${dir.path}/bomb.pkl`;
  const bomb = gzipSync(zeros);
  Deno.writeFileSync(location, bomb);
  const file = { path: "bomb.pkl", location, size: bomb.length, sha256: SHA256 };
  await assert.rejects(() => inspectPickle(testContext(), file, { patterns: [] }), (error: unknown) => {
    assert.ok(error instanceof InvalidModelError);
    return /decompresses to more than 200 times/.test(error.message);
  });
});
