import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { inspectBytes, refusesBytes } from "./inspect_bytes.ts";
import { global, PROTO_4, rawPickle, stackGlobal, text, uint32 } from "../../helpers/raw_pickle.ts";
import { joined, rawZip } from "../../helpers/raw_zip.ts";

const SYSTEM = rawPickle(PROTO_4, stackGlobal("os", "system"), text("id"), 0x85, "R.");
const HONEST = rawPickle(PROTO_4, stackGlobal("numpy", "dtype"), ".");
const NAMES = ["a.npy", "weights.bin", "model", "m.onnx"];

/** A `.npy` file: numpy's header, then the bytes of the elements. */
function npy(header: string, elements: Uint8Array, version = 1): Uint8Array<ArrayBuffer> {
  const length = version === 1
    ? new Uint8Array([header.length % 256, header.length >> 8])
    : uint32(header.length);
  return joined([rawPickle(0x93, "NUMPY", version, 0), length, rawPickle(header), elements]);
}

const header = (descr: string, shape: string) =>
  `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }      \n`;
const zeros = (bytes: number) => new Uint8Array(bytes);
const OBJECTS = npy(header("'|O'", "(1,)"), SYSTEM);
const HONEST_OBJECTS = npy(header("'|O'", "(1,)"), HONEST);

Deno.test("an array with a header of any length is skipped, and one of objects is inspected", async () => {
  for (const bytes of [70_000, 1_100_000, 3_000_000]) {
    for (const version of [2, 3]) {
      const content = npy(header("'|O'", "(1,)").padEnd(bytes), SYSTEM, version);
      await refusesBytes(content, /imports os\.system/, NAMES);
      await refusesBytes(gzipSync(content), /imports os\.system/, ["a.npy.gz"]);
      await refusesBytes(rawZip([{ name: "a.npy", content, method: 8 }]), /imports os\.system/, ["a.npz"]);
    }
  }
});

/** The types of arrays without objects in numpy's notation, with the size of an element. */
const PLAIN: readonly (readonly [descr: string, shape: string, bytes: number])[] = [
  ["'<f8'", "(3,)", 24],
  ["'|b1'", "(2, 3)", 6],
  ["'>u2'", "()", 2],
  ["'<c16'", "(2,)", 32],
  ["'<U5'", "(2,)", 40],
  ["'|S7'", "(3,)", 21],
  ["'|V3'", "(2,)", 6],
  ["'|S0'", "(2,)", 0],
  ["'<M8[ns]'", "(2,)", 16],
  ["'<m8[25us]'", "(1,)", 8],
  ["'<M8'", "(1,)", 8],
  ["'<f4'", "(4L, 2L)", 32],
  ["'<f8'", "(0, 9223372036854775807)", 0],
  ["[('a', '<f4'), ('b', '|S3'), ('', '|V1')]", "(2,)", 16],
  ["[('a', '<f4', (2, 3)), ('b', [('x', '<i8'), ('y', '|u1')])]", "(1,)", 33],
  ["[(('title', 'a'), '<i4')]", "(3,)", 12],
  [`[("it's", '<i4')]`, "(1,)", 4],
];

Deno.test("the bytes behind an array of numbers are inspected, because numpy continues there", async () => {
  const old = rawPickle(global("os", "system"), "(S'id'\ntR.");
  for (const [descr, shape, bytes] of PLAIN) {
    const first = npy(header(descr, shape), zeros(bytes));
    for (const next of [OBJECTS, SYSTEM, old, rawPickle("cantigravity\nx\n", 0)]) {
      await refusesBytes(joined([first, next]), /imports (os\.system|antigravity)/, ["a.npy", "weights.bin"]);
    }
    await inspectBytes(first, "a.npy");
    await inspectBytes(joined([first, first, HONEST_OBJECTS, first, HONEST_OBJECTS]), "a.npy");
    // The elements themselves are not inspected as anything else.
    if (bytes > SYSTEM.length) {
      const elements = joined([SYSTEM, zeros(bytes - SYSTEM.length)]);
      await inspectBytes(npy(header(descr, shape), elements), "a.npy");
    }
  }
});

Deno.test("the bytes behind an array of objects are inspected, too", async () => {
  await refusesBytes(joined([HONEST_OBJECTS, OBJECTS]), /imports os\.system/, NAMES);
  await refusesBytes(joined([HONEST_OBJECTS, SYSTEM]), /imports os\.system/, NAMES);
  const fields = npy(header("[('a', '<f4'), ('b', [('c', '|O')])]", "(1,)"), SYSTEM);
  await refusesBytes(joined([npy(header("'<f4'", "(1,)"), zeros(4)), fields]), /imports os\.system/, NAMES);
  assert.equal(await inspectBytes(joined([HONEST_OBJECTS, HONEST_OBJECTS]), "a.npy"), true);
});

Deno.test("an array whose header only Python can interpret is refused", async () => {
  const headers = [
    header("'<f4' + ''", "(1,)"),
    header("'<f4' 'x'", "(1,)"),
    header("'\\x4f'", "(1,)"),
    header("'<f4'", "(1)"),
    header("'<f4'", "(-1,)"),
    header("'<f4'", "(0x1,)"),
    header("'float32'", "(1,)"),
    header("'|a4'", "(1,)"),
    header("('<f4', (2,))", "(1,)"),
    header("'f4,O'", "(1,)"),
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (9,)}\n",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}\n",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} # a comment\n",
    `{'descr': ${"[('a', ".repeat(2000)}'<f4'${")]".repeat(2000)}, 'fortran_order': False, 'shape': (1,)}\n`,
    "{".repeat(500_000),
    header("'<f4'", "(1,)").padEnd(1_100_000),
    "",
  ];
  for (const written of headers) {
    const first = npy(written, zeros(4), 2);
    await refusesBytes(joined([first, OBJECTS]), /follows an array header|os\.system/, NAMES);
    await refusesBytes(npy(written, SYSTEM, 2), /imports os\.system/, NAMES);
  }
  const future = npy(header("'<f4'", "(1,)"), zeros(4), 4);
  await refusesBytes(joined([future, OBJECTS]), /follows an array header/, NAMES);
});

Deno.test("an array of another program passes, and so does one that is cut off", async () => {
  const written = [
    `{"descr":"<f4","fortran_order":False,"shape":(2,)}`,
    "{'shape': (2,), 'fortran_order': True, 'descr': 'f4'}",
    " {'descr': '<f4', 'fortran_order': False, 'shape': (2,) }\n",
  ];
  for (const one of written) await inspectBytes(joined([npy(one, zeros(8)), HONEST_OBJECTS]), "a.npy");
  const whole = npy(header("'<f8'", "(3,)"), zeros(24));
  for (let bytes = 1; bytes < whole.length; bytes += 3) {
    await inspectBytes(whole.subarray(0, bytes), "a.npy");
  }
  await inspectBytes(npy(header("'<f8'", "(4294967296, 4294967296)"), SYSTEM), "a.npy");
});
