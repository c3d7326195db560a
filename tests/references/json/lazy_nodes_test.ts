import assert from "node:assert/strict";
import fc from "fast-check";
import { jsonEquals } from "../../../lib/references/json/json_equals.ts";
import { isJsonObject, type JsonValue, LazyObject } from "../../../lib/references/json/json_value.ts";
import { lazyObject, readNodes } from "../../../lib/references/json/lazy_nodes.ts";
import { type JsonNode, parseJson, readAllNodes } from "../../../lib/references/json/read_nodes.ts";
import { renderJson } from "../../../lib/references/json/render_json.ts";
import { haveSameTokens, skimObject } from "../../../lib/references/json/skim_json.ts";
import { chances, changed, grown, SEED, someText, values } from "./documents.ts";

/** Returns the members that are objects, as `readNodes()` returns them. */
function lazily(text: string): readonly JsonValue[] {
  const { value } = readNodes(text, "x");
  return isJsonObject(value) ? [...value.values()] : [];
}

Deno.test("readNodes() reads the objects in an object when they are needed", () => {
  const [record, number] = lazily('\ufeff {"a": {"b": [1, 2.0], "b": {"c": "\\u00e9"}}, "n": 1}');
  assert.ok(record instanceof LazyObject);
  assert.equal(record.size, 1);
  const inner = record.get("b");
  assert.ok(inner instanceof LazyObject);
  assert.deepEqual([...inner], [["c", "é"]]);
  assert.equal(number, 1n);
});

Deno.test("an object and its places are read once, whichever is needed first", () => {
  const nested = (node: JsonNode | undefined) =>
    node !== undefined && isJsonObject(node.value) ? node.value.get("c") : undefined;
  const [first, second] = readNodes('{"a": {"c": {}}, "b": {"c": {}}}', "x").children;
  const value = nested(first);
  assert.ok(value instanceof LazyObject);
  assert.equal(first?.children[0]?.value, value);
  const place = second?.children[0];
  assert.ok(place?.value instanceof LazyObject);
  assert.equal(nested(second), place.value);
});

Deno.test("readNodes() gives the values and the errors of parseJson(), whatever the text is", () => {
  const cuts = fc.tuple(
    fc.nat(),
    fc.nat({ max: 2 }),
    fc.constantFrom("", "1", '"', "{", "]", ",", "\\", "\u0001"),
  );
  fc.assert(
    fc.property(values, chances, cuts, (value, random, [at, length, insert]) => {
      const whole = someText(new Map([["record", value]]), random);
      const place = at % (whole.length + 1);
      for (const text of [whole, whole.slice(0, place) + insert + whole.slice(place + length)]) {
        const expected = attempt(() => renderJson(parseJson(text, "x")));
        assert.deepEqual(attempt(() => renderJson(readNodes(text, "x").value)), expected);
      }
    }),
    { seed: SEED, numRuns: 300 },
  );
});

Deno.test("lazyObject() has every member, also those that are not skimmed", () => {
  const unusual = ["1e+300", "1e-100", "9".repeat(300), `${"[".repeat(60)}${"]".repeat(60)}`];
  for (const value of unusual) {
    for (const text of [`{"a": 1, "b": ${value}, "c": "d"}`, `{"a": {"b": ${value}}, "c": "d"}`]) {
      assert.equal(renderJson(lazyObject(text, "x")), renderJson(parseJson(text, "x")), text.slice(0, 40));
    }
  }
});

Deno.test("texts that the reader refuses are not skimmed", () => {
  const refused = [
    "",
    "{",
    '{"a": 01}',
    '{"a": 0 1}',
    '{"a": [0 1]}',
    '{"a": truely}',
    '{"a": "b" "c"}',
    '{"a": "b"; "c": 1}',
    '{"a": ["b", ]}',
    '{"a": {"b": 1}, }',
    '{"a": "\\u00g0", "b": 1}',
    '{"a": 1}}',
    '{"a": 1.}',
    '{"a": 1e}',
    '{"a": -}',
    '{"a": +1}',
    '{"a": .5}',
    '{"a": 1e400}',
    '{"a": NaN}',
    '{"a": tru}',
    '{"a": "\t"}',
    '{"a": "\\x"}',
    '{"a": "\\u12g4"}',
    '{"a": "b}',
    '{"a" 1}',
    '{"a": 1,}',
    '{"a": [1,]}',
    '{"a": [1 2]}',
    "{a: 1}",
    '{"a": 1} 2',
    `{"a": ${"9".repeat(5000)}}`,
    `{"a": ${"[".repeat(600)}${"]".repeat(600)}}`,
  ];
  assert.equal(skimObject("[1]", () => {}), undefined);
  for (const text of refused) {
    for (const nested of [text, `{"x": ${text}}`, `{"x": {"y": [0], "z": ${text}, "a": "b"}}`]) {
      assert.equal(skimObject(nested, () => {}), undefined, nested.slice(0, 60));
    }
  }
});

