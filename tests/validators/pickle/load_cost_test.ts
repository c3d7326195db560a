import { gzipSync } from "node:zlib";
import {
  array,
  dtype,
  int,
  INT_64,
  listOf,
  OBJECT,
  plain,
  RAW_ARRAY,
  record,
  subArray,
} from "./raw_numpy.ts";
import { type PicklePart, PROTO_4, rawPickle, stackGlobal, text, uint32 } from "../../helpers/raw_pickle.ts";
import { inspectBytes, refusesBytes } from "./inspect_bytes.ts";
import { joined, rawZip } from "../../helpers/raw_zip.ts";

const TOO_MUCH = /far more memory than the file has bytes/;
const UNFREED = /nests containers so deeply that freeing them would crash Python/;
const file = (...opcodes: Uint8Array[]) => rawPickle(PROTO_4, ...opcodes, ".");
const call = (module: string, name: string, ...args: PicklePart[]) =>
  rawPickle(stackGlobal(module, name), "(", ...args, "tR");

/** Moves the value on the stack to the memo. */
const keep = (at: number) => rawPickle("q", at, "0");
const get = (at: number) => rawPickle("h", at);

/** A list with so many results of the opcodes. */
function listed(count: number, ...opcodes: PicklePart[]): Uint8Array {
  const item = rawPickle(...opcodes);
  const items = new Uint8Array(item.length * count);
  for (let at = 0; at < count; at++) items.set(item, at * item.length);
  return rawPickle("](", items, "e");
}

const MEGABYTE = rawPickle("B", uint32(1_000_000), new Uint8Array(1_000_000));
const TEXT = rawPickle("X", uint32(1_000_000), "a".repeat(1_000_000));

/** A large element size, which needs no bytes in the file: numpy clears ten such elements. */
const wide = array(record([["a", OBJECT, 0]], 100_000_000), 10, listOf(10, rawPickle("N", 0x85)));

/** A tree with so many outputs, and as many class counts. */
const trees = rawPickle(
  array(INT_64, 100_000, "B", uint32(800_000), new Uint8Array(800_000)),
  keep(0),
  stackGlobal("sklearn.tree._tree", "Tree"),
  keep(1),
  listed(2000, get(1), "K", 1, get(0), int(100_000), 0x87, "R"),
);

const copied = (content: Uint8Array, module: string, name: string, ...others: PicklePart[]) =>
  rawPickle(
    content,
    keep(0),
    stackGlobal(module, name),
    keep(1),
    listed(2000, get(1), "(", get(0), ...others, "tR"),
  );

/** A list of ten thousand numbers. */
const numbers = listed(10_000, "K", 1);
const entries = rawPickle(
  "}(",
  joined(Array.from({ length: 10_000 }, (_, at) => rawPickle("M", at & 255, at >> 8, "N"))),
  "u",
);
const ESTIMATOR = rawPickle(stackGlobal("sklearn.svm", "SVC"), ")", 0x81);

