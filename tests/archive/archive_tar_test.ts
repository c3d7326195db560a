import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { ARCHIVE_LIMITS, type ArchiveLimits } from "../../lib/archive/archive_limits.ts";
import { openArchive } from "../../lib/archive/open_archive.ts";
import { RefusedError } from "../../lib/core/errors.ts";
import { paxHeader, paxRecord, rawTar, tarMember } from "../helpers/raw_tar.ts";
import { joined } from "../helpers/raw_zip.ts";
import { readArchive } from "../helpers/read_archive.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const encoder = new TextEncoder();
const A = tarMember({ name: "a.onnx", content: "weights of a" });
const B = tarMember({ name: "b.onnx", content: "weights of b" });
const LONG = `models/${"n".repeat(150)}.onnx`;

/** GNU's header of a long name. */
function longName(name: string): Uint8Array {
  return tarMember({ name: "././@LongLink", type: "L", content: `${name}\0`, magic: "ustar  \0" });
}

/** A pax record whose value is binary. */
function binaryRecord(key: string, value: readonly number[]): Uint8Array {
  // The length of Latin-1 text of as many bytes.
  const shape = encoder.encode(paxRecord(key, "x".repeat(value.length)));
  shape.set(value, shape.length - value.length - 1);
  return shape;
}

/** A size in GNU's binary. */
function binarySize(size: number): Uint8Array {
  const bytes = new Uint8Array(12);
  new DataView(bytes.buffer).setBigUint64(4, BigInt(size));
  bytes[0] = 0x80;
  return bytes;
}

/** A tar, and how it is refused. */
interface Refusal {
  readonly tar: Uint8Array;
  readonly limits?: Partial<ArchiveLimits>;
  readonly code?: string;
  readonly message: RegExp;
}

/** Each tar by itself, and in gzip. */
function refuses(claim: string, cases: Readonly<Record<string, Refusal>>): void {
  Deno.test(claim, async (t) => {
    for (const [name, { tar, limits, code, message }] of Object.entries(cases)) {
      for (const [how, bytes] of [["tar", tar], ["tar.gz", gzipSync(tar)]] as const) {
        await t.step(`${name}, ${how}`, async () => {
          await assert.rejects(readArchive(bytes, limits), (error) => {
            assert.ok(error instanceof RefusedError, String(error));
            assert.equal(error.code, code ?? "ARCHIVE_UNSAFE", error.message);
            assert.match(error.message, /^Cannot use models\.zip: [^\n]*[^.]$/);
            assert.match(error.message, message);
            return true;
          });
        });
      }
    }
  });
}

