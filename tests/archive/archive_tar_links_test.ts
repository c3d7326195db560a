import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { openArchive } from "../../lib/archive/open_archive.ts";
import { ARCHIVE_LIMITS, type ArchiveLimits } from "../../lib/archive/archive_limits.ts";
import { paxHeader, rawTar, type RawTarHeader, tarMember } from "../helpers/raw_tar.ts";
import { noise, tempDir } from "../helpers/temp_dir.ts";
import { readArchive } from "../helpers/read_archive.ts";
import { testContext } from "../helpers/test_context.ts";

const GNU = "ustar  \0";
const LONG = `models/${"n".repeat(150)}.onnx`;
const A = tarMember({ name: "a.onnx", content: "weights of a" });

function link(name: string, target: string, more: Partial<RawTarHeader> = {}): Uint8Array {
  return tarMember({ name, type: "1", linkName: target, ...more });
}

/** GNU's header of a long name (`L`) or of a link's long target (`K`). */
function longText(type: "L" | "K", text: string): Uint8Array {
  return tarMember({ name: "././@LongLink", type, content: `${text}\0`, magic: GNU });
}

async function readsAs(tar: Uint8Array, wanted: Readonly<Record<string, string>>): Promise<void> {
  for (const bytes of [tar, gzipSync(tar), zstdCompressSync(tar)]) {
    const files = Array.from(
      await readArchive(bytes),
      ([path, content]) => [path, new TextDecoder().decode(content)],
    );
    assert.deepEqual(Object.fromEntries(files), wanted);
  }
}

Deno.test("a hard link in a tar is read as its target, in every spelling of the target", async (t) => {
  const both = (name: string) => ({ "a.onnx": "weights of a", [name]: "weights of a" });
  const cases: Readonly<Record<string, readonly [Uint8Array, Readonly<Record<string, string>>]>> = {
    "in the header": [rawTar(A, link("b.onnx", "a.onnx")), both("b.onnx")],
    "in the header, of GNU": [rawTar(A, link("b.onnx", "a.onnx", { magic: GNU })), both("b.onnx")],
    "with dots before the names": [
      rawTar(tarMember({ name: "./a.onnx", content: "weights of a" }), link("./b.onnx", "./a.onnx")),
      both("b.onnx"),
    ],
    "with a dot before one of them": [rawTar(A, link("b.onnx", "./a.onnx")), both("b.onnx")],
    "in pax": [
      rawTar(
        paxHeader({ path: LONG }),
        tarMember({ name: "cut", content: "weights of a" }),
        paxHeader({ linkpath: LONG }),
        link("a.onnx", "cut"),
      ),
      both(LONG),
    ],
    "in a long header of GNU": [
      rawTar(
        longText("L", LONG),
        tarMember({ name: LONG.slice(0, 100), magic: GNU, content: "weights of a" }),
        longText("K", LONG),
        link("a.onnx", LONG.slice(0, 100), { magic: GNU }),
      ),
      both(LONG),
    ],
    "with a long name too": [
      rawTar(
        A,
        longText("K", "a.onnx"),
        longText("L", LONG),
        link(LONG.slice(0, 100), "a.onnx", { magic: GNU }),
      ),
      both(LONG),
    ],
    "of a link": [
      rawTar(A, link("b", "a.onnx"), link("c", "b")),
      { ...both("b"), "c": "weights of a" },
    ],
    "of an empty file": [rawTar(tarMember({ name: "a" }), link("b", "a")), { "a": "", "b": "" }],
    "before another file": [
      rawTar(A, link("b", "a.onnx"), tarMember({ name: "c", content: "other" })),
      { ...both("b"), "c": "other" },
    ],
  };
  for (const [name, [tar, wanted]] of Object.entries(cases)) await t.step(name, () => readsAs(tar, wanted));
});

