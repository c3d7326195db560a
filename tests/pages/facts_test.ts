import assert from "node:assert/strict";
import { SUMMARIES } from "../../cli/_help.ts";
import { join } from "node:path";
import { ENTRIES } from "../../cli/_entries.ts";
import { buildCommandFacts, buildCommandsGuide, buildGuide } from "../../configs/build_reference.ts";
import { configKeys } from "../../lib/config/keys.ts";
import { EXIT } from "../../lib/core/errors.ts";
import { ROLES, roleSchedule } from "../../lib/config/roles.ts";
import { loadText } from "../helpers/complete_settings.ts";
import { guide, PAGES, README } from "../helpers/pages.ts";
import { PROJECT, runCli, spawnCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

Deno.test("the README shows at most twelve commands, with the summaries of --help, which lists all commands", async () => {
  const summaries: Readonly<Record<string, string>> = SUMMARIES;
  const rows = README.tableBelow("Commands");
  assert.ok(rows.length > 0 && rows.length <= 12, `${rows.length} rows`);
  for (const [name = "", summary] of rows) assert.equal(summary, summaries[name.replaceAll("`", "")], name);
  using dir = tempDir();
  const help = (await runCli("--help", [], { cwd: dir.path })).stdout.replaceAll(/\s+/g, " ");
  for (const [name, summary] of Object.entries(summaries)) {
    assert.ok(help.includes(`${name} ${summary}`), `${name} in ${help}`);
  }
});

Deno.test("the guide to the commands has the current reference of every command: deno task build-reference", async () => {
  const { text } = guide("commands.md");
  assert.equal(text, await buildCommandsGuide(text));
  const headings = Array.from(text.matchAll(/^#+ model-sync (.+)$/gm), ([, words = ""]) => words);
  const expected = await Promise.all(
    Object.values(ENTRIES).map(async ({ load }) => {
      const { program } = await load();
      const commands = "commands" in program ? Object.keys(program.commands) : [];
      return [program.name, ...commands.map((name) => `${program.name} ${name}`)];
    }),
  );
  assert.deepEqual(headings.sort(), expected.flat().sort());
});

Deno.test("completion scripts and manual describe the commands as they are: deno task build-reference", async () => {
  assert.equal(Deno.readTextFileSync(join(PROJECT, "cli/_shells/commands.json")), await buildCommandFacts());
});

Deno.test("the guide to the commands shows every option of a command's help", async () => {
  using dir = tempDir();
  const sections = guide("commands.md").text.split(/^#+ model-sync /m).slice(1);
  const common = /## Options of every command\n([^]*?)\n## /.exec(guide("commands.md").text)?.[1] ?? "";
  for (const section of sections) {
    const [name = "", ...words] = section.split("\n", 1).join().split(" ");
    const { stdout } = await runCli(name, [...words, "--help"], { cwd: dir.path });
    const options = Array.from(stdout.matchAll(/(?<=^ {2}(?:-\w, )?)--[a-z-]+(?: [A-Z:/]+)?/gm), String);
    assert.ok(options.length > 0 || stdout.includes("Commands:"), name);
    for (const option of options) {
      assert.ok(section.includes(`${option}\``) || common.includes(`${option}\``), `${name}: ${option}`);
    }
  }
});

Deno.test("the troubleshooting guide explains every exit code", () => {
  const codes = guide("troubleshooting.md").tableBelow("By exit code").map(([code]) => Number(code));
  assert.deepEqual(codes, Object.values(EXIT).sort((a, b) => a - b));
});

Deno.test("the daemon guide lists every role", () => {
  const roles = guide("daemon.md").tableBelow("Start it").map(([role = ""]) => role.replaceAll("`", ""));
  assert.deepEqual(roles.sort(), [...ROLES].sort());
});

Deno.test("the configuration guide has the current reference of every setting: deno task build-reference", async () => {
  const { text } = guide("configuration.md");
  assert.equal(text, await buildGuide(text));
  for (const { path, envName } of configKeys()) {
    assert.ok(text.includes(`\`${path.at(-1)}\`<br>`) && text.includes(`\`${envName}\``), path.join("."));
  }
});

Deno.test("every configuration that a page shows is valid", async () => {
  for (const { path, blocks } of PAGES) {
    for (const { kind, text } of blocks) {
      // tests/actions compares workflows with GitHub's schema.
      if (!/^yaml\b/.test(kind) || ["yaml prometheus", "yaml workflow"].includes(kind)) continue;
      using dir = tempDir();
      writeFiles(dir.path, { "configs/bot.yaml": text });
      const check = await spawnCli("config", ["check"], { cwd: dir.path });
      assert.deepEqual([check.code, check.stderr], [0, ""], `${path}, ${kind}: ${check.stdout}`);
    }
  }
});

Deno.test("the schedules of the daemon guide are read as it explains them", async () => {
  const { settings } = await loadText(guide("daemon.md").block("yaml schedules"));
  assert.deepEqual(roleSchedule("client", settings).times, ["06:00", "0 18 * * mon-fri"]);
});
