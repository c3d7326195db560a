import assert from "node:assert/strict";
import fc from "fast-check";
import { compareUtf8 } from "../../lib/core/portable_path.ts";
import { encodeIndex, type IndexEntry, IndexRows } from "../../lib/git/index_file.ts";
import { RememberedRows } from "../../lib/git/remembered_rows.ts";
import { sortedLines } from "../../lib/release/digest_lines.ts";
import { releaseDigest } from "../../lib/release/manifest.ts";
import { SortedLines } from "../../lib/release/sorted_lines.ts";

/** Names whose order differs by bytes and by characters, and one that is longer than a piece that is hashed. */
const PATHS = [
  "a",
  "a.b",
  "a/b",
  "a0",
  "b/\u00e9",
  "b/\uffff",
  "b/\ud83d\ude00",
  "z",
  `long/${"x".repeat(70_000)}`,
];
/** Digests of which some begin alike, or are the same. */
const SHA256S = ["0", "1", "f"].flatMap((last) =>
  ["00000000", "89abcdef"].map((first) => first + last.repeat(56))
);

const EMPTY = { size: 0, sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" };
const FILE = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.constantFrom(...SHA256S.map((sha256, size) => ({ size: size + 1, sha256 }))),
  },
  { weight: 1, arbitrary: fc.constant(EMPTY) },
);
const FILES = fc.dictionary(fc.constantFrom(...PATHS), FILE).map((entries) =>
  Object.entries(entries).map(([path, file]) => ({ path, ...file })).sort((a, b) =>
    compareUtf8(a.path, b.path)
  )
);

const TIMES = { mtimeMs: 1, ctimeMs: 1, device: 1, inode: 1, isExecutable: false, uid: 0, gid: 0 };
const entryOf = (file: { path: string; size: number; sha256: string }): IndexEntry => ({
  ...TIMES,
  path: file.path,
  size: file.size,
  object: file.sha256.slice(0, 40),
});

Deno.test("RememberedRows finds paths, and computes the name of a release as from a list of its files", async () => {
  await fc.assert(
    fc.asyncProperty(FILES, FILES, async (before, after) => {
      const index = await encodeIndex(before.map(entryOf));
      const bytes = await new Blob(Array.from(sortedLines(before), (piece) => piece.slice())).bytes();
      const rows = IndexRows.parse(index.bytes.slice());
      const lines = await SortedLines.read(bytes, await releaseDigest(before));
      assert.ok(rows && lines);
      const remembered = new RememberedRows(rows, lines);
      assert.deepEqual(remembered.files(), before);
      assert.deepEqual(Array.from(before.keys(), (row) => remembered.fileAt(row)), before);
      assert.deepEqual(remembered.paths(), before.map(({ path }) => path));
      for (const path of PATHS) {
        const row = before.findIndex((file) => compareUtf8(file.path, path) >= 0);
        const place = { row: row === -1 ? before.length : row, isTaken: before[row]?.path === path };
        assert.deepEqual(remembered.placeOf(path), place);
      }
      // Every other row is replaced by the files that come after.
      const dropped = new Set(Array.from(before.keys()).filter((row) => row % 2 === 0));
      const kept = before.filter((_, row) => !dropped.has(row));
      const others = after.filter(({ path }) => !kept.some((file) => file.path === path));
      assert.equal(await remembered.digestWith(dropped, others), await releaseDigest([...kept, ...others]));
    }),
    { numRuns: 50 },
  );
});

Deno.test("SortedLines finds one of many files with the same content without reading the others", async () => {
  const [sha256 = ""] = SHA256S;
  const files = Array.from({ length: 4096 }, (_, at) => ({ path: `m${at + 10_000}`, size: 2, sha256 }));
  let parts = 0;
  class Counted extends Uint8Array {
    override subarray(start?: number, end?: number): Uint8Array<ArrayBuffer> {
      parts++;
      return new Uint8Array(this).subarray(start, end);
    }
  }
  const bytes = await new Blob(Array.from(sortedLines(files), (piece) => piece.slice())).bytes();
  const lines = await SortedLines.read(new Counted(bytes), await releaseDigest(files));
  assert.deepEqual(lines?.find("m14000", sha256.slice(0, 40)), files[4000]);
  assert.equal(lines?.find("m1", sha256.slice(0, 40)), undefined);
  assert.ok(parts < 10, `${parts} lines`);
});
