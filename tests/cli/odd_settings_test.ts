import assert from "node:assert/strict";
import { completeSettings, MARK, withMarks } from "../helpers/complete_settings.ts";
import { withoutPipes } from "../helpers/damage.ts";
import { readOnlyFs, rootedFs } from "../helpers/fake_fs.ts";
import { type CliResult, runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

const VALUES = [
  "null",
  '""',
  '"\\0"',
  "1e308",
  "-1",
  "0.5",
  "[]",
  "{}",
  `"${"x".repeat(100_000)}"`,
  '"a\\nb"',
  '"\\e[31m"',
  '"~"',
  '"[["',
  "true",
  "{__proto__: {a: 1}}",
] as const;

async function run(cwd: string, words: readonly string[]): Promise<CliResult> {
  const [command = "", ...args] = words;
  const world = { fs: withoutPipes(readOnlyFs(rootedFs(cwd))) };
  const result = await runCli(command, args, { cwd, world });
  assert.doesNotMatch(result.stderr + result.stdout, /unexpected: |\n {4}at /, words.join(" "));
  for (const hidden of ["\0", "\x1b"]) {
    assert.ok(!(result.stdout + result.stderr).includes(hidden), words.join(" "));
  }
  return result;
}

/** What `config check` says of a file, and whether every other command says the same. */
async function complaintsOf(cwd: string, yaml: string, shown: string): Promise<number> {
  writeFiles(cwd, { "configs/bot.yaml": yaml });
  const check = await run(cwd, ["config", "check"]);
  const lines = check.stdout.trimEnd().split("\n");
  assert.equal(check.stderr, "", shown);
  const complaints = lines.filter((line) => line.startsWith("✗ "));
  assert.equal(check.code, complaints.length === 0 ? 0 : 2, shown);
  if (complaints.length > 0) assert.equal(complaints.length, lines.length, shown);

  const status = await run(cwd, ["status"]);
  const errors = status.stderr.split("\n").filter((line) => line.startsWith("error: "));
  if (complaints.length > 0) assert.equal(status.code, 2, shown);
  assert.equal(errors.length, status.code === 0 ? 0 : 1, shown);
  return complaints.length;
}

const complete = await completeSettings();

for (const [first, value] of VALUES.entries()) {
  Deno.test(`commands say of a setting that is ${value.slice(0, 40)} in one line what is wrong, or accept it`, async () => {
    using dir = tempDir();
    let count = 0;
    for (const [index, settings] of [...withMarks(complete)].entries()) {
      // Each setting with one of the values here; the loader has a test with each of them.
      if (index % VALUES.length !== first) continue;
      const text = JSON.stringify({ model_sync: settings });
      await complaintsOf(dir.path, text.replace(JSON.stringify(MARK), () => value), text);
      count++;
    }
    assert.ok(count > 10, String(count));
  });
}

Deno.test("a configuration whose every setting is wrong has a line for each complaint", async () => {
  using dir = tempDir();
  for (const value of ["[[1]]", "{a: {b: 1}}", "-1"]) {
    const yaml = JSON.stringify(
      { model_sync: complete },
      (_key, inner) => typeof inner === "object" && inner !== null ? inner : MARK,
    ).replaceAll(JSON.stringify(MARK), value);
    assert.ok(await complaintsOf(dir.path, yaml, value) > 50);
  }
});
