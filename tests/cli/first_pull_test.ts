import assert from "node:assert/strict";
import { join } from "node:path";
import type { World } from "../../cli/_world.ts";
import { type ConfiguredPair, configuredPair } from "../helpers/machines.ts";
import { startRunPod } from "../../fakes/runpod_server.ts";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { HubWorld } from "../helpers/hub_world.ts";
import { runCli } from "../helpers/run_cli.ts";
import { run, runJson } from "../helpers/seed_world.ts";
import { listing, readFiles, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** A registry with a release of two files, and a bot that has pulled nothing yet. */
async function published(dir: TempDir): Promise<ConfiguredPair> {
  const pair = configuredPair(dir.path);
  writeFiles(join(pair.trainer, "models"), { "a.bin": "one", "b.bin": "two" });
  await runJson(pair.trainer, "publish");
  return pair;
}

/** A terminal at which a person types this answer. */
function terminal(answer: string): { readonly world: Partial<World>; readonly shown: () => string } {
  let shown = "";
  const stdin: NonNullable<World["stdin"]> = {
    isTerminal: () => true,
    read: (buffer) => {
      const { written } = new TextEncoder().encodeInto(answer, buffer);
      return Promise.resolve(written);
    },
  };
  const stderr: World["stderr"] = {
    isTerminal: () => true,
    writeSync: (bytes) => {
      shown += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  };
  return { world: { stdin, stderr, noColor: true }, shown: () => shown };
}

Deno.test("the first pull --dry-run lists what the folder loses, and says that it becomes a link", async () => {
  using dir = tempDir();
  const { bot } = await published(dir);
  writeFiles(join(bot, "models"), { "a.bin": "one", "b.bin": "old", "mine/rf.bin": "hand-made" });
  const before = listing(dir.path);
  const { code, stdout, stderr } = await run(bot, "pull", "--dry-run");
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /would activate release [0-9a-f]{12} \(sequence 1\), 2 files changed:\n {2}- mine\/rf\.bin\n {2}~ b\.bin\n/,
  );
  assert.match(
    stdout,
    /bot\/models becomes a link to the active release: its present models are kept as a release; /,
  );
  const plan = await runJson(bot, "pull", "--dry-run");
  assert.deepEqual(plan["changes"], { added: [], modified: ["b.bin"], removed: ["mine/rf.bin"] });
  assert.deepEqual(plan["folder"], { becomes: "link", present: "release", trainedBy: null });
  assert.deepEqual(listing(dir.path), before);
  await runJson(bot, "pull");
  const done = await runJson(bot, "pull", "--dry-run");
  assert.deepEqual([done["outcome"], "folder" in done], ["unchanged", false]);
});

Deno.test("a first pull of the files that the folder already holds is a change: the folder becomes a link", async () => {
  using dir = tempDir();
  const { bot } = await published(dir);
  writeFiles(join(bot, "models"), { "a.bin": "one", "b.bin": "two" });
  const plan = await runJson(bot, "pull", "--dry-run");
  assert.deepEqual([plan["outcome"], plan["changes"]], ["activated", {
    added: [],
    modified: [],
    removed: [],
  }]);
});

Deno.test("the first pull --dry-run says what happens to a folder that is missing or that no release can hold", async () => {
  using dir = tempDir();
  const { bot } = await published(dir);
  assert.deepEqual((await runJson(bot, "pull", "--dry-run"))["folder"], {
    becomes: "link",
    present: "none",
    trainedBy: null,
  });
  writeFiles(join(bot, "models"), { "a.bin": "one" });
  Deno.symlinkSync("/etc", join(bot, "models/etc"));
  const { stdout } = await run(bot, "pull", "--dry-run");
  assert.match(
    stdout,
    /models becomes a link to the active release: its present content is kept in .*models\.before-RUN/,
  );
  await Deno.remove(join(bot, "models"), { recursive: true });
  Deno.symlinkSync(dir.path, join(bot, "models"));
  const unfit = await run(bot, "pull", "--dry-run", "--json");
  assert.deepEqual([unfit.code, JSON.parse(unfit.stderr).code], [2, "MODELS_DIR_UNFIT"]);
});

Deno.test("a mirrored folder gets copies, and a dry run says so", async () => {
  using dir = tempDir();
  const { bot } = await published(dir);
  writeFiles(join(bot, "models"), { "a.bin": "old" });
  const { stdout } = await runCli("pull", ["--dry-run"], {
    cwd: bot,
    env: { MODEL_SYNC_ACTIVATION_MODE: "mirror" },
  });
  assert.match(stdout, /bot\/models gets copies of its files: its present models are kept as a release/);
});

Deno.test("a pull replaces the folder that this machine trains into only with --adopt or a yes", async () => {
  using dir = tempDir();
  const { trainer } = await published(dir);
  const models = readFiles(join(trainer, "models"));
  const planned = await run(trainer, "pull", "--dry-run");
  assert.match(planned.stdout, /this machine trains into it \(publish of .*\): the pull needs --adopt/);
  const { code, stderr } = await run(trainer, "pull");
  assert.equal(code, 5);
  assert.match(
    stderr,
    /Cannot activate a release in .*models: this machine trains into that folder \(publish of /,
  );
  assert.match(stderr, /next: {2}pull into another folder with --models-dir; or add --adopt to the pull/);
  assert.equal(Deno.lstatSync(join(trainer, "models")).isSymlink, false);
  assert.deepEqual(readFiles(join(trainer, "models")), models);
  const [failed] = JSON.parse((await run(trainer, "status", "--json")).stdout).runs;
  assert.deepEqual([failed.command, failed.outcome, failed.error.code], [
    "pull",
    "refused",
    "TRAINED_FOLDER",
  ]);
  // The next training works as before.
  writeFiles(join(trainer, "models"), { "a.bin": "three" });
  assert.equal((await runJson(trainer, "publish"))["sequence"], 2);
  assert.equal((await runJson(trainer, "pull", "--adopt"))["outcome"], "activated");
  assert.equal(Deno.lstatSync(join(trainer, "models")).isSymlink, true);
});

Deno.test("in mirror mode, a pull does not replace that folder either, nor does a rollback after the link was removed", async () => {
  using dir = tempDir();
  const { trainer } = await published(dir);
  const mirrored = await runCli("pull", ["--json"], {
    cwd: trainer,
    env: { MODEL_SYNC_ACTIVATION_MODE: "mirror" },
  });
  assert.equal(JSON.parse(mirrored.stderr).code, "TRAINED_FOLDER");
  await runJson(trainer, "pull", "--adopt");
  Deno.removeSync(join(trainer, "models"));
  for (const content of ["three", "four"]) {
    writeFiles(join(trainer, "models"), { "a.bin": content });
    await runJson(trainer, "publish");
  }
  const rollback = await run(trainer, "rollback", "--to", "1", "--json");
  assert.deepEqual([rollback.code, JSON.parse(rollback.stderr).code], [5, "TRAINED_FOLDER"]);
  assert.equal(Deno.readTextFileSync(join(trainer, "models/a.bin")), "four");
});

Deno.test("at a terminal, the pull asks a question; only y is a yes", async () => {
  using dir = tempDir();
  const { trainer } = await published(dir);
  for (const [answer, expected] of [["\n", 5], ["no\n", 5], ["", 5], ["y\n", 0]] as const) {
    const { world, shown } = terminal(answer);
    const spawn: World["spawn"] = () => assert.fail("the registry was contacted");
    const { code } = await runCli("pull", [], {
      cwd: trainer,
      world: expected === 0 ? world : { ...world, spawn },
    });
    assert.equal(code, expected, shown());
    assert.match(
      shown(),
      /This machine trains into \S+models \(publish of .*\)\.\nLater trainings .*\.\nReplace that folder .*\? \[y\/N\] /,
    );
    if (expected !== 0) {
      assert.match(shown(), /error: Cannot pull: the folder of the trained models stays, as you answered\n/);
      const history = Deno.readTextFileSync(join(trainer, ".model-sync/history.jsonl"));
      assert.doesNotMatch(history, /"pull"/);
    }
  }
  assert.equal(Deno.lstatSync(join(trainer, "models")).isSymlink, true);
});

Deno.test("a script is never asked: with --json, --quiet or without a terminal the pull is refused at once", async () => {
  using dir = tempDir();
  const { trainer } = await published(dir);
  const stdin = { isTerminal: () => true, read: () => assert.fail("asked") };
  for (const args of [["--json"], ["--quiet"], []]) {
    const { world } = terminal("");
    const asking = args.length === 0 ? { stdin } : { ...world, stdin };
    assert.equal((await runCli("pull", args, { cwd: trainer, world: asking })).code, 5);
  }
});

Deno.test("a question that is interrupted ends the pull", async () => {
  using dir = tempDir();
  const { trainer } = await published(dir);
  const stopping = new AbortController();
  const { world } = terminal("");
  const read = () => {
    stopping.abort();
    return new Promise<never>(() => {});
  };
  const { code } = await runCli("pull", [], {
    cwd: trainer,
    world: { ...world, stdin: { isTerminal: () => true, read } },
    stop: stopping.signal,
  });
  assert.equal(code, 130);
});

Deno.test("a failed pull in an empty directory leaves no .model-sync, with every carrier", async () => {
  const origin = UNREACHABLE_ORIGIN;
  await using runpod = startRunPod();
  const addresses = ["--trigger-url", runpod.triggerUrl, "--status-url-template", runpod.statusUrlTemplate];
  const commands: readonly (readonly [string, readonly string[], Readonly<Record<string, string>>?])[] = [
    ["pull", []],
    ["pull", ["--repo-url", "missing.git"]],
    ["pull", ["--repo-url", `${origin}/x.git`]],
    ["hf-pull", []],
    ["hf-pull", ["--repo-id", "you/models"], { HF_ENDPOINT: origin }],
    ["artifact-pull", []],
    ["artifact-pull", ["--owner", "you", "--repository", "models"], { GITHUB_API_URL: origin }],
    ["runpod-pull", []],
    ["runpod-pull", addresses, { RUNPOD_API_KEY: "rpa_wrong" }],
  ];
  for (const [command, args, env = {}] of commands) {
    using dir = tempDir();
    const { code } = await runCli(command, args, {
      cwd: dir.path,
      env,
      world: { clock: new HurriedClock(15_000) },
    });
    assert.notEqual(code, 0, command);
    assert.deepEqual(Array.from(Deno.readDirSync(dir.path), ({ name }) => name), [], `${command} ${args}`);
  }
});

Deno.test("a failed first pull remembers a RunPod job whose start got no answer, because it may cost money", async () => {
  using dir = tempDir();
  // A port that fetch refuses, which does not say whether anything was sent.
  const origin = "http://127.0.0.1:1";
  const addresses = ["--trigger-url", `${origin}/run`, "--status-url-template", `${origin}/{job_id}`];
  const { code } = await runCli("runpod-pull", addresses, {
    cwd: dir.path,
    env: { RUNPOD_API_KEY: "rpa_1" },
    world: { clock: new HurriedClock(15_000) },
  });
  assert.equal(code, 1);
  assert.match(Deno.readTextFileSync(join(dir.path, ".model-sync/runpod_jobs.json")), /"asked"/);
});

Deno.test("a failed first pull stays on record if alerts are configured, so that the next failure sends no second alert", async () => {
  using dir = tempDir();
  const env = { MODEL_SYNC_ALERTS_WEBHOOK_URL: UNREACHABLE_ORIGIN };
  assert.notEqual((await runCli("pull", ["--repo-url", "missing.git"], { cwd: dir.path, env })).code, 0);
  const { runs } = await runJson(dir.path, "status");
  assert.equal(Array.isArray(runs) && runs.length, 1);
});

/** Where nothing listens. */
const UNREACHABLE_ORIGIN = "http://127.0.0.1:2";

Deno.test("a failed first pull with a configuration file is on record", async () => {
  await using hub = new HubWorld();
  assert.equal((await hub.run("bot", "hf-pull")).code, 4);
  const { runs } = JSON.parse((await hub.run("bot", "status", "--json")).stdout);
  assert.deepEqual([runs[0].command, runs[0].outcome], ["hf-pull", "failed"]);
});

Deno.test("with another --state-dir, a pull knows a folder that a publish of the usual store was trained into", async () => {
  using dir = tempDir();
  const { trainer } = await published(dir);
  const models = join(trainer, "models");
  const before = readFiles(models);
  const elsewhere = ["--state-dir", join(dir.path, "state")];
  const { code, stderr } = await runCli("pull", [...elsewhere, "--json"], { cwd: trainer });
  assert.deepEqual([code, JSON.parse(stderr).code], [5, "TRAINED_FOLDER"]);
  assert.deepEqual([readFiles(models), Deno.lstatSync(models).isSymlink], [before, false]);
  // The usual store beside this folder belongs to the other one.
  const own = ["--state-dir", join(dir.path, "own"), "--models-dir", join(trainer, "pulled")];
  const other = await runCli("pull", own, { cwd: trainer });
  assert.equal(other.code, 0, other.stderr);
});
