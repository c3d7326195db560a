import assert from "node:assert/strict";
import { crc32, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { openArchive } from "../../lib/archive/open_archive.ts";
import type { ArchiveEntry } from "../../lib/archive/types.ts";
import { writeZip, type ZipInput } from "../../lib/archive/zip_writer.ts";
import { ARCHIVE_LIMITS } from "../../lib/archive/archive_limits.ts";
import { RefusedError } from "../../lib/core/errors.ts";
import { hashFile } from "../../lib/core/hash.ts";
import { findPathCollision } from "../../lib/core/portable_path.ts";
import { centralHeader, endRecords, localHeader, type WrittenEntry } from "../../lib/archive/zip_records.ts";
import { rawTar, tarMember } from "../helpers/raw_tar.ts";
import { joined, rawZip } from "../helpers/raw_zip.ts";
import { readArchive, readArchiveFile } from "../helpers/read_archive.ts";
import { noise, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

type Files = ReadonlyMap<string, Uint8Array>;

/** Writes files to a disk, and says where they are. */
function onDisk(root: string, files: Files): ZipInput[] {
  writeFiles(root, Object.fromEntries(files));
  return Array.from(files.keys(), (path) => ({ path, location: `${root}/${path}` }));
}

async function zipped(dir: string, files: Files): Promise<Uint8Array> {
  await writeZip(testContext(), `${dir}/models.zip`, onDisk(`${dir}/files`, files));
  return Deno.readFileSync(`${dir}/models.zip`);
}

const part = fc.stringMatching(/^[a-z_é]{1,6}[0-9]?$/);
const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
/** Noise, which is stored, and repetition, which is deflated. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.tuple(fc.nat({ max: 200_000 }), fc.nat({ max: 99 })).map(([size, seed]) => noise(size, seed)),
  fc.tuple(fc.nat({ max: 3_000_000 }), fc.nat({ max: 255 })).map(([size, byte]) =>
    new Uint8Array(size).fill(byte)
  ),
);
const fileSet = fc.array(fc.tuple(path, content), { maxLength: 6 })
  .map((list) => new Map<string, Uint8Array>(list))
  .filter((files) => findPathCollision(files.keys()) === undefined);

Deno.test("an archive of writeZip() reads back unchanged, and the same files give the same bytes", async () => {
  await fc.assert(
    fc.asyncProperty(fileSet, async (files) => {
      using dir = tempDir();
      const first = await zipped(dir.path, files);
      assert.deepEqual(await readArchive(first), new Map([...files].sort()));
      // Other times, another place, another order.
      const again = new Map([...files].reverse());
      Deno.mkdirSync(`${dir.path}/again`);
      assert.deepEqual(await zipped(`${dir.path}/again`, again), first);
    }),
    { numRuns: 60 },
  );
});

const LINE = new TextEncoder().encode('{"trained_at": "2026-01-01", "rows": 12345}\n');
const SAMPLE: Files = new Map([
  ["BTC/metadata.json", new Uint8Array(LINE.length * 40).map((_, at) => LINE[at % LINE.length] ?? 0)],
  ["BTC/rf.joblib", noise(3000, 1)],
  ["empty", new Uint8Array(0)],
]);

/** The same files as every kind of archive whose contents have a checksum. */
async function samples(): Promise<readonly Uint8Array[]> {
  using dir = tempDir();
  const members = Array.from(SAMPLE, ([name, bytes]) => tarMember({ name, content: bytes }));
  const streamed = Array.from(SAMPLE, ([name, bytes]) => ({ name, content: bytes, method: 8 }));
  return [await zipped(dir.path, SAMPLE), gzipSync(rawTar(...members)), rawZip(streamed)];
}

Deno.test("an archive with flipped bits or a lost part is refused, or read with the original content", async () => {
  const archives = await samples();
  const damage = fc.record({
    which: fc.nat({ max: archives.length - 1 }),
    flips: fc.array(fc.record({ at: fc.nat(), bit: fc.nat({ max: 7 }) }), { maxLength: 3 }),
    // Half of what can be interesting is in the last bytes.
    fromEnd: fc.boolean(),
    cut: fc.option(fc.record({ from: fc.nat(), length: fc.integer({ min: 1, max: 200 }) })),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ which, flips, fromEnd, cut }) => {
      const original = archives[which] ?? new Uint8Array(0);
      let bytes = original.slice();
      for (const { at, bit } of flips) {
        const place = fromEnd ? bytes.length - 1 - at % Math.min(400, bytes.length) : at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
      }
      if (cut !== null) {
        const from = cut.from % bytes.length;
        bytes = new Uint8Array([...bytes.subarray(0, from), ...bytes.subarray(from + cut.length)]);
      }
      let files: Files;
      try {
        files = await readArchive(bytes);
      } catch (error) {
        assert.ok(error instanceof RefusedError, String(error));
        return;
      }
      for (const [name, found] of files) assert.deepEqual(found, SAMPLE.get(name), name);
      assert.equal(files.size, SAMPLE.size);
    }),
    { numRuns: 1500 },
  );
});