const HOSTILE: Readonly<Record<string, Uint8Array>> = {
  "elements of an excessive size": wide,
  "trees of many outputs": trees,
  "copies of bytes": copied(MEGABYTE, "builtins", "bytearray"),
  "copies of text in bytes": copied(TEXT, "_codecs", "encode", text("latin1")),
  "copies of a copy": rawPickle(
    TEXT,
    keep(0),
    call("_codecs", "encode", get(0), text("latin1")),
    keep(2),
    copied(get(2), "builtins", "bytearray"),
  ),
  "copies of a queue": rawPickle(
    copied(numbers, "collections", "deque"),
    listed(40_000, get(1), get(0), 0x85, "R"),
  ),
  "copies of a counter": copied(entries, "collections", "Counter"),
  "copies of a set": rawPickle(copied(numbers, "builtins", "set"), listed(5000, get(1), get(0), 0x85, "R")),
  "copies of a state": rawPickle(entries, keep(0), listed(2000, ESTIMATOR, get(0), "b")),
  "copies of a dictionary": rawPickle(
    entries,
    keep(0),
    listed(
      2000,
      call(
        "copyreg",
        "_reconstructor",
        stackGlobal("sklearn.utils", "Bunch"),
        stackGlobal("builtins", "dict"),
        get(0),
      ),
    ),
  ),
  "arrays of the other order, whose bytes are turned": rawPickle(
    MEGABYTE,
    keep(0),
    plain("i8", ">"),
    keep(1),
    listed(2000, RAW_ARRAY, "(K", 1, int(125_000), 0x85, get(1), 0x89, get(0), "tb"),
  ),
  "elements of an array": rawPickle(
    MEGABYTE,
    keep(0),
    plain("S1000000", "|"),
    keep(1),
    listed(2000, call("numpy.core.multiarray", "scalar", get(1), get(0))),
  ),
  "numpy's generators": rawPickle(
    stackGlobal("numpy.random._pickle", "__randomstate_ctor"),
    keep(0),
    text("MT19937"),
    0x85,
    keep(1),
    listed(40_000, get(0), get(1), "R"),
  ),
  "empty sets": rawPickle(...Array.from({ length: 4 }, () => rawPickle(listed(900_000, 0x8f), "0")), "N"),
  "a range that numpy converts to a list": array(
    record([["a", subArray(OBJECT, 3, 24, 63), 0]], 24),
    1,
    rawPickle("](", call("builtins", "range", int(300_000_000)), 0x85, "e"),
  ),
  "a range between numbers of any size": call(
    "builtins",
    "range",
    int(-1),
    rawPickle(0x8a, 9, new Uint8Array(9).fill(1)),
  ),
  "a range in steps": call("__builtin__", "xrange", int(10_000_000_000), int(0), int(-3)),
  "many ranges": rawPickle(
    stackGlobal("builtins", "range"),
    keep(0),
    listed(100, get(0), int(1_000_000), 0x85, "R"),
  ),
};

for (const [what, opcodes] of Object.entries(HOSTILE)) {
  Deno.test(`refused, because loading it allocates far more than the size of the file: ${what}`, async () => {
    await refusesBytes(file(opcodes), TOO_MUCH, ["m.pkl"]);
    await refusesBytes(new Uint8Array(gzipSync(file(opcodes))), TOO_MUCH, ["m.dat"]);
  });
}

Deno.test("allocations of all pickles and entries of a file are added up", async () => {
  const half = file(
    rawPickle(stackGlobal("builtins", "range"), keep(0), listed(8, get(0), int(1_000_000), 0x85, "R")),
  );
  await inspectBytes(half, "m.pkl");
  await refusesBytes(joined([half, half]), TOO_MUCH, ["m.pkl"]);
  await refusesBytes(rawZip([{ name: "a.pkl", content: half }, { name: "b.pkl", content: half }]), TOO_MUCH, [
    "m.zip",
  ]);
});

Deno.test("a tree with fewer class counts than outputs is refused", async () => {
  const tree = rawPickle(
    stackGlobal("sklearn.tree._tree", "Tree"),
    rawPickle("K", 1, array(INT_64, 2, "C", 16, new Uint8Array(16)), "K", 3, 0x87, "R"),
  );
  await refusesBytes(file(tree), /Tree with unexpected arguments/, ["m.pkl"]);
});

Deno.test("a tree with more outputs than any is refused", async () => {
  const tree = (outputs: number) =>
    rawPickle(
      stackGlobal("sklearn.tree._tree", "Tree"),
      rawPickle("K", 1, array(plain("S0", "|"), outputs, "C", 0), int(outputs), 0x87, "R"),
    );
  await inspectBytes(file(tree(1_000_000)), "m.pkl");
  await refusesBytes(file(tree(1_000_001)), /Tree with unexpected arguments/, ["m.pkl"]);
});

/** An array of objects that contains memo entry 0, and replaces it. */
const around = rawPickle(RAW_ARRAY, "(K", 1, int(1), 0x85, get(2), 0x89, "]", get(0), "atb", keep(0));
const repeated = (count: number, opcodes: Uint8Array) => joined(Array.from({ length: count }, () => opcodes));

