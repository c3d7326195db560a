import assert from "node:assert/strict";
import fc from "fast-check";
import { InvalidModelError } from "../../lib/validators/invalid_model.ts";
import { inspectJson } from "../../lib/validators/json_file.ts";
import { stagedFile } from "../helpers/model_files.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** Returns the refusal of a file or an empty text, and the log. */
function inspect(content: string | Uint8Array): { refusal: string; log: readonly string[] } {
  using dir = tempDir();
  const context = testContext();
  try {
    inspectJson(context, stagedFile(dir.path, "m.json", content));
    return { refusal: "", log: context.log.lines };
  } catch (error) {
    assert.ok(error instanceof InvalidModelError, String(error));
    return { refusal: error.message, log: context.log.lines };
  }
}

function verdict(content: string | Uint8Array): string {
  return inspect(content).refusal;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

Deno.test("inspectJson() agrees with JSON.parse() on what is JSON", () => {
  const texts = [
    "{}",
    "[]",
    "0",
    "-0",
    "1.5e-3",
    "1E+2",
    '"x"',
    "true",
    "false",
    "null",
    ' [1 , {"a" : [ ] } ]\r\n\t',
    '"\\u00e9\\n\\/\\\\"',
    '{"a":1,"a":2}',
    '{"":{}}',
    "",
    " ",
    "{",
    "[1,]",
    "[,1]",
    "{,}",
    '{"a"}',
    '{"a":}',
    "{a:1}",
    "'x'",
    "01",
    "1.",
    ".5",
    "-",
    "+1",
    "1e",
    "0x1",
    "tru",
    "nulll",
    "truefalse",
    "[1 2]",
    '"\\x"',
    '"\\u12g4"',
    '"',
    '"\n"',
    '"\t"',
    "[1]]",
    "{}x",
    "// x\n{}",
    "[1] // x",
    '{"a":1}{"a":2}',
    "undefined",
    "1 2",
    "\u00a0{}",
    "--1",
    "1e5.5",
  ];
  for (const text of texts) assert.equal(verdict(text) === "", isJson(text), JSON.stringify(text));
  fc.assert(fc.property(fc.json(), (text) => verdict(text) === ""));
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.string({ maxLength: 2 }), (text, at, insert) => {
      const place = at % (text.length + 1);
      const changed = `${text.slice(0, place)}${insert}${text.slice(place + 1)}`.toWellFormed();
      // inspectJson() accepts these, JSON.parse() does not.
      fc.pre(!/NaN|Infinity/.test(changed));
      assert.equal(verdict(changed) === "", isJson(changed), JSON.stringify(changed));
    }),
    { numRuns: 500 },
  );
  const characters = fc.string({ unit: fc.constantFrom(...'{}[]:,"\\tfn01-.eE u'), maxLength: 12 });
  fc.assert(
    fc.property(characters, (text) => assert.equal(verdict(text) === "", isJson(text), JSON.stringify(text))),
    { numRuns: 2000 },
  );
});

Deno.test("inspectJson() reports the problem and its place", () => {
  const message = (problem: string) => `Cannot activate m.json: it is not JSON: ${problem}`;
  assert.equal(
    verdict('{\n  "a": 1,\n  "b": x\n}'),
    message('there is "x" at line 3, column 8, expected a value'),
  );
  assert.equal(verdict('{"a": [1'), message('it ends where "]" was expected'));
  assert.equal(verdict('{"a": "b'), message("it ends inside a text"));
  assert.equal(verdict(""), message("it is empty"));
  assert.equal(verdict("<html>"), message('there is "<" at line 1, column 1, expected a value'));
  assert.equal(
    verdict(new Uint8Array([0xff, 0xfe, 0x7b, 0, 0x7d, 0])),
    message("it is UTF-16, expected UTF-8"),
  );
  assert.match(verdict(new Uint8Array([0x22, 0xe9, 0x22])), /not UTF-8/);
  // A character that is cut by the end of the file.
  assert.match(verdict(new Uint8Array([0x31, 0xc3])), /there is the byte 0xc3|not UTF-8/);
});

Deno.test("inspectJson() warns about a byte order mark and about Python's NaN, and passes the file", () => {
  assert.deepEqual(inspect("\ufeff{}"), {
    refusal: "",
    log: ["warn m.json: it begins with a byte order mark, which Python's json module refuses"],
  });
  assert.deepEqual(inspect('{"loss": NaN}').log, [
    "warn m.json: NaN or Infinity at line 1, column 10: Python reads it, most other programs do not",
  ]);
  assert.deepEqual(inspect("[1,\n -Infinity, Infinity, NaN]").log, [
    "warn m.json: NaN or Infinity at line 2, column 2 (and 2 more): Python reads it, most other programs do not",
  ]);
  for (const text of ["-NaN", "nan", "Inf", "Infinit", "NaNs", "1NaN"]) {
    assert.notEqual(verdict(text), "", text);
  }
  assert.deepEqual(inspect('{"NaN": "Infinity"}').log, []);
});

Deno.test("inspectJson() accepts a thousand levels and refuses more", () => {
  assert.equal(verdict("[".repeat(1000) + "]".repeat(1000)), "");
  assert.match(verdict("[".repeat(100_000)), /more than 1000 levels deep/);
  assert.match(verdict('{"a":'.repeat(100_000)), /more than 1000 levels deep/);
});

Deno.test("inspectJson() reads texts longer than its buffer, whatever the buffer cuts", () => {
  for (let shift = 0; shift < 8; shift++) {
    const text = `${" ".repeat(65_530 + shift)}["é\\u00e9", -1.5e10, true]`;
    assert.equal(verdict(text), "");
    assert.match(verdict(text.replace("true", "trux")), /"x" at line 1, column 65\d+, expected true/);
  }
});

Deno.test("inspectJson() does not check a file that is too large, and logs that", () => {
  using dir = tempDir();
  const context = testContext();
  const small = stagedFile(dir.path, "m.json", "not JSON");
  inspectJson(context, { ...small, size: 64 * 1024 * 1024 + 1 });
  assert.match(
    context.log.lines[0] ?? "",
    /^info m\.json: not checked, because 67108865 bytes of JSON are more than/,
  );
});

Deno.test("inspectJson() throws nothing but refusals for random bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void verdict(bytes)), { numRuns: 500 });
});