Deno.test("a single flipped bit in a ZIP's headers is refused, or changes nothing", async () => {
  const bytes = rawZip([{ name: "a", content: "weights" }, { name: "b", content: "bias", method: 8 }]);
  const wanted = await readArchive(bytes);
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      const files = await readArchive(flipped).catch((error) => {
        assert.ok(error instanceof RefusedError, String(error));
      });
      if (files !== undefined) assert.deepEqual(files, wanted, `byte ${at}, bit ${bit}`);
    }
  }
});

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** As these programs begin what they compress. */
function compressed(by: "xz" | "bzip2"): Uint8Array {
  return latin1(by === "xz" ? "\xfd7zXZ\0\0\x04\xe6\xd6\xb4F\x02\0!\x01" : "BZh91AY&SYp\xe4\xe1\x1f");
}

Deno.test("openArchive() recognizes an archive by its content, and describes any other file", async () => {
  using dir = tempDir();
  const member = tarMember({ name: "a", content: "x" });
  const known = {
    "zip": rawZip([{ name: "a", content: "x" }]),
    "tar": rawTar(member),
    "tar.gz": gzipSync(rawTar(member)),
    "tar.zst": zstdCompressSync(rawTar(member)),
  };
  for (const [format, bytes] of Object.entries(known)) {
    Deno.writeFileSync(`${dir.path}/models.onnx`, bytes);
    await using archive = await openArchive(testContext(), `${dir.path}/models.onnx`, "x", ARCHIVE_LIMITS);
    assert.equal(archive.format, format);
    assert.deepEqual(archive.entries.map(({ path, bytes }) => [path, bytes]), [["a", 1]]);
  }
  const others: readonly (readonly [string | Uint8Array, RegExp])[] = [
    ["", /^Cannot use models\.zip: it is empty$/],
    [
      "<!DOCTYPE html><html><body>",
      /: it is not a ZIP, tar, tar\.gz or tar\.zst: it begins with "<!DOCTYPE html><html><bo"$/,
    ],
    ["<title>Wartungsarbeiten: müde</title>", /it begins with "<title>Wartungsarbeiten:"$/],
    ["PK", /it is not a ZIP/],
    [new Uint8Array(2000), /it begins with the bytes 00 00 00 00 00 00 00 00$/],
    [new Uint8Array([0x93, 0x4e, 0x55]), /it begins with the bytes 93 4e 55$/],
    [compressed("xz"), /: it is compressed by xz, which model-sync does not read$/],
    [compressed("bzip2"), /: it is compressed by bzip2, which/],
    [latin1('\x04"M\x18d@\xa7'), /: it is compressed by lz4, which/],
    [latin1("7z\xbc\xaf'\x1c\0\x04"), /: it is a 7z archive, which/],
    [latin1("Rar!\x1a\x07\x01\0"), /: it is a RAR archive, which/],
    ["070701000000", /: it is a cpio archive, which/],
  ];
  for (const [bytes, message] of others) {
    const data = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    await assert.rejects(readArchive(data), {
      code: "ARCHIVE_FORMAT",
      message,
      name: "RefusedError",
      hint: "pack the models as .zip, .tar, .tar.gz or .tar.zst",
    });
  }
});

