import assert from "node:assert/strict";
import fc from "fast-check";
import { changedBytes, compareFiles, countChanges } from "../../lib/release/changes.ts";

Deno.test("compareFiles() sorts by path, in whatever order an archive or a folder lists its files", () => {
  const files = (...paths: string[]) => paths.map((path) => ({ path, sha256: undefined }));
  assert.deepEqual(compareFiles(files("d", "c", "f", "e"), files("f", "e", "b", "a")), {
    added: ["a", "b"],
    modified: ["e", "f"],
    removed: ["c", "d"],
  });
});

Deno.test("compareFiles() finds the same changes where lists begin and end with the same paths", () => {
  const list = fc.uniqueArray(
    fc.record({ path: fc.constantFrom(..."abcdefgh"), sha256: fc.constantFrom("1", "2") }),
    { selector: ({ path }) => path },
  );
  fc.assert(fc.property(list, list, fc.boolean(), (before, after, isSorted) => {
    const sorted = (files: typeof before) =>
      isSorted ? files.toSorted((a, b) => a.path < b.path ? -1 : 1) : files;
    const old = new Map(before.map(({ path, sha256 }) => [path, sha256]));
    const kept = after.map(({ path }) => path);
    assert.deepEqual(compareFiles(sorted(before), sorted(after)), {
      added: kept.filter((path) => !old.has(path)).sort(),
      modified: after.filter(({ path, sha256 }) => old.has(path) && old.get(path) !== sha256)
        .map(({ path }) => path).sort(),
      removed: [...old.keys()].filter((path) => !kept.includes(path)).sort(),
    });
  }));
});

Deno.test("compareFiles() reports a file as modified if its digest differs or is unknown", () => {
  const a = (sha256: string | undefined) => [{ path: "a", sha256 }];
  const isModified = (before: string | undefined, after: string | undefined) =>
    compareFiles(a(before), a(after)).modified.length === 1;
  assert.ok(!isModified("1", "1"));
  assert.ok(isModified("1", "2"));
  assert.ok(isModified(undefined, "1"));
  assert.ok(isModified("1", undefined));
});

Deno.test("added, modified and removed files count as changes, and only added and modified ones are sent", () => {
  const changes = { added: ["a"], modified: ["b", "c"], removed: ["d", "e", "f", "g"] };
  assert.equal(countChanges(changes), 7);
  const sizes = { a: 1, b: 10, c: 100, d: 1_000, unchanged: 10_000 };
  const files = Object.entries(sizes).map(([path, size]) => ({ path, size }));
  assert.equal(changedBytes(changes, files), 111);
});
