import assert from "node:assert/strict";
import { posix } from "node:path";
import fc from "fast-check";
import * as ours from "../../lib/core/posix_path.ts";

const part = fc.constantFrom(
  "",
  ".",
  "..",
  "/",
  "//",
  "a",
  "b.c",
  ".d",
  "e.",
  "...",
  "x y",
  "a/",
  "/a",
  "../a",
  "a/..",
);
const path = fc.array(part, { maxLength: 5 }).map((parts) => parts.join("/"));

Deno.test("paths of a bundle are those of node:path", () => {
  fc.assert(
    fc.property(fc.array(path, { maxLength: 3 }), path, path, (paths, one, other) => {
      assert.equal(ours.join(...paths), posix.join(...paths), `join ${JSON.stringify(paths)}`);
      assert.equal(ours.resolve(...paths), posix.resolve(...paths), `resolve ${JSON.stringify(paths)}`);
      for (const name of ["normalize", "dirname", "basename", "extname", "isAbsolute"] as const) {
        assert.equal(ours[name](one), posix[name](one), `${name} ${JSON.stringify(one)}`);
      }
      assert.equal(ours.relative(one, other), posix.relative(one, other), JSON.stringify([one, other]));
      // Of slashes alone with a suffix, node returns the slashes.
      for (const suffix of /[^/]/.test(one) ? [".c", "c", "b.c", ""] : []) {
        assert.equal(ours.basename(one, suffix), posix.basename(one, suffix), JSON.stringify([one, suffix]));
      }
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("a bundle has all functions of node:path that the program uses", () => {
  const used = new Set<string>();
  for (const room of ["lib", "cli", "web"]) collect(new URL(`../../${room}/`, import.meta.url), used);
  assert.ok(used.has("join"));
  for (const name of used) assert.ok(name in ours, name);
});

function collect(folder: URL, used: Set<string>): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) collect(new URL(`${name}/`, folder), used);
    if (!/\.tsx?$/.test(name)) continue;
    const text = Deno.readTextFileSync(new URL(name, folder));
    const [, names = ""] = /^import \{([^}]+)\} from "node:path";/m.exec(text) ?? [];
    for (const word of names.split(",")) {
      const [imported = ""] = word.trim().split(" as ");
      if (imported !== "") used.add(imported);
    }
  }
}
