import assert from "node:assert/strict";
import { join } from "node:path";
import * as z from "zod";
import type { Terminal } from "../../cli/_world.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { acquireLock } from "../../lib/core/lock.ts";
import { openStore } from "../../lib/store/store.ts";
import { configuredPair } from "../helpers/machines.ts";
import { HubWorld, MODELS as HUB_MODELS } from "../helpers/hub_world.ts";
import { cliArgs, runCli } from "../helpers/run_cli.ts";
import { runJson, world } from "../helpers/seed_world.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { GIT_ENV } from "../helpers/test_git.ts";

/** A terminal that calls back once each of these has matched its text, in this order. */
function terminalThat(steps: readonly [all: readonly RegExp[], done: () => void][]) {
  let seen = "";
  const left = [...steps];
  const terminal: Terminal = {
    writeSync(bytes) {
      seen += new TextDecoder().decode(bytes);
      const [all, done] = left[0] ?? [];
      if (all?.every((pattern) => pattern.test(seen))) {
        left.shift();
        done?.();
      }
      return bytes.length;
    },
    isTerminal: () => false,
  };
  return { terminal, text: () => seen };
}

const Runs = z.object({ runs: z.array(z.object({ command: z.string(), outcome: z.string() })) });

Deno.test("two roles that find the store locked wait for it and for each other, and none of their runs fails", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  const owner = { command: "rollback", runId: "r1", host: "bot" };
  const lock = await acquireLock(Deno, join(bot, ".model-sync/lock"), owner, systemClock);
  const stop = new AbortController();
  const { terminal, text } = terminalThat([
    [
      [/waiting for another run[^]*waiting for another run: .*running rollback/],
      () => lock[Symbol.dispose](),
    ],
    [[/next client run at/, /next publisher run at/], () => stop.abort()],
  ]);
  const args = ["--role", "publisher,client", "--role", "client", "--skip-training", "--run-on-start"];
  const { code } = await runCli("daemon", args, { cwd: bot, stop: stop.signal, world: { stderr: terminal } });
  assert.equal(code, 0, text());
  assert.match(text(), /daemon with the roles publisher, client, /);
  const { runs } = Runs.parse(await runJson(bot, "status"));
  assert.deepEqual(runs.map(({ command, outcome }) => `${command} ${outcome}`).sort(), [
    "publish unchanged",
    "pull activated",
    "pull unchanged",
  ], text());
});

Deno.test("a pull that waits for another run asks the registry after that, and pulls what was published during it", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  writeFiles(trainer, { "models/a.json": "{}" });
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  const owner = { command: "rollback", runId: "r1", host: "bot" };
  const lock = await acquireLock(Deno, join(bot, ".model-sync/lock"), owner, systemClock);
  const stop = new AbortController();
  let publishing: Promise<unknown> | undefined;
  const publish = async () => {
    writeFiles(trainer, { "models/new.json": "{}" });
    await runJson(trainer, "publish", "--skip-training");
    lock[Symbol.dispose]();
  };
  const { terminal, text } = terminalThat([
    [[/waiting for another run: .*running rollback/], () => publishing = publish()],
    [[/next client run at/], () => stop.abort()],
  ]);
  const args = ["--role", "client", "--run-on-start"];
  const { code } = await runCli("daemon", args, { cwd: bot, stop: stop.signal, world: { stderr: terminal } });
  await publishing;
  assert.equal(code, 0, text());
  assert.equal(readFiles(join(bot, "models"))["new.json"], "{}");
});

Deno.test("with several roles, each line of a run names its role; with one role, no line does", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  for (const roles of [["client"], ["publisher", "client"]]) {
    for (const format of ["text", "json"]) {
      const stop = new AbortController();
      const idle = roles.map((role) => new RegExp(`next ${role} run at`));
      const { terminal, text } = terminalThat([[idle, () => stop.abort()]]);
      // Each time there is something to activate.
      openStore(Deno, { modelsDir: join(bot, "models") });
      Deno.removeSync(join(bot, ".model-sync"), { recursive: true });
      const args = ["--skip-training", "--run-on-start", "--log-format", format];
      const all = [...roles.flatMap((role) => ["--role", role]), ...args, "--verbose"];
      const { code } = await runCli("daemon", all, {
        cwd: bot,
        stop: stop.signal,
        world: { stderr: terminal },
      });
      assert.equal(code, 0, text());
      const lines = text().split("\n").filter((line) => /activat/.test(line) && !/next /.test(line));
      assert.ok(lines.length > 0, text());
      for (const line of lines) {
        const isNamed = format === "text"
          ? /^\S+ \w+ +client: /.test(line)
          : JSON.parse(line).role === "client" && JSON.parse(line).message.startsWith("client: ");
        assert.equal(isNamed, roles.length > 1, line);
      }
    }
  }
});

Deno.test("a role that needs no network keeps the permission for a role that does", async () => {
  await using hub = new HubWorld();
  await hub.json("trainer", "hf-upload");
  const cwd = join(hub.path, "bot");
  const roles = ["--role", "client", "--role", "huggingface_client"];
  const registry = ["--repo-url", join(hub.path, "registry.git")];
  const child = new Deno.Command(Deno.execPath(), {
    args: cliArgs("daemon", [...roles, ...registry, "--run-on-start"], { entry: "script" }),
    cwd,
    env: { ...GIT_ENV, NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let seen = "";
  let isStopped = false;
  for await (const chunk of child.stderr) {
    seen += new TextDecoder().decode(chunk);
    const areIdle = [/next client run at/, /next huggingface_client run at/].every((line) => line.test(seen));
    if (isStopped || !areIdle) continue;
    isStopped = true;
    child.kill("SIGTERM");
  }
  assert.equal((await child.status).code, 0, seen);
  assert.deepEqual(readFiles(join(cwd, "models")), HUB_MODELS, seen);
});