Deno.test("a tar of every common program is read, with gzip and without", async (t) => {
  const weights = { content: "weights of a" };
  const cases: Record<string, readonly [Uint8Array, string]> = {
    "ustar": [rawTar(A), "a.onnx"],
    "ustar with a prefix": [
      rawTar(tarMember({ ...weights, name: "rf.onnx", prefix: "models/BTC" })),
      "models/BTC/rf.onnx",
    ],
    "older than ustar": [rawTar(tarMember({ ...weights, name: "a.onnx", type: "\0", magic: "" })), "a.onnx"],
    "older than ustar, with a folder": [
      rawTar(
        tarMember({ name: "d/", type: "\0", magic: "" }),
        tarMember({ ...weights, name: "d/a", type: "\0", magic: "" }),
      ),
      "d/a",
    ],
    "GNU": [rawTar(tarMember({ ...weights, name: "a.onnx", magic: "ustar  \0" })), "a.onnx"],
    "GNU with a long name": [
      rawTar(longName(LONG), tarMember({ ...weights, name: LONG.slice(0, 100), magic: "ustar  \0" })),
      LONG,
    ],
    "GNU with a long name that ends without a NUL": [
      rawTar(
        tarMember({ name: "././@LongLink", type: "L", content: LONG, magic: "ustar  \0" }),
        tarMember({ ...weights, name: LONG.slice(0, 100), magic: "ustar  \0" }),
      ),
      LONG,
    ],
    "GNU with a binary size": [
      rawTar(tarMember({ ...weights, name: "a.onnx", size: binarySize(12) })),
      "a.onnx",
    ],
    "pax with a path": [
      rawTar(paxHeader({ path: "modèles/a", mtime: "1.5" }), tarMember({ ...weights, name: "mod" })),
      "modèles/a",
    ],
    "pax with the same size": [
      rawTar(paxHeader({ size: "12" }), tarMember({ ...weights, name: "a.onnx" })),
      "a.onnx",
    ],
    "bsdtar or tar --xattrs, with binary attributes": [
      rawTar(
        tarMember({
          name: "pax",
          type: "x",
          content: joined([
            encoder.encode(paxRecord("path", "a.onnx")),
            binaryRecord("SCHILY.xattr.user.x", [0x80, 0xff, 0x0a, 0x00, 0x3d]),
            binaryRecord("SCHILY.xattr.security.capability", [1, 0, 0, 2, 0x80, 0xfe]),
            binaryRecord("SCHILY.xattr.user.large", Array.from({ length: 65_536 }, (_, at) => at % 256)),
            encoder.encode(paxRecord("mtime", "1.5")),
          ]),
        }),
        tarMember({ ...weights, name: "x" }),
      ),
      "a.onnx",
    ],
    "an attribute whose name is binary": [
      rawTar(
        tarMember({
          name: "pax",
          type: "x",
          content: encoder.encode(paxRecord("SCHILY.xattr.user.xy", "1")).map((byte) =>
            byte === 0x79 ? 0x80 : byte
          ),
        }),
        tarMember({ ...weights, name: "a.onnx" }),
      ),
      "a.onnx",
    ],
    "GNU with a volume label": [
      rawTar(tarMember({ name: "models of May", type: "V", magic: "", size: new Uint8Array(12) }), A),
      "a.onnx",
    ],
    "pax with a volume label": [rawTar(paxHeader({ "GNU.volume.label": "models" }, "g"), A), "a.onnx"],
    "git archive": [rawTar(paxHeader({ comment: "3c6b70d" }, "g"), A), "a.onnx"],
    "of the folder itself": [
      rawTar(
        tarMember({ name: "./", type: "5" }),
        tarMember({ name: "./d/", type: "5" }),
        tarMember({ ...weights, name: "./d/a" }),
      ),
      "d/a",
    ],
    "with a whole record of zeros": [joined([rawTar(A), new Uint8Array(10240)]), "a.onnx"],
    "with a setuid bit, which nobody obeys": [
      rawTar(tarMember({ ...weights, name: "a", mode: 0o4755 })),
      "a",
    ],
  };
  for (const [name, [tar, path]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const files = new Map([[path, encoder.encode("weights of a")]]);
      assert.deepEqual(await readArchive(tar), files);
      assert.deepEqual(await readArchive(gzipSync(tar)), files);
      const middle = tar.length >> 1;
      const members = [gzipSync(tar.subarray(0, middle)), gzipSync(tar.subarray(middle))];
      assert.deepEqual(await readArchive(joined(members)), files, "gzip of two members");
    });
  }
});

