import assert from "node:assert/strict";
import { deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { inspectBytes, refusesBytes } from "./inspect_bytes.ts";
import {
  global,
  type PicklePart,
  PROTO_4,
  rawPickle,
  stackGlobal,
  uint32,
} from "../../helpers/raw_pickle.ts";
import { rawTar, tarMember } from "../../helpers/raw_tar.ts";
import { joined, rawZip } from "../../helpers/raw_zip.ts";

const NAMES = ["weights.bin", "m.dat", "model", "model.onnx", "notes.txt"];
const SYSTEM = rawPickle(global("os", "system"), "(S'id'\ntR.");
const HONEST = rawPickle(PROTO_4, stackGlobal("numpy", "dtype"), ".");

const fromHex = (hex: string) => new Uint8Array((hex.match(/../g) ?? []).map((byte) => parseInt(byte, 16)));

/** Of `cos\nsystem\n(S'id'\ntR.`, by Python's `lzma`, of unknown size. */
const LZMA = fromHex(
  "5d00008000ffffffffffffffff00319bcac6b27c65dfdf91599fb1d67e2d716a0571564cf2f32897ffff98ce0000",
);

const patched = (bytes: Uint8Array, at: number, ...values: number[]) => {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
};

const skippable = (magic: number, body: Uint8Array) =>
  rawPickle(magic, 0x2a, 0x4d, 0x18, uint32(body.length), body);

Deno.test("a frame that zstd and lz4 skip does not hide opcodes, with any of the 16 magics", async () => {
  const opcodes: Readonly<Record<number, Uint8Array>> = {
    0x55: rawPickle("A".repeat(36), "0", SYSTEM),
    0x56: rawPickle("AAA\n0", SYSTEM),
  };
  for (const magic of [0x55, 0x56]) {
    const frame = skippable(magic, opcodes[magic] ?? SYSTEM);
    for (const content of [frame, joined([frame, zstdCompressSync(HONEST)])]) {
      await refusesBytes(content, /compressed by zstd|imports os\.system/, [...NAMES, "m.pkl", "m.zst"]);
      await refusesBytes(gzipSync(content), /compressed by zstd|imports os\.system/, ["m.gz"]);
      const zip = rawZip([{ name: "a.bin", content, method: 8 }]);
      await refusesBytes(zip, /compressed by zstd|imports os\.system/, ["m.zip", "m.pt"]);
    }
  }
  for (let magic = 0x51; magic <= 0x5f; magic++) {
    await refusesBytes(skippable(magic, SYSTEM), /compressed by zstd/, ["weights.bin", "m.zst"]);
  }
  // pzstd writes it before every frame. It is not an opcode, so Python stops.
  await refusesBytes(
    joined([skippable(0x50, rawPickle(1, 2, 3, 4)), zstdCompressSync(SYSTEM)]),
    /after its zstd/,
    [
      "m.zst",
    ],
  );
});

Deno.test("lzma is recognised with every dictionary size that liblzma accepts, 0 included", async () => {
  const sizes = [0, 1, 2, 3, 12, 128, 192, 256, 384, 1 << 16, 3 << 20, 0xffffffff];
  for (const size of sizes) {
    const content = joined([LZMA.subarray(0, 1), uint32(size), LZMA.subarray(5)]);
    await refusesBytes(content, /compressed by lzma/, [...NAMES, "m.xz", "m.lzma", "m.joblib"]);
    await refusesBytes(rawZip([{ name: "a", content }]), /compressed by lzma/, ["m.zip"]);
  }
  for (const properties of [0, 0x5e, 0x2d, 0xb4]) {
    const content = patched(LZMA, 0, properties, 0, 0, 0, 0);
    await refusesBytes(content, /compressed by lzma/, ["m.xz", "m.lzma", "m.tar", "m.tar.xz", "M.TXZ"]);
  }
});

Deno.test("empty lzma streams do not hide one with a pickle behind them", async () => {
  const nothing = patched(LZMA.subarray(0, 18), 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  const xz = rawPickle(0xfd, "7zXZ", 0, new Uint8Array(20));
  for (const count of [1, 2, 20, 100]) {
    for (const last of [LZMA, xz]) {
      const content = joined([...Array.from({ length: count }, () => nothing), last]);
      await refusesBytes(content, /compressed by lzma/, NAMES);
    }
  }
  await inspectBytes(joined([nothing, rawPickle("abc", new Uint8Array(99).fill(7))]), "weights.bin");
});

Deno.test("numbers that begin like lzma pass", async () => {
  const int64 = (...numbers: number[]) => new Uint8Array(new BigInt64Array(numbers.map(BigInt)).buffer);
  await inspectBytes(int64(93, 5, 7, 1000, 5, 3), "weights.bin");
  await inspectBytes(int64(93, 16_000, 300, 2), "weights.bin");
  await inspectBytes(new Uint8Array(new Int32Array([93, 1, 2, 3, 4, 5]).buffer), "weights.bin");
  await inspectBytes(new Uint8Array(new Int32Array([93, 0, 2, 0, 4, 5]).buffer), "weights.bin");
  await inspectBytes(rawTar(tarMember({ name: "m", content: rawPickle("a,b\n") })), "m.tar");
});

Deno.test("joblib's oldest compressed format is refused with any length and zlib stream", async () => {
  for (const length of ["0x16", "16", "\t16\v", "+0x1_6", " \r\n16", "-16"]) {
    for (const header of [0x08, 0x18, 0x28, 0x48, 0x58, 0x68, 0x78, 0x20]) {
      const content = rawPickle("ZF", length.padEnd(19, " "), header, 0x9c, new Uint8Array(30));
      await refusesBytes(content, /compressed by joblib before 0\.10/, [...NAMES, "m.joblib"]);
    }
  }
  for (const content of ["ZF files\n", "ZF 12 km and more of it\n", "ZF\n10\n20\n30\n40\n50\n60\n70\n"]) {
    await inspectBytes(rawPickle(content), "notes.txt");
  }
});

/** As `zlib.compressobj(9, zlib.DEFLATED, bits)` of Python's. */
function deflated(content: Uint8Array, bits: number): Uint8Array {
  const bytes = new Uint8Array(deflateSync(content));
  bytes[0] = ((bits - 8) << 4) | 8;
  bytes[1] = 0;
  bytes[1] = (31 - (bytes[0] * 256) % 31) % 31;
  return bytes;
}

Deno.test("a zlib stream of any window size is inspected or refused", async () => {
  for (let bits = 8; bits <= 15; bits++) {
    await refusesBytes(deflated(SYSTEM, bits), /compressed by zlib|imports os\.system/, [...NAMES, "m.z"]);
    const long = rawPickle(SYSTEM, crypto.getRandomValues(new Uint8Array(5000)));
    await refusesBytes(deflated(long, bits), /compressed by zlib|imports os\.system/, ["m.bin"]);
  }
  for (const name of NAMES) {
    await inspectBytes(rawPickle("(See above)\n"), name);
    await inspectBytes(rawPickle("(S'", "text'\ntp0\n."), name);
    await inspectBytes(rawPickle('(S"', "text".repeat(300), '"\ntp0\n.'), name);
    await inspectBytes(rawPickle(0x08, 0x1d, new Uint8Array(40).fill(0xff)), name);
  }
});

Deno.test("every gzip header that Python's module accepts is inspected or refused", async () => {
  const body = gzipSync(SYSTEM).subarray(10);
  const header = (flags: number, ...more: PicklePart[]) =>
    rawPickle(0x1f, 0x8b, 8, flags, uint32(0), 0, 3, ...more, new Uint8Array(body));
  const refusal = /imports os\.system|cannot be decompressed|after its gzip stream/;
  const variants: readonly Uint8Array[] = [
    header(1),
    header(4, 3, 0, "abc"),
    header(8, "name", 0),
    header(16, "comment", 0),
    header(2, 0, 0),
    header(0xe0),
    header(31, 1, 0, "x", "name", 0, "comment", 0, 0, 0),
    joined([gzipSync(""), gzipSync(SYSTEM)]),
    joined([gzipSync(HONEST), gzipSync(""), gzipSync(SYSTEM)]),
    joined([gzipSync(HONEST), new Uint8Array(600), gzipSync(SYSTEM)]),
    joined([gzipSync(""), new Uint8Array(1), gzipSync(SYSTEM)]),
    joined([gzipSync(HONEST), rawPickle("x"), gzipSync(SYSTEM)]),
    gzipSync(SYSTEM).subarray(0, -5),
    patched(gzipSync(SYSTEM), 25, 0x55),
  ];
  for (const content of variants) await refusesBytes(content, refusal, ["m.gz", "m.pkl", "weights.bin"]);
});

Deno.test("an LZ4 frame that only other decoders can read is refused under any name", async () => {
  const frame = (block: Uint8Array) =>
    rawPickle(0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0, uint32(block.length), block, uint32(0));
  // The reference decoder accepts an offset of 0 and goes on.
  const block = rawPickle(0xf0, SYSTEM.length - 15, SYSTEM, 0, 0, 0x10, ".");
  await refusesBytes(frame(block), /LZ4/, NAMES);
  await refusesBytes(frame(rawPickle(0xf0)), /LZ4/, NAMES);
});

Deno.test("an LZ4 frame with checksums of its blocks is inspected, a cut one is refused, and one of another version loads nothing", async () => {
  const stored = rawPickle(uint32(0x80000000 + SYSTEM.length), SYSTEM);
  const frame = (flags: number, ...blocks: Uint8Array[]) =>
    rawPickle(0x04, 0x22, 0x4d, 0x18, flags, 0x40, 0, ...blocks);
  await refusesBytes(frame(0x50, stored, uint32(0), uint32(0)), /imports os\.system/, NAMES);
  await refusesBytes(frame(0x50, rawPickle(uint32(0x80000002), "N."), uint32(0).subarray(2)), /LZ4/, NAMES);
  const other = frame(0x10, stored, uint32(0));
  await refusesBytes(other, /an LZ4 frame with an unknown header/, ["m.pkl"]);
  assert.equal(await inspectBytes(other, "weights.bin"), false);
});

Deno.test("a file compressed by an old zstd is refused", async () => {
  for (const first of [0x22, 0x23, 0x24, 0x25, 0x26, 0x27]) {
    await refusesBytes(rawPickle(first, 0xb5, 0x2f, 0xfd, SYSTEM), /compressed by zstd/, ["m.bin", "m.zst"]);
  }
});

Deno.test("a tar that begins like a compressed file is refused", async () => {
  const beginnings = [
    rawPickle("x", 0x9c),
    rawPickle("PK", 3, 4),
    rawPickle(0x1f, 0x8b),
    rawPickle("BZh91AY&SY"),
    rawPickle(0x04, 0x22, 0x4d, 0x18),
    rawPickle(0x28, 0xb5, 0x2f, 0xfd),
    rawPickle(0xfd, "7zXZ"),
  ];
  for (const beginning of beginnings) {
    const tar = rawTar(tarMember({ name: rawPickle(beginning, "m.bin"), content: SYSTEM }));
    await refusesBytes(tar, /tar|imports os\.system/, ["m.tar", "m.bin", "model"]);
  }
});