Deno.test("objects with the same text but for white space are equal without being read; others are compared as values", () => {
  const pairs: readonly (readonly [string, string, boolean])[] = [
    ['{"a": {"b": "x y", "c": [1]}}', '{"a":{"b":"x y","c":[\n1 ]}}', true],
    ['{"a": {"b": 1, "c": 2}}', '{"a": {"c": 2, "b": 1.0}}', true],
    ['{"a": {"b": "x y"}}', '{"a": {"b": "xy"}}', false],
    ['{"a": {"b": "x"}}', '{"a": {"b": "xy"}}', false],
    ['{"a": {"b": "x\\\\"}}', '{"a": {"b": "x\\""}}', false],
    ['{"a": {"b": "é"}}', '{"a": {"b": "\\u00e9"}}', true],
    ['{"a": {"b": 1}}', '{"a": {"b": 12}}', false],
    ['{"a": {}}', '{"a": {"b": null}}', false],
  ];
  for (const [left, right, expected] of pairs) {
    const [[a = null], [b = null]] = [lazily(left), lazily(right)];
    assert.equal(jsonEquals(a, b), expected, `${left} ${right}`);
    assert.equal(jsonEquals(b, a), expected, `${right} ${left}`);
  }
  assert.equal(haveSameTokens('"ab","c"', 0, 8, '"abc"', 0, 5), false);
});

Deno.test("lazy objects are equal exactly if their values are", () => {
  fc.assert(
    fc.property(values, chances, chances, (value, random, change) => {
      const before = new Map([["record", grown(value, random)]]);
      const after = changed(before, change);
      const [a, b] = [someText(before, random), someText(after, random)];
      assert.equal(
        jsonEquals(readNodes(a, "a").value, readNodes(b, "b").value),
        jsonEquals(parseJson(a, "a"), parseJson(b, "b")),
      );
    }),
    { seed: SEED, numRuns: 300 },
  );
});

Deno.test("readNodes() finds the places that readAllNodes() finds", () => {
  fc.assert(
    fc.property(values, values, chances, (first, second, random) => {
      const text = someText(new Map([["a", new Map([["b", first], ["c", second]])], ["d", second]]), random);
      assert.deepEqual(placesIn(readNodes(text, "x"), 3), placesIn(readAllNodes(text, "x"), 3), text);
    }),
    { seed: SEED, numRuns: 300 },
  );
});

Deno.test("objects and lists of any length are skimmed, with texts of any number of escapes", () => {
  for (const count of [0, 1, 49, 50, 51, 52, 101, 300]) {
    const members = Array.from(
      { length: count },
      (_, index) => `"${index}": "\\n\\u00e9", "t${index}": true`,
    );
    const list = Array.from({ length: count }, (_, index) => `${index}.5`);
    const record = `{${members.join(", ")}${count === 0 ? "" : ","} "list": [${list}], "text": "${
      '\\"x'.repeat(count)
    }", "n": ${"1".repeat(Math.min(count + 1, 200))}}`;
    const text = `{"a": ${record}, "b": 1}`;
    assert.equal(skimObject(text, () => {})?.end, text.length, `${count}`);
    assert.equal(renderJson(readNodes(text, "x").value), renderJson(parseJson(text, "x")));
    for (const wrong of [`{"a": ${record}} "b": 1}`, `{"a": ${record.slice(0, -1)}, "b": 1}`]) {
      assert.equal(skimObject(wrong, () => {}), undefined, `${count}`);
    }
  }
});

/** The places of a value and of those in it. */
function placesIn(node: JsonNode, depth: number): unknown {
  const { start, end, key, itemStart, keyEnd, children } = node;
  const inner = depth === 0 ? [] : children.map((child) => placesIn(child, depth - 1));
  return { start, end, key, itemStart, keyEnd, inner };
}

function attempt(call: () => string): string {
  try {
    return call();
  } catch (error) {
    return String(error);
  }
}
