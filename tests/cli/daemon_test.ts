import assert from "node:assert/strict";
import { join } from "node:path";
import type { Terminal } from "../../cli/_world.ts";
import { HubWorld, MODELS as HUB_MODELS } from "../helpers/hub_world.ts";
import { cliArgs, runCli, spawnCli } from "../helpers/run_cli.ts";
import { MODELS, runJson, world } from "../helpers/seed_world.ts";
import { readFiles, tempDir } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

/** Runs a daemon until it says when it runs next, and stops it as a service manager does. */
async function runUntilIdle(cwd: string, role: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: cliArgs("daemon", ["--role", role, "--run-on-start"], { entry: "script" }),
    cwd,
    env: { ...GIT_ENV, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let seen = "";
  const decoder = new TextDecoder();
  const idle = `next ${role} run at`;
  for await (const chunk of child.stderr) {
    const before = seen;
    seen += decoder.decode(chunk);
    if (seen.includes(idle) && !before.includes(idle)) child.kill("SIGTERM");
  }
  const stdout = await new Response(child.stdout).text();
  assert.equal((await child.status).code, 0, seen);
  return { stdout, seen };
}

Deno.test("the daemon runs immediately with --run-on-start, logs its next run, and stops cleanly on SIGTERM", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  const { stdout, seen } = await runUntilIdle(bot, "client");
  assert.match(stdout, /activated release/);
  assert.match(seen, /daemon stopped/);
  assert.deepEqual(readFiles(join(bot, "models")), MODELS);
});

Deno.test("a daemon that is stopped while it starts, or later, leaves nothing of the runtime's cron behind", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  for (const stopAt of ["stop it with Ctrl-C", "next client run at"]) {
    const stop = new AbortController();
    let seen = "";
    const stderr: Terminal = {
      writeSync(bytes) {
        seen += new TextDecoder().decode(bytes);
        if (seen.includes(stopAt)) stop.abort();
        return bytes.length;
      },
      isTerminal: () => false,
    };
    const { code } = await runCli("daemon", ["--role", "client"], {
      cwd: bot,
      stop: stop.signal,
      world: { stderr },
    });
    assert.equal(code, 0, seen);
    assert.match(seen, /daemon stopped/);
  }
});

Deno.test("the daemon pulls from Hugging Face in that role, under the same permissions", async () => {
  await using hub = new HubWorld();
  await hub.json("trainer", "hf-upload");
  const { stdout } = await runUntilIdle(join(hub.path, "bot"), "huggingface_client");
  assert.match(stdout, /activated release/);
  assert.deepEqual(readFiles(join(hub.path, "bot/models")), HUB_MODELS);
});

Deno.test("a daemon logs a run that fails, and continues", async () => {
  await using hub = new HubWorld();
  const { seen } = await runUntilIdle(join(hub.path, "bot"), "huggingface_client");
  assert.match(seen, /huggingface_client sync job failed: .*you\/models/);
  assert.match(seen, /daemon stopped/);
});

Deno.test("a daemon without a valid schedule does not start, and names the wrong option", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const args = ["--role", "client", "--at", "now"];
  const { code, stdout, stderr } = await spawnCli("daemon", args, { cwd: bot, entry: "script" });
  assert.equal(code, 2);
  assert.match(stderr, /^error: [^\n]*"now" is neither[^\n]*$/m);
  assert.equal(stdout, "");
  const never = await runCli("daemon", ["--role", "client", "--at", "0 0 30 2 *"], { cwd: bot });
  assert.equal(never.code, 2);
  assert.match(never.stderr, /^error: Cannot use --at: "0 0 30 2 \*" names no day that ever comes$/m);
});
