import assert from "node:assert/strict";
import fc from "fast-check";
import { RefusedError } from "../../../lib/core/errors.ts";
import { editJson } from "../../../lib/references/json/edit_json.ts";
import { jsonEquals } from "../../../lib/references/json/json_equals.ts";
import { parseJson } from "../../../lib/references/json/read_nodes.ts";
import { renderJson } from "../../../lib/references/json/render_json.ts";
import { chances, changed, grown, SEED, someText, values } from "./documents.ts";

/** Returns the edited text, and asserts that it has the wanted value and that a second edit changes nothing. */
function edit(text: string, wanted: string): string {
  const value = parseJson(wanted, "wanted");
  const edited = editJson(text, value, "clip.json");
  assert.ok(jsonEquals(parseJson(edited, "edited"), value), edited);
  assert.equal(editJson(edited, value, "edited"), edited);
  return edited;
}

/** A file with the styles of three people: tabs, four spaces, CRLF, one list on a line. */
const MIXED = [
  "{\r\n",
  '\t"canny": {\r\n',
  '\t\t"name": "canny",\r\n',
  '\t\t"nsfw": false,\r\n',
  '\t\t"tags": ["a", "b"],\r\n',
  '\t\t"config": {\r\n',
  '\t\t\t"files": [\r\n',
  "\t\t\t\t{\r\n",
  '\t\t\t\t\t"path": "canny.pth"\r\n',
  "\t\t\t\t}\r\n",
  "\t\t\t]\r\n",
  "\t\t}\r\n",
  "\t},\r\n",
  '    "depth": {\r\n',
  '\t\t"name": "depth",\r\n',
  '\t\t"nsfw": false,\r\n',
  '\t\t"config": {\r\n',
  '\t\t\t"files": []\r\n',
  "\t\t}\r\n",
  "\t}\r\n",
  "}\r\n",
];

const CANNY =
  '"name": "canny", "nsfw": false, "tags": ["a", "b"], "config": {"files": [{"path": "canny.pth"}]}';
const DEPTH = '"name": "depth", "nsfw": false, "config": {"files": []}';

Deno.test("editJson() changes one line for one field, in a file of mixed style", () => {
  const wanted = `{"canny": {${CANNY.replace("false", "true")}}, "depth": {${DEPTH}}}`;
  assert.equal(edit(MIXED.join(""), wanted), MIXED.with(3, '\t\t"nsfw": true,\r\n').join(""));
});

Deno.test("editJson() keeps a list on its line", () => {
  const wanted = `{"canny": {${CANNY.replace('"b"', '"c", "d", {"e": [1]}')}}, "depth": {${DEPTH}}}`;
  assert.equal(
    edit(MIXED.join(""), wanted),
    MIXED.with(4, '\t\t"tags": ["a", "c", "d", {"e": [1]}],\r\n').join(""),
  );
});

Deno.test("editJson() removes a model with its lines, first or last", () => {
  assert.equal(
    edit(MIXED.join(""), `{"depth": {${DEPTH}}}`),
    [...MIXED.slice(0, 1), ...MIXED.slice(13)].join(""),
  );
  assert.equal(
    edit(MIXED.join(""), `{"canny": {${CANNY}}}`),
    [...MIXED.slice(0, 12), "\t}\r\n", ...MIXED.slice(20)].join(""),
  );
  assert.equal(edit(MIXED.join(""), "{}"), "{}\r\n");
});

Deno.test("editJson() writes a new model in its neighbour's style, after the one that it follows", () => {
  const model =
    '"new": {"name": "n\u00e9", "tags": ["x"], "config": {"files": [{"path": "p", "size": 1E5}]}}';
  const lines = [
    '    "new": {\r\n',
    '\t\t"name": "n\\u00e9",\r\n',
    '\t\t"tags": ["x"],\r\n',
    '\t\t"config": {\r\n',
    '\t\t\t"files": [\r\n',
    "\t\t\t\t{\r\n",
    '\t\t\t\t\t"path": "p",\r\n',
    '\t\t\t\t\t"size": 100000.0\r\n',
    "\t\t\t\t}\r\n",
    "\t\t\t]\r\n",
    "\t\t}\r\n",
    "\t},\r\n",
  ];
  assert.equal(
    edit(MIXED.join(""), `{"canny": {${CANNY}}, "depth": {${DEPTH}}, ${model}}`),
    [...MIXED.slice(0, 19), "\t},\r\n", ...lines.with(-1, "\t}\r\n"), "}\r\n"].join(""),
  );
  assert.equal(
    edit(MIXED.join(""), `{"canny": {${CANNY}}, ${model}, "depth": {${DEPTH}}}`),
    [...MIXED.slice(0, 13), ...lines, ...MIXED.slice(13)].join(""),
  );
  assert.equal(
    edit(MIXED.join(""), `{${model}, "canny": {${CANNY}}, "depth": {${DEPTH}}}`),
    [...MIXED.slice(0, 1), '\t"new": {\r\n', ...lines.slice(1), ...MIXED.slice(1)].join(""),
  );
});

