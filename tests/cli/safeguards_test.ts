import assert from "node:assert/strict";
import { join } from "node:path";
import { updateCanary } from "../../lib/canary/canary_state.ts";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { cliArgs, type CliResult, runCli, spawnCli } from "../helpers/run_cli.ts";
import { type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository, GIT_ENV } from "../helpers/test_git.ts";

/** A trainer and a bot with a canary on a number in a file. */
class World implements Disposable {
  readonly #dir: TempDir = tempDir();
  /** One for all commands, whose canaries last from one to the next. */
  readonly #clock = new HurriedClock();
  readonly #registry: string;

  constructor() {
    this.#registry = bareRepository(join(this.#dir.path, "registry.git"));
    this.configure("trainer", {});
    this.configure("bot", {
      canary: {
        // A daemon waits for it as long as it lasts.
        duration_minutes: 0.02,
        interval_seconds: 0.4,
        failure_limit: 0,
        metrics: [{ name: "win_rate", type: "file", path: this.metric, direction: "higher" }],
      },
    });
    this.win(0.6);
  }

  get metric(): string {
    return join(this.#dir.path, "win_rate");
  }

  at(machine: string): string {
    return join(this.#dir.path, machine);
  }

  configure(machine: string, activation: Record<string, unknown>): void {
    const settings = { repo_url: this.#registry, publisher: { train_before_push: false }, activation };
    writeFiles(this.at(machine), { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
  }

  win(rate: number): void {
    Deno.writeTextFileSync(this.metric, String(rate));
  }

  async publish(content: string): Promise<string> {
    writeFiles(this.at("trainer"), { "models/rf.bin": content });
    return (await this.json("trainer", "publish")).release;
  }

  async run(machine: string, command: string, args: readonly string[] = []) {
    return await runCli(command, args, { cwd: this.at(machine), world: { clock: this.#clock } });
  }

  async json(machine: string, command: string, ...args: string[]) {
    const result: CliResult = await this.run(machine, command, [...args, "--json"]);
    assert.equal(result.code, 0, result.stderr);
    return JSON.parse(result.stdout);
  }

  [Symbol.dispose]() {
    this.#dir[Symbol.dispose]();
  }
}

/** A daemon of a bot, whose log can be waited for. */
function startDaemon(cwd: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: cliArgs("daemon", ["--role", "client"], { entry: "script" }),
    cwd,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { ...GIT_ENV, NO_COLOR: "1" },
  }).spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  return {
    /** What it says until something matches. */
    async read(wanted: RegExp): Promise<string> {
      let told = "";
      while (!wanted.test(told)) {
        const { value, done } = await reader.read();
        assert.ok(!done, `the daemon ended: ${told}`);
        told += value;
      }
      return told;
    },
    async stop(): Promise<void> {
      child.kill("SIGTERM");
      while (!(await reader.read()).done);
      await child.status;
    },
  };
}

Deno.test("pull --wait-canary waits until the release has passed its canary", async () => {
  using world = new World();
  await world.publish("one");
  await world.json("bot", "pull", "--wait-canary");
  const release = await world.publish("two");
  const { stdout, code, stderr } = await world.run("bot", "pull", ["--wait-canary"]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /activated release/);
  const { canary } = await world.json("bot", "canary", "status");
  assert.deepEqual([canary.digest, canary.status], [release, "passed"]);
  const { runs } = await world.json("bot", "status");
  assert.deepEqual([runs[0].outcome, runs[0].release, runs[0].sequence], ["promoted", release, 2]);
});

Deno.test("pull --wait-canary rolls back a release that is worse than the previous one, with exit code 8", async () => {
  using world = new World();
  const good = await world.publish("one");
  await world.json("bot", "pull");
  const bad = await world.publish("two");
  await world.json("bot", "pull");
  // Worse from here on; the baseline was measured before.
  world.win(0.2);
  const { code, stderr } = await world.run("bot", "pull", ["--wait-canary", "--json"]);
  assert.equal(code, 8, stderr);
  assert.equal(JSON.parse(stderr).code, "CANARY_DEGRADED");
  const status = await world.json("bot", "status");
  assert.equal(status.current.digest, good);
  assert.deepEqual([status.runs[0].command, status.runs[0].outcome], ["canary", "rolled-back"]);
  assert.equal(status.quarantine[0].digest, bad);
});

Deno.test("canary promote and abort end the canary", async () => {
  using world = new World();
  await world.publish("one");
  await world.json("bot", "pull");
  const promoted = await world.publish("two");
  assert.equal((await world.json("bot", "pull")).canary, "watching");
  assert.match((await world.run("bot", "canary", ["status"])).stdout, /watching[^]*win_rate not sampled yet/);
  assert.deepEqual((await world.json("bot", "canary", "promote")).release, promoted);
  // No later run has to act on the verdict.
  const state = JSON.parse(Deno.readTextFileSync(join(world.at("bot"), ".model-sync/canary.json")));
  assert.deepEqual([state.status, typeof state.concludedAt], ["promoted", "string"]);
  assert.equal((await world.json("bot", "pull")).canary, null);
  const none = await world.run("bot", "canary", ["abort"]);
  assert.deepEqual([none.code, /no release is in canary/.test(none.stderr)], [2, true]);
  await world.publish("three");
  await world.json("bot", "pull");
  const aborted = await world.json("bot", "canary", "abort");
  assert.deepEqual([aborted.outcome, aborted.release], ["rolled-back", promoted]);
});

Deno.test("quarantine add and lift decide which releases a pull accepts", async () => {
  using world = new World();
  const release = await world.publish("one");
  const elsewhere = await world.run("bot", "quarantine", ["add", release]);
  assert.deepEqual([elsewhere.code, /nothing was pulled or published there yet/.test(elsewhere.stderr)], [
    2,
    true,
  ]);
  await world.json("bot", "pull");
  const next = await world.publish("two");
  assert.match((await world.run("bot", "quarantine", ["list"])).stdout, /no release is quarantined/);
  // An entry of another release says nothing about the sequence of the next one.
  const active = await world.run("bot", "quarantine", ["add", release.slice(7, 15)]);
  assert.match(active.stdout, /it stays active; roll back from it with: model-sync rollback/);
  await world.json("bot", "quarantine", "add", next, "--reason", "it smells\x1b[2J");
  const listed = await world.run("bot", "quarantine", ["list"]);
  assert.match(listed.stdout, /since \S+\n {4}it smells\n/);
  const unseen = new RegExp(`^ {2}${next.slice(7, 19)} since \\S+\n {4}it smells$`, "m");
  assert.match((await world.run("bot", "status")).stdout, unseen);
  for (const args of [["--dry-run"], []]) assert.equal((await world.run("bot", "pull", args)).code, 5);
  const unknown = await world.run("bot", "quarantine", ["lift", "ffff"]);
  assert.deepEqual([unknown.code, /holds no such release/.test(unknown.stderr)], [5, true]);
  await world.json("bot", "quarantine", "lift", next.slice(7, 19));
  assert.equal((await world.json("bot", "pull")).release, next);
});

Deno.test("quarantine add and lift take a sequence number, as rollback --to does", async () => {
  using world = new World();
  const first = await world.publish("one");
  await world.json("bot", "pull");
  const second = await world.publish("two");
  await world.json("bot", "pull");
  assert.equal((await world.json("bot", "quarantine", "add", "1")).release, first);
  assert.equal((await world.json("bot", "quarantine", "lift", "1")).release, first);
  for (const action of ["add", "lift"]) {
    const { code, stderr } = await world.run("bot", "quarantine", [action, "9"]);
    assert.equal(code, 5);
    assert.match(stderr, /quarantine( of)? sequence 9: the (store|quarantine) holds no release with it/);
    assert.match(
      stderr,
      /it holds the sequences: 2, 1|the quarantine holds no release with a known sequence/,
    );
  }
  const { code, stderr } = await world.run("bot", "quarantine", ["add", "two"]);
  assert.equal(code, 2);
  assert.match(stderr, /"two": it is neither a sequence number nor the beginning of a digest/);
  await world.json("bot", "rollback");
  const { stdout } = await world.run("bot", "status");
  assert.match(stdout, new RegExp(`^ {2}others {4}${second.slice(7, 19)} sequence 2, quarantined$`, "m"));
  assert.doesNotMatch(stdout, /^ {2}previous/m);
  assert.match((await world.run("bot", "quarantine", ["lift", "9"])).stderr, /it holds the sequences: 2;/);
  editQuarantine(world, { sequence: 1 });
  assert.match(
    (await world.run("bot", "status")).stdout,
    PREVIOUS,
    "an earlier sequence of it is quarantined",
  );
  editQuarantine(world, { sequence: 2 });
  assert.equal((await world.json("bot", "quarantine", "lift", "2")).release, second);
  // The entry knows the number of a release that the store holds no more.
  await world.json("bot", "quarantine", "add", "2");
  const held = join(world.at("bot"), ".model-sync/releases", second.slice("sha256:".length));
  const away = join(world.at("bot"), "away");
  for (const ending of ["", ".json"]) Deno.renameSync(held + ending, away + ending);
  assert.equal((await world.json("bot", "quarantine", "lift", "2")).release, second);
  for (const ending of ["", ".json"]) Deno.renameSync(away + ending, held + ending);
  assert.match((await world.run("bot", "status")).stdout, PREVIOUS);
});

const PREVIOUS = /^ {2}previous {2}[0-9a-f]{12} sequence 2$/m;

/** Changes the bot's only quarantined release. */
function editQuarantine(world: World, change: { readonly sequence: number }): void {
  const path = join(world.at("bot"), ".model-sync/quarantine.json");
  const [entry] = JSON.parse(Deno.readTextFileSync(path));
  Deno.writeTextFileSync(path, JSON.stringify([{ ...entry, ...change }]));
}

Deno.test("quarantine add keeps the mark and the sequence of a release that was rolled back, and refuses no later sequence", async () => {
  using world = new World();
  await world.publish("one");
  await world.json("bot", "pull");
  const left = await world.publish("two");
  await world.json("bot", "pull");
  await world.json("bot", "rollback");
  const [before] = (await world.json("bot", "status")).quarantine;
  await world.json("bot", "quarantine", "add", left, "--reason", "indeed");
  const [after] = (await world.json("bot", "status")).quarantine;
  assert.deepEqual([before.wasLeft, after.wasLeft, after.reason], [true, true, "indeed"]);
  assert.equal(after.sequence, before.sequence);
  const refusal = /the newest is quarantined here, so pulls refuse it/;
  assert.match((await world.run("bot", "releases", ["--remote"])).stdout, refusal);
  await world.publish("three");
  await world.publish("two");
  // The same files with a later sequence.
  assert.doesNotMatch((await world.run("bot", "releases", ["--remote"])).stdout, refusal);
  assert.equal((await world.json("bot", "pull")).release, left);
});

Deno.test("status with an unreadable quarantine says so, and shows the rest", async () => {
  using world = new World();
  const release = await world.publish("one");
  await world.json("bot", "pull");
  Deno.writeTextFileSync(join(world.at("bot"), ".model-sync/quarantine.json"), "{");
  const { code, stdout } = await world.run("bot", "status");
  assert.equal(code, 0);
  assert.match(
    stdout,
    /active[^]*quarantine\n.*Cannot read .*quarantine\.json[^]*remove it to lift every quarantine/,
  );
  const status = await world.json("bot", "status");
  assert.equal(status.current.digest, release);
  assert.deepEqual(status.quarantine, []);
  assert.match(status.quarantineFault, /is not a list of quarantined releases/);
});

Deno.test("a daemon runs the canary of the releases that it activates, and rolls back", async () => {
  using world = new World();
  const good = await world.publish("one");
  await world.json("bot", "pull");
  await world.publish("two");
  await world.json("bot", "pull");
  world.win(0.1);
  const daemon = startDaemon(world.at("bot"));
  await daemon.read(/is active again/);
  await daemon.stop();
  assert.equal((await world.json("bot", "status")).current.digest, good);
});

Deno.test("a verdict that a killed run left is executed by the next daemon, as soon as no other run holds the store", async () => {
  using world = new World();
  const good = await world.publish("one");
  await world.json("bot", "pull");
  await world.publish("two");
  await world.json("bot", "pull");
  const path = join(world.at("bot"), ".model-sync/canary.json");
  updateCanary(Deno, path, (found) => {
    assert.ok(found.kind === "found");
    return { ...found.state, status: "degraded", reason: "win_rate fell" };
  });
  const lock = await Deno.open(join(world.at("bot"), ".model-sync/lock"), { read: true, write: true });
  await lock.lock(true);
  const daemon = startDaemon(world.at("bot"));
  // Long enough for the watcher to find the store locked, and to go on waiting.
  const told = await daemon.read(/role client.*\n/);
  lock.close();
  assert.match(told + await daemon.read(/is active again/), /failed its canary: win_rate fell/);
  await daemon.stop();
  const { current, runs } = await world.json("bot", "status");
  assert.equal(current.digest, good);
  assert.deepEqual(runs.map(({ outcome }: { outcome: string }) => outcome).slice(0, 2), [
    "rolled-back",
    "activated",
  ]);
});

Deno.test("a damaged canary state is reported by status, by a pull that waits, and by the daemon", async () => {
  using world = new World();
  await world.publish("one");
  await world.json("bot", "pull");
  Deno.writeTextFileSync(join(world.at("bot"), ".model-sync/canary.json"), "{");
  const advice = /canary\.json is not JSON[^]*remove the file[^]*model-sync rollback/;
  assert.match((await world.run("bot", "status")).stdout, advice);
  const waiting = await world.run("bot", "pull", ["--wait-canary"]);
  assert.deepEqual([waiting.code, advice.test(waiting.stderr)], [1, true], waiting.stderr);
  const daemon = startDaemon(world.at("bot"));
  assert.match(await daemon.read(/model-sync rollback/), advice);
  await daemon.stop();
  const pulled = await world.json("bot", "pull");
  assert.match(pulled.canaryFault, /canary\.json is not JSON/);
});

Deno.test("a command gives up the permissions that no setting needs", async () => {
  using world = new World();
  await world.publish("one");
  world.configure("bot", {
    validate: { enabled: false },
    reload: [{ type: "http", url: "http://127.0.0.1:65535/" }],
  });
  const permissions = ["--allow-read", "--allow-write", "--allow-env", "--allow-run", "--allow-sys"];
  const options = { cwd: world.at("bot"), entry: "script", permissions } as const;
  const needsNet = await spawnCli("pull", [], options);
  assert.match(needsNet.stderr, /Requires net access|NotCapable/);
  world.configure("bot", { validate: { enabled: false } });
  const needsNone = await spawnCli("pull", [], options);
  assert.equal(needsNone.code, 0, needsNone.stderr);
});
