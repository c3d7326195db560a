import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { OWNER, REPOSITORY, startGitHubServer } from "../../fakes/github_server.ts";
import { HubWorld } from "../helpers/hub_world.ts";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { ReferencesWorld } from "../helpers/references_world.ts";
import { type CliResult, runCli } from "../helpers/run_cli.ts";
import { RunPodWorld } from "../helpers/runpod_world.ts";
import { run, world } from "../helpers/seed_world.ts";
import { streamedZip } from "../helpers/streamed_zip.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** Nothing for cron to mail. */
function assertSilent(result: CliResult, what: string): void {
  assert.deepEqual(result, { code: 0, stdout: "", stderr: "" }, what);
}

async function assertAllSilent(cwd: string, lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    const [command = "", ...args] = line.split(" ");
    assertSilent(await run(cwd, command, ...args, "--quiet"), line);
  }
}

Deno.test("--quiet prints nothing when a command over git succeeds, whatever the training prints", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await assertAllSilent(trainer, ["publish", "publish", "train --skip-training"]);
  await assertAllSilent(bot, ["pull", "pull"]);
  writeFiles(join(trainer, "models"), { "BTC_USDC/rf.bin": "two" });
  await assertAllSilent(trainer, ["publish --skip-training"]);
  await assertAllSilent(bot, ["pull", "verify", "rollback", "prune", "pause", "resume", "config check"]);
  const digest = JSON.parse((await run(bot, "status", "--json")).stdout).current.digest;
  await assertAllSilent(bot, [`quarantine add ${digest}`, `quarantine lift ${digest}`]);
  await assertAllSilent(dir.path, ["config init --full", "keys generate --private-key key --public-key pub"]);
});

Deno.test("--quiet prints nothing when a command over another carrier succeeds", async () => {
  await using hub = new HubWorld();
  assertSilent(await hub.run("trainer", "hf-upload", "--quiet"), "hf-upload");
  assertSilent(await hub.run("bot", "hf-pull", "--quiet"), "hf-pull");
  await using hook = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json({}),
  );
  const redeployed = await runCli("redeploy", ["-q"], {
    cwd: join(hub.path, "trainer"),
    env: { DEPLOY_HOOK: `http://127.0.0.1:${hook.addr.port}/x` },
  });
  assertSilent(redeployed, "redeploy");

  await using github = startGitHubServer(systemClock);
  using dir = tempDir();
  await github.addArtifact(github.addRun(), { name: "models", content: streamedZip({ "rf.bin": "1" }) });
  const args = ["--owner", OWNER, "--repository", REPOSITORY, "--quiet"];
  const cwd = join(dir.path, "artifacts");
  Deno.mkdirSync(cwd);
  assertSilent(await runCli("artifact-pull", args, { cwd, env: github.env }), "artifact-pull");

  await using runpod = new RunPodWorld(join(dir.path, "runpod"));
  await runpod.offer({ "rf.bin": "1" }, 1);
  const { triggerUrl, statusUrlTemplate, apiKey } = runpod.api;
  const addresses = ["--trigger-url", triggerUrl, "--status-url-template", statusUrlTemplate];
  const pulled = await runCli("runpod-pull", [...addresses, "-q", "--models-dir", "bot/models"], {
    cwd: dir.path,
    env: { RUNPOD_API_KEY: apiKey },
    world: { clock: new HurriedClock() },
  });
  assertSilent(pulled, "runpod-pull");
});

Deno.test("--quiet prints nothing when a reference sync succeeds, and the failure when one category fails", async () => {
  using dir = tempDir();
  await using references = new ReferencesWorld({ dir: tempDir() });
  references.commit(references.images, { "clip.json": '{"a": {"version": "1"}}\n', "blip.json": "{}\n" });
  references.primary.records.set("clip", '{"a": {"version": "2"}}');
  const sync = (categories: string) =>
    runCli("references-sync", ["-q", "--categories", categories], {
      cwd: dir.path,
      env: references.env,
      world: { clock: new HurriedClock() },
    });
  assertSilent(await sync("clip"), "references-sync");
  const failed = await sync("clip, blip");
  assert.equal(failed.code, 1);
  assert.match(failed.stdout, /Failed: 1/);
});

Deno.test("--quiet still prints answers: a state, a plan, a setting, the JSON object", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  assert.match((await run(trainer, "publish", "--dry-run", "-q")).stdout, /would publish/);
  await run(trainer, "publish", "-q");
  assert.match((await run(bot, "pull", "--dry-run", "-q")).stdout, /would activate/);
  assert.equal(JSON.parse((await run(bot, "pull", "-q", "--json")).stdout).outcome, "activated");
  assert.match((await run(bot, "status", "-q")).stdout, /active/);
  assert.match((await run(bot, "config", "print", "-q")).stdout, /repo_dir/);
});

Deno.test("--quiet shows problems: damage that verify finds, and the output of a training that fails", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await run(trainer, "publish", "-q");
  await run(bot, "pull", "-q");
  const file = join(bot, "models/BTC_USDC/rf.bin");
  Deno.chmodSync(file, 0o644);
  Deno.writeTextFileSync(file, "damaged");
  assert.match((await run(bot, "verify", "-q")).stdout, /BTC_USDC\/rf\.bin/);
  const config = join(trainer, "configs/bot.yaml");
  const program = "yes first | head -c 100000; echo last words >&2; exit 3";
  Deno.writeTextFileSync(
    config,
    Deno.readTextFileSync(config).replace(/train_command: .*/, `train_command: ["sh", "-c", "${program}"]`),
  );
  const { code, stderr } = await run(trainer, "publish", "-q");
  assert.equal(code, 1);
  assert.match(stderr, /first\n[^]*last words\n[^]*error: Cannot train/);
  assert.ok(stderr.length < 70_000, `${stderr.length} characters`);
});