Deno.test("editJson() fills an empty list in the layout of others with its name", () => {
  const wanted = `{"canny": {${CANNY}}, "depth": {${DEPTH.replace("[]", '[{"path": "d"}]')}}}`;
  assert.equal(
    edit(MIXED.join(""), wanted),
    [
      ...MIXED.slice(0, 17),
      '\t\t\t"files": [\r\n',
      "\t\t\t\t{\r\n",
      '\t\t\t\t\t"path": "d"\r\n',
      "\t\t\t\t}\r\n",
      "\t\t\t]\r\n",
      ...MIXED.slice(18),
    ].join(""),
  );
});

Deno.test("editJson() keeps the bytes of values that are equal in Python", () => {
  const text = '{"a":{"size":3,"nsfw":1, "name" : "\\u00e9","n":1E5},\n"b":[true, -0.0 ]}';
  assert.equal(
    edit(text, '{"b": [1, 0], "a": {"name": "é", "n": 100000, "nsfw": true, "size": 3.0}}'),
    text,
  );
  assert.equal(
    edit(text, '{"b": [1, 0], "a": {"name": "é", "n": 100000, "nsfw": true, "size": 4.0}}'),
    text.replace("3", "4.0"),
  );
});

Deno.test("editJson() puts members between, before and after others in the wanted order", () => {
  assert.equal(
    edit('{\n  "b": 1,\n  "d": 2\n}\n', '{"a": 0, "b": 1, "c": 3, "c2": 4, "d": 2, "e": 5}'),
    '{\n  "a": 0,\n  "b": 1,\n  "c": 3,\n  "c2": 4,\n  "d": 2,\n  "e": 5\n}\n',
  );
  // The text has another order; the last wanted member still comes last.
  assert.equal(
    edit('{\n  "b": 1,\n  "a": 2\n}\n', '{"a": 2, "x": 0, "b": 1, "new": 3}'),
    '{\n  "b": 1,\n  "a": 2,\n  "x": 0,\n  "new": 3\n}\n',
  );
  assert.equal(edit('{\n\t"a": 1\n}', '{"a": 1, "b": 2}'), '{\n\t"a": 1,\n\t"b": 2\n}');
  assert.equal(edit('{\n\t"a": 1\n}', '{"b": 2}'), '{\n\t"b": 2\n}');
  assert.equal(
    edit('{"a":1,"c":3}', '{"a": 1, "b": [2, {"x": 1}], "c": 3}'),
    '{"a":1,"b":[2,{"x":1}],"c":3}',
  );
  assert.equal(
    edit('{ "a" : 1 }', '{"z": 0, "a": 1, "b": {"c": 1}}'),
    '{ "z" : 0, "a" : 1, "b" : { "c" : 1 } }',
  );
});

Deno.test("editJson() changes only the items of a list that differ", () => {
  const list = (...items: string[]) => `[\n  ${items.join(",\n  ")}\n]`;
  const text = list("1", "{ }", '"x"', "4e0");
  assert.equal(edit(text, '[1, {}, "x", 4, 5]'), list("1", "{ }", '"x"', "4e0", "5"));
  assert.equal(edit(text, '[0, 1, {}, "x", 4]'), list("0", "1", "{ }", '"x"', "4e0"));
  assert.equal(edit(text, '[{}, "y", 4]'), list("{ }", '"y"', "4e0"));
  assert.equal(edit(text, "[4]"), list("4e0"));
  assert.equal(edit(text, '[1, "x", {}, 4]'), list("1", '"x"', "{}", "4e0"));
  assert.equal(edit(text, "[]"), "[]");
  assert.equal(edit("[1,2, 3]", "[2, 3, 4]"), "[2, 3, 4]");
  assert.equal(
    edit('[{"a": 1,  "b": 2}, {"a":3}]', '[{"a": 1, "b": 3}, {"c": 1}, {"a": 3}]'),
    '[{"a": 1,  "b": 3}, {"c": 1}, {"a":3}]',
  );
});

