import { plain } from "./raw_numpy.ts";
import { PROTO_4, rawPickle, stackGlobal, text, uint32 } from "../../helpers/raw_pickle.ts";
import { inspectBytes, refusesBytes } from "./inspect_bytes.ts";
import { joined } from "../../helpers/raw_zip.ts";

const TOO_LONG = /keys that would take Python too long to hash/;
const file = (...opcodes: Uint8Array[]) => rawPickle(PROTO_4, ...opcodes, ".");

/** LONG1 or LONG4. */
function long(value: bigint, bytes: number): Uint8Array {
  const content = new Uint8Array(bytes);
  for (let at = 0, rest = BigInt.asUintN(bytes * 8, value); rest > 0n; at++, rest >>= 8n) {
    content[at] = Number(rest & 255n);
  }
  return bytes < 256 ? rawPickle(0x8a, bytes, content) : rawPickle(0x8b, uint32(bytes), content);
}

/** A set of keys, in batches like those of picklers. */
function setOf(count: number, key: (at: number) => Uint8Array): Uint8Array {
  const batches: Uint8Array[] = [rawPickle(0x8f)];
  for (let from = 0; from < count; from += 1000) {
    const keys = Array.from({ length: Math.min(1000, count - from) }, (_, at) => key(from + at));
    batches.push(rawPickle("(", joined(keys), 0x90));
  }
  return joined(batches);
}

/** The same in protocols before 4: a list that is converted to a set. */
const listed = (count: number, key: (at: number) => Uint8Array) =>
  rawPickle(
    stackGlobal("builtins", "set"),
    "](",
    joined(Array.from({ length: count }, (_, at) => key(at))),
    "e",
    0x85,
    "R",
  );

const MODULUS = (1n << 61n) - 1n;
const MASK = (1n << 64n) - 1n;
const PRIME_1 = 11400714785074694791n;
const PRIME_2 = 14029467366897019727n;
const PRIME_5 = 2870177450012600261n;
const rotated = (value: bigint, bits: bigint) => ((value << bits) | (value >> (64n - bits))) & MASK;

/** The inverse of an odd number, modulo 2^64. */
function inverse(of: bigint): bigint {
  let found = of;
  for (let at = 0; at < 6; at++) found = (found * (2n - of * found)) & MASK;
  return found;
}

/** Pairs of integers with equal hashes in CPython. */
function pairsOfOneHash(count: number): (readonly [bigint, bigint])[] {
  const goal = rotated((123_456_789n * inverse(PRIME_1)) & MASK, 33n);
  const pairs: (readonly [bigint, bigint])[] = [];
  for (let first = 1n; pairs.length < count; first++) {
    const mixed = (rotated((PRIME_5 + first * PRIME_2) & MASK, 31n) * PRIME_1) & MASK;
    const second = BigInt.asIntN(64, ((goal - mixed) * inverse(PRIME_2)) & MASK);
    if (second < MODULUS && second > 1n) pairs.push([first, second]);
  }
  return pairs;
}

const PAIRS = pairsOfOneHash(25_000);
const pair = (at: number) => {
  const [first, second] = PAIRS[at] ?? [0n, 0n];
  return rawPickle("J", uint32(Number(first)), long(second, 8), 0x86);
};
const remainder = (bytes: number) => (at: number) => long(MODULUS * ((1n << 63n) + BigInt(at)), bytes);
const KEEP = rawPickle("q", 0, "0");
const GET = rawPickle("h", 0);
const MEGABYTE = rawPickle(0x8b, uint32(1_000_000), new Uint8Array(1_000_000).fill(1));
const floats = rawPickle("G", new Uint8Array(8));
const TRIPLET = stackGlobal("sklearn.impute._iterative", "_ImputerTriplet");

/** 40 named tuples, each of which contains the previous one three times. */
const triplets = rawPickle(
  "N",
  KEEP,
  ...Array.from(
    { length: 40 },
    (_, at) => rawPickle(TRIPLET, "h", at, "h", at, "h", at, 0x87, 0x81, "q", at + 1, "0"),
  ),
);

