import assert from "node:assert/strict";
import { compareFiles } from "../../lib/release/changes.ts";

Deno.test("compareFiles() sorts by path, in whatever order an archive or a folder lists its files", () => {
  const files = (...paths: string[]) => paths.map((path) => ({ path, sha256: undefined }));
  assert.deepEqual(compareFiles(files("d", "c", "f", "e"), files("f", "e", "b", "a")), {
    added: ["a", "b"],
    modified: ["e", "f"],
    removed: ["c", "d"],
  });
});
