import assert from "node:assert/strict";
import { join } from "node:path";
import { narrowPermissions } from "../../cli/_session.ts";
import type { PermissionName } from "../../cli/_world.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import { ROLE_COMMANDS } from "../../lib/config/roles.ts";
import { runCli } from "../helpers/run_cli.ts";
import { world } from "../helpers/seed_world.ts";
import { startCli } from "../helpers/start_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** Without a token a reference sync says that first. */
const ENV = { GITHUB_TOKEN: "ghp_0123456789abcdefghij0123456789abcdef" };

Deno.test("a daemon with a role that can never run does not start, with the error of the role's command", async () => {
  using dir = tempDir();
  for (const [role, command] of Object.entries(ROLE_COMMANDS)) {
    const cwd = join(dir.path, role);
    writeFiles(cwd, {
      "configs/bot.yaml": "model_sync: {publisher: {train_before_push: false}}",
      "models/a.bin": "a",
    });
    const alone = await runCli(command, [], { cwd, env: ENV });
    assert.equal(alone.code, 2, `${command}: ${alone.stderr}`);
    const { code, stderr } = await runCli("daemon", ["--role", role], { cwd, env: ENV });
    assert.equal(code, 2, `${role}: ${stderr}`);
    const [error = ""] = /^error: .*$/m.exec(alone.stderr) ?? [];
    assert.ok(error !== "" && stderr.includes(error), `${role}: ${stderr}`);
    assert.doesNotMatch(stderr, /stop it with/);
  }
});

Deno.test("one role that can never run keeps a daemon with others from starting", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const { code, stderr } = await runCli("daemon", ["--role", "client,references"], { cwd: bot });
  assert.equal(code, 2);
  assert.match(stderr, /^error: Cannot sync references: no PRIMARY server is set$/m);
});

Deno.test("a publisher without a training command does not start as a daemon, except with --skip-training", async () => {
  using dir = tempDir();
  const { trainer } = world(dir);
  writeFiles(trainer, { "configs/bot.yaml": "model_sync: {repo_dir: ../trainer-clone}" });
  const refused = await runCli("daemon", ["--role", "publisher"], { cwd: trainer });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /^error: Cannot train: model_sync\.publisher\.train_command is not set$/m);
  const daemon = startCli("daemon", ["--role", "publisher", "--skip-training"], { cwd: trainer });
  await daemon.until(/next publisher run at/);
  daemon.stop();
  assert.equal(await daemon.exitCode, 0);
});

Deno.test("options of a role are checked at the start, and a token may be set later", async () => {
  using dir = tempDir();
  const args = ["--role", "runpod_client", "--trigger-url", "https://api.runpod.ai/v2/e/run"];
  const status = ["--status-url-template", "https://api.runpod.ai/v2/e/status/{job_id}"];
  const refused = await runCli("daemon", args, { cwd: dir.path });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /status_url_template is not set/);
  const daemon = startCli("daemon", [...args, ...status], { cwd: dir.path });
  await daemon.until(/next runpod_client run at/);
  const { stdout } = await runCli("status", ["--json"], { cwd: dir.path });
  assert.ok(Object.keys(JSON.parse(stdout).next).includes("runpod_client"), stdout);
  daemon.stop();
  assert.equal(await daemon.exitCode, 0);
});

Deno.test("a daemon that waits follows a changed schedule, and keeps it with one warning while the file is broken", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const file = join(bot, "configs/bot.yaml");
  const configured = Deno.readTextFileSync(file);
  const daemon = startCli("daemon", ["--role", "client"], { cwd: bot });
  await daemon.until(/next client run at \S+T\d\d:[03]0:00Z/);
  Deno.writeTextFileSync(file, configured.replace('"06:00"', '"02:34"'));
  // An operator wakes it before its half minute is over.
  await runCli("pause", ["client"], { cwd: bot });
  await daemon.until(/next client run at \S+T\d\d:[03]4:00Z/);
  Deno.writeTextFileSync(file, configured.replace('"06:00"', '"26:00"'));
  await runCli("resume", ["client", "--config", "/dev/null", "--state-dir", join(bot, ".model-sync")], {
    cwd: bot,
  });
  await daemon.until(/warn.* keeping the previous configuration: Cannot use the configuration: .*"26:00"/);
  assert.deepEqual(daemon.said.match(/26:00/g)?.length, 1, daemon.said);
  daemon.stop();
  assert.equal(await daemon.exitCode, 0);
});

Deno.test("a change of the settings that needs a permission which the daemon gave up asks for a restart", () => {
  const givenUp = new Set<PermissionName>();
  const permissions = { givenUp, giveUp: (name: PermissionName) => void givenUp.add(name) };
  const narrow = (activation: Record<string, unknown>) =>
    narrowPermissions({
      settings: ModelSync.parse({ activation: { validate: { enabled: false }, ...activation } }),
      permissions,
    }, []);
  narrow({});
  assert.deepEqual(givenUp, new Set(["net", "run"]));
  const hooks = [
    [{ type: "http", url: "http://127.0.0.1/reload" }, /gave up the permission to open connections/],
    [{ type: "command", command: ["true"] }, /gave up the permission to run programs/],
  ] as const;
  for (const [hook, message] of hooks) {
    assert.throws(() => narrow({ reload: [hook] }), {
      code: "PERMISSION_GIVEN_UP",
      exitCode: 2,
      message,
      hint: "restart the daemon",
    });
  }
});
