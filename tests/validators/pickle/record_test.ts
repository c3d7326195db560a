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
import { PROTO_4, rawPickle, stackGlobal, text } from "../../helpers/raw_pickle.ts";
import { inspectBytes, refusesBytes } from "./inspect_bytes.ts";

const NONE = rawPickle("N", 0x85);
const PAIR = rawPickle("NJAAAA", 0x86);
const file = (...opcodes: Uint8Array[]) => rawPickle(PROTO_4, ...opcodes, ".");

/** Nested types of one field each. */
function nested(depth: number): Uint8Array {
  let type = INT_64;
  for (let at = 0; at < depth; at++) type = record([["a", type, 0]], 8, { flags: 16 });
  return type;
}

/** An element of a class of records. */
function ofClass(bytes: number): Uint8Array {
  const made = rawPickle(
    stackGlobal("numpy", "dtype"),
    stackGlobal("numpy", "record"),
    0x89,
    0x88,
    0x87,
    "R",
  );
  return rawPickle(made, "(K", 3, text("|"), "NNN", int(bytes), int(1), int(0), "tb");
}

/** A record of the type in the memo, so many times in each of its levels. */
function repeated(...levels: readonly number[]): Uint8Array {
  return levels.reduce(
    (inner, count) =>
      rawPickle(
        inner,
        "q",
        0,
        "0",
        record(Array.from({ length: count }, (_, at) => [`f${at}`, rawPickle("h", 0), 0]), 8, { flags: 16 }),
      ),
    INT_64,
  );
}

const HOSTILE: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
  "a number in the place of a pointer to an object": [
    array(record([["a", OBJECT, 0], ["b", INT_64, 0]], 8), 1, listOf(1, PAIR)),
    /unexpected fields/,
  ],
  "a number that overlaps half of a pointer": [
    array(record([["b", INT_64, 4], ["a", OBJECT, 8]], 16), 1, listOf(1, PAIR)),
    /unexpected fields/,
  ],
  "a number over a pointer in a record of its own": [
    array(
      record([["r", record([["a", OBJECT, 8]], 16), 0], ["b", INT_64, 8]], 16),
      1,
      listOf(1, PAIR),
    ),
    /unexpected fields/,
  ],
  "two pointers in one place, of which one is an array of them": [
    array(record([["a", subArray(OBJECT, 2, 16, 63), 0], ["b", OBJECT, 8]], 16), 1, listOf(1, PAIR)),
    /unexpected fields/,
  ],
  "a pointer of four bytes, of which numpy makes one of eight": [
    array(record([["a", plain("O4", "|", 63), 0]], 4), 1000, listOf(1000, NONE)),
    /of an unexpected type/,
  ],
  "a size that overflows into a negative one": [plain("U999999999", "<", 8), /larger than numpy allows/],
  "a record whose size overflows": [
    record([["a", INT_64, 0]], 2 ** 31, { flags: 16, made: "V8" }),
    /a size that contradicts its type/,
  ],
  "an array of arrays, which numpy does not have": [
    array(subArray(OBJECT, 2, 16, 63), 1, listOf(1, rawPickle("]N", 0x61))),
    /elements are arrays/,
  ],
  "an element of a class of records whose size overflows": [ofClass(2 ** 31), /a size that contradicts/],
  "an element of a class of records of a negative size": [ofClass(-2), /a size that contradicts/],
  "a shape that overflows before a dimension of zero": [
    rawPickle(RAW_ARRAY, "(K", 1, int(2 ** 40), int(2 ** 40), int(0), 0x87, INT_64, 0x89, "C", 0, "tb"),
    /unexpected/,
  ],
  "types that are repeated in all levels": [repeated(64, 64, 3), /more than 10000 types/],
  "nested types, a thousand deep": [nested(1000), /more than 64 nested types/],
};

Deno.test("a record whose layout would turn a number into an address is refused", async () => {
  for (const [, [opcodes, expected]] of Object.entries(HOSTILE)) await refusesBytes(file(opcodes), expected);
});

Deno.test("records of objects, unions of numbers and nested records pass", async () => {
  const honest = [
    array(record([["a", INT_64, 0], ["b", OBJECT, 8]], 16), 2, listOf(2, PAIR)),
    // Packed, with fields in another order than in memory.
    array(record([["b", OBJECT, 1], ["a", plain("i1", "|"), 0]], 9), 2, listOf(2, PAIR)),
    // A union: every byte is a number.
    record([["a", INT_64, 0], ["b", plain("i4"), 4]], 8, { flags: 16 }),
    record([["a", subArray(OBJECT, 2, 16, 63), 0], ["b", OBJECT, 16]], 24),
    nested(20),
    repeated(64, 64, 2),
    ofClass(8),
    rawPickle(RAW_ARRAY, "(K", 1, int(2 ** 20), int(2 ** 30), int(0), 0x87, INT_64, 0x89, "C", 0, "tb"),
    plain("U1000", "<", 8),
  ];
  for (const opcodes of honest) await inspectBytes(file(opcodes), "m.pkl");
});

/** For a reader that takes a leading zero for octal: a field at 99,992 of 32,768 bytes. */
const sizes = [
  "I0100000\n",
  "I 100000\n",
  "I0x186a0\n",
  "I+100000\n",
  "L0x186a0\n",
  "I100000\0\n",
  "L1_00000L\n",
];

Deno.test("a size that Python's two unpicklers read differently, or no pickler writes, is refused", async () => {
  for (const written of sizes) {
    const type = dtype(
      "V8",
      text("|"),
      "N(",
      text("a"),
      "t}",
      text("a"),
      OBJECT,
      int(99_992),
      rawPickle(0x86, "s"),
      written,
      int(1),
      int(27),
    );
    await refusesBytes(
      file(array(type, 1, listOf(1, NONE))),
      /overlong or oddly written number|contradicts its type/,
      ["m.pkl"],
    );
    await refusesBytes(file(RAW_ARRAY, rawPickle("0", written)), /has an overlong or oddly written number/, [
      "m.pkl",
    ]);
  }
  // A boolean for one reader, a number for the other.
  for (const written of ["I-0\n", "I 1\n", "I+1\n"]) {
    await refusesBytes(file(rawPickle(written)), /has an overlong or oddly written number/, ["m.pkl"]);
  }
});

Deno.test("numbers in the notation of picklers pass", async () => {
  for (
    const written of [
      "I0\n",
      "I00\n",
      "I01\n",
      "I-5\n",
      "I5\r\n",
      "L0L\n",
      "L-12L\n",
      `L${"9".repeat(400)}L\n`,
    ]
  ) {
    await inspectBytes(file(rawPickle(written)), "m.pkl");
  }
});
