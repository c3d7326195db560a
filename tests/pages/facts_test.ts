import assert from "node:assert/strict";
import { SUMMARIES } from "../../cli/_help.ts";
import { buildGuide } from "../../configs/build_reference.ts";
import { configKeys } from "../../lib/config/keys.ts";
import { EXIT } from "../../lib/core/errors.ts";
import { ROLES, roleSchedule } from "../../lib/config/roles.ts";
import { loadText } from "../helpers/complete_settings.ts";
import { guide, PAGES, README } from "../helpers/pages.ts";
import { runCli, spawnCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

Deno.test("the README's table of commands is the list that --help shows", async () => {
  const rows = README.tableBelow("Commands").map(([name = "", summary = ""]) =>
    [name.replaceAll("`", ""), summary] as const
  );
  assert.deepEqual(Object.fromEntries(rows), SUMMARIES);
  using dir = tempDir();
  const help = (await runCli("--help", [], { cwd: dir.path })).stdout.replaceAll(/\s+/g, " ");
  for (const [name, summary] of rows) assert.ok(help.includes(`${name} ${summary}`), `${name} in ${help}`);
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
      if (!/^yaml\b/.test(kind) || kind === "yaml prometheus") continue;
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