Deno.test("read() yields only the wanted entries, and may be left in the middle of a file or of the archive", async () => {
  const big = noise(3_000_000, 1);
  const files: readonly (readonly [string, Uint8Array])[] = ["a", "b", "c", "d"].map((name) => [name, big]);
  const archives = [
    rawZip(files.map(([name, content]) => ({ name, content }))),
    rawZip(files.map(([name, content]) => ({ name, content, method: 8 }))),
    rawTar(...files.map(([name, content]) => tarMember({ name, content }))),
    gzipSync(rawTar(...files.map(([name, content]) => tarMember({ name, content })))),
    zstdCompressSync(rawTar(...files.map(([name, content]) => tarMember({ name, content })))),
  ];
  using dir = tempDir();
  for (const bytes of archives) {
    Deno.writeFileSync(`${dir.path}/models`, bytes);
    await using archive = await openArchive(testContext(), `${dir.path}/models`, "models", ARCHIVE_LIMITS);
    const seen: string[] = [];
    for await (const { entry, content } of archive.read(({ path }) => path !== "b")) {
      seen.push(entry.path);
      let first: Uint8Array | undefined;
      for await (const piece of content) {
        first = new Uint8Array(piece);
        break;
      }
      assert.ok(first !== undefined && first.length > 0 && first.length < big.length);
      assert.deepEqual(first, big.subarray(0, first.length));
      if (entry.path === "c") break;
    }
    assert.deepEqual(seen, ["a", "c"]);
    // Untouched contents are passed over, and the archive can be read again.
    const all: ArchiveEntry[] = [];
    for await (const { entry } of archive.read()) all.push(entry);
    assert.deepEqual(all, archive.entries);
  }
});

Deno.test("reading and writing stop when their signal is aborted", async () => {
  using dir = tempDir();
  const big = noise(5_000_000, 1);
  const archives = [
    rawZip([{ name: "a", content: big }]),
    rawZip([{ name: "a", content: big, method: 8 }]),
    rawTar(tarMember({ name: "a", content: big })),
    gzipSync(rawTar(tarMember({ name: "a", content: big }))),
    zstdCompressSync(rawTar(tarMember({ name: "a", content: big }))),
  ];
  for (const bytes of archives) {
    Deno.writeFileSync(`${dir.path}/models`, bytes);
    const controller = new AbortController();
    const context = testContext({ signal: controller.signal });
    await using archive = await openArchive(context, `${dir.path}/models`, "models", ARCHIVE_LIMITS);
    await assert.rejects(async () => {
      for await (const { content } of archive.read()) {
        for await (const _piece of content) controller.abort(new Error("stop"));
      }
    }, /^Error: stop$/);
  }
  const controller = new AbortController();
  const writing = writeZip(
    testContext({ signal: controller.signal }),
    `${dir.path}/new.zip`,
    onDisk(`${dir.path}/files`, new Map([["a", big]])),
    { onBytes: () => controller.abort(new Error("stop")) },
  );
  await assert.rejects(writing, /^Error: stop$/);
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name).sort(), ["files", "models"]);
});

Deno.test("writeZip() returns the written files, and appends the trailer that is derived from their digests", async () => {
  using dir = tempDir();
  const files: Files = new Map([["models/b", noise(2_000_000, 2)], ["models/a", new Uint8Array(70_000)]]);
  const inputs = onDisk(dir.path, files);
  const done: number[] = [];
  const target = `${dir.path}/models.zip`;
  const result = await writeZip(testContext(), target, inputs, {
    onBytes: (bytes) => done.push(bytes),
    trailer: (digests) => Promise.resolve([{ path: "model-sync.json", text: JSON.stringify(digests) }]),
  });
  const digests = [];
  for (const path of ["models/a", "models/b"]) {
    digests.push({ path, ...await hashFile(Deno, `${dir.path}/${path}`, testContext()) });
  }
  assert.deepEqual(result, { bytes: Deno.statSync(target).size, files: digests });
  assert.equal(done.at(-1), 2_070_000);
  const read = await readArchiveFile(target);
  assert.deepEqual([...read.keys()], ["models/a", "models/b", "model-sync.json"]);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(read.get("model-sync.json"))), digests);
  assert.ok(result.bytes > 2_000_000 && result.bytes < 2_002_000, "noise is stored, zeros are deflated");
});

Deno.test("writeZip() stores weights, also behind a long header of text, and deflates text", async () => {
  using dir = tempDir();
  const text = (content: string) => new TextEncoder().encode(content);
  const header = text('{"layer.0.weight":{"dtype":"F32","shape":[64,64]}},'.repeat(1600));
  const files = new Map<string, Uint8Array>([
    ["a.safetensors", joined([header, noise(600_000, 1)])],
    // An exponent that varies little beside random digits.
    ["b.bf16", noise(400_000, 2).map((byte, index) => index % 2 === 0 ? byte : 0x3c | (byte & 3))],
    ["c.csv", text("0.25,0.5\n".repeat(50_000))],
    ["d.json", text("{}".repeat(100))],
  ]);
  await zipped(dir.path, files);
  const path = `${dir.path}/models.zip`;
  await using archive = await openArchive(testContext(), path, "models.zip", ARCHIVE_LIMITS);
  assert.deepEqual(
    archive.entries.map(({ path, packed }) => [path, packed?.isCompressed]),
    [["a.safetensors", false], ["b.bf16", false], ["c.csv", true], ["d.json", true]],
  );
});