Deno.test("editJson() leaves no blank line", () => {
  const text = '{\n    "a": 1,\n\n    "b": 2,\n    "c": 3\n}\n';
  assert.equal(edit(text, '{"b": 2, "c": 3}'), '{\n    "b": 2,\n    "c": 3\n}\n');
  assert.equal(edit(text, '{"a": 1, "b": 2}'), '{\n    "a": 1,\n\n    "b": 2\n}\n');
  assert.equal(edit(text, '{"a": 1, "c": 3}'), '{\n    "a": 1,\n    "c": 3\n}\n');
  // Blanks at line ends stay with their lines.
  assert.equal(
    edit('{ \n  "a": 1, \n  "b": 2 \n}', '{"a": 1, "b": 2, "c": 3}'),
    '{ \n  "a": 1, \n  "b": 2,\n  "c": 3 \n}',
  );
});

Deno.test("editJson() understands commas at the beginning of a line", () => {
  const text = '{ "a": 1\n, "b": 2\n, "c": 3\n}\n';
  assert.equal(edit(text, '{"a": 1, "b": 2, "c": 3, "d": 4}'), '{ "a": 1\n, "b": 2\n, "c": 3\n, "d": 4\n}\n');
  assert.equal(edit(text, '{"x": 0, "a": 1, "b": 2, "c": 3}'), '{ "x": 0\n, "a": 1\n, "b": 2\n, "c": 3\n}\n');
  assert.equal(edit(text, '{"b": 2, "c": 3}'), '{ "b": 2\n, "c": 3\n}\n');
  assert.equal(edit(text, '{"a": 1, "c": 3}'), '{ "a": 1\n, "c": 3\n}\n');
});

Deno.test("editJson() replaces a value of another kind", () => {
  const text = '{\n  "a": {"x": 1},\n  "b": [1, 2],\n  "c": "x"\n}\n';
  assert.equal(
    edit(text, '{"a": [1], "b": {"y": 2}, "c": {"z": [3]}}'),
    '{\n  "a": [1],\n  "b": {"y": 2},\n  "c": {"z": [3]}\n}\n',
  );
  assert.equal(edit(text, '{"a": null, "b": "y", "c": {}}'), '{\n  "a": null,\n  "b": "y",\n  "c": {}\n}\n');
});

Deno.test("editJson() changes the last of a key's values, and removes them all", () => {
  const text = '{\n  "a": 1,\n  "b": 2,\n  "a": 3,\n  "c": 4\n}';
  assert.equal(edit(text, '{"a": 3, "b": 2, "c": 4}'), text);
  assert.equal(edit(text, '{"a": 5, "b": 2, "c": 4}'), text.replace("3", "5"));
  assert.equal(edit(text, '{"b": 2, "c": 4}'), '{\n  "b": 2,\n  "c": 4\n}');
  assert.equal(edit(text, '{"a": 3, "x": 0, "b": 2, "c": 4}'), text.replace("3,\n", '3,\n  "x": 0,\n'));
});

Deno.test("editJson() escapes characters as the file does, and single surrogates always", () => {
  const wanted = '{"a": "é", "b": "\u{1f600}\\ud800\\u007f"}';
  assert.equal(edit('{"a": "é"}', wanted), '{"a": "é", "b": "\u{1f600}\\ud800\\u007f"}');
  assert.equal(
    edit('\ufeff{"a": "\\u00E9"}', wanted),
    '\ufeff{"a": "\\u00E9", "b": "\\ud83d\\ude00\\ud800\\u007f"}',
  );
});