Deno.test("a hard link in a tar is refused unless a file before it has its target's name", async (t) => {
  const cases: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
    "missing": [rawTar(A, link("b", "c")), /"b" is a hard link to "c", which is not a file before it/],
    "later": [rawTar(link("b", "a.onnx"), A), /"b" is a hard link to "a\.onnx", which is not a file before/],
    "itself": [rawTar(A, link("b", "b")), /"b" is a hard link to "b"/],
    "two that lead to each other": [rawTar(link("b", "c"), link("c", "b")), /"b" is a hard link to "c"/],
    "a folder": [rawTar(tarMember({ name: "d/", type: "5" }), link("b", "d")), /is a hard link to "d"/],
    "the packed folder": [
      rawTar(tarMember({ name: "./", type: "5" }), link("b", "./")),
      /is a hard link to ""/,
    ],
    "a symbolic link": [
      rawTar(tarMember({ name: "s", type: "2", linkName: "/etc/passwd" }), link("b", "s")),
      /"s" is a symbolic link/,
    ],
    "a label": [
      rawTar(tarMember({ name: "label", type: "V" }), link("b", "label")),
      /is a hard link to "label"/,
    ],
    "out": [rawTar(A, link("b", "../a.onnx")), /is a hard link to "\.\.\/a\.onnx"/],
    "absolute": [rawTar(A, link("b", "/a.onnx")), /is a hard link to "\/a\.onnx"/],
    "another spelling": [rawTar(A, link("b", "A.ONNX")), /is a hard link to "A\.ONNX"/],
    "a path that means the same": [
      rawTar(A, link("b", "d/../a.onnx")),
      /is a hard link to "d\/\.\.\/a\.onnx"/,
    ],
    "nothing": [rawTar(A, link("b", "")), /is a hard link to ""/],
    "in pax, and another in a long header": [
      rawTar(A, longText("K", "c"), paxHeader({ linkpath: "a.onnx" }), link("b", "a.onnx")),
      /"b" leads to "c" too/,
    ],
    "a very long one, shown in part": [
      rawTar(A, longText("K", "x".repeat(60_000)), link("b", "x".repeat(100), { magic: GNU })),
      /^.{200,400}which is not a file before it in the archive$/,
    ],
    "of a file": [
      rawTar(A, longText("K", "a.onnx"), tarMember({ name: "b" })),
      /"b" is no link, and leads to/,
    ],
    "in pax, of a file": [
      rawTar(A, paxHeader({ linkpath: "a.onnx" }), tarMember({ name: "b" })),
      /is no link/,
    ],
    "with contents": [
      rawTar(A, link("b", "a.onnx", { content: "other" })),
      /"b" is a hard link with contents/,
    ],
    "with contents by pax": [
      rawTar(A, paxHeader({ size: "8589934592" }), link("b", "a.onnx")),
      /is a hard link with contents/,
    ],
    "with the name of a file": [rawTar(A, link("a.onnx", "a.onnx")), /appear twice/],
    "with a name that leads out": [rawTar(A, link("../b", "a.onnx")), /has the part "\.\."/],
    "for all entries": [rawTar(paxHeader({ linkpath: "a.onnx" }, "g"), A), /names or sizes all entries/],
    "two long targets": [
      rawTar(A, longText("K", "a.onnx"), longText("K", "a.onnx"), link("b", "a.onnx")),
      /describes no entry/,
    ],
  };
  for (const [name, [tar, message]] of Object.entries(cases)) {
    for (const [how, bytes] of [["tar", tar], ["tar.gz", gzipSync(tar)]] as const) {
      await t.step(
        `${name}, ${how}`,
        () => assert.rejects(readArchive(bytes), { name: "RefusedError", code: "ARCHIVE_UNSAFE", message }),
      );
    }
  }
});

Deno.test("each hard link counts with its extracted size", async () => {
  const content = noise(1_100_000, 1);
  const links = Array.from({ length: 250 }, (_, index) => link(`l${index}`, "a"));
  const bomb = rawTar(tarMember({ name: "a", content }), ...links);
  const refused = (bytes: Uint8Array, limits: Partial<ArchiveLimits>, message: RegExp) =>
    assert.rejects(readArchive(bytes, limits), { code: "ARCHIVE_LIMIT", message });
  await refused(bomb, { bytesMax: 3_000_000 }, /more than 3000000 bytes \(limit bytesMax\)/);
  // 250 times its bytes, whatever it is compressed by.
  await refused(bomb, {}, /more than 200 times as many \(limit ratioMax\)/);
  await refused(gzipSync(bomb), {}, /more than 200 times as many \(limit ratioMax\)/);
  await refused(bomb, { entriesMax: 50 }, /more than 50 entries/);
});

Deno.test("a file is read once for all its hard links, even if only a link is wanted", async () => {
  using dir = tempDir();
  const tar = rawTar(A, link("b", "a.onnx"), tarMember({ name: "c", content: "other" }), link("d", "a.onnx"));
  for (const bytes of [tar, gzipSync(tar)]) {
    Deno.writeFileSync(`${dir.path}/models`, bytes);
    await using archive = await openArchive(testContext(), `${dir.path}/models`, "models", ARCHIVE_LIMITS);
    const read = async (wanted: readonly string[]) => {
      const found: string[][] = [];
      for await (const { entry, links, content } of archive.read(({ path }) => wanted.includes(path))) {
        let text = "";
        for await (const piece of content) text += new TextDecoder().decode(piece);
        found.push([text, entry.path, ...links.map(({ path }) => path)]);
      }
      return found;
    };
    assert.deepEqual(archive.entries.map(({ path, bytes }) => [path, bytes]), [
      ["a.onnx", 12],
      ["b", 12],
      ["c", 5],
      ["d", 12],
    ]);
    assert.deepEqual(await read(["a.onnx", "b", "c", "d"]), [["weights of a", "a.onnx", "b", "d"], [
      "other",
      "c",
    ]]);
    assert.deepEqual(await read(["d"]), [["weights of a", "d"]]);
    assert.deepEqual(await read(["c", "d", "b"]), [["weights of a", "b", "d"], ["other", "c"]]);
  }
});
