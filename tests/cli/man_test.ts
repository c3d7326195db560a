import assert from "node:assert/strict";
import { allCommands, COMMON } from "../../cli/_shells/command_facts.ts";
import { renderManual } from "../../cli/_shells/manual.ts";
import { needs } from "../helpers/installed.ts";
import { run } from "../helpers/seed_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** Runs a program on the page. */
function onPage(program: string, args: readonly string[]): { code: number; stdout: string; stderr: string } {
  using dir = tempDir();
  writeFiles(dir.path, { "model-sync.1": renderManual() });
  const { code, stdout, stderr } = new Deno.Command(program, {
    args: [...args, "model-sync.1"],
    cwd: dir.path,
    env: { LC_ALL: "C.UTF-8" },
  }).outputSync();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test({
  ...needs("mandoc finds nothing wrong with the manual page but its missing date", "mandoc"),
  fn() {
    const { stdout } = onPage("mandoc", ["-T", "lint"]);
    assert.match(stdout, /^mandoc: model-sync\.1:1:\d+: WARNING: missing date, using "": TH\n$/);
  },
});

Deno.test({
  ...needs(
    "groff renders the manual page without a warning, with every command, option and example",
    "groff",
  ),
  fn() {
    const { code, stdout, stderr } = onPage("groff", ["-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=200n"]);
    assert.deepEqual([code, stderr], [0, ""]);
    // Long examples are continued on a second line.
    const words = stdout.replaceAll(/\s+/g, " ").replaceAll(" \\ ", " ");
    for (const { name, options, operands, examples } of allCommands()) {
      assert.ok(words.includes(` model-sync ${name} `), name);
      assert.ok(words.includes(operands.brief), operands.brief);
      for (const option of [...options, ...COMMON]) {
        const term = option.placeholder === "" ? option.name : `${option.name} ${option.placeholder}`;
        assert.ok(words.includes(` ${term} ${option.meaning} `), `${name}: ${term} ${option.meaning}`);
      }
      // As they are typed: with ASCII hyphens and quotes.
      for (const [, line = ""] of examples) assert.ok(words.includes(line), line);
    }
  },
});

Deno.test({
  ...needs("no line of the manual page is wider than a terminal of 80 columns", "mandoc"),
  fn() {
    const { stdout } = onPage("mandoc", ["-T", "utf8", "-O", "width=78"]);
    // deno-lint-ignore no-control-regex -- bold and underlined characters are printed over themselves
    const lines = stdout.replaceAll(/.\x08/gu, "").split("\n");
    assert.ok(lines.length > 1_000, stdout);
    assert.deepEqual(lines.filter((line) => line.length > 80), []);
  },
});

Deno.test("man prints the manual page", async () => {
  using dir = tempDir();
  const { code, stdout, stderr } = await run(dir.path, "man");
  assert.deepEqual([code, stdout, stderr], [0, renderManual(), ""]);
});
