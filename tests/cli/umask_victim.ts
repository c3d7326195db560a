import assert from "node:assert/strict";
import { join } from "node:path";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { runCli } from "../helpers/run_cli.ts";
import { RunPodWorld } from "../helpers/runpod_world.ts";
import { writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository } from "../helpers/test_git.ts";

/** Runs the commands that write a store, with a umask: it belongs to a process, so this is one. */
const [umask = "", root = ""] = Deno.args;

async function run(machine: string, command: string, ...args: string[]): Promise<string> {
  const result = await runCli(command, args, {
    cwd: join(root, machine),
    world: { clock: new HurriedClock() },
  });
  assert.equal(result.code, 0, `${command} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout;
}

async function publish(...versions: string[]): Promise<void> {
  for (const version of versions) {
    writeFiles(join(root, "trainer/models"), { "BTC/metadata.json": "{}", "BTC/a/rf.bin": version });
    await run("trainer", "publish", "--skip-training");
  }
}

await using runpod = new RunPodWorld(join(root, "runpod"));
await runpod.offer({ "BTC/rf.bin": "paid" });
runpod.api.script = [{ status: "COMPLETED", output: { models_archive_url: runpod.archiveUrl } }];
const registry = bareRepository(join(root, "registry.git"));
const config = `model_sync:
  repo_url: ${registry}
  runpod:
    trigger_url: "${runpod.api.triggerUrl}"
    status_url_template: "${runpod.api.statusUrlTemplate}"
    poll_interval_sec: 1
`;
Deno.umask(parseInt(umask, 8));
const watched = `${config}  activation:
    backup_dir: served/backups
    reload: [{type: tensorflow-serving, folder: BTC, model_base_path: served/btc}]
    canary: {metrics: [{name: sharpe, type: file, path: metrics.json, query: sharpe, direction: higher, max_degradation: 0.5}]}
`;
writeFiles(root, {
  "trainer/configs/bot.yaml": config,
  "linked/configs/bot.yaml": watched,
  "linked/metrics.json": '{"sharpe": 1}',
  "linked/models/old/rf.bin": "of before",
  "mirrored/configs/bot.yaml": `${config}  activation: {mode: mirror}\n`,
  "paying/configs/bot.yaml": config,
  "paying/.env": `RUNPOD_API_KEY=${runpod.api.apiKey}\n`,
  "archiving/configs/bot.yaml": `model_sync:
  publisher:
    train_command: ["sh", "-c", "mkdir -p models && echo trained > models/rf.bin"]
`,
});
// Of a user with another umask.
for (const folder of ["models", "models/old"]) Deno.chmodSync(join(root, "linked", folder), 0o777);
await publish("1");
for (const machine of ["linked", "mirrored"]) await run(machine, "pull");
await publish("2");
for (const machine of ["linked", "mirrored"]) {
  await run(machine, "pull");
  await run(machine, "rollback");
  const listed = await run(machine, "quarantine", "list");
  await run(machine, "quarantine", "lift", /[0-9a-f]{12}/.exec(listed)?.[0] ?? "");
  await run(machine, "pull", "--force");
}
await run("mirrored", "prune", "--keep", "1");
await run("linked", "canary", "promote");
await run("paying", "runpod-pull");
await run("archiving", "train");
