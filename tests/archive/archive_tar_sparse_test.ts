import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { ArchiveLimits } from "../../lib/archive/archive_limits.ts";
import { paxHeader, paxRecord, rawTar, type RawTarHeader, tarMember } from "../helpers/raw_tar.ts";
import { joined } from "../helpers/raw_zip.ts";
import { readArchive } from "../helpers/read_archive.ts";
import { noise } from "../helpers/temp_dir.ts";

const GNU = "ustar  \0";
const B = tarMember({ name: "b", content: "behind" });

type Part = readonly [offset: number, bytes: number];

/** As bsdtar and `tar --format=pax` write it. */
function paxSparse(
  size: number | string,
  map: readonly (number | string)[],
  stored: Uint8Array,
  records: Readonly<Record<string, string>> = {},
  header: Partial<RawTarHeader> = {},
): Uint8Array {
  const lines = new TextEncoder().encode(map.map((number) => `${number}\n`).join(""));
  const filled = new Uint8Array(Math.ceil(lines.length / 512) * 512);
  filled.set(lines);
  return joined([
    paxHeader({
      "GNU.sparse.major": "1",
      "GNU.sparse.minor": "0",
      "GNU.sparse.name": "models/a",
      "GNU.sparse.realsize": String(size),
      ...records,
    }),
    tarMember({ name: "models/GNUSparseFile.0/a", content: joined([filled, stored]), ...header }),
  ]);
}

function octal(value: number): string {
  return `${value.toString(8).padStart(11, "0")}\0`;
}

function oldParts(parts: readonly Part[]): string {
  return parts.map(([offset, bytes]) => octal(offset) + octal(bytes)).join("");
}

/** As GNU tar writes it by default. */
function oldSparse(
  size: number,
  parts: readonly Part[],
  stored: Uint8Array,
  more: Partial<RawTarHeader> = {},
): Uint8Array {
  const rest = parts.slice(4);
  const blocks = Array.from({ length: Math.ceil(rest.length / 21) }, (_, index) => {
    const block = new Uint8Array(512);
    block.set(new TextEncoder().encode(oldParts(rest.slice(index * 21, index * 21 + 21))));
    block[504] = rest.length > (index + 1) * 21 ? 1 : 0;
    return block;
  });
  const { put = [], ...header } = more;
  const head = tarMember({
    name: "models/a",
    type: "S",
    magic: GNU,
    size: stored.length,
    put: [
      [386, oldParts(parts.slice(0, 4))],
      [482, parts.length > 4 ? "\x01" : "\0"],
      [483, octal(size)],
      ...put,
    ],
    ...header,
  });
  return joined([head, ...blocks, stored, new Uint8Array((512 - stored.length % 512) % 512)]);
}

/** The file that a map and its stored bytes make. */
function whole(size: number, parts: readonly Part[], stored: Uint8Array): Uint8Array {
  const file = new Uint8Array(size);
  let at = 0;
  for (const [offset, bytes] of parts) {
    file.set(stored.subarray(at, at + bytes), offset);
    at += bytes;
  }
  return file;
}

Deno.test("a sparse file of bsdtar and GNU tar is read with its holes filled", async (t) => {
  const many: Part[] = Array.from({ length: 60 }, (_, index) => [index * 4096, 512]);
  const cases: Readonly<Record<string, readonly [size: number, parts: readonly Part[]]>> = {
    "a part in the middle": [1_000_000, [[499_712, 4096], [1_000_000, 0]]],
    "a part at both ends": [700_004, [[0, 512], [696_320, 3684], [700_004, 0]]],
    "no mark of its end": [700_004, [[696_320, 3684]]],
    "one hole": [1_048_576, [[1_048_576, 0]]],
    "one hole, as bsdtar writes it": [1_048_576, [[0, 0], [1_048_576, 0]]],
    "no hole": [1000, [[0, 1000]]],
    "four parts": [9000, [[0, 512], [1024, 512], [4096, 512], [8192, 808]]],
    "five parts": [9000, [[0, 512], [1024, 512], [4096, 512], [8192, 512], [9000, 0]]],
    "many parts": [300_000, [...many, [300_000, 0]]],
  };
  for (const [name, [size, parts]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const stored = noise(parts.reduce((sum, [, bytes]) => sum + bytes, 0), 1);
      const wanted = new Map([["models/a", whole(size, parts, stored)], [
        "b",
        new TextEncoder().encode("behind"),
      ]]);
      for (
        const member of [
          paxSparse(size, [parts.length, ...parts.flat()], stored),
          oldSparse(size, parts, stored),
        ]
      ) {
        const tar = rawTar(member, B);
        assert.deepEqual(await readArchive(tar), wanted);
        assert.deepEqual(await readArchive(gzipSync(tar)), wanted);
      }
    });
  }
  await t.step("with the second name that GNU tar gives it", async () => {
    const records = { path: "models/GNUSparseFile.4711/a" };
    const files = await readArchive(rawTar(paxSparse(600, [1, 600, 0], new Uint8Array(0), records)));
    assert.deepEqual(files, new Map([["models/a", new Uint8Array(600)]]));
  });
  await t.step("with a hard link to it", async () => {
    const link = tarMember({ name: "link", type: "1", linkName: "models/a" });
    const files = await readArchive(rawTar(oldSparse(600, [[600, 0]], new Uint8Array(0)), link));
    assert.deepEqual(files.get("link"), new Uint8Array(600));
  });
});

