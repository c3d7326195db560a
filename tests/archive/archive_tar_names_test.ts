import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { RefusedError } from "../../lib/core/errors.ts";
import { paxHeader, rawTar, type RawTarHeader, tarMember } from "../helpers/raw_tar.ts";
import { type RawEntry, rawZip, unicodePathField } from "../helpers/raw_zip.ts";
import { readArchive } from "../helpers/read_archive.ts";

const encoder = new TextEncoder();
const GNU = "ustar  \0";
const A = tarMember({ name: "a.onnx", content: "weights of a" });

/** Refused, as a tar and as a tar.gz, with nothing of it handed out. */
async function refused(tar: Uint8Array, message: RegExp): Promise<void> {
  for (const bytes of [tar, gzipSync(tar)]) {
    await assert.rejects(readArchive(bytes), (error) => {
      assert.ok(error instanceof RefusedError, String(error));
      assert.equal(error.code, "ARCHIVE_UNSAFE", error.message);
      assert.match(error.message, message);
      return true;
    });
  }
}

/** GNU's header of a long name, of any content. */
function longName(content: string): Uint8Array {
  return tarMember({ name: "././@LongLink", type: "L", content, magic: GNU });
}

Deno.test("an entry with an empty name in any of its headers is refused", async (t) => {
  const content = "weights";
  const cases: Readonly<Record<string, readonly Uint8Array[]>> = {
    "in the header": [tarMember({ name: "", content })],
    "in the header, of a folder": [tarMember({ name: "", type: "5" })],
    "in the header, below a prefix": [tarMember({ name: "", prefix: "models", content })],
    "in the header, a folder below a prefix": [tarMember({ name: "", prefix: "models", type: "5" })],
    "in the header, of another kind": [tarMember({ name: "", content, magic: "" })],
    "in the header, although pax has one": [paxHeader({ path: "b.onnx" }), tarMember({ name: "", content })],
    "in pax": [paxHeader({ path: "" }), tarMember({ name: "b.onnx", content })],
    "in pax, of a folder": [paxHeader({ path: "" }), tarMember({ name: "b", type: "5" })],
    "in a long name": [longName("\0"), tarMember({ name: "b.onnx", content, magic: GNU })],
    "in a long name of no bytes": [longName(""), tarMember({ name: "b.onnx", content, magic: GNU })],
    "of a file, behind a dot": [tarMember({ name: "./", content })],
    "of an old file, behind a dot": [tarMember({ name: "./", type: "\0", magic: "", content })],
    "of an empty file, behind a dot": [tarMember({ name: "./" })],
    "in pax, of a file, behind a dot": [paxHeader({ path: "./" }), tarMember({ name: "b.onnx", content })],
  };
  for (const [name, members] of Object.entries(cases)) {
    await t.step(`${name}, behind another entry`, () => refused(rawTar(A, ...members), /its entry "/));
    await t.step(`${name}, first`, () => refused(rawTar(...members, A), /its entry "/));
  }
});

Deno.test("a name of only slashes and dots is refused, unless it is the packed folder itself", async (t) => {
  for (const name of ["/", "//", ".//", "./../", "../", "..", ".///", "/.", "/./", "././/"]) {
    for (const type of ["0", "5"]) {
      const byPax = rawTar(A, paxHeader({ path: name }), tarMember({ name: "b", type }));
      await t.step(
        `${name} of type ${type}`,
        () => refused(rawTar(A, tarMember({ name, type })), /its entry "/),
      );
      await t.step(`${name} of type ${type}, by pax`, () => refused(byPax, /its entry "/));
    }
  }
  await t.step(
    "a file named as the packed folder",
    () => refused(rawTar(A, tarMember({ name: "." })), /"\."/),
  );
  for (const name of [".", "./"]) {
    await t.step(`${name} is the packed folder`, async () => {
      const files = await readArchive(rawTar(tarMember({ name, type: "5" }), A));
      assert.deepEqual([...files.keys()], ["a.onnx"]);
    });
  }
});

Deno.test("an entry whose names say file and folder is refused", async () => {
  const old = { type: "\0", magic: "" };
  await refused(rawTar(paxHeader({ path: "d" }), tarMember({ ...old, name: "d/" })), /folder by the other/);
  await refused(rawTar(paxHeader({ path: "d/" }), tarMember({ ...old, name: "d" })), /folder by the other/);
});

Deno.test("bytes in place of a prefix are refused in a header that is not POSIX", async (t) => {
  const member = { name: "a.onnx", content: "weights" };
  const cases: Readonly<Record<string, RawTarHeader>> = {
    "no magic": { ...member, magic: "", prefix: "models" },
    "no magic, at the end of the place": { ...member, magic: "", put: [[499, "x"]] },
    "a magic of nobody's": { ...member, magic: "mstar\x0000", prefix: "models" },
    "POSIX magic that ends with a space": { ...member, magic: "ustar 00", prefix: "models" },
    "GNU magic": { ...member, magic: GNU, prefix: "models" },
    "GNU magic, digits that are no time": { ...member, magic: GNU, prefix: "2026" + "/".repeat(8) },
    "GNU magic, behind two times": {
      ...member,
      magic: GNU,
      put: [[345, "14755310621\0"], [357, "14755310621\0"], [381, "evil"]],
    },
    "GNU magic, a sparse map in a file that is not sparse": {
      ...member,
      magic: GNU,
      put: [[386, "0".repeat(11)]],
    },
    "GNU magic, more of a sparse map": { ...member, magic: GNU, put: [[482, "\x01"]] },
  };
  for (const [name, header] of Object.entries(cases)) {
    const file = tarMember(header);
    await t.step(name, () => refused(rawTar(file, A), /bytes where POSIX has a prefix/));
    const { content: _, ...folder } = header;
    await t.step(
      `${name}, of a folder`,
      () => refused(rawTar(A, tarMember({ ...folder, type: "5" })), /bytes where POSIX has a prefix/),
    );
    await t.step(
      `${name}, of a pax header`,
      () => refused(rawTar(tarMember({ ...folder, type: "x" }), A), /bytes where POSIX has a prefix/),
    );
  }
});

Deno.test("the times that GNU tar keeps for incremental backups are not a prefix", async (t) => {
  const times: Readonly<Record<string, string>> = {
    "in octal": "14755310621\0",
    "in octal with spaces": "14755310621 ",
    "in binary": "\x80\0\0\0\0\0\0\0\x6a\x0b\x20\x01",
  };
  for (const [name, time] of Object.entries(times)) {
    await t.step(name, async () => {
      const bytes = Uint8Array.from(time, (character) => character.charCodeAt(0));
      const tar = (magic: string) =>
        rawTar(tarMember({
          name: "a.onnx",
          content: "weights",
          magic,
          put: [[345, bytes], [357, bytes], [369, "00000000000\0"], [483, "00000000007\0"]],
        }));
      assert.deepEqual(await readArchive(tar(GNU)), new Map([["a.onnx", encoder.encode("weights")]]));
      await assert.rejects(readArchive(tar("\0".repeat(8))), { code: "ARCHIVE_UNSAFE" });
    });
  }
});

Deno.test("a ZIP is refused for an entry without a name", async (t) => {
  const a = { name: "a.onnx", content: "weights of a" };
  const oem = new Uint8Array([0x82]);
  const cases: Readonly<Record<string, RawEntry>> = {
    "of a file": { name: "", content: "weights" },
    "of an empty file": { name: "" },
    "of a folder": { name: "/" },
    "of slashes": { name: "//" },
    "behind the packed folder": { name: ".//" },
    "of the packed folder, with contents": { name: "./", content: "weights" },
    "by its Unicode name": { name: oem, content: "weights", both: { extra: unicodePathField(oem, "") } },
  };
  for (const [name, entry] of Object.entries(cases)) {
    await t.step(
      name,
      () => assert.rejects(readArchive(rawZip([a, entry])), { name: "RefusedError", code: "ARCHIVE_UNSAFE" }),
    );
  }
});
