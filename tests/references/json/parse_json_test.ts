import assert from "node:assert/strict";
import fc from "fast-check";
import { RefusedError } from "../../../lib/core/errors.ts";
import { jsonEquals } from "../../../lib/references/json/json_equals.ts";
import type { JsonValue } from "../../../lib/references/json/json_value.ts";
import { parseJson } from "../../../lib/references/json/read_nodes.ts";
import { renderInline, renderJson } from "../../../lib/references/json/render_json.ts";
import { chances, pick, SEED, someText, values } from "./documents.ts";
import { pythonEquals, pythonRoundTrips } from "./python_json.ts";

/** Returns the value or the refusal. */
function read(text: string): JsonValue | RefusedError {
  try {
    return parseJson(text, "clip.json");
  } catch (error) {
    assert.ok(error instanceof RefusedError, String(error));
    assert.equal(error.code, "JSON_INVALID");
    return error;
  }
}

function refusal(text: string): string {
  const answer = read(text);
  assert.ok(answer instanceof RefusedError, text.slice(0, 80));
  return answer.message.replace("Cannot read clip.json: it is not JSON that can be synced: ", "");
}

/** Returns our result for a text, in the form of `pythonRoundTrips()`. */
function roundTrip(text: string) {
  const value = read(text);
  return value instanceof RefusedError ? null : { indented: renderJson(value), inline: renderInline(value) };
}

function assertSameAsPython(texts: readonly string[]) {
  const wanted = pythonRoundTrips(texts);
  for (const [index, text] of texts.entries()) {
    assert.deepEqual(roundTrip(text), wanted[index], JSON.stringify(text).slice(0, 300));
  }
}

/** The maximum depth. */
const DEEP = `${"[".repeat(250)}${'{"a":'.repeat(250)}1${"}".repeat(250)}${"]".repeat(250)}`;

Deno.test("parseJson() and renderJson() write what Python writes, byte for byte", () => {
  assertSameAsPython([
    '{"b": 1, "a": 2, "10": 3, "9": 4, "b": 5}',
    '{"a": {"a": 1}, "b": 2, "a": [1, 2.0, 3e0]}',
    "[3.0, 3, 1E5, 1e-5, 0.0001, 1e15, 1e16, 1e17, 123456789.123, -0, -0.0, -0e5, 5e-324, 1e-400, 4.35]",
    "[9223372036854775807, 9223372036854775808, -9223372036854775809, 0.1e1, 100E-2, 1.0E+2, 9007199254740993]",
    "[1.7976931348623157e308, 2.2250738585072014e-308, 9007199254740993.0, 0.30000000000000004, 1e21, 1e22, 1e23]",
    `[${"1".repeat(4300)}, -${"2".repeat(4300)}]`,
    '["\\ud83d\\ude00", "\u{1f600}", "\\ud800", "\\udc00\\ud800", "\\ud83d\\u0041", "é\\u00E9", "\u007f\u0080\u2028"]',
    '["\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f", "/", "\u007f"]',
    '{"": {}, "x": [], "y": [[], {}, [[]]], "\\u00e9": null, "__proto__": true, "constructor": false}',
    ' \t\r\n{ "a" : [ 1 , 2 ] }\r\n ',
    "0",
    '"x"',
    "null",
    DEEP,
  ]);
});

Deno.test("parseJson() refuses what Python refuses", () => {
  assertSameAsPython([
    ...'| |{|[|[1,]|[,1]|{,}|{"a"}|{"a":}|{"a":1,}|{a:1}|\'x\'|01|-01|1.|.5|-|+1|1e|1e+|0x1|1_0|١|tru|nulll'
      .split("|"),
    ...'[1 2]|[1]]|{}x|// x|{}//|--1|1e5.5|-a|undefined|\u00a0{}|\u000b1|[1\u20282]|{"a" 1}|{1: 2}|["a": 1]'
      .split("|"),
    '"\\x"',
    '"\\u12g4"',
    '"\\u 123"',
    '"\\u+123"',
    '"\\u123"',
    '"\\U0041"',
    '"',
    '"\\',
    '"\\u',
    '"\n"',
    '"\t"',
    '"\u0000"',
    '"\u001f"',
    "NaN",
    "[Infinity]",
    "-Infinity",
    "1e400",
    "[-1e999]",
    `1${"0".repeat(400)}.0`,
  ]);
});

