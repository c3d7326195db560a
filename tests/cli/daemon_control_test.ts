import assert from "node:assert/strict";
import { join } from "node:path";
import { acquireLock } from "../../lib/core/lock.ts";
import { announceDaemon } from "../../lib/store/daemons.ts";
import { readHistory } from "../../lib/store/history.ts";
import { findWaitingRequest, takeRunRequest } from "../../lib/store/run_requests.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { runCli } from "../helpers/run_cli.ts";
import { run, runJson, world } from "../helpers/seed_world.ts";
import { startCli } from "../helpers/start_cli.ts";
import { readFiles, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

Deno.test("pause, resume and run-now act on a running daemon, also while another run holds the store", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  const daemon = startCli("daemon", ["--role", "client"], { cwd: bot });
  await daemon.until(/next client run at/);
  const context = testContext();
  const store = openStore(Deno, { modelsDir: join(bot, "models") });
  {
    using _run = await acquireLock(
      Deno,
      store.lock,
      { command: "train", runId: "r1", host: "bot" },
      context.clock,
    );
    const paused = await runJson(bot, "pause", "client", "--for", "2h", "--reason", "moving house");
    assert.deepEqual(paused["roles"], ["client"]);
    assert.match(await daemon.until(/client: paused .*/), /paused until 20\S+Z on \S+: moving house/);
    // The request is taken; its run waits for the store.
    const requested = await runJson(bot, "run-now", "client");
    assert.equal(requested["outcome"], "requested");
    await daemon.until(/client: running now, as requested/);
  }
  await daemon.until(/activated release/);
  const waited = await runJson(bot, "run-now", "client", "--wait");
  assert.equal(waited["outcome"], "done");
  const outcomes = readHistory(store, 9).map(({ command, outcome }) => `${command} ${outcome}`);
  for (const one of ["pause paused", "run-now requested", "pull activated", "pull unchanged"]) {
    assert.ok(outcomes.includes(one), `${one} is not among ${outcomes}`);
  }
  assert.ok(readFiles(join(bot, "models"))["BTC_USDC/rf.bin"]);

  const { paused } = await runJson(bot, "status");
  assert.deepEqual(Object.keys(Object(paused)), ["client"]);
  const text = (await run(bot, "status")).stdout;
  assert.match(text, /^ {2}client until 20.*, on \S+: moving house$/m);
  assert.match(text, new RegExp(`^ {2}client: pid ${Deno.pid} on \\S+ since 20`, "m"));
  assert.deepEqual((await runJson(bot, "resume"))["roles"], ["client"]);
  await daemon.until(/client: resumed/);
  assert.equal((await runJson(bot, "resume", "client"))["outcome"], "unchanged");
  assert.deepEqual(readHistory(store, 2).map(({ outcome }) => outcome), ["unchanged", "resumed"]);
  daemon.stop();
  assert.equal(await daemon.exitCode, 0);
});

Deno.test("run-now --wait ends with the run's error and exit code", async () => {
  using dir = tempDir();
  const { registry, bot } = world(dir);
  Deno.removeSync(registry, { recursive: true });
  const daemon = startCli("daemon", ["--role", "client"], { cwd: bot });
  await daemon.until(/next client run at/);
  const { code, stderr } = await run(bot, "run-now", "client", "--wait", "--json");
  const alone = await run(bot, "pull", "--json");
  assert.equal(code, alone.code);
  assert.notEqual(code, 0);
  const [error, own] = [JSON.parse(stderr), JSON.parse(alone.stderr)];
  assert.equal(error.code, "RUN_FAILED");
  assert.equal(error.message, `The run of the role client failed: ${own.message}`);
  daemon.stop();
  assert.equal(await daemon.exitCode, 0);
});

Deno.test("run-now without a daemon with the role fails, and names the command to run instead", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const context = testContext();
  const store = openStore(Deno, { modelsDir: join(bot, "models") });
  using _daemon = await announceDaemon(context, store, ["client"]);
  const { code, stderr } = await run(bot, "run-now", "client", "publisher", "runpod_client");
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^error: Cannot request a run: no daemon with the roles publisher, runpod_client runs /m,
  );
  assert.match(stderr, /^next: {2}run model-sync publish and model-sync runpod-pull instead/m);
  // The daemon that is running gets no request either.
  assert.throws(() => Deno.statSync(join(store.root, "run_now.json")), Deno.errors.NotFound);
});

/** Starts `run-now client --wait` beside a fake daemon, and waits until it has requested the run. */
async function waitingFor(store: Store, bot: string) {
  const waiting = startCli("run-now", ["client", "--wait"], { cwd: bot });
  while (findWaitingRequest(store, "client") === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return waiting;
}

Deno.test("run-now --wait does not wait for a daemon that has ended", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const store = openStore(Deno, { modelsDir: join(bot, "models") });
  for (const hasStarted of [false, true]) {
    const daemon = await announceDaemon(testContext(), store, ["client"]);
    const waiting = await waitingFor(store, bot);
    if (hasStarted) {
      takeRunRequest(store, "client", new Date());
      await waiting.until(/client: running since 20/);
    }
    daemon[Symbol.dispose]();
    assert.equal(await waiting.exitCode, 1);
    assert.match(
      waiting.said,
      hasStarted ? /its daemon stopped before the run ended/ : /its daemon stopped before it started the run/,
    );
    takeRunRequest(store, "client", new Date());
  }
});

Deno.test("run-now --wait that is interrupted leaves the run to the daemon", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const store = openStore(Deno, { modelsDir: join(bot, "models") });
  using _daemon = await announceDaemon(testContext(), store, ["client"]);
  const waiting = await waitingFor(store, bot);
  waiting.stop();
  assert.equal(await waiting.exitCode, 130);
  assert.match(waiting.said, /^next: {2}the request stays, and the daemon runs it; see model-sync status$/m);
  assert.doesNotMatch(waiting.said, /run it again/);
  assert.ok(findWaitingRequest(store, "client"));
});

Deno.test("an unknown role or duration is refused, and the valid ones are named", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  openStore(Deno, { modelsDir: join(bot, "models") });
  const wrong: [string[], RegExp][] = [
    [["pause", "clients"], /there is no such role; did you mean "client"\?/],
    [["resume", "everything"], /there is no such role/],
    [["run-now", "Client"], /there is no such role; did you mean "client"\?/],
    [["run-now"], /ROLE is missing/],
    [["pause", "--for", "2"], /Cannot use --for: "2" is not a duration such as/],
    [["pause", "--for", "0s"], /Cannot use --for: "0s" is no length of time/],
  ];
  for (const [[command = "", ...args], message] of wrong) {
    const { code, stderr } = await runCli(command, args, { cwd: bot });
    assert.equal(code, 2, stderr);
    assert.match(stderr, message);
  }
});

Deno.test("pause without a role pauses every role, and says when no daemon is running", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const missing = await run(bot, "pause");
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /Cannot find a store/);
  openStore(Deno, { modelsDir: join(bot, "models") });
  const { code, stdout } = await run(bot, "pause");
  assert.equal(code, 0);
  assert.match(stdout, /paused until resumed: publisher, client, .*references/);
  assert.match(stdout, /no daemon with these roles runs now/);
  assert.match((await run(bot, "resume")).stdout, /resumed: publisher, client, .*references/);
  assert.match((await run(bot, "resume", "client")).stdout, /^no pause to end: client$/m);
});