refuses(
  "a tar is refused for every spelling of a path that leads out or is another on some system",
  Object.fromEntries(
    [
      "../evil",
      "..",
      "./../evil",
      "a/../../evil",
      "a/./b",
      "././a",
      "a//b",
      ".//etc/passwd",
      "..\\evil",
      "a\\..\\evil",
      "/etc/passwd",
      "//server/share",
      "\\\\server\\share",
      "C:/evil",
      "C:evil",
      "a\n",
      "a.",
      "a ",
      "NUL",
      "aux.onnx",
      ".git/config",
      "a/",
    ].flatMap((name) => [
      [JSON.stringify(name), { tar: rawTar(A, tarMember({ name, content: "x" })), message: /its entry "/ }],
      [`${JSON.stringify(name)} by pax`, {
        tar: rawTar(A, paxHeader({ path: name }), tarMember({ name: "harmless", content: "x" })),
        message: /its entry "/,
      }],
      [`${JSON.stringify(name)} by a long name`, {
        tar: rawTar(A, longName(name), tarMember({ name: "harmless", content: "x" })),
        message: /its entry "/,
      }],
    ]),
  ),
);

refuses("a tar is refused for paths that only its own kinds of header can spell", {
  "prefix": { tar: rawTar(tarMember({ name: "evil", prefix: ".." })), message: /has the part "\.\."/ },
  "absolute prefix": { tar: rawTar(tarMember({ name: "evil", prefix: "/etc" })), message: /is absolute/ },
  "NUL inside a name": { tar: rawTar(tarMember({ name: "a\0/../evil" })), message: /NUL inside its name/ },
  "NUL inside a pax path": {
    tar: rawTar(paxHeader({ path: "a\0b" }), A),
    message: /has a control character/,
  },
  "NUL inside a long name": { tar: rawTar(longName("a\0b"), A), message: /has a control character/ },
  "folder that leads out": {
    tar: rawTar(tarMember({ name: "../d/", type: "5" })),
    message: /has the part "\.\."/,
  },
  "name that is not UTF-8": {
    tar: rawTar(tarMember({ name: new Uint8Array([0x82]) })),
    message: /not UTF-8/,
  },
  "charset of names": {
    tar: rawTar(paxHeader({ hdrcharset: "ISO-IR 8859 1 1998", path: "a" }), A),
    message: /names that are not UTF-8/,
  },
  "name of bytes that are not UTF-8": {
    tar: rawTar(
      tarMember({
        name: "pax",
        type: "x",
        content: new Uint8Array([...new TextEncoder().encode("21 hdrcharset=BINARY\n10 path="), 0xe4, 0x0a]),
      }),
      A,
    ),
    message: /whose path is not UTF-8/,
  },
});

refuses("a tar is refused for links, devices and other kinds of entry", {
  "hard link out": {
    tar: rawTar(A, tarMember({ name: "b", type: "1", linkName: "../../etc/passwd" })),
    message: /"b" is a hard link to "..\/..\/etc\/passwd", which is not a file before it/,
  },
  "symbolic link": {
    tar: rawTar(tarMember({ name: "b", type: "2", linkName: "/etc" })),
    message: /"b" is a symbolic link/,
  },
  "symbolic link, then a file through it": {
    tar: rawTar(
      tarMember({ name: "b", type: "2", linkName: "/tmp" }),
      tarMember({ name: "b/c", content: "x" }),
    ),
    message: /"b" is a symbolic link/,
  },
  "two chained links": {
    tar: rawTar(
      tarMember({ name: "x", type: "2", linkName: "." }),
      tarMember({ name: "x/y", type: "2", linkName: ".." }),
      tarMember({ name: "y/evil", content: "x" }),
    ),
    message: /"x" is a symbolic link/,
  },
  "symbolic link with a long target": {
    tar: rawTar(
      tarMember({ name: "././@LongLink", type: "K", content: `${"x".repeat(200)}\0` }),
      tarMember({ name: "b", type: "2", linkName: "x".repeat(100) }),
    ),
    message: /"b" is a symbolic link/,
  },
  "character device": { tar: rawTar(tarMember({ name: "b", type: "3" })), message: /"b" is a device/ },
  "block device": { tar: rawTar(tarMember({ name: "b", type: "4" })), message: /"b" is a device/ },
  "FIFO": { tar: rawTar(tarMember({ name: "b", type: "6" })), message: /"b" is a FIFO/ },
  "size that is left out": {
    tar: rawTar(tarMember({ name: "b", size: new Uint8Array(12) })),
    message: /size that is not a number/,
  },
  "volume label with contents": {
    tar: rawTar(tarMember({ name: "b", type: "V", content: "x" })),
    message: /"b" is a volume label with contents/,
  },
  "part of a volume": {
    tar: rawTar(tarMember({ name: "b", type: "M" })),
    message: /"b" is the rest of a file of another volume/,
  },
  "contiguous": { tar: rawTar(tarMember({ name: "b", type: "7" })), message: /"b" is of type "7"/ },
  "folder with contents": {
    tar: rawTar(tarMember({ name: "b", type: "5", content: "x" })),
    message: /is a folder with contents/,
  },
});

refuses("a tar is refused for two entries that are one on some system", {
  "twice": { tar: rawTar(A, A), message: /appear twice/ },
  "twice by pax": { tar: rawTar(A, paxHeader({ path: "a.onnx" }), B), message: /appear twice/ },
  "twice by a dot": { tar: rawTar(A, tarMember({ name: "./a.onnx" })), message: /appear twice/ },
  "case": { tar: rawTar(A, tarMember({ name: "A.ONNX" })), message: /differ only by case/ },
  "Unicode form": {
    tar: rawTar(tarMember({ name: "e\u0301" }), tarMember({ name: "\u00e9" })),
    message: /differ only by case or Unicode form/,
  },
  "file and folder": {
    tar: rawTar(A, tarMember({ name: "a.onnx/", type: "5" })),
    message: /are a file and a folder/,
  },
  "file and folder of a file": {
    tar: rawTar(A, tarMember({ name: "a.onnx/b", content: "x" })),
    message: /are a file and a folder/,
  },
});

refuses("a tar is refused when its headers lie or say two things", {
  "size by pax": {
    tar: rawTar(paxHeader({ size: "1536" }), tarMember({ name: "a", content: "weights" }), B),
    message: /"a" has two sizes, 7 and 1536/,
  },
  "no size, and one by pax": {
    tar: rawTar(paxHeader({ size: "512" }), tarMember({ name: "a", size: 0, content: A.subarray(0, 512) })),
    message: /has two sizes, 0 and 512/,
  },
  "size by pax that is no number": {
    tar: rawTar(paxHeader({ size: "-1" }), A),
    message: /size that is not a number/,
  },
  "size by pax beyond numbers": {
    tar: rawTar(paxHeader({ size: "99999999999999999999" }), A),
    message: /size that is not a number/,
  },
  "size that is no number": {
    tar: rawTar(tarMember({ name: "a", size: encoder.encode("-0000000001\0") })),
    message: /size that is not a number/,
  },
  "negative size in binary": {
    tar: rawTar(tarMember({ name: "a", size: new Uint8Array(12).fill(0xff) })),
    message: /size that is not a number/,
  },
  "enormous size in binary": {
    tar: rawTar(tarMember({ name: "a", size: new Uint8Array(12).fill(0xff).fill(0x80, 0, 1) })),
    message: /size that is not a number/,
  },
  "path for all": { tar: rawTar(paxHeader({ path: "x" }, "g"), A), message: /names or sizes all entries/ },
  "size for all": { tar: rawTar(paxHeader({ size: "0" }, "g"), A), message: /names or sizes all entries/ },
  "two paths": {
    tar: rawTar(
      tarMember({ name: "pax", type: "x", content: paxRecord("path", "a") + paxRecord("path", "b") }),
      A,
    ),
    message: /has a pax header with path twice/,
  },
  "two names": { tar: rawTar(longName("a"), paxHeader({ path: "b" }), A), message: /"b" is named "a" too/ },
  "two pax headers": {
    tar: rawTar(paxHeader({ path: "a" }), paxHeader({ path: "b" }), A),
    message: /describes no entry/,
  },
  "two long names": { tar: rawTar(longName("a"), longName("b"), A), message: /describes no entry/ },
  "a volume label between a header and its entry": {
    tar: rawTar(paxHeader({ path: "b" }), tarMember({ name: "label", type: "V" }), A),
    message: /describes no entry/,
  },
  "binary path": {
    tar: rawTar(tarMember({ name: "pax", type: "x", content: binaryRecord("path", [0x80, 0xff]) }), A),
    message: /pax header whose path is not UTF-8/,
  },
  "attribute without an end": {
    tar: rawTar(
      tarMember({
        name: "pax",
        type: "x",
        content: binaryRecord("SCHILY.xattr.user.x", [0x80]).slice(0, -1),
      }),
      A,
    ),
    code: "ARCHIVE_DAMAGED",
    message: /pax header that cannot be read/,
  },
  "pax header of nothing": { tar: rawTar(A, paxHeader({ path: "b" })), message: /describes no entry/ },
  "long name of nothing": { tar: rawTar(A, longName("b")), message: /describes no entry/ },
  "enormous pax header": {
    tar: rawTar(paxHeader({ comment: "x".repeat(1_100_000) }), A),
    message: /a header of \d+ bytes/,
  },
  "record longer than its header": {
    tar: rawTar(tarMember({ name: "pax", type: "x", content: "99 path=a\n" }), A),
    code: "ARCHIVE_DAMAGED",
    message: /pax header that cannot be read/,
  },
  "record without an end": {
    tar: rawTar(tarMember({ name: "pax", type: "x", content: "9 path=ab" }), A),
    code: "ARCHIVE_DAMAGED",
    message: /pax header that cannot be read/,
  },
  "record whose length begins with a zero": {
    tar: rawTar(tarMember({ name: "pax", type: "x", content: "011 path=b\n" }), A),
    code: "ARCHIVE_DAMAGED",
    message: /pax header that cannot be read/,
  },
  "record of no length": {
    tar: rawTar(tarMember({ name: "pax", type: "x", content: "0 path=a\n" }), A),
    code: "ARCHIVE_DAMAGED",
    message: /pax header that cannot be read/,
  },
  "checksum": {
    tar: rawTar(A, tarMember({ name: "b", checksumOff: 1 })),
    code: "ARCHIVE_DAMAGED",
    message: /wrong checksum/,
  },
  "bytes behind its end": {
    tar: joined([rawTar(A), encoder.encode("hidden")]),
    message: /bytes follow its end/,
  },
  "a second tar behind its end": { tar: joined([rawTar(A), rawTar(B)]), message: /bytes follow its end/ },
  "a long name that is not UTF-8": {
    tar: rawTar(
      tarMember({ name: "././@LongLink", type: "L", content: new Uint8Array([0xff, 0]), magic: "ustar  \0" }),
      A,
    ),
    message: /a long name that is not UTF-8/,
  },
  "a pax record without a key": {
    tar: rawTar(tarMember({ name: "pax", type: "x", content: "5 =a\n" }), A),
    code: "ARCHIVE_DAMAGED",
    message: /a pax header that cannot be read/,
  },
  "a pax record without a value": {
    tar: rawTar(tarMember({ name: "pax", type: "x", content: "7 path\n" }), A),
    code: "ARCHIVE_DAMAGED",
    message: /a pax header that cannot be read/,
  },
  "one block of zeros": {
    tar: joined([A, new Uint8Array(512)]),
    code: "ARCHIVE_DAMAGED",
    message: /truncated/,
  },
  "no end": { tar: joined([A, B]), code: "ARCHIVE_DAMAGED", message: /truncated/ },
  "contents that are cut off": {
    tar: joined([A, tarMember({ name: "b", size: 5000, content: "x" })]),
    code: "ARCHIVE_DAMAGED",
    message: /"b" is cut off/,
  },
});

refuses("a tar is refused beyond its limits", {
  "entries": {
    tar: rawTar(A, tarMember({ name: "d/", type: "5" }), B),
    limits: { entriesMax: 2 },
    code: "ARCHIVE_LIMIT",
    message: /more than 2 entries \(limit entriesMax\)/,
  },
  "bytes": {
    tar: rawTar(A, B),
    limits: { bytesMax: 23 },
    code: "ARCHIVE_LIMIT",
    message: /more than 23 bytes \(limit bytesMax\)/,
  },
  "bytes of a file that is not there": {
    tar: rawTar(A, tarMember({ name: "b", size: binarySize(2 ** 50) })),
    code: "ARCHIVE_LIMIT",
    message: /limit bytesMax/,
  },
  "depth": {
    tar: rawTar(tarMember({ name: "a/b/c/d", content: "x" })),
    limits: { depthMax: 3 },
    code: "ARCHIVE_LIMIT",
    message: /deeper than 3 folders/,
  },
  "depth by pax": {
    tar: rawTar(paxHeader({ path: `${"a/".repeat(20_000)}b` }), A),
    code: "ARCHIVE_LIMIT",
    message: /deeper than 32 folders/,
  },
});

const zeros = rawTar(tarMember({ name: "zeros", content: new Uint8Array(70 * 1024 * 1024) }));

/** Not a table of tars: these are faults of gzip. */
const GZIP_FAULTS: Readonly<Record<string, { bytes: () => Uint8Array; code: string; message: RegExp }>> = {
  "bytes behind it": {
    bytes: () => joined([gzipSync(rawTar(A)), encoder.encode("hidden")]),
    code: "ARCHIVE_DAMAGED",
    message: /cannot be decompressed/,
  },
  "a zero and bytes behind it": {
    bytes: () => joined([gzipSync(rawTar(A)), encoder.encode("\0hidden")]),
    code: "ARCHIVE_UNSAFE",
    message: /7 bytes follow its end/,
  },
  "a second tar in a second member": {
    bytes: () => joined([gzipSync(rawTar(A)), gzipSync(rawTar(B))]),
    code: "ARCHIVE_UNSAFE",
    message: /bytes follow its end/,
  },
  "a checksum that is wrong": {
    bytes: () => gzipSync(rawTar(A)).map((byte, at, all) => at === all.length - 6 ? byte ^ 1 : byte),
    code: "ARCHIVE_DAMAGED",
    message: /cannot be decompressed/,
  },
  "a size that is wrong": {
    bytes: () => gzipSync(rawTar(A)).map((byte, at, all) => at === all.length - 2 ? byte ^ 1 : byte),
    code: "ARCHIVE_DAMAGED",
    message: /cannot be decompressed/,
  },
  "no tar in it": {
    bytes: () => gzipSync(encoder.encode("weights of a".repeat(100))),
    code: "ARCHIVE_FORMAT",
    message: /is gzip without a tar inside/,
  },
  "nothing in it": { bytes: () => gzipSync(""), code: "ARCHIVE_FORMAT", message: /without a tar inside/ },
  "a bomb": { bytes: () => gzipSync(zeros), code: "ARCHIVE_LIMIT", message: /more than 200 times as many/ },
  "a bomb behind the end": {
    bytes: () => joined([gzipSync(rawTar(A)), gzipSync(new Uint8Array(70 * 1024 * 1024))]),
    code: "ARCHIVE_LIMIT",
    message: /more than 200 times as many/,
  },
};

Deno.test("a tar.gz is refused for faults of its gzip", async (t) => {
  for (const [name, { bytes, code, message }] of Object.entries(GZIP_FAULTS)) {
    await t.step(name, () => assert.rejects(readArchive(bytes()), { code, message, name: "RefusedError" }));
  }
});

Deno.test("a tar that is truncated anywhere is refused, with gzip and without", async () => {
  const tar = rawTar(A, paxHeader({ path: "c" }), tarMember({ name: "b", content: "weights of b" }));
  for (let length = 0; length < tar.length; length += 37) {
    await assert.rejects(readArchive(tar.subarray(0, length)), RefusedError, `${length} bytes`);
  }
  const zipped = gzipSync(tar);
  for (let length = 0; length < zipped.length; length++) {
    await assert.rejects(readArchive(zipped.subarray(0, length)), RefusedError, `${length} bytes of gzip`);
  }
  // The rest of the first header is zeros, so its checksum is right.
  const cut = tar.subarray(0, 300);
  for (const bytes of [cut, gzipSync(cut)]) {
    await assert.rejects(readArchive(bytes), { code: "ARCHIVE_DAMAGED", message: /: it was truncated$/ });
  }
});

Deno.test({
  name: "the size of a file that is too large for its header is read from the pax header",
  ignore: Deno.build.os === "windows", // writes the holes of a file
  async fn() {
    using dir = tempDir();
    const path = `${dir.path}/models.tar`;
    const bytes = 8 * 1024 ** 3;
    const headers = joined([paxHeader({ size: String(bytes) }), tarMember({ name: "large.bin" })]);
    Deno.writeFileSync(path, headers);
    // Contents, another file and the end of the tar.
    Deno.truncateSync(path, headers.length + bytes);
    Deno.writeFileSync(path, rawTar(A), { append: true });
    await using archive = await openArchive(testContext(), path, "models.tar", ARCHIVE_LIMITS);
    assert.deepEqual(archive.entries, [{ path: "large.bin", bytes }, { path: "a.onnx", bytes: 12 }]);
  },
});

Deno.test("a tar that changes between its check and its extraction is refused", async () => {
  using dir = tempDir();
  const path = `${dir.path}/models.tar`;
  const renamed = tarMember({ name: "c.onnx", content: "weights of a" });
  const longer = tarMember({ name: "a.onnx", content: "weights of a, and more" });
  for (const changed of [rawTar(renamed, B), rawTar(longer, B), rawTar(A, B, renamed)]) {
    Deno.writeFileSync(path, rawTar(A, B));
    await using archive = await openArchive(testContext(), path, "models.tar", ARCHIVE_LIMITS);
    Deno.writeFileSync(path, changed);
    const read = async () => {
      for await (const { content } of archive.read()) for await (const _piece of content);
    };
    await assert.rejects(read(), { code: "ARCHIVE_DAMAGED", exitCode: 5 });
  }
});