const HOSTILE: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  "nested tuples": [
    rawPickle("}N", new Uint8Array(5000).fill(0x85), "Ns"),
    /more than 1000 nested tuples/,
  ],
  "nested tuples, in a set of a list": [
    rawPickle(stackGlobal("builtins", "set"), "]N", new Uint8Array(5000).fill(0x85), "a", 0x85, "R"),
    /more than 1000 nested tuples/,
  ],
  "named nested tuples": [
    rawPickle(
      "}N",
      ...Array.from({ length: 2000 }, () => rawPickle(KEEP, TRIPLET, GET, 0x85, 0x81)),
      "Ns",
    ),
    /more than 1000 nested tuples/,
  ],
  "named tuples that have each other three times": [rawPickle(triplets, "}h(Ns"), TOO_LONG],
  "numbers of 18 bytes of one hash": [setOf(25_000, remainder(18)), TOO_LONG],
  "numbers of 30 bytes of one hash": [setOf(25_000, remainder(30)), TOO_LONG],
  "numbers of 40 bytes of one hash": [
    setOf(25_000, (at) => long(MODULUS * (1n << 250n) * BigInt(at + 1), 41)),
    TOO_LONG,
  ],
  "numbers of more bytes than are hashed": [
    setOf(25_000, (at) => long(BigInt(at) + (1n << 300n), 40)),
    TOO_LONG,
  ],
  "numbers of more digits than are hashed": [
    setOf(25_000, (at) => rawPickle(`L${10n ** 80n + BigInt(at)}L\n`)),
    TOO_LONG,
  ],
  "numbers of one hash in a list of which a set is made": [listed(25_000, remainder(18)), TOO_LONG],
  "pairs of numbers of one hash": [setOf(25_000, pair), TOO_LONG],
  "pairs of one hash, each in a tuple with text": [
    setOf(25_000, (at) => rawPickle(text("a"), pair(at), 0x86)),
    TOO_LONG,
  ],
  "pairs of one hash in a list of which a set is made": [listed(25_000, pair), TOO_LONG],
  "frozen sets of numbers": [
    setOf(
      25_000,
      (at) =>
        rawPickle(
          "(",
          ...Array.from({ length: 9 }, (_, bit) => rawPickle("M", (at >> bit) & 255, bit)),
          0x91,
        ),
    ),
    TOO_LONG,
  ],
  "complex numbers": [
    rawPickle(
      stackGlobal("builtins", "complex"),
      KEEP,
      setOf(25_000, () => rawPickle(GET, floats, floats, 0x86, "R")),
    ),
    TOO_LONG,
  ],
  "pairs of floats": [setOf(25_000, () => rawPickle(floats, floats, 0x86)), TOO_LONG],
  "a number of a megabyte, again and again": [
    rawPickle(MEGABYTE, KEEP, setOf(4000, () => GET)),
    TOO_LONG,
  ],
  "a number of a megabyte in a tuple, again and again": [
    rawPickle(MEGABYTE, 0x85, KEEP, setOf(4000, () => GET)),
    TOO_LONG,
  ],
  "a text of a megabyte, which equal ones are compared with": [
    rawPickle(
      "X",
      uint32(1_000_000),
      "a".repeat(1_000_000),
      KEEP,
      setOf(60_000, () => GET),
    ),
    TOO_LONG,
  ],
};

for (const [what, [opcodes, expected]] of Object.entries(HOSTILE)) {
  Deno.test(`refused, because hashing takes too long or overflows the stack: ${what}`, async () => {
    await refusesBytes(file(opcodes), expected, ["m.pkl"]);
  });
}

const SCALAR = rawPickle(
  stackGlobal("numpy.core.multiarray", "scalar"),
  plain("i4"),
  stackGlobal("_codecs", "encode"),
);
const ENCODED = rawPickle(text("latin1"), 0x86, "R", 0x86, "R");
const numpyInt = (written: Uint8Array) => joined([SCALAR, written, ENCODED]);

Deno.test("the keys of real models pass, however many", async () => {
  const honest = [
    // Keys of a sparse matrix; words; identifiers of 32 and of 64 bits.
    setOf(30_000, (at) => rawPickle("M", at & 255, at >> 8 & 255, "M", at >> 3 & 255, 0, 0x86)),
    setOf(25_000, (at) => rawPickle(text(`w${at}`), text("b"), "K", 7, 0x87)),
    setOf(25_000, (at) => rawPickle("X", uint32(2), 0xc3, 0xbc, text(`${at}`), 0x86)),
    setOf(30_000, (at) => rawPickle(long(BigInt(at) << 33n, 8), long(BigInt(at) << 30n, 8), 0x86)),
    setOf(30_000, (at) => long(BigInt(at) ** 9n + (1n << 127n), 17)),
    setOf(25_000, (at) => long(BigInt(at) + (1n << 255n), 33)),
    setOf(25_000, (at) => rawPickle(`L${10n ** 78n + BigInt(at)}L\n`)),
    setOf(25_000, () => floats),
    // The same keys in many dictionaries.
    joined(
      Array.from({ length: 200 }, () =>
        rawPickle(
          setOf(30, (at) => rawPickle(long(BigInt(at) << 40n, 8), long(7n << 40n, 8), 0x86)),
          "0",
        )),
    ),
    rawPickle("}N", new Uint8Array(900).fill(0x85), "Ns"),
    // The table of an agent that learns the value of states: each key has the features of one.
    setOf(
      2000,
      (at) => rawPickle("(", "M", at & 255, at >> 8, ...Array.from({ length: 99 }, () => floats), "t"),
    ),
    setOf(10_000, () => rawPickle("(", text("a"), text("b"), 0x91)),
    // numpy's integers in protocols before 3, which write bytes as text and encode it.
    setOf(25_000, (at) => numpyInt(rawPickle("X", uint32(2), at & 127, at >> 8))),
    setOf(25_000, (at) => numpyInt(rawPickle("X", uint32(80), at & 127, at >> 8, "\\u00e4".repeat(13)))),
  ];
  for (const opcodes of honest) await inspectBytes(rawPickle(PROTO_4, "N", opcodes, "."), "m.pkl");
});