Deno.test("a sparse file with a wrong map is refused", async (t) => {
  const stored = noise(1024, 1);
  const none = new Uint8Array(0);
  const map = (...parts: readonly Part[]) => [parts.length, ...parts.flat()];
  const lies: Readonly<Record<string, readonly [size: number, parts: readonly Part[]]>> = {
    "overlap": [768, [[0, 512], [256, 512]]],
    "same place": [1024, [[512, 512], [512, 512]]],
    "another order": [512, [[1024, 512], [0, 512]]],
    "beyond the size": [4096, [[0, 512], [4000, 512]]],
    "beyond the size, empty": [1024, [[0, 1024], [4096, 0]]],
    "an end before that of the file": [4096, [[0, 512], [1024, 512]]],
    "more than is stored": [2048, [[0, 512], [1024, 1024]]],
    "less than is stored": [512, [[0, 512]]],
    "an empty part between others": [2560, [[0, 512], [1024, 0], [2048, 512]]],
    "a part that ends inside a block": [2972, [[0, 100], [2048, 924]]],
    "an end that is no number any more": [2 ** 33, [[0, 512], [2 ** 33 - 1, 512]]],
  };
  const cases: Record<string, readonly [tar: Uint8Array, code?: string, limits?: Partial<ArchiveLimits>]> = {
    "more parts than lines": [paxSparse(1024, [3, 0, 1024], stored)],
    "no map": [paxSparse(1024, [], none)],
    "no number": [paxSparse(1024, ["x", 0, 1024], stored)],
    "an offset that is no number, before another part": [paxSparse(1536, [2, "x", 512, 1024, 512], stored)],
    "an unused slot before a used one": [
      oldSparse(1024, [[0, 1024]], stored, { put: [[434, octal(1024) + octal(0)]] }),
    ],
    "a slot that is no number": [
      oldSparse(1536, [[0, 512], [1024, 512]], stored, { put: [[386, "xxxxxxxxxxx\0"]] }),
    ],
    "negative number": [paxSparse(1024, [1, "-1", 1024], stored)],
    "number with a zero before it": [paxSparse(1024, [1, "00", 1024], stored)],
    "empty line": [paxSparse(1024, [1, "", 1024], stored)],
    "number of 8 EiB": [paxSparse(1024, [1, "9223372036854775807", 1024], stored)],
    "number of 16 digits": [paxSparse(1024, [1, "9999999999999999", 1024], stored)],
    "line without an end": [paxSparse(1024, ["1".repeat(600)], none)],
    "bytes behind the map": [paxSparse(1024, [1, 0, "1024\nhidden"], stored)],
    "a map longer than the member": [paxSparse(1024, [1, 0, 1024], none, {}, { size: 0, content: none })],
    "size of 8 EiB": [paxSparse("9223372036854775807", map([0, 1024]), stored)],
    "size that is no number": [paxSparse("1e9", map([0, 1024]), stored)],
    "size beyond the limit": [paxSparse(2 ** 40, map([0, 1024], [2 ** 40, 0]), stored), "ARCHIVE_LIMIT"],
    "size beyond the ratio": [paxSparse(2 ** 30, map([0, 1024], [2 ** 30, 0]), stored), "ARCHIVE_LIMIT"],
    "billions of parts": [paxSparse(1024, [4_000_000_000, 0, 1024], stored), "ARCHIVE_LIMIT"],
    "a folder": [paxSparse(4096, [1, 4096, 0], none, {}, { type: "5", content: none })],
    "version 0.0": [
      rawTar(paxHeader({ "GNU.sparse.size": "600", "GNU.sparse.numblocks": "1" }), tarMember({ name: "a" })),
    ],
    "version 0.1": [
      rawTar(paxHeader({ "GNU.sparse.map": "0,5", "GNU.sparse.size": "5" }), tarMember({ name: "a" })),
    ],
    "version 2.0": [paxSparse(1024, map([0, 1024]), stored, { "GNU.sparse.major": "2" })],
    "versions 1.0 and 0.1": [paxSparse(1024, map([0, 1024]), stored, { "GNU.sparse.map": "0,1024" })],
    "another path": [paxSparse(1024, map([0, 1024]), stored, { path: "models/b" })],
    "a path in another folder": [
      paxSparse(1024, map([0, 1024]), stored, { path: "GNUSparseFile.1/models/a" }),
    ],
    "a name that leads out": [paxSparse(1024, map([0, 1024]), stored, { "GNU.sparse.name": "../a" })],
    "a map for all entries": [rawTar(paxHeader({ "GNU.sparse.major": "1" }, "g"), B)],
    "the magic of GNU": [paxSparse(1024, map([0, 1024]), stored, {}, { magic: GNU })],
    "a magic of nobody's": [paxSparse(1024, map([0, 1024]), stored, {}, { magic: "u\0tar\x0000" })],
    "old: the magic of POSIX": [oldSparse(1024, [[0, 1024]], stored, { magic: "ustar\x0000" })],
    "old: no magic": [oldSparse(1024, [[0, 1024]], stored, { magic: "" })],
    "old: slots behind an empty one": [
      oldSparse(1024, [[0, 512]], stored, { put: [[386 + 48, oldParts([[512, 512]])]] }),
    ],
    "old: an extension behind an empty slot": [
      oldSparse(1024, [[0, 1024]], stored, { put: [[482, "\x01"]] }),
    ],
    "old: a number that is none": [oldSparse(1024, [[0, 1024]], stored, { put: [[386, "x"]] })],
    "old: no size": [oldSparse(1024, [[0, 1024]], stored, { put: [[483, new Uint8Array(12)]] })],
    "old: the rest of a volume": [oldSparse(1024, [[0, 1024]], stored, { put: [[369, octal(512)]] })],
    "old: size of 8 EiB": [
      oldSparse(1024, [[0, 1024]], stored, {
        put: [[483, new Uint8Array([0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255])]],
      }),
    ],
    "old: cut off in its map": [
      oldSparse(9000, [[0, 512], [1024, 512], [4096, 512], [5120, 512], [8192, 512]], noise(2560, 1))
        .subarray(0, 512),
      "ARCHIVE_DAMAGED",
    ],
    "old: with a map in pax": [
      joined([paxHeader({ "GNU.sparse.major": "1" }), oldSparse(1024, [[0, 1024]], stored)]),
    ],
  };
  for (const [name, [size, parts]] of Object.entries(lies)) {
    cases[`pax: ${name}`] = [paxSparse(size, map(...parts), stored)];
    cases[`old: ${name}`] = [oldSparse(size, parts, stored)];
  }
  for (const [name, [member, code = "ARCHIVE_UNSAFE"]] of Object.entries(cases)) {
    const tar = code === "ARCHIVE_DAMAGED" ? member : rawTar(member, B);
    await t.step(name, () => assert.rejects(readArchive(tar), { name: "RefusedError", code }));
    await t.step(
      `${name}, in gzip`,
      () => assert.rejects(readArchive(gzipSync(tar)), { name: "RefusedError", code }),
    );
  }
});

