import assert from "node:assert/strict";
import { constants, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { InvalidModelError } from "../../../lib/validators/invalid_model.ts";
import { inspectPickle } from "../../../lib/validators/pickle/inspect_pickle.ts";
import { global, PROTO_4, rawPickle, stackGlobal, text } from "../../helpers/raw_pickle.ts";
import { joined } from "../../helpers/raw_zip.ts";
import { stagedFile } from "../../helpers/model_files.ts";
import { noise, tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

async function inspect(content: Uint8Array, name: string): Promise<void> {
  using dir = tempDir();
  await inspectPickle(testContext(), stagedFile(dir.path, name, content), { patterns: [] });
}

async function refuses(content: Uint8Array, name: string, expected: RegExp): Promise<void> {
  await assert.rejects(() => inspect(content, name), (error: unknown) => {
    assert.ok(error instanceof InvalidModelError, String(error));
    assert.match(error.message, expected);
    return true;
  });
}

const fromHex = (hex: string) => new Uint8Array((hex.match(/../g) ?? []).map((byte) => parseInt(byte, 16)));

/** Of `cos\nsystem\n(S'id'\ntR.`, by Python's own modules. */
const COMPRESSED = {
  bz2: fromHex(
    "425a68393141592653591f2f22a5000004d380001000c118000e228c2020002221a1b44f298a600028bc8e0424b8257e" +
      "99358bb9229c28480f97915280",
  ),
  xz: fromHex(
    "fd377a585a000004e6d6b4460200210116000000742fe5a3010014636f730a73797374656d0a2853276964270a74522e" +
      "00000000b58c30ae0b9516ac00012d152f0b716d1fb6f37d010000000004595a",
  ),
  lzma: fromHex(
    "5d00008000ffffffffffffffff00319bcac6b27c65dfdf91599fb1d67e2d716a0571564cf2f32897ffff98ce0000",
  ),
  lzip: rawPickle("LZIP", 1, 12, new Uint8Array(40)),
  "joblib before 0\\.10": rawPickle("ZF0x16".padEnd(22, " "), deflateSync(new Uint8Array(9))),
};

const SYSTEM = rawPickle(PROTO_4, stackGlobal("os", "system"), text("id"), 0x85, "R.");
const OLD_SYSTEM = rawPickle(global("os", "system"), "(S'id'\ntR.");

Deno.test("a file compressed by bz2, xz, lzma, lzip or an old joblib is refused under any name", async () => {
  for (const [method, content] of Object.entries(COMPRESSED)) {
    for (const name of ["m.joblib", "m.pkl.bz2", "m.xz", "m.lzma", "weights.bin", "table.csv.bz2", "model"]) {
      await refuses(content, name, new RegExp(`compressed by ${method}`));
    }
  }
});

Deno.test("lzma with unusual properties is refused under names that Python's lzma opens", async () => {
  const content = COMPRESSED.lzma.slice();
  content[0] = 0x5e;
  await refuses(content, "m.dat.xz", /compressed by lzma/);
});

Deno.test("bytes that only begin like a compressed file pass", async () => {
  await inspect(rawPickle("BZh9 of the week\n"), "notes.txt");
  await inspect(rawPickle("ZF files\n"), "notes.txt");
  await inspect(rawPickle("x", 0x9c, new Uint8Array(40).fill(0xff)), "weights.bin");
  // A preset dictionary, which no program that loads models has.
  await inspect(rawPickle("x", 0xbb, new Uint8Array(40).fill(0xff)), "weights.bin");
  await inspect(rawPickle(0x5d, 0, 0, 1, new Uint8Array(40)), "weights.bin");
  await inspect(new Uint8Array(4096), "weights.bin");
});

Deno.test("damaged zstd is refused wherever the damage is, and does not crash the process", async () => {
  // A string of 400,000 bytes, and None.
  const pickle = rawPickle(PROTO_4, "B", 0x80, 0x1a, 6, 0, noise(400_000, 1), "0N.");
  await inspect(zstdCompressSync(pickle), "m.pkl.zst");
  const packed = zstdCompressSync(pickle, {
    params: { [constants.ZSTD_c_checksumFlag]: 1 },
  });
  for (const name of ["m.pkl.zst", "weights.bin"]) {
    for (const at of [2000, 200_000, packed.length - 1]) {
      const damaged = packed.map((byte, index) => index === at ? byte ^ 1 : byte);
      await refuses(damaged, name, /cannot be decompressed \(zstd\)/);
    }
    await refuses(packed.subarray(0, -1), name, /cannot be decompressed \(zstd\): it was truncated/);
  }
});

Deno.test("zstd is decompressed under any name", async () => {
  for (const name of ["m.pkl.zst", "weights.bin", "m.joblib"]) {
    await refuses(zstdCompressSync(SYSTEM), name, /imports os\.system/);
  }
  await inspect(zstdCompressSync(rawPickle("col1\ncol2\n")), "table.csv.zst");
});

Deno.test("a gzip or zlib stream of which other readers return more is refused", async () => {
  const wrongHeaderChecksum = gzipSync(SYSTEM);
  wrongHeaderChecksum[3] = 2;
  const bytes = joined([
    wrongHeaderChecksum.subarray(0, 10),
    new Uint8Array(2),
    wrongHeaderChecksum.subarray(10),
  ]);
  await refuses(bytes, "weights.bin", /cannot be decompressed/);
  const random = crypto.getRandomValues(new Uint8Array(60_000));
  const damaged = deflateSync(rawPickle(SYSTEM, random));
  damaged.fill(0xff, 20_000);
  await refuses(damaged, "weights.bin", /imports os\.system|cannot be decompressed/);
});

Deno.test("an import of a folder whose name is not an identifier does not end the walk", async () => {
  for (const module of ["lib-dynload", "my models", "a,b", "-", "..", "ünicode"]) {
    const pickle = rawPickle(`c${module}\n__name__\n0`, OLD_SYSTEM);
    for (const name of ["weights.bin", "notes.txt", "model", "m.onnx"]) {
      await refuses(pickle, name, /imports /);
    }
    await refuses(rawPickle(0x80, 2, pickle), "weights.bin", /imports /);
  }
});

Deno.test("a number or line that one of Python's readers accepts does not end the walk", async () => {
  await refuses(
    rawPickle("I", 0, "junk\n0", OLD_SYSTEM),
    "weights.bin",
    /an overlong or oddly written number|imports os\.system/,
  );
  // joblib removes the last character of the last line.
  await refuses(rawPickle(0x80, 2, "(S'id'\nios\nsystemX"), "weights.bin", /imports os\.system/);
  await refuses(rawPickle("(S'id'\nios\nsystemX"), "weights.bin", /os\.system/);
});

Deno.test("a table whose first column begins with c is not a pickle", async () => {
  for (const table of ["close\n1.0\n2.5\n", "close,volume\n1,2\n2.5,3\n", "category of\nthe day\n2.\n"]) {
    await inspect(rawPickle(table), "table.csv");
  }
});
