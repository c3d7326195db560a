import assert from "node:assert/strict";
import { loadConfig } from "../../lib/config/load.ts";
import { checkIgnoredFile } from "../../lib/doctor/ignored_file_check.ts";
import { damage } from "../helpers/damage.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { runCli } from "../helpers/run_cli.ts";
import { runJson, world } from "../helpers/seed_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { fixedEnvironment } from "../helpers/test_context.ts";

const BOT = `{
  "CloudSync": { "IntervalMinutes": 30, "Enabled": false, },
  "GitHub": { "Owner": "you", "Repository": "bot", "Token": "ghp_123" }, // the bot's
}`;

/** What is said of an appsettings.json beside a bot.yaml. */
async function detailsOf(
  yaml: string,
  appsettings: string | undefined,
  variables: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  using dir = tempDir();
  if (appsettings !== undefined) writeFiles(dir.path, { "appsettings.json": appsettings });
  const env = fixedEnvironment(variables);
  const config = await loadConfig({
    file: "configs/bot.yaml",
    isFileRequired: false,
    fallbackFile: "appsettings.json",
    flags: [],
    env,
    readText: (path) => path === "configs/bot.yaml" ? yaml : undefined,
  });
  return checkIgnoredFile({ fs: rootedFs(dir.path), env }, config).map(({ detail }) => detail);
}

Deno.test("checkIgnoredFile() names what an appsettings.json alone holds beside a bot.yaml", async () => {
  const begin = "appsettings.json is not read, because configs/bot.yaml exists; only it holds ";
  assert.deepEqual(await detailsOf("model_sync: {keep: 3}", BOT), [
    `${begin}artifacts.interval_minutes, artifacts.owner, artifacts.repository, GitHub's token`,
  ]);
  assert.deepEqual(await detailsOf("", '{"model_sync": {"client": {"schedule": "07:00"}}}'), [
    `${begin}client.schedule`,
  ]);
});

Deno.test("checkIgnoredFile() returns nothing where the settings are given elsewhere, or are not settings", async () => {
  const yaml = "model_sync: {artifacts: {owner: a, repository: b, interval_minutes: 5}}";
  assert.deepEqual(await detailsOf(yaml, BOT, { GITHUB_TOKEN: "ghp_456" }), []);
  assert.deepEqual(await detailsOf("", '{"CloudSync": {"IntervalMinutes": 15, "Enabled": true}}'), []);
  for (const other of [undefined, "", "{}", '{"Logging": {}}', "{", "[]", "null"]) {
    assert.deepEqual(await detailsOf("", other), []);
  }
});

Deno.test("doctor fails for an ignored appsettings.json, unless --config names the file that counts", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "configs/bot.yaml": "model_sync: {keep: 3}\n", "appsettings.json": BOT });
  const ignored = await runCli("doctor", [], { cwd: dir.path });
  assert.equal(ignored.code, 1);
  assert.match(ignored.stdout, /^ *fail {2}configuration: appsettings\.json is not read/m);
  const named = await runCli("doctor", ["--config", "configs/bot.yaml"], { cwd: dir.path });
  assert.doesNotMatch(named.stdout, /appsettings/);
  damage(`${dir.path}/appsettings.json`, "a folder");
  assert.doesNotMatch((await runCli("doctor", [], { cwd: dir.path })).stdout, /appsettings/);
});

Deno.test("doctor passes on a machine with the original's file that has pulled from git, without a key for RunPod", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  await runJson(dir.path + "/trainer", "publish", "--skip-training");
  await runJson(bot, "pull");
  const file = `${bot}/configs/bot.yaml`;
  const text = Deno.readTextFileSync(file).replace(/^ *train_command.*$/m, "");
  Deno.writeTextFileSync(
    file,
    `${text}  enabled: false
  runpod:
    trigger_url: "https://api.runpod.ai/v2/abc/run"
    status_url_template: "https://api.runpod.ai/v2/abc/status/{job_id}"
`,
  );
  const { code, stdout } = await runCli("doctor", [], { cwd: bot });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /warn {2}runpod: not set up on this machine/);
});