Deno.test("editJson() rewrites a file of another type", () => {
  assert.equal(edit("[]\r\n", '{"a": {"b": 1}}'), '{\n    "a": {\n        "b": 1\n    }\n}\n');
  assert.equal(edit("null", "[1]"), "[\n    1\n]\n");
  assert.equal(edit(" 1.0", "true"), " 1.0");
  assert.equal(edit("{}\r\n", '{"a": [1]}'), '{\r\n    "a": [\r\n        1\r\n    ]\r\n}\r\n');
  assert.throws(() => editJson("{", null, "clip.json"), (error) => {
    assert.ok(error instanceof RefusedError);
    assert.match(error.message, /^Cannot read clip\.json: /);
    return true;
  });
});

Deno.test("editJson() gives exactly the wanted value from any text, and a second edit changes nothing", () => {
  fc.assert(
    fc.property(values, values, chances, (old, other, chance) => {
      const text = someText(old, chance);
      const wanted = chance(4) === 0 ? other : changed(old, chance);
      const edited = editJson(text, wanted, "old");
      const value = parseJson(edited, "edited");
      assert.ok(jsonEquals(value, wanted), `${text}\n→ ${renderJson(wanted)}\n→ ${edited}`);
      assert.equal(editJson(edited, wanted, "edited"), edited);
      assert.equal(editJson(text, parseJson(text, "old"), "old"), text);
    }),
    { numRuns: 1000, seed: SEED },
  );
});

Deno.test("editJson() keeps the form of a file that Python wrote, byte for byte", () => {
  fc.assert(
    fc.property(values, chances, (old, chance) => {
      const wanted = grown(old, chance);
      assert.equal(editJson(renderJson(old), wanted, "old"), renderJson(wanted));
    }),
    { numRuns: 1000, seed: SEED },
  );
});

Deno.test("editJson() does not let white space grow the file", () => {
  const text = `{${" ".repeat(100_000)}"a"${" ".repeat(100_000)}:1}`;
  const wanted = new Map([
    ["a", 1n],
    ...Array.from({ length: 200 }, (_, index) => [`k${index}`, 1n] as const),
  ]);
  assert.ok(editJson(text, wanted, "old").length < 210_000);
});

Deno.test("editJson() edits lists of any depth", () => {
  const nest = (inner: string) => `${"[0,".repeat(499)}${inner}${"]".repeat(499)}`;
  assert.equal(edit(nest("[1]"), nest("[1, 2]")), nest("[1,2]"));
});

/** A model of about 1.4 KB, like PRIMARY's. */
function model(name: string): string {
  const file = `{"path": "${name}.ckpt", "md5sum": "${"0".repeat(32)}", "sha256sum": "${"1".repeat(64)}"}`;
  const download = `{"file_name": "${name}.ckpt", "file_path": "", "file_url": "https://x/${name}.ckpt"}`;
  const showcases = Array.from({ length: 5 }, (_, index) => `"https://x/showcases/${name}/0${index}.webp"`);
  return `"${name}": {"name": "${name}", "baseline": "stable diffusion 1", "type": "ckpt", "inpainting": false,
    "description": "${
    "An artist's model. ".repeat(12)
  }", "showcases": [${showcases}], "version": "2", "nsfw": true,
    "config": {"files": [${file}, {"path": "v1.yaml"}], "download": [${download}]}, "size": 2132780730, "weight": 0.5}`;
}

Deno.test("3,000 models are read, compared, changed and written in little more time than JSON.parse() needs", () => {
  const names = Array.from({ length: 3000 }, (_, index) => `model ${index}`);
  const file = renderJson(parseJson(`{${names.map(model)}}`, "file"));
  const primary = `{${
    names.map((name, index) => index % 10 === 0 ? model(name).replace("true", "null") : model(name))
  }}`;
  assert.ok(file.length > 4_000_000, String(file.length));
  const nativeStart = performance.now();
  JSON.stringify(JSON.parse(file), null, 4);
  const native = performance.now() - nativeStart;
  const start = performance.now();
  const wanted = parseJson(primary, "primary");
  assert.equal(jsonEquals(parseJson(file, "file"), wanted), false);
  assert.equal(editJson(file, wanted, "file"), renderJson(wanted));
  const ours = performance.now() - start;
  // At most ten times on a quiet machine. Quadratic time would be hundreds.
  assert.ok(ours < 60 * native, `${Math.round(ours)} ms against ${Math.round(native)} ms`);
});
