import assert from "node:assert/strict";
import { crc32, deflateRawSync } from "node:zlib";
import type { ArchiveLimits } from "../../lib/archive/archive_limits.ts";
import { RefusedError } from "../../lib/core/errors.ts";
import {
  descriptor,
  endRecord,
  extraField,
  FLAG,
  joined,
  type RawEntry,
  type RawZip,
  rawZip,
  unicodePathField,
  zip64Field,
} from "../helpers/raw_zip.ts";
import { readArchive } from "../helpers/read_archive.ts";
import { noise } from "../helpers/temp_dir.ts";

const encoder = new TextEncoder();
const FULL = 0xffffffff;
const A: RawEntry = { name: "a.onnx", content: "weights of a" };
const B: RawEntry = { name: "b.onnx", content: "weights of b" };
const CRC_A = crc32("weights of a");

/** An archive, and how it is refused. */
interface Refusal {
  readonly entries: readonly RawEntry[];
  readonly zip?: RawZip;
  readonly limits?: Partial<ArchiveLimits>;
  readonly code?: string;
  readonly message: RegExp;
}

function refuses(claim: string, cases: Readonly<Record<string, Refusal>>): void {
  Deno.test(claim, async (t) => {
    for (const [name, { entries, zip, limits, code, message }] of Object.entries(cases)) {
      await t.step(name, async () => {
        await assert.rejects(readArchive(rawZip(entries, zip), limits), (error) => {
          assert.ok(error instanceof RefusedError, String(error));
          assert.equal(error.code, code ?? "ARCHIVE_UNSAFE", error.message);
          assert.match(error.message, /^Cannot use models\.zip: [^\n]*[^.]$/);
          assert.match(error.message, message);
          assert.equal(error.exitCode, 5);
          assert.ok(error.hint);
          return true;
        });
      });
    }
  });
}

