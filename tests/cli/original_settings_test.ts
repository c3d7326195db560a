import assert from "node:assert/strict";
import { join } from "node:path";
import type { Terminal } from "../../cli/_world.ts";
import { runCli } from "../helpers/run_cli.ts";
import { MODELS, runJson, world } from "../helpers/seed_world.ts";
import { readFiles, tempDir } from "../helpers/temp_dir.ts";

/** Replaces text of a machine's configuration file. */
function edit(machine: string, from: string, to: string): void {
  const file = join(machine, "configs/bot.yaml");
  Deno.writeTextFileSync(file, Deno.readTextFileSync(file).replace(from, to));
}

Deno.test("a daemon starts with the original's file, which has enabled: false, and warns about it", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  edit(bot, "model_sync:\n", "model_sync:\n  enabled: false\n  runpod: {enabled: false}\n");
  const stop = new AbortController();
  let seen = "";
  const stderr: Terminal = {
    writeSync(bytes) {
      seen += new TextDecoder().decode(bytes);
      if (seen.includes("next client run at")) stop.abort();
      return bytes.length;
    },
    isTerminal: () => false,
  };
  const args = ["--role", "client"];
  const { code } = await runCli("daemon", args, { cwd: bot, stop: stop.signal, world: { stderr } });
  assert.equal(code, 0, seen);
  assert.match(seen, /model_sync\.enabled is false \(configs\/bot\.yaml:3:3\), which has no effect/);
  // Only a role that RunPod has is warned about RunPod's switch.
  assert.doesNotMatch(seen, /runpod\.enabled/);
});

for (
  const [variable, role] of [["MODEL_SYNC_ENABLED", "client"], ["MODEL_SYNC_RUNPOD_ENABLED", "runpod_client"]]
) {
  Deno.test(`${variable}=off keeps the daemon from starting, with exit 2`, async () => {
    using dir = tempDir();
    const { bot } = world(dir);
    const env = { [String(variable)]: "off" };
    const { code, stderr } = await runCli("daemon", ["--role", String(role)], { cwd: bot, env });
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`^error: Cannot start the daemon: ${variable} is false`));
  });
}

Deno.test("./models/ and ~/models are published and pulled like models", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  for (const machine of [trainer, bot]) {
    edit(machine, 'repo_models_subdir: "models"', 'repo_models_subdir: "./models/"');
  }
  edit(trainer, "model_sync:\n", "model_sync:\n  models_dir: ./models/\n");
  edit(bot, "model_sync:\n", "model_sync:\n  models_dir: ~/live/\n");
  await runJson(trainer, "publish", "--skip-training");
  const { code, stderr } = await runCli("pull", [], { cwd: bot, env: { HOME: join(dir.path, "home") } });
  assert.equal(code, 0, stderr);
  assert.deepEqual(readFiles(join(dir.path, "home/live")), MODELS);
  assert.deepEqual([...Deno.readDirSync(bot)].map(({ name }) => name), ["configs"]);
});
