import assert from "node:assert/strict";
import { join } from "node:path";
import { runCli } from "../helpers/run_cli.ts";
import { damage, DAMAGES, withoutPipes } from "../helpers/damage.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const utf16 = (text: string, isLittle: boolean) => {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < text.length; index++) {
    view.setUint16(index * 2, text.charCodeAt(index), isLittle);
  }
  return bytes;
};
/** Each anchor doubles the one before it. */
const doubling = (first: string, next: (one: string) => string) =>
  Array.from(
    { length: 30 },
    (_, index) => `a${index}: &a${index} ${index === 0 ? first : next(`a${index - 1}`)}`,
  )
    .join("\n");

/** A file and its complaint. */
const FILES: Readonly<Record<string, readonly [content: string | Uint8Array, complaint: RegExp]>> = {
  "an alias to itself": ["model_sync: &a {b: *a}", /:1:17: model_sync\.b contains itself/],
  "an alias to itself in a list": ["model_sync: {x: &a [*a]}", /:1:14: model_sync\.x\.0 contains itself/],
  "an alias to what is around it": [
    "model_sync: &a {publisher: {train_command: [*a]}}",
    /model_sync\.publisher\.train_command\.0 contains itself/,
  ],
  "lists that aliases double": [
    `${doubling("[x]", (one) => `[*${one}, *${one}]`)}\nmodel_sync: {x: *a29}`,
    /contains more than 20000 values/,
  ],
  "mappings that aliases double": [
    `${doubling("{x: 1}", (one) => `{l: *${one}, r: *${one}}`)}\nmodel_sync: {x: *a29}`,
    /contains more than 20000 values/,
  ],
  "more merges than a file has": [
    `a: &a {x: 1}\nmodel_sync:\n${
      Array.from({ length: 6_000 }, (_, index) => `  k${index}: {<<: *a}`).join("\n")
    }`,
    /maxTotalMergeKeys/,
  ],
  "the key __proto__": [
    "model_sync: {__proto__: {branch: x}}",
    /:1:1: model_sync contains the key __proto__/,
  ],
  "the key __proto__ in a list": [
    "model_sync: {activation: {reload: [{__proto__: {type: http}}]}}",
    /model_sync\.activation\.reload\.0 contains the key __proto__/,
  ],
  "the key __proto__ in a tagged mapping": [
    "model_sync: !x {__proto__: {branch: x}}",
    /model_sync contains the key __proto__/,
  ],
  "a name of every object as key": [
    "model_sync: {constructor: 1}",
    /model_sync\.constructor is not a setting/,
  ],
  "a key twice": ["model_sync:\n  branch: a\n  branch: b", /:3:3: duplicated mapping key/],
  "a section twice": ["model_sync: {branch: a}\nmodel_sync: {}", /:2:1: duplicated mapping key/],
  "two documents": ["model_sync: {}\n---\nmodel_sync: {}", /more than one document/],
  "half a surrogate pair in a value": [
    'model_sync: {branch: "a\\ud800"}',
    /:1:14: model_sync\.branch is not valid Unicode: it contains half of a surrogate pair/,
  ],
  "a NUL in a value": ['model_sync: {branch: "a\\0"}', /:1:14: model_sync\.branch contains a NUL character/],
  "a NUL in the text": ["model_sync: {branch: a\0}", /it is not text in UTF-8/],
  "UTF-16 with a byte order mark": [utf16("\ufeffmodel_sync: {}", true), /it is not text in UTF-8/],
  "UTF-16, big-endian": [utf16("\ufeffmodel_sync: {}", false), /it is not text in UTF-8/],
  "UTF-16 without a byte order mark": [utf16("model_sync: {}", true), /it is not text in UTF-8/],
  "Latin-1": [new Uint8Array([...encode("model_sync: {branch: caf"), 0xe9, 0x7d]), /it is not text in UTF-8/],
  "a tab as indentation": ["model_sync:\n\tbranch: x", /:2:1: tab characters/],
  "nested lists": [`model_sync: {x: ${"[".repeat(200_000)}`, /nesting exceeded/],
  "nested mappings": [`model_sync: ${"{a: ".repeat(100_000)}`, /nesting exceeded/],
  "thousands of keys": [
    `model_sync:\n${Array.from({ length: 19_000 }, (_, index) => `  k${index}: 1`).join("\n")}`,
    /model_sync\.k0 is not a setting/,
  ],
  "more text than is read": [`# ${"x".repeat(2 * 1024 * 1024)}`, /at most 1\.0 MiB are read/],
  "a list": ["- model_sync", /not a mapping of sections/],
  "an HTML page": ["<!DOCTYPE html><html><body>502</body></html>", /not a mapping of sections/],
};

for (const [what, [content, complaint]] of Object.entries(FILES)) {
  Deno.test(`a configuration with ${what} is a complaint in one line`, async () => {
    using dir = tempDir();
    writeFiles(dir.path, { "configs/bot.yaml": content });
    const { code, stdout, stderr } = await runCli("status", [], { cwd: dir.path });
    assert.equal(code, 2, stderr);
    assert.match(stderr, complaint);
    assert.match(stderr, /^error: Cannot [^\n]*configs\/bot\.yaml[^\n]*\nnext: {2}[^\n]*\n$/);
    assert.equal(stdout, "");
    assert.equal(Reflect.get({}, "branch"), undefined);
  });
}

Deno.test("a configuration may have a byte order mark and a document end marker", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "configs/bot.yaml": "\ufeff%YAML 1.2\n---\nmodel_sync: {branch: prod}\n...\n" });
  const { stdout, stderr } = await runCli("config", ["print", "--json"], { cwd: dir.path });
  assert.equal(JSON.parse(stdout).branch.value, "prod", stderr);
});

for (const name of ["configs/bot.yaml", "appsettings.json"]) {
  for (const kind of Object.keys(DAMAGES)) {
    Deno.test(`${name} that is ${kind} is an error in one line for every command`, async () => {
      using dir = tempDir();
      Deno.mkdirSync(join(dir.path, "configs"));
      damage(join(dir.path, name), kind);
      for (const [command, ...args] of [["status"], ["config", "check"], ["doctor"], ["pull"]] as const) {
        const world = { fs: withoutPipes(rootedFs(dir.path)) };
        const { code, stdout, stderr } = await runCli(command, args, { cwd: dir.path, world });
        const shown = `${command}: ${stdout}${stderr}`;
        assert.ok([0, 1, 2].includes(code), shown);
        assert.doesNotMatch(stderr, /unexpected|\n {4}at /, shown);
        if (/huge|folder|pipe|itself|random|zeros|nested/.test(kind)) assert.equal(code, 2, shown);
      }
    });
  }
}
