import fc from "fast-check";
import assert from "node:assert/strict";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { inspectBytes, refusesBytes } from "./inspect_bytes.ts";
import { PROTO_4, rawPickle, stackGlobal, text, uint32 } from "../../helpers/raw_pickle.ts";
import { joined } from "../../helpers/raw_zip.ts";

const NAMES = ["weights.bin", "m.dat", "model", "w.raw"];
const SYSTEM = rawPickle(stackGlobal("os", "system"), text("id"), 0x85, "R.");

/** The magic numbers by which Python's readers open compressed files, and the beginnings of pickles in each protocol. */
const MAGICS: readonly (readonly number[])[] = [
  [0x78, 0xbb],
  [0x78, 0x01],
  [0x78, 0x9c],
  [0x1f, 0x8b],
  [0x5d, 0],
  [0x42, 0x5a, 0x68],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0],
  [0x80, 2],
  [0x80, 4, 0x95],
  [],
];

Deno.test("raw weights pass, whatever magic number they begin with by chance", async () => {
  const weights = fc.tuple(
    fc.constantFrom(...MAGICS),
    fc.uint8Array({ minLength: 64, maxLength: 6000, size: "max" }),
    fc.constantFrom(...NAMES),
  );
  const passes = async ([magic, numbers, name]: [readonly number[], Uint8Array, string]) => {
    assert.equal(await inspectBytes(joined([new Uint8Array(magic), numbers]), name), false);
  };
  await fc.assert(fc.asyncProperty(weights, passes), { numRuns: 400, seed: 15 });
});

Deno.test("numbers that begin like an opcode at which Python stops pass", async () => {
  const numbers = new Uint8Array(1024).fill(0x3c);
  const beginnings = {
    "a value remembered under a number that is too large": rawPickle("N", "r", uint32(0xbe4f3a91)),
    "an extension": rawPickle("N", 0x84, uint32(77)),
    "an import whose module is not UTF-8": rawPickle("c", 0xa9, 0xd4, "\nx\n."),
    "an import whose name is not UTF-8": rawPickle("cmodule\n", 0xa9, 0xd4, "\n."),
    "a tuple that is called": rawPickle(")", ")R."),
    "a protocol, and an object that is not in the file": rawPickle(PROTO_4, "P1\n"),
    "a protocol, and a protected buffer": rawPickle(PROTO_4, "N", 0x98),
    "an item that is added to a tuple": rawPickle(")2a*"),
    "an item that is added to a number": rawPickle("K", 7, "Na"),
    "items that are added to a text": rawPickle(text("x"), "(Ne"),
    "an item that is added to a dictionary": rawPickle("}Na"),
    "a key that is set in a tuple": rawPickle(")NNs"),
    "a key that is set in a list": rawPickle("]NNs"),
    "an object whose name is not ASCII": rawPickle("P", 0x9e, "\n]a"),
    "an item that is added to an object that is not in the file": rawPickle("Px\n]a"),
    "a tar's checksum of numbers that add up to nothing": summingUpToNothing(),
  };
  for (const [what, beginning] of Object.entries(beginnings)) {
    for (const name of NAMES) {
      assert.equal(await inspectBytes(joined([beginning, numbers]), name), false, `${what}: ${name}`);
    }
  }
});

Deno.test("values that are filled oddly before an import do not hide it", async () => {
  const beginnings = {
    "an object that is not in the file": rawPickle("Px\n]a0"),
    "a list with a key": rawPickle("]NaK", 0, "Ns0"),
    "nothing, which is added to a tuple": rawPickle(")(e0"),
  };
  for (const beginning of Object.values(beginnings)) {
    await refusesBytes(joined([beginning, SYSTEM]), /imports os\.system|adds to|refers to/, NAMES);
  }
});

/** A block with a correct checksum for `tarfile`, whose other fields are not octal numbers. */
function summingUpToNothing(): Uint8Array {
  const block = new Uint8Array(512).fill(0x41);
  block.fill(0, 148, 156);
  // 256 for the checksum's own field, and 504 bytes besides it: 380 times 65, and what takes that back.
  let sum = 256 + 504 * 0x41;
  for (let at = 511; sum > 0; at--) {
    const taken = Math.min(sum, 0x41 + 0x7f);
    block[at] = (0x41 - taken) & 0xff;
    sum -= taken;
  }
  return block;
}

Deno.test("a damaged compressed pickle is refused if Python loads it before it finds the damage", async () => {
  const long = rawPickle(PROTO_4, SYSTEM, new Uint8Array(20_000));
  const damaged = (bytes: Uint8Array, keep: number) => {
    const copy = new Uint8Array(bytes);
    copy.fill(0xff, keep);
    return copy;
  };
  const random = crypto.getRandomValues(new Uint8Array(20_000));
  const slow = rawPickle(PROTO_4, SYSTEM, random);
  const gzip = gzipSync(slow);
  const gzipHead = gzip.subarray(0, 10);
  const streams = {
    // The first piece that gzip's reader requests ends before the damage.
    "gzip, damaged behind 10,000 bytes": damaged(gzip, 10_000),
    "gzip, damaged behind 20,000 zeros": damaged(gzipSync(long), 60),
    "gzip, a wrong sum": damaged(gzipSync(SYSTEM), gzipSync(SYSTEM).length - 8),
    "gzip, a flag that there is not": joined([
      gzipHead.with(3, 0x80),
      deflateRawSync(SYSTEM),
      new Uint8Array(8),
    ]),
    "gzip, a name and a comment": joined([
      gzipHead.with(3, 0x18),
      rawPickle("m.pkl", 0, "mine", 0),
      deflateRawSync(SYSTEM),
      new Uint8Array(8),
    ]),
    "gzip, cut off": gzip.subarray(0, 9000),
    "zlib, damaged behind 10,000 bytes": damaged(deflateSync(slow), 10_000),
    "zlib, cut off": deflateSync(slow).subarray(0, 9000),
  };
  for (const [what, stream] of Object.entries(streams)) {
    await refusesBytes(stream, /cannot be decompressed|imports os\.system/, NAMES).catch((error: unknown) => {
      throw new Error(what, { cause: error });
    });
  }
});

Deno.test("a file named like a compressed one has to decompress", async () => {
  const numbers = new Uint8Array(1024).fill(0xff);
  const starts = { gzip: [0x1f, 0x8b, 3], zlib: [0x78, 0xbb] };
  for (const [format, start] of Object.entries(starts)) {
    const content = joined([new Uint8Array(start), numbers]);
    for (const name of ["m.pkl", "m.joblib", "m.pkl.gz", "w.gz", "w.Z", "w.bin.zlib"]) {
      await refusesBytes(content, new RegExp(`cannot be decompressed \\(${format}\\)`), [name]);
    }
    for (const name of NAMES) assert.equal(await inspectBytes(content, name), false);
  }
});

Deno.test("a damaged zstd stream is refused with zstd's reason", async () => {
  const content = joined([new Uint8Array([0x28, 0xb5, 0x2f, 0xfd]), new Uint8Array(64).fill(0xff)]);
  await refusesBytes(content, /cannot be decompressed \(zstd\)/, ["m.pkl.zst", "weights.bin"]);
});