Deno.test("a ZIP of every common program is read", async (t) => {
  const stream = { flags: FLAG.utf8 | FLAG.descriptor };
  const unknown = { crc: 0, bytes: 0, compressedBytes: 0 };
  const truth = { crc: CRC_A, bytes: 12, compressedBytes: 12 };
  const long = { bytes: FULL, compressedBytes: FULL, extra: zip64Field(12, 12) };
  const oemName = new Uint8Array([0x82, 0x2e, 0x62]);
  const cases: Record<string, readonly [readonly RawEntry[], RawZip?]> = {
    "stored": [[A]],
    "deflated": [[{ ...A, method: 8 }]],
    "streamed": [[{ ...A, both: stream, local: unknown, behind: descriptor(truth) }]],
    "streamed, without a signature": [[
      { ...A, both: stream, local: unknown, behind: descriptor(truth, { hasSignature: false }) },
    ]],
    "streamed, in 64 bits": [[
      { ...A, both: stream, local: unknown, behind: descriptor(truth, { isLong: true }) },
    ]],
    "streamed, in 64 bits, without a signature": [[
      {
        ...A,
        both: stream,
        local: unknown,
        behind: descriptor(truth, { isLong: true, hasSignature: false }),
      },
    ]],
    "streamed, with ZIP64 fields that say nothing yet": [[
      {
        ...A,
        both: stream,
        local: { ...long, crc: 0, extra: zip64Field(0, 0) },
        behind: descriptor(truth, { isLong: true }),
      },
    ]],
    "with ZIP64 fields": [[{ ...A, both: long }]],
    "with sizes said twice": [[{ ...A, local: { extra: zip64Field(12, 12) } }]],
    "with a ZIP64 offset": [[{ ...A, central: { offset: FULL, extra: zip64Field(0) } }]],
    "with ZIP64 end records": [[A], {
      zip64: {},
      end: { disk: 0xffff, count: 0xffff, countHere: 0xffff, bytes: FULL, offset: FULL },
    }],
    "with a comment": [[A], { comment: encoder.encode("made by hand") }],
    "with folders": [[{ name: "models/", both: { mode: 0o40755 } }, A]],
    "with other extra fields": [[{ ...A, both: { extra: extraField(0x5455, new Uint8Array(5)) } }]],
    "by a system without modes": [[{ ...A, central: { mode: 0 } }]],
    "with a setuid bit, which nobody obeys": [[{ ...A, central: { mode: 0o104755 } }]],
    "with contents that look like an end of directory": [[
      A,
      { name: "z.zip", content: rawZip([B], { comment: encoder.encode("x") }).slice(0, -1) },
    ]],
    "with a directory in another order": [[
      { ...A, isLocalOnly: true },
      B,
      { ...A, isCentralOnly: true, central: { offset: 0 } },
    ]],
  };
  for (const [name, [entries, zip]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const files = await readArchive(rawZip(entries, zip));
      assert.deepEqual(files.get("a.onnx"), encoder.encode("weights of a"));
    });
  }
  await t.step("bsdtar, of the folder itself", async () => {
    const folder = { both: { mode: 0o40755 } };
    const files = await readArchive(
      rawZip([{ ...folder, name: "./" }, { ...A, name: "./a.onnx" }, { ...folder, name: "./d/" }, {
        ...A,
        name: "./d/b.onnx",
      }]),
    );
    assert.deepEqual([...files.keys()], ["a.onnx", "d/b.onnx"]);
  });
  await t.step("Compress-Archive of Windows PowerShell 5.1", async () => {
    const dos = { both: { host: 0, mode: 0 } };
    const files = await readArchive(rawZip([
      { ...A, ...dos, name: "models\\BTC\\a.onnx", method: 8 },
      { ...A, ...dos, name: "models\\modèle.onnx" },
      { ...A, ...dos, name: "top.onnx" },
      { ...dos, name: "models\\empty\\" },
    ]));
    assert.deepEqual([...files.keys()], ["models/BTC/a.onnx", "models/modèle.onnx", "top.onnx"]);
  });
  await t.step("without a flag for its UTF-8 names", async () => {
    const files = await readArchive(rawZip([{ ...A, name: "modèle.b", both: { flags: 0 } }]));
    assert.deepEqual([...files.keys()], ["modèle.b"]);
  });
  await t.step("with a Unicode name beside one of the system", async () => {
    const both = { flags: 0, extra: unicodePathField(oemName, "é.b") };
    assert.deepEqual([...(await readArchive(rawZip([{ ...A, name: oemName, both }]))).keys()], ["é.b"]);
  });
  await t.step("of nothing", async () => {
    assert.deepEqual(await readArchive(rawZip([])), new Map());
    assert.deepEqual(await readArchive(rawZip([], { zip64: {} })), new Map());
  });
});