Deno.test("writeZip() leaves the old archive when it fails", async () => {
  using dir = tempDir();
  const inputs = onDisk(`${dir.path}/files`, new Map([["a", noise(3_000_000, 1)]]));
  const target = `${dir.path}/models.zip`;
  Deno.writeTextFileSync(target, "old");
  const missing = [...inputs, { path: "b", location: `${dir.path}/files/b` }];
  await assert.rejects(writeZip(testContext(), target, missing), { code: "MODELS_CHANGING" });
  const grow = () => Deno.writeFileSync(`${dir.path}/files/a`, noise(9, 1), { append: true });
  await assert.rejects(writeZip(testContext(), target, inputs, { onBytes: grow }), {
    code: "MODELS_CHANGING",
  });
  const collisions = [
    [{ ...inputs[0], path: "../a" }],
    [{ path: "A" }, { path: "a" }],
    [{ path: "a" }, { path: "a/b" }],
  ].map((list) => list.map(({ path }) => ({ path, location: `${dir.path}/files/a` })));
  for (const list of collisions) {
    await assert.rejects(writeZip(testContext(), target, list), { code: "ARCHIVE_UNSAFE" });
  }
  const trailer = () => Promise.resolve([{ path: "A", text: "" }]);
  await assert.rejects(writeZip(testContext(), target, inputs, { trailer }), { code: "ARCHIVE_UNSAFE" });
  assert.equal(Deno.readTextFileSync(target), "old");
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name).sort(), ["files", "models.zip"]);
});

Deno.test("more files than a ZIP without ZIP64 can count are written and read", async () => {
  using dir = tempDir();
  const [location] = onDisk(dir.path, new Map([["a", noise(3, 1)]]));
  const inputs = Array.from({ length: 65_600 }, (_, index) => ({
    path: `d${index % 100}/${index}`,
    location: location?.location ?? "",
  }));
  await writeZip(testContext(), `${dir.path}/models.zip`, inputs);
  await using archive = await openArchive(testContext(), `${dir.path}/models.zip`, "x", ARCHIVE_LIMITS);
  assert.equal(archive.entries.length, inputs.length);
});

Deno.test("entries larger than 4 GiB, and entries after them, are read", async () => {
  using dir = tempDir();
  const encoder = new TextEncoder();
  const big: WrittenEntry = {
    name: encoder.encode("big"),
    method: "stored",
    crc: 0,
    bytes: 5 * 1024 ** 3,
    compressedBytes: 5 * 1024 ** 3,
    headerOffset: 0,
    isLong: true,
  };
  const bias = encoder.encode("bias");
  const behind = localHeader(big).length + big.bytes;
  const size = { bytes: bias.length, compressedBytes: bias.length };
  const small = { ...big, ...size, name: encoder.encode("small"), crc: crc32(bias), headerOffset: behind };
  const last: WrittenEntry = { ...small, isLong: false };
  const offset = behind + localHeader(last).length + bias.length;
  const directory = joined([centralHeader(big), centralHeader(last)]);
  {
    // All but the headers is a hole.
    using file = Deno.openSync(`${dir.path}/models.zip`, { write: true, createNew: true });
    file.writeSync(localHeader(big));
    file.seekSync(behind, Deno.SeekMode.Start);
    file.writeSync(joined([localHeader(last), bias, directory]));
    file.writeSync(endRecords({ count: 2, offset, bytes: directory.length }));
  }
  await using archive = await openArchive(testContext(), `${dir.path}/models.zip`, "x", ARCHIVE_LIMITS);
  assert.deepEqual(archive.entries.map(({ path, bytes }) => [path, bytes]), [["big", big.bytes], [
    "small",
    4,
  ]]);
  for await (const { content } of archive.read(({ path }) => path === "small")) {
    for await (const piece of content) assert.deepEqual(new Uint8Array(piece), bias);
  }
});