Deno.test("truncated contents of a sparse file are damage, not zeros", async () => {
  const stored = noise(4096, 1);
  for (const member of [paxSparse(5120, [1, 1024, 4096], stored), oldSparse(5120, [[1024, 4096]], stored)]) {
    const tar = member.subarray(0, member.length - 2048);
    for (const bytes of [tar, gzipSync(tar)]) {
      await assert.rejects(readArchive(bytes), { code: "ARCHIVE_DAMAGED", message: /truncated/ });
    }
  }
});

Deno.test("a sparse file of version 0.0, whose parts are all in its header, is refused with the supported version in the message", async () => {
  const pieces = ["offset", "numbytes", "offset", "numbytes"].map((key) =>
    paxRecord(`GNU.sparse.${key}`, "0")
  );
  const tar = rawTar(
    tarMember({ name: "pax", type: "x", content: pieces.join("") }),
    tarMember({ name: "a" }),
  );
  await assert.rejects(readArchive(tar), { code: "ARCHIVE_UNSAFE", message: /--sparse-version=1\.0/ });
});

Deno.test("a sparse file of GNU tar with more parts than are kept in memory is refused", async () => {
  const parts = Array.from({ length: 65_537 }, (_, index): Part => [index * 1024, 512]);
  await assert.rejects(readArchive(rawTar(oldSparse(2 ** 27, parts, new Uint8Array(0)))), {
    code: "ARCHIVE_LIMIT",
    message: /more than 65536 parts/,
  });
});

Deno.test("a sparse file is refused if the archive ends inside its contents", async () => {
  const tar = oldSparse(4096, [[0, 512], [3584, 512]], noise(1024, 1));
  await assert.rejects(readArchive(tar.slice(0, -512)), { code: "ARCHIVE_DAMAGED", message: /cut off/ });
});