refuses(
  "a ZIP is refused for every spelling of a path that leads out or is another on some system",
  Object.fromEntries(
    [
      "../evil",
      "..",
      "a/../../evil",
      "a/..",
      "./../a",
      "././a",
      ".//a",
      "a//b",
      "..\\evil",
      "a\\..\\..\\evil",
      "/etc/passwd",
      "//server/share/x",
      "\\\\server\\share\\x",
      "C:/evil",
      "C:evil",
      "c:\\evil",
      "a\0.onnx",
      "a\n.onnx",
      "a.onnx.",
      "a.onnx ",
      "CON",
      "aux.onnx",
      "a/nul/b",
      "a:stream",
      ".git/hooks/post-checkout",
      "gpj\u202exnno.a",
      "",
      "/",
      "../",
      "a/../",
    ].map((name) => [JSON.stringify(name), { entries: [A, { ...B, name }], message: /its entry "/ }]),
  ),
);

refuses("a ZIP is refused for links, devices and what is neither a file nor a folder", {
  "symbolic link": {
    entries: [{ name: "a", content: "/etc/passwd", central: { mode: 0o120777 } }],
    message: /"a" is a symbolic link/,
  },
  "symbolic link, then a file through it": {
    entries: [{ name: "a", content: "/tmp", central: { mode: 0o120777 } }, { name: "a/b", content: "evil" }],
    message: /"a" is a symbolic link/,
  },
  "symbolic link that is named as a folder": {
    entries: [{ name: "a/", central: { mode: 0o120777 } }],
    message: /"a\/" is a symbolic link/,
  },
  "character device": { entries: [{ ...A, central: { mode: 0o20666 } }], message: /is a device/ },
  "block device": { entries: [{ ...A, central: { mode: 0o60666 } }], message: /is a device/ },
  "FIFO": { entries: [{ ...A, central: { mode: 0o10666 } }], message: /is a FIFO/ },
  "socket": { entries: [{ ...A, central: { mode: 0o140666 } }], message: /is a socket/ },
  "folder named as a file": {
    entries: [{ ...A, central: { mode: 0o40755 } }],
    message: /is a folder that is named as a file/,
  },
  "file named as a folder": {
    entries: [{ name: "a/", central: { mode: 0o100644 } }],
    message: /is a file that is named as a folder/,
  },
  "folder with contents": {
    entries: [{ name: "a/", content: "x", central: { mode: 0 } }],
    message: /is a folder with contents/,
  },
});

refuses("a ZIP is refused for two entries that are one on some system", {
  "twice": { entries: [A, A], message: /"a\.onnx" and "a\.onnx" appear twice/ },
  "case": { entries: [A, { ...B, name: "A.onnx" }], message: /differ only by case/ },
  "case of folders": {
    entries: [{ ...A, name: "d/a" }, { ...B, name: "D/b" }],
    message: /folders that differ only by case/,
  },
  "Unicode form": {
    entries: [{ ...A, name: "e\u0301" }, { ...B, name: "\u00e9" }],
    message: /differ only by case or Unicode form/,
  },
  "Kelvin": { entries: [{ ...A, name: "\u212a" }, { ...B, name: "k" }], message: /differ only by case/ },
  "file and folder of a file": {
    entries: [{ ...A, name: "a" }, { ...B, name: "a/b" }],
    message: /are a file and a folder/,
  },
  "file and folder": {
    entries: [{ ...A, name: "a" }, { name: "a/", central: { mode: 0o40755 } }],
    message: /are a file and a folder/,
  },
});

refuses("a ZIP is refused when the two headers of an entry disagree", {
  "name": { entries: [{ ...A, local: { name: "b.onnx" } }], message: /disagree about its name/ },
  "length of the name": {
    entries: [{ ...A, local: { name: "a.onnx2" } }],
    message: /disagree about its name/,
  },
  "Unicode name": {
    entries: [{
      ...A,
      name: new Uint8Array([0x82]),
      both: { flags: 0 },
      central: { extra: unicodePathField(new Uint8Array([0x82]), "é") },
      local: { extra: unicodePathField(new Uint8Array([0x82]), "../é") },
    }],
    message: /disagree about its name/,
  },
  "name, beside one Unicode name": {
    entries: [{
      ...A,
      both: { flags: 0 },
      central: { name: new Uint8Array([0x82]), extra: unicodePathField(new Uint8Array([0x82]), "é") },
      local: { name: new Uint8Array([0x83]), extra: unicodePathField(new Uint8Array([0x83]), "é") },
    }],
    message: /disagree about its name/,
  },
  "method": { entries: [{ ...A, local: { method: 8 } }], message: /disagree about its method/ },
  "size": { entries: [{ ...A, local: { bytes: 11 } }], message: /disagree about its size/ },
  "compressed size": {
    entries: [{ ...A, local: { compressedBytes: 11 } }],
    message: /disagree about its compressed size/,
  },
  "checksum": { entries: [{ ...A, local: { crc: 1 } }], message: /disagree about its checksum/ },
  "flags": { entries: [{ ...A, local: { flags: 0 } }], message: /disagree about its flags/ },
  "sizes left out without a descriptor": {
    entries: [{ ...A, local: { bytes: 0, compressedBytes: 0, crc: 0 } }],
    message: /disagree about its size/,
  },
  "ZIP64 size": {
    entries: [{
      ...A,
      both: { bytes: FULL, compressedBytes: FULL, extra: zip64Field(12, 12) },
      local: { extra: zip64Field(13, 12) },
    }],
    message: /disagree about its size/,
  },
});

const streamed = { flags: FLAG.utf8 | FLAG.descriptor };

refuses("a ZIP is refused for contents that are not what is said of them", {
  "checksum": {
    entries: [{ ...A, both: { crc: 1 } }],
    code: "ARCHIVE_DAMAGED",
    message: /"a\.onnx" does not match its checksum/,
  },
  "checksum, deflated": {
    entries: [{ ...A, method: 8, both: { crc: 1 } }],
    code: "ARCHIVE_DAMAGED",
    message: /checksum/,
  },
  "stored with two sizes": {
    entries: [{ ...A, both: { bytes: 13 } }],
    message: /is stored, with 12 bytes and with 13/,
  },
  "larger than said": {
    entries: [{ ...A, method: 8, both: { bytes: 5 } }],
    message: /has more than the stated 5 bytes/,
  },
  "much larger than said": {
    entries: [{ name: "bomb", content: new Uint8Array(9_000_000), method: 8, both: { bytes: 5 } }],
    message: /has more than the stated 5 bytes/,
  },
  "larger than nothing": {
    entries: [{ ...A, method: 8, both: { bytes: 0 } }],
    message: /has more than the stated 0 bytes/,
  },
  "smaller than said": {
    entries: [{ ...A, method: 8, both: { bytes: 500 } }],
    code: "ARCHIVE_DAMAGED",
    message: /has 12 bytes instead of the stated 500/,
  },
  "no deflate": {
    entries: [{ ...A, method: 8, data: new Uint8Array(20).fill(0xff) }],
    code: "ARCHIVE_DAMAGED",
    message: /cannot be decompressed/,
  },
  "cut deflate": {
    entries: [{ ...A, method: 8, data: deflateRawSync(encoder.encode("weights of a")).subarray(0, -2) }],
    code: "ARCHIVE_DAMAGED",
    message: /cannot be decompressed/,
  },
  "no data to inflate": {
    entries: [{ ...A, method: 8, data: new Uint8Array(0) }],
    code: "ARCHIVE_DAMAGED",
    message: /cannot be decompressed/,
  },
  "hidden bytes in deflate": {
    entries: [{
      ...A,
      method: 8,
      data: joined([deflateRawSync(encoder.encode("weights of a")), encoder.encode("hidden")]),
    }],
    message: /bytes behind the end of its compressed contents/,
  },
  "hidden bytes far behind deflate": {
    entries: [{
      ...A,
      method: 8,
      data: joined([deflateRawSync(encoder.encode("weights of a")), new Uint8Array(3_000_000)]),
    }],
    message: /bytes behind the end of its compressed contents/,
  },
  "encrypted": { entries: [{ ...A, both: { flags: FLAG.encrypted } }], message: /is encrypted/ },
  "strongly encrypted": { entries: [{ ...A, both: { flags: FLAG.strong | 1 } }], message: /is encrypted/ },
  "masked headers": { entries: [{ ...A, both: { flags: FLAG.masked } }], message: /is encrypted/ },
  "patch": { entries: [{ ...A, both: { flags: FLAG.patch } }], message: /is a patch/ },
  "a name without end, shown in part": {
    entries: [{ ...A, name: "n".repeat(65_000) }],
    message: /^.{200,300}n…" is longer than 900 bytes$/,
  },
  "method of AES": { entries: [{ ...A, both: { method: 99 } }], message: /method 99/ },
  "method zstd": { entries: [{ ...A, both: { method: 93 } }], message: /method 93 \(zstd\)/ },
  "method Deflate64": { entries: [{ ...A, both: { method: 9 } }], message: /method 9 \(Deflate64\)/ },
  "name that is not UTF-8": {
    entries: [{ ...A, name: new Uint8Array([0x82]), both: { flags: 0 } }],
    message: /name that is not UTF-8/,
  },
  "name that says UTF-8 and is not": {
    entries: [{
      ...A,
      name: new Uint8Array([0x82]),
      both: { extra: unicodePathField(new Uint8Array([0x82]), "x") },
    }],
    message: /name that is not UTF-8/,
  },
  "second name": {
    entries: [{ ...A, both: { extra: unicodePathField(encoder.encode("a.onnx"), "../evil") } }],
    message: /has two names/,
  },
  "Unicode name of another": {
    entries: [{ ...A, both: { extra: unicodePathField(encoder.encode("b.onnx"), "a.onnx") } }],
    message: /has two names/,
  },
});

refuses("a ZIP is refused when what follows a streamed entry lies", {
  "checksum": {
    entries: [{ ...A, both: streamed, behind: descriptor({ crc: 1, bytes: 12, compressedBytes: 12 }) }],
    message: /descriptor that contradicts its headers/,
  },
  "size": {
    entries: [{ ...A, both: streamed, behind: descriptor({ crc: CRC_A, bytes: 13, compressedBytes: 12 }) }],
    message: /descriptor that contradicts its headers/,
  },
  "compressed size": {
    entries: [{
      ...A,
      both: streamed,
      behind: descriptor({ crc: CRC_A, bytes: 12, compressedBytes: 2 ** 31 }),
    }],
    message: /descriptor that contradicts its headers/,
  },
  "signature": {
    entries: [{
      ...A,
      both: streamed,
      behind: descriptor({ crc: CRC_A, bytes: 12, compressedBytes: 12 }).map((byte, at) =>
        at === 0 ? 1 : byte
      ),
    }],
    message: /descriptor that contradicts its headers/,
  },
  "none there": {
    entries: [{ ...A, both: streamed }, B],
    message: /descriptor that contradicts its headers/,
  },
  "bytes behind it": {
    entries: [{
      ...A,
      both: streamed,
      behind: joined([descriptor({ crc: CRC_A, bytes: 12, compressedBytes: 12 }), new Uint8Array(1)]),
    }],
    message: /descriptor that contradicts its headers/,
  },
});

const kernel = new Uint8Array(1000);

refuses("a ZIP is refused when bytes belong to nothing or to two entries", {
  "before the first entry": {
    entries: [A],
    zip: { prefix: encoder.encode("#!/bin/sh\n") },
    message: /10 bytes precede its first entry/,
  },
  "before the first entry, with offsets that do not know of it": {
    entries: [{ ...A, central: { offset: 0 } }],
    zip: { prefix: encoder.encode("#!/bin/sh\n"), end: { offset: 30 + 6 + 12 } },
    message: /10 bytes precede/,
  },
  "between entries": {
    entries: [{ ...A, behind: new Uint8Array(7) }, B],
    message: /"a\.onnx" is followed by 7 bytes that belong to no entry/,
  },
  "before the directory": {
    entries: [A],
    zip: { beforeDirectory: new Uint8Array(9) },
    message: /followed by 9 bytes that belong to no entry/,
  },
  "an entry that the directory does not know": {
    entries: [A, { ...B, isLocalOnly: true }],
    message: /followed by \d+ bytes that belong to no entry/,
  },
  "behind the end": { entries: [A], zip: { suffix: new Uint8Array(5) }, message: /5 bytes follow its end/ },
  "a longer comment than there is": {
    entries: [A],
    zip: { commentLength: 9 },
    code: "ARCHIVE_DAMAGED",
    message: /truncated/,
  },
  "a shorter comment than there is": {
    entries: [A],
    zip: { comment: encoder.encode("comment"), commentLength: 3 },
    message: /4 bytes follow its end/,
  },
  "two entries on one content": {
    entries: [A, { ...A, name: "b", isCentralOnly: true, central: { offset: 0, name: "b" } }],
    message: /overlaps what follows it/,
  },
  "an entry whose contents are the next one's header (quoted overlap)": {
    entries: [
      {
        name: "outer",
        data: rawZip([{ name: "inner", content: kernel, method: 8 }]).subarray(0, 60),
        content: "",
      },
      {
        name: "inner",
        isCentralOnly: true,
        method: 8,
        content: kernel,
        central: { offset: 35 },
      },
    ].map((entry) => ({ ...entry, both: { bytes: 60, compressedBytes: 60 } })),
    message: /overlaps what follows it/,
  },
  "contents that reach into the directory": {
    entries: [{ ...A, both: { bytes: 30, compressedBytes: 30 } }],
    message: /overlaps what follows it/,
  },
});

const otherEnd = endRecord({ disk: 0, countHere: 0, count: 0, bytes: 0, offset: 0 }, 0);

refuses("a ZIP is refused when its end can be read in two ways or lies", {
  "an end in the comment": { entries: [A], zip: { comment: otherEnd }, message: /two ends/ },
  "the signature of an end in the comment": {
    entries: [A],
    zip: { comment: joined([otherEnd.subarray(0, 8), new Uint8Array(30)]) },
    message: /two ends/,
  },
  "an end in the last contents, whose comment is the rest": {
    entries: [{
      name: "z",
      content: endRecord({ disk: 0, countHere: 0, count: 0, bytes: 0, offset: 0 }, 46 + 1 + 22),
    }],
    message: /two ends/,
  },
  "fewer entries than there are": {
    entries: [A, B],
    zip: { end: { count: 1, countHere: 1 } },
    message: /states 1 entries, and has 2/,
  },
  "more entries than there are": {
    entries: [A],
    zip: { end: { count: 2, countHere: 2 } },
    message: /states 2 entries, and has 1/,
  },
  "a split archive": { entries: [A], zip: { end: { disk: 1 } }, message: /split archive/ },
  "a part of the entries": { entries: [A], zip: { end: { countHere: 0 } }, message: /split archive/ },
  "an entry in another archive": {
    entries: [{ ...A, central: { disk: 1 } }],
    message: /lies in another archive/,
  },
  "a directory further on": {
    entries: [A],
    zip: { end: { offset: 1000 } },
    code: "ARCHIVE_DAMAGED",
    message: /directory lies \d+ bytes off/,
  },
  "a smaller directory": { entries: [A], zip: { end: { bytes: 10 } }, message: /bytes precede/ },
  "an entry that reaches beyond its directory": {
    entries: [{ ...A, central: { commentBytes: 22 } }],
    code: "ARCHIVE_DAMAGED",
    message: /directory ends inside an entry/,
  },
  "an entry without its signature": {
    entries: [{ ...A, central: { signature: 0x02014b51 } }],
    code: "ARCHIVE_DAMAGED",
    message: /directory has no entry at byte 48$/,
  },
  "a header that reaches beyond the file": {
    entries: [{ ...A, local: { extraBytes: 1000 } }],
    code: "ARCHIVE_DAMAGED",
    message: /"a\.onnx" has no header at byte 0$/,
  },
  "an offset without an entry": {
    entries: [{ ...A, isCentralOnly: true, central: { offset: 0 } }],
    zip: { beforeDirectory: new Uint8Array(50) },
    code: "ARCHIVE_DAMAGED",
    message: /"a\.onnx" has no header at byte 0/,
  },
});

refuses("a ZIP is refused when its ZIP64 records lie", {
  "another count": {
    entries: [A],
    zip: { zip64: { count: 2, countHere: 2 } },
    message: /two end records disagree/,
  },
  "another directory": { entries: [A], zip: { zip64: { offset: 5 } }, message: /two end records disagree/ },
  "another disk": { entries: [A], zip: { zip64: {}, end: { disk: 1 } }, message: /two end records disagree/ },
  "a full count, and a false one": {
    entries: [A],
    zip: { zip64: { count: 7, countHere: 7 }, end: { count: 0xffff, countHere: 0xffff } },
    message: /states 7 entries, and has 1/,
  },
  "an enormous count": {
    entries: [A],
    zip: { zip64: { count: 2 ** 53, countHere: 2 ** 53 }, end: { count: 0xffff, countHere: 0xffff } },
    code: "ARCHIVE_LIMIT",
    message: /more than 200000 entries/,
  },
  "an enormous directory": {
    entries: [A],
    zip: { zip64: { bytes: 2 ** 63 }, end: { bytes: FULL } },
    code: "ARCHIVE_DAMAGED",
    message: /directory lies/,
  },
  "a record elsewhere": {
    entries: [A],
    zip: { zip64: { recordOffset: 3 } },
    message: /ZIP64 end record is misplaced/,
  },
  "a longer record": {
    entries: [A],
    zip: { zip64: { recordBytes: 60 } },
    message: /ZIP64 end record is misplaced or invalid/,
  },
  "other sizes than the header has": {
    entries: [{ ...A, local: { extra: zip64Field(12, 13) } }],
    message: /ZIP64 sizes that do not fit/,
  },
  "another size than the header has": {
    entries: [{ ...A, local: { extra: zip64Field(13, 12) } }],
    message: /ZIP64 sizes that do not fit/,
  },
  "a single size, which the header has": {
    entries: [{ ...A, local: { extra: zip64Field(12) } }],
    message: /ZIP64 sizes that do not fit/,
  },
  "sizes that are missing": {
    entries: [{ ...A, both: { bytes: FULL, compressedBytes: FULL } }],
    message: /ZIP64 sizes that do not fit/,
  },
  "a size too many": {
    entries: [{ ...A, both: { bytes: FULL, extra: zip64Field(12, 12) } }],
    message: /ZIP64 sizes that do not fit/,
  },
  "a size beyond numbers": {
    entries: [{ ...A, both: { bytes: FULL, compressedBytes: FULL, extra: zip64Field(2 ** 63, 2 ** 63) } }],
    message: /larger than any file/,
  },
  "two fields": {
    entries: [{ ...A, both: { bytes: FULL, extra: joined([zip64Field(12), zip64Field(13)]) } }],
    message: /extra field twice/,
  },
  "a field without a length": {
    entries: [{ ...A, both: { extra: new Uint8Array(3) } }],
    code: "ARCHIVE_DAMAGED",
    message: /exceed their space/,
  },
  "a field longer than its place": {
    entries: [{ ...A, both: { extra: zip64Field(12).subarray(0, 8) } }],
    code: "ARCHIVE_DAMAGED",
    message: /exceed their space/,
  },
});

refuses("a ZIP is refused beyond its limits", {
  "entries": {
    entries: [A, B, { ...A, name: "c" }],
    limits: { entriesMax: 2 },
    code: "ARCHIVE_LIMIT",
    message: /more than 2 entries \(limit entriesMax\)/,
  },
  "folders count": {
    entries: [A, { name: "d/", central: { mode: 0 } }, { name: "e/", central: { mode: 0 } }],
    limits: { entriesMax: 2 },
    code: "ARCHIVE_LIMIT",
    message: /entriesMax/,
  },
  "entries that the end does not count": {
    entries: [A, B, { ...A, name: "c" }],
    zip: { end: { count: 1, countHere: 1 } },
    limits: { entriesMax: 2 },
    code: "ARCHIVE_LIMIT",
    message: /entriesMax/,
  },
  "entries of the packed folder itself, which the end does not count": {
    entries: Array.from({ length: 3 }, () => ({ name: "./", both: { mode: 0o40755 } })),
    zip: { end: { count: 1, countHere: 1 } },
    limits: { entriesMax: 2 },
    code: "ARCHIVE_LIMIT",
    message: /entriesMax/,
  },
  "bytes": {
    entries: [A, B],
    limits: { bytesMax: 23 },
    code: "ARCHIVE_LIMIT",
    message: /more than 23 bytes \(limit bytesMax\)/,
  },
  "ratio": {
    entries: [{ name: "zeros", content: new Uint8Array(65 * 1024 * 1024), method: 8 }],
    code: "ARCHIVE_LIMIT",
    message: /more than 200 times as many \(limit ratioMax\)/,
  },
  "depth": {
    entries: [{ ...A, name: "a/b/c/d" }],
    limits: { depthMax: 3 },
    code: "ARCHIVE_LIMIT",
    message: /deeper than 3 folders \(limit depthMax\)/,
  },
  "depth of a folder": {
    entries: [{ name: "a/".repeat(5000), central: { mode: 0 } }],
    code: "ARCHIVE_LIMIT",
    message: /deeper than 32 folders/,
  },
});

Deno.test("an archive at exactly a limit is read, and one beyond it refused", async () => {
  const files = await readArchive(rawZip([{ ...A, name: "a/b/c" }, B]), {
    entriesMax: 2,
    bytesMax: 24,
    depthMax: 3,
  });
  assert.equal(files.size, 2);
});

Deno.test("a ZIP that is truncated anywhere is refused", async () => {
  const bytes = rawZip([A, { name: "b", content: noise(300, 1), method: 8 }, {
    name: "c/",
    both: { mode: 0o40755 },
  }]);
  for (let length = 0; length < bytes.length; length++) {
    await assert.rejects(readArchive(bytes.subarray(0, length)), RefusedError, `${length} bytes`);
  }
});

const DOS = { host: 0, mode: 0 };

refuses("a ZIP whose separators are backslashes is refused for what they hide", {
  ...Object.fromEntries(
    [
      "..\\evil",
      ".\\..\\evil",
      "a\\..\\..\\evil",
      "a\\.\\b",
      ".\\.\\a",
      "a\\\\b",
      ".\\\\etc\\passwd",
      "\\etc\\passwd",
      "\\\\server\\share\\a",
      "\\\\?\\C:\\a",
      "C:\\evil",
      ".\\C:evil",
      "d\\NUL",
      "d\\aux.onnx",
      ".git\\config",
      "d \\a",
      "\\",
      "..\\",
    ].map((name) => [JSON.stringify(name), {
      entries: [A, { ...B, name, both: DOS }],
      message: /its entry "/,
    }]),
  ),
  "of another system": {
    entries: [{ ...A, name: "models\\a.onnx" }],
    message: /has the character \\, which Windows reserves$/,
  },
  "beside slashes": {
    entries: [{ ...A, name: "models\\a.onnx", both: DOS }, { ...B, name: "models/b.onnx", both: DOS }],
    message: /has the character \\, which Windows reserves, and other names are separated by \/$/,
  },
  "beside slashes of another system, which come first": {
    entries: [{ ...B, name: "models/b.onnx" }, { ...A, name: "models\\a.onnx", both: DOS }],
    message: /other names are separated by \/$/,
  },
  "beside slashes in one name": {
    entries: [{ ...A, name: "models/d\\a.onnx", both: DOS }],
    message: /has the character \\, which Windows reserves$/,
  },
  "twice": {
    entries: [{ ...A, name: "d\\a", both: DOS }, { ...B, name: ".\\d\\a", both: DOS }],
    message: /appear twice/,
  },
  "in two cases": {
    entries: [{ ...A, name: "d\\a", both: DOS }, { ...B, name: "d\\A", both: DOS }],
    message: /differ only by case/,
  },
  "file and folder": {
    entries: [{ ...A, name: "d", both: DOS }, { ...B, name: "d\\a", both: DOS }],
    message: /are a file and a folder of one name/,
  },
  "folder with contents": {
    entries: [{ ...A, name: "d\\", both: DOS }],
    message: /is a folder with contents/,
  },
  "disagreeing headers": {
    entries: [{ ...A, name: "d\\a", both: DOS, local: { name: "d/a" } }],
    message: /disagree about its name/,
  },
  "too deep": {
    entries: [{ ...A, name: "a\\b\\c\\d", both: DOS }],
    limits: { depthMax: 3 },
    code: "ARCHIVE_LIMIT",
    message: /deeper than 3 folders/,
  },
});

refuses("a ZIP is refused for two entries that are one without the dot before them", {
  "twice": { entries: [A, { ...B, name: "./a.onnx" }], message: /appear twice/ },
  "file and folder": {
    entries: [A, { name: "./a.onnx/", both: { mode: 0o40755 } }],
    message: /are a file and a folder of one name/,
  },
  "the packed folder, with contents": {
    entries: [A, { ...B, name: "./", both: { mode: 0 } }],
    message: /is a folder with contents/,
  },
  "the packed folder as a link": {
    entries: [A, { name: "./", both: { mode: 0o120777 } }],
    message: /is a symbolic link/,
  },
});