/** Arrays of objects that are put into lists before they have elements. */
const fromOutside = joined(
  Array.from({ length: 200 }, (_, at) => rawPickle(RAW_ARRAY, "r", uint32(at + 10), "0")),
);
const filled = joined(
  Array.from(
    { length: 199 },
    (_, at) =>
      rawPickle("j", uint32(at + 10), "(K", 1, int(1), 0x85, get(2), 0x89, "]j", uint32(at + 11), "atb0"),
  ),
);

const NESTED: Readonly<Record<string, Uint8Array>> = {
  "arrays of objects": repeated(200, around),
  "arrays of objects in lists": repeated(
    200,
    rawPickle(around, "]]", get(0), "aa", keep(0)),
  ),
  "arrays of objects in dictionaries": repeated(200, rawPickle(around, "}", text("a"), get(0), "s", keep(0))),
  "arrays of objects in tuples": repeated(200, rawPickle(around, get(0), 0x85, keep(0))),
  "arrays of objects in estimators": repeated(
    200,
    rawPickle(around, ESTIMATOR, "}", text("a"), get(0), "sb", keep(0)),
  ),
  "arrays of objects in named tuples": repeated(
    200,
    rawPickle(
      around,
      stackGlobal("sklearn.impute._iterative", "_ImputerTriplet"),
      get(0),
      0x85,
      0x81,
      keep(0),
    ),
  ),
  "arrays of objects, from the outside in": rawPickle(fromOutside, filled),
  "an array of objects in sets": rawPickle(around, repeated(65, rawPickle(0x8f, "(", get(0), 0x90))),
  "queues": repeated(4000, rawPickle(stackGlobal("collections", "deque"), ")R", get(0), "a", keep(0))),
  "queues of a list": repeated(4000, rawPickle(call("collections", "deque", "]", get(0), "a"), keep(0))),
  "dictionaries with a default": repeated(
    4000,
    rawPickle(stackGlobal("collections", "defaultdict"), ")R", text("a"), get(0), "s", keep(0)),
  ),
};

for (const [what, opcodes] of Object.entries(NESTED)) {
  Deno.test(`refused, because freeing it overflows the stack: ${what}`, async () => {
    await refusesBytes(file(OBJECT, keep(2), rawPickle("N"), keep(0), opcodes, get(0)), UNFREED, ["m.pkl"]);
  });
}

Deno.test("honest models with many calls, copies and containers pass", async () => {
  const honest = [
    rawPickle(OBJECT, keep(2), rawPickle("N"), keep(0), repeated(10, around)),
    // An estimator that refers to itself through an array of objects.
    rawPickle(
      ...Array.from({ length: 30 }, () =>
        rawPickle(
          ESTIMATOR,
          keep(5),
          rawPickle(get(5), "}", text("a"), array(OBJECT, 1, "]", get(5), "a"), "sb0"),
        )),
      "N",
    ),
    listed(5000, array(plain("f8"), 1, "C", 8, new Uint8Array(8))),
    listed(5000, array(OBJECT, 1, "]", ESTIMATOR, "a")),
    // Rows of a table: each tuple has 70 numbers and an array of objects.
    rawPickle(OBJECT, keep(2), "N", keep(0), around, listed(100, "(", "K\x01".repeat(70), get(0), "t")),
    listed(20_000, stackGlobal("collections", "OrderedDict"), ")R", text("a"), "Ns"),
    listed(50_000, ")", "]", "}", 0x8f, "0000N"),
    rawPickle(numbers, keep(0), listed(100, stackGlobal("collections", "deque"), get(0), 0x85, "R")),
    call("builtins", "range", int(1_000_000)),
    dtype(
      "V8",
      text("|"),
      "N(",
      text("a"),
      "t}",
      text("a"),
      INT_64,
      int(0),
      0x86,
      "s",
      int(8),
      int(1),
      int(16),
    ),
  ];
  for (const opcodes of honest) await inspectBytes(file(rawPickle("N"), opcodes), "m.pkl");
});
