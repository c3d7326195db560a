import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compareUtf8,
  findPathCollision,
  portablePathProblem,
  sortUtf8,
} from "../../lib/core/portable_path.ts";
import { anyCharacter } from "../helpers/any_character.ts";

Deno.test("portablePathProblem() accepts the paths of model sets", () => {
  const good = [
    "a",
    "BTC_USDC/rf.joblib",
    "a b/c-d.onnx",
    ".hidden",
    "n".repeat(255),
    "é/模型.onnx",
    "🧠.onnx",
    "con1",
    "a.b.c",
    "-x",
  ];
  for (const path of good) assert.equal(portablePathProblem(path), undefined, path);
});

Deno.test("portablePathProblem() refuses every spelling of a path that leaves its folder or means another file", () => {
  const bad = [
    "",
    "/",
    "/etc/passwd",
    ".",
    "..",
    "../a",
    "a/..",
    "a/../b",
    "a/./b",
    "a//b",
    "a/",
    "..\\a",
    "a\\b",
    "C:/a",
    "a:b",
    "\\\\server\\share",
    "a\0b",
    "a\nb",
    "a\x1bb",
    "a\u0085",
    "a\u202eb",
    "a\u2066b",
    "a.",
    "a ",
    "a/b. ",
    "con",
    "CON.onnx",
    "aux/x",
    "nul",
    "com1.bin",
    "lpt¹",
    "conin$",
    ".git",
    ".GIT/config",
    "a/.git",
    "git~1",
    ".git ",
    "a<b",
    'a"b',
    "a|b",
    "a?b",
    "a*b",
    "n".repeat(256),
    "é".repeat(128),
    "a/".repeat(40) + "b",
    "x/".repeat(500) + "y",
    "a\ufffd",
    "\ud800",
  ];
  for (const path of bad) assert.ok(portablePathProblem(path), JSON.stringify(path));
});

Deno.test("portablePathProblem() accepts no path that resolves outside of its folder", () => {
  const part = fc.oneof(
    fc.constantFrom("..", ".", "", "a", "b", "c:", "\\", "..\\"),
    fc.string({ unit: anyCharacter, maxLength: 8 }),
  );
  fc.assert(fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
    const path = parts.join("/");
    if (portablePathProblem(path) !== undefined) return;
    const { pathname } = new URL(path.split("/").map(encodeURIComponent).join("/"), "file:///srv/folder/");
    assert.ok(pathname.startsWith("/srv/folder/") && pathname.length > "/srv/folder/".length);
    assert.ok(!path.includes("\\") && !path.includes("\0"));
  }));
});

Deno.test("findPathCollision() finds paths that some file system cannot store together", () => {
  const collisions: readonly (readonly string[])[] = [
    ["a", "a"],
    ["a", "A"],
    ["dir/x", "DIR/y"],
    ["caf\u0065\u0301", "caf\u00e9"],
    ["straße", "STRASSE"],
    ["\u212a", "k"],
    ["σ", "ς"],
    ["a", "a/b"],
    ["A/b", "a"],
  ];
  for (const paths of collisions) {
    assert.ok(findPathCollision(paths), paths.join(" "));
    assert.ok(findPathCollision([...paths].reverse()), paths.join(" "));
  }
  assert.equal(findPathCollision(["a", "b", "c/a", "c/b", "d/a"]), undefined);
});

Deno.test("findPathCollision() includes empty folders", () => {
  assert.ok(findPathCollision(["a"], ["A"]));
  assert.ok(findPathCollision(["A/b"], ["a"]));
  assert.ok(findPathCollision(["b"], ["a/c", "A"]));
  assert.ok(findPathCollision(["a/b"], ["a/b/c"]));
  assert.equal(findPathCollision(["a/b", "c"], ["a", "a", "d/e"]), undefined);
});

Deno.test("compareUtf8() orders strings by their UTF-8 bytes", () => {
  const encoder = new TextEncoder();
  const bytes = (a: string, b: string) => {
    const [left, right] = [encoder.encode(a), encoder.encode(b)];
    for (let index = 0; index < Math.min(left.length, right.length); index++) {
      const difference = (left[index] ?? 0) - (right[index] ?? 0);
      if (difference !== 0) return Math.sign(difference);
    }
    return Math.sign(left.length - right.length);
  };
  const text = fc.string({
    unit: fc.constantFrom("a", "b", "\u00e9", "\uff5e", "\u{1f600}", "\ud7ff", "\ue000"),
  });
  fc.assert(fc.property(text, text, (a, b) => assert.equal(Math.sign(compareUtf8(a, b)), bytes(a, b))));
  fc.assert(
    fc.property(fc.array(text), (list) => assert.deepEqual(sortUtf8([...list]), [...list].sort(bytes))),
  );
});

Deno.test("a path of plain characters is judged as the same path with another part behind it", () => {
  const name = fc.oneof(
    fc.string({ unit: fc.constantFrom(..."abzAZ09_-. ~"), maxLength: 12 }),
    fc.constantFrom(
      "con",
      "CON.txt",
      "aux",
      "nul.bin",
      "com1",
      "com1.x",
      "lpt9",
      "lpt",
      "prn",
      "common",
      "console",
    ),
    fc.constantFrom(".git", "git~1", "..", ".", "a.", "a..b", "a".repeat(255), "a".repeat(256)),
  );
  const path = fc.array(name, { minLength: 1, maxLength: 34 }).map((names) => names.join("/"));
  fc.assert(
    fc.property(path, (path) => {
      const isDeep = path.split("/").length === 32;
      const isLong = path.length > 890;
      fc.pre(!isDeep && !isLong);
      // The accent leads to the checks of each part.
      assert.equal(portablePathProblem(path) === undefined, portablePathProblem(`${path}/é`) === undefined);
    }),
    { numRuns: 2000 },
  );
  for (const path of ["a/".repeat(31) + "a", "symbol_1/model-2.v3.npy"]) {
    assert.equal(portablePathProblem(path), undefined);
  }
  assert.ok(portablePathProblem("a/".repeat(32) + "a"));
});