Deno.test("parseJson() reports what is wrong and where", () => {
  assert.equal(refusal('{\n  "a": 1,\n  "é": x\n}'), 'there is "x" at line 3, column 8, expected a value');
  assert.equal(refusal('["\u{1f600}" 1]'), 'there is "1" at line 1, column 6, expected "," or "]"');
  assert.equal(refusal('{"a": 1 "b"'), 'there is "\\"" at line 1, column 9, expected "," or "}"');
  assert.equal(refusal("{a"), 'there is "a" at line 1, column 2, expected a key in quotes');
  assert.equal(refusal('{"a"'), 'it ends where ":" was expected');
  assert.equal(refusal(""), "it ends where a value was expected");
  assert.equal(refusal('{"a": "b'), "it ends inside a text");
  assert.equal(refusal("<html>"), 'there is "<" at line 1, column 1, expected a value');
  assert.equal(refusal("{}\n{}"), 'there is "{" at line 2, column 1, expected its end');
  assert.equal(refusal('["\\x"]'), 'there is "x" at line 1, column 4, expected an escape sequence');
  assert.equal(
    refusal('["a\nb"]'),
    'there is "\\n" in a text at line 1, column 4, expected an escape sequence',
  );
});

Deno.test("parseJson() names a number that cannot be written by its path", () => {
  const large = "which is too large for a float: Python converts it to Infinity, which JSON cannot hold";
  assert.equal(
    refusal('{"Deliberate": {"config": {\n"size": 1e400}}}'),
    `Deliberate.config.size at line 2, column 9 is 1e400, ${large}`,
  );
  assert.equal(
    refusal('{"stable v1.5": [1, {"min": -Infinity}]}'),
    '"stable v1.5"[1].min at line 1, column 29 is -Infinity, which JSON cannot hold',
  );
  assert.equal(refusal("NaN"), "the value at line 1, column 1 is NaN, which JSON cannot hold");
  assert.equal(
    refusal(`[1${"0".repeat(400)}.5]`),
    `[0] at line 1, column 2 is a number, ${large}`,
  );
  assert.equal(
    refusal(`{"a": -${"1".repeat(4301)}}`),
    "a at line 1, column 7 has 4301 digits, at most 4300 can be read",
  );
  assert.match(refusal(`{${JSON.stringify("k".repeat(9999))}: NaN}`), /^"k{80}" at /);
});

Deno.test("parseJson() reads 500 levels and no more", () => {
  assert.ok(Array.isArray(read(DEEP)));
  assert.equal(refusal(`[${DEEP}]`), "at line 1, column 1502 it is more than 500 levels deep");
  assert.match(refusal("[".repeat(1_000_000)), /more than 500 levels deep/);
  assert.match(refusal('{"a":'.repeat(100_000)), /more than 500 levels deep/);
});

Deno.test("parseJson() skips a byte order mark, as Python does in bytes", () => {
  assert.deepEqual(read("\ufeff[1]"), [1n]);
  assert.match(refusal("\ufeff\ufeff[1]"), /expected a value/);
});

Deno.test("parseJson() and renderJson() agree with Python on any document in any layout, valid or not", () => {
  const texts = fc.sample(
    fc.tuple(values, chances).map(([value, chance]) => {
      const text = someText(value, chance).replace(/^\ufeff/, "");
      if (chance(4) > 0) return text;
      const at = chance(text.length + 1);
      return `${text.slice(0, at)}${pick(chance, ["", "1", '"', ","])}${text.slice(at + chance(3))}`;
    }),
    { numRuns: 600, seed: SEED },
  );
  const numbers = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), {
    numRuns: 2000,
    seed: SEED,
  });
  assertSameAsPython([...texts, JSON.stringify(numbers)]);
});

Deno.test("jsonEquals() is Python's ==", () => {
  const texts = [
    ...'0|-0|0.0|-0.0|1|1.0|true|false|null|""|"1"|[]|{}|[1]|[1.0]|[true]|[[1]]|[1,2]|[2,1]'.split("|"),
    "9007199254740993",
    "9007199254740992.0",
    "9007199254740992",
    "0.1",
    "1e300",
    `1${"0".repeat(300)}`,
    '{"a": 1, "b": [true]}',
    '{"b": [1.0], "a": true}',
    '{"b": [1.0], "c": true}',
    '{"a": 1}',
    '{"a": null}',
    '{"b": null}',
    '{"a": 2, "a": 1}',
    '"\\ud83d\\ude00"',
    '"\u{1f600}"',
    '"\\ud83d"',
  ];
  const pairs = texts.flatMap((a) => texts.map((b) => [a, b] as const));
  const random = fc.sample(
    fc.tuple(values, values, chances).map(([a, b, chance]) =>
      [renderInline(a), someText(chance(2) === 0 ? a : b, chance).replace(/^\ufeff/, "")] as const
    ),
    { numRuns: 300, seed: SEED },
  );
  const all = [...pairs, ...random];
  const wanted = pythonEquals(all);
  for (const [index, [a, b]] of all.entries()) {
    assert.equal(jsonEquals(parseJson(a, "a"), parseJson(b, "b")), wanted[index], `${a} == ${b}`);
  }
});

Deno.test("renderJson() refuses a number that JSON cannot hold", () => {
  for (const value of [NaN, Infinity, -Infinity]) assert.throws(() => renderJson([value]), RangeError);
});
