import assert from "node:assert/strict";
import { join } from "node:path";
import { cliArgs, type CliResult, runCli } from "../helpers/run_cli.ts";
import { readFiles, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository, clone, GIT_ENV } from "../helpers/test_git.ts";

const MODELS = { "BTC_USDC/metadata.json": "{}", "BTC_USDC/rf.joblib": "one" };

/** Seed 0's setting: a trainer and a bot, each with `configs/bot.yaml` and a clone of the registry. */
function world(dir: TempDir): { readonly registry: string; readonly trainer: string; readonly bot: string } {
  const registry = bareRepository(join(dir.path, "registry.git"));
  const machines = ["trainer", "bot"].map((name) => {
    const root = join(dir.path, name);
    writeFiles(root, {
      "configs/bot.yaml": `bot: {mode: paper}
model_sync:
  repo_dir: "${join(dir.path, `${name}-clone`)}"
  remote: "origin"
  branch: "main"
  repo_models_subdir: "models"
  publisher:
    schedule: "00:00"
    train_before_push: true
    train_command: ["sh", "-c", "echo training $*; mkdir -p models/BTC_USDC; echo trained > models/BTC_USDC/rf.joblib", "train"]
  client:
    schedule: "06:00"
`,
    });
    clone(registry, join(dir.path, `${name}-clone`));
    return root;
  });
  const [trainer = "", bot = ""] = machines;
  writeFiles(join(trainer, "models"), MODELS);
  return { registry, trainer, bot };
}

/** Runs a command as its own script under its own permission set. */
async function run(cwd: string, command: string, ...args: string[]): Promise<CliResult> {
  return await runCli(command, args, { cwd, entry: "script" });
}

async function runJson(cwd: string, command: string, ...args: string[]): Promise<Record<string, unknown>> {
  const result = await run(cwd, command, ...args, "--json");
  assert.equal(result.code, 0, result.stderr);
  assert.equal(result.stderr, "");
  return JSON.parse(result.stdout);
}

Deno.test("the commands of seed 0 do what its document says", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  const published = await run(
    trainer,
    "publish",
    "--config",
    "configs/bot.yaml",
    "--symbol",
    "BTC/USDC",
    "--symbol",
    "ETH/USDC",
    "--train-missing-only",
  );
  assert.equal(published.code, 0, published.stderr);
  assert.match(published.stderr, /training --symbol BTC\/USDC --symbol ETH\/USDC --train-missing-only/);
  assert.match(published.stdout, /published release [0-9a-f]{12} \(sequence 1\)/);
  const pulled = await run(bot, "pull", "--config", "configs/bot.yaml");
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.deepEqual(readFiles(join(bot, "models")), { ...MODELS, "BTC_USDC/rf.joblib": "trained\n" });
  const custom = await run(
    trainer,
    "publish",
    "--skip-training",
    "--commit-message",
    "chore(models): daily refresh",
  );
  assert.match(custom.stdout, /unchanged/);
});

Deno.test("publish, pull and rollback print the JSON that scripts rely on", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  const published = await runJson(trainer, "publish", "--skip-training");
  assert.deepEqual(
    Object.keys(published).sort(),
    [
      "branch",
      "bytes",
      "carrier",
      "changed",
      "commit",
      "committed",
      "durationMs",
      "files",
      "outcome",
      "previous",
      "pushed",
      "release",
      "remote",
      "runId",
      "sequence",
    ],
  );
  assert.deepEqual(
    [
      published["outcome"],
      published["sequence"],
      published["files"],
      published["bytes"],
      published["changed"],
      published["committed"],
      published["pushed"],
      published["branch"],
      published["remote"],
    ],
    ["published", 1, 2, 5, 2, true, true, "main", "origin"],
  );
  const pulled = await runJson(bot, "pull");
  assert.deepEqual([
    pulled["outcome"],
    pulled["release"],
    pulled["previous"],
    pulled["carrier"],
    pulled["revision"],
    pulled["modelsDir"],
  ], [
    "activated",
    published["release"],
    null,
    "git",
    published["commit"],
    join(bot, "models"),
  ]);
  writeFiles(join(trainer, "models"), { "BTC_USDC/rf.joblib": "two" });
  const second = await runJson(trainer, "publish", "--skip-training");
  assert.equal((await runJson(bot, "pull"))["previous"], published["release"]);
  const back = await runJson(bot, "rollback");
  assert.deepEqual([back["outcome"], back["release"], back["previous"], back["sequence"], back["changed"]], [
    "rolled-back",
    published["release"],
    second["release"],
    1,
    1,
  ]);
  assert.ok(Number(back["durationMs"]) < 1000);
});

Deno.test("a dry run says what would happen and leaves every file as it was", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  writeFiles(join(trainer, "models"), { "BTC_USDC/rf.joblib": "two", "new.onnx": "n" });
  const before = listing(dir.path);
  const preview = await runJson(trainer, "publish", "--dry-run");
  assert.deepEqual([preview["outcome"], preview["sequence"], preview["changes"]], [
    "published",
    2,
    { added: ["new.onnx"], modified: ["BTC_USDC/rf.joblib"], removed: [] },
  ]);
  assert.ok(Array.isArray(preview["trainCommand"]));
  assert.deepEqual(listing(dir.path), before);
  await runJson(trainer, "publish", "--skip-training");
  const published = listing(dir.path);
  const pull = await runJson(bot, "pull", "--dry-run");
  assert.deepEqual([pull["outcome"], pull["changes"]], ["activated", {
    added: ["new.onnx"],
    modified: ["BTC_USDC/rf.joblib"],
    removed: [],
  }]);
  const fresh = join(dir.path, "fresh");
  Deno.mkdirSync(fresh);
  const first = await runJson(fresh, "pull", "--dry-run", "--repo-url", join(dir.path, "registry.git"));
  assert.equal(first["outcome"], "activated");
  const rollback = await run(bot, "rollback", "--dry-run");
  assert.equal(rollback.code, 2);
  const prune = await runJson(bot, "prune", "--dry-run", "--keep", "1");
  assert.deepEqual(prune["removed"], []);
  Deno.removeSync(fresh);
  assert.deepEqual(listing(dir.path), published);
});

/** Every path below a folder with its size, times and link target. */
function listing(root: string): string[] {
  const lines: string[] = [];
  const visit = (folder: string) => {
    for (const entry of Deno.readDirSync(folder)) {
      const path = `${folder}/${entry.name}`;
      const info = Deno.lstatSync(path);
      // Looking at a worktree lets git note its times in the index, which says nothing about the worktree.
      const times = /\.git(\/index)?$/.test(path) || info.isDirectory
        ? ""
        : `${info.size} ${info.mtime?.getTime()}`;
      lines.push(`${path} ${times} ${info.isSymlink ? Deno.readLinkSync(path) : ""}`);
      if (info.isDirectory) visit(path);
    }
  };
  visit(root);
  return lines.sort();
}

Deno.test("each fault ends with its exit code and one line that says what to do next", async () => {
  using dir = tempDir();
  const { trainer, bot, registry } = world(dir);
  const expect = async (cwd: string, code: number, says: RegExp, command: string, ...args: string[]) => {
    const result = await run(cwd, command, ...args);
    assert.equal(result.code, code, `${command} ${args.join(" ")}: ${result.stderr}`);
    const lines = result.stderr.trim().split("\n").filter((line) => !/^\S+Z (info|warn)/.test(line));
    assert.match(lines[0] ?? "", says);
    assert.ok(lines.length <= 2 && lines.every((line) => /^(error|next): /.test(line)), result.stderr);
    assert.equal(result.stdout, "");
  };
  await expect(bot, 4, /nothing was published there yet/, "pull");
  await expect(
    trainer,
    2,
    /No flag registered for --symbols, did you mean --symbol/,
    "publish",
    "--symbols",
    "X",
  );
  await expect(trainer, 2, /exclude each other/, "publish", "--train-all", "--train-missing-only");
  await expect(trainer, 2, /no-such\.yaml does not exist/, "publish", "--config", "no-such.yaml");
  await expect(bot, 2, /nothing was pulled there yet/, "verify", "--models-dir", "a", "--state-dir", "b");
  await expect(bot, 2, /"now" is neither/, "daemon", "--role", "client", "--at", "now");
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  await expect(bot, 2, /holds no earlier release/, "rollback");
  await expect(bot, 5, /no such release/, "rollback", "--to", "0123abcd");
  await expect(bot, 2, /is no digest/, "rollback", "--to", "xyz");
  Deno.writeTextFileSync(join(dir.path, "trainer-clone/untracked"), "x");
  await expect(trainer, 2, /working tree is dirty \(untracked\)/, "publish", "--skip-training");
  Deno.removeSync(join(dir.path, "trainer-clone/untracked"));
  Deno.renameSync(registry, `${registry}.gone`);
  await expect(bot, 4, /registry\.git/, "pull");
});

Deno.test("publish trains first, and publishes nothing when the training fails or is not configured", async () => {
  using dir = tempDir();
  const { trainer } = world(dir);
  const config = join(trainer, "configs/bot.yaml");
  const text = Deno.readTextFileSync(config);
  Deno.writeTextFileSync(
    config,
    text.replace(/train_command: .*/, 'train_command: ["sh", "-c", "echo no data >&2; exit 3"]'),
  );
  const failed = await run(trainer, "publish");
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /no data\n/);
  assert.match(failed.stderr, /error: .*exit code 3/);
  Deno.writeTextFileSync(config, text.replace(/ +train_command: .*\n/, ""));
  const missing = await run(trainer, "publish");
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /train_command is not set/);
  assert.match(missing.stderr, /next:.*--skip-training/);
});

Deno.test("with --json an error is one object on standard error, and nothing is on standard output", async () => {
  using dir = tempDir();
  const { bot } = world(dir);
  const result = await run(bot, "pull", "--json", "--branch", "nope");
  assert.equal(result.stdout, "");
  const error = JSON.parse(result.stderr);
  assert.deepEqual([error.code, error.exitCode, typeof error.message, typeof error.hint], [
    "BRANCH_MISSING",
    4,
    "string",
    "string",
  ]);
  const usage = await run(bot, "pull", "--json", "--nope");
  assert.equal(JSON.parse(usage.stderr).code, "USAGE");
});

Deno.test("verify finds flipped bits, missing files and files that do not belong, and --deep reads every byte", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  assert.match((await run(bot, "verify")).stdout, /is intact: 2 files/);
  const file = join(bot, "models/BTC_USDC/rf.joblib");
  const { mtime } = Deno.statSync(file);
  assert.ok(mtime);
  Deno.chmodSync(file, 0o644);
  Deno.writeTextFileSync(file, "onf");
  // Bits that rot change no time: only reading them finds them.
  Deno.utimeSync(file, mtime, mtime);
  const deep = await run(bot, "verify", "--deep");
  assert.equal(deep.code, 5);
  assert.match(deep.stdout, /rf\.joblib has SHA-256 [0-9a-f]{64}, manifest says [0-9a-f]{64}/);
  Deno.removeSync(file);
  writeFiles(join(bot, "models"), { "extra.onnx": "x" });
  const report = await run(bot, "verify", "--json");
  assert.equal(report.code, 5);
  const { intact, problems, extra } = JSON.parse(report.stdout);
  assert.deepEqual([intact, problems, extra], [
    false,
    [{ path: "BTC_USDC/rf.joblib", problem: "is missing" }],
    ["extra.onnx"],
  ]);
  assert.equal((await run(bot, "pull")).code, 0);
  Deno.removeSync(join(bot, "models/extra.onnx"));
  assert.equal((await run(bot, "verify", "--deep")).code, 0);
});

Deno.test("status shows what is active, what happened, what comes next and what is quarantined", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  assert.match((await run(bot, "status")).stdout, /no release is active/);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  writeFiles(join(trainer, "models"), { "BTC_USDC/rf.joblib": "two" });
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  await runJson(bot, "rollback");
  await run(bot, "pull");
  const status = await runJson(bot, "status");
  const runs = status["runs"];
  assert.ok(Array.isArray(runs));
  assert.deepEqual(
    runs.map((entry: { command: string; outcome: string }) => `${entry.command} ${entry.outcome}`),
    [
      "pull refused",
      "rollback rolled-back",
      "pull activated",
      "pull activated",
    ],
  );
  const { stdout } = await run(bot, "status");
  for (
    const says of [
      /active\s+[0-9a-f]{12} sequence 1/,
      /previous\s+[0-9a-f]{12} sequence 2/,
      /QUARANTINED/,
      /quarantine/,
      /client\s+\d{4}-/,
    ]
  ) {
    assert.match(stdout, says);
  }
});

Deno.test("doctor says pass, warn or fail of each thing and how to mend it, and changes nothing", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  const before = listing(dir.path);
  const good = await run(bot, "doctor");
  assert.equal(good.code, 0, good.stdout);
  for (
    const name of [
      "git",
      "clone",
      "worktree",
      "registry readable",
      "registry writable",
      "disk space",
      "file system",
      "links",
    ]
  ) {
    assert.match(good.stdout, new RegExp(`pass {2}${name}: `), good.stdout);
  }
  assert.deepEqual(listing(dir.path), before);
  const bad = await run(bot, "doctor", "--repo-dir", dir.path, "--json");
  assert.equal(bad.code, 1);
  const { ok, checks } = JSON.parse(bad.stdout);
  assert.equal(ok, false);
  assert.ok(
    checks.some((check: { status: string; mend: string }) => check.status === "fail" && check.mend !== ""),
  );
});

Deno.test("config init, check, print and schema work together", async () => {
  using dir = tempDir();
  const cwd = dir.path;
  const init = await run(cwd, "config", "init");
  assert.equal(init.code, 0, init.stderr);
  const again = await run(cwd, "config", "init");
  assert.equal(again.code, 2);
  assert.match(again.stderr, /exists/);
  assert.match((await run(cwd, "config", "check")).stdout, /configs\/bot\.yaml: no complaints/);
  writeFiles(cwd, {
    "configs/bot.yaml": "model_sync:\n  repo_url: https://me:secret@example.org/r.git\n  kep: 3\n",
  });
  const bad = await run(cwd, "config", "check");
  assert.equal(bad.code, 2);
  assert.match(bad.stdout, /bot\.yaml:3:3: model_sync\.kep is no setting; did you mean "keep"/);
  writeFiles(cwd, { "configs/bot.yaml": "model_sync:\n  repo_url: https://me:secret@example.org/r.git\n" });
  const print = await run(cwd, "config", "print");
  assert.match(
    print.stdout,
    /repo_url +"https:\/\/\[redacted\]@example\.org\/r\.git" +configs\/bot\.yaml:2:3/,
  );
  assert.doesNotMatch(print.stdout, /secret/);
  assert.equal(JSON.parse((await run(cwd, "config", "schema")).stdout).type, "object");
});

Deno.test("the token comes from .env, and is never shown", async () => {
  using dir = tempDir();
  writeFiles(dir.path, {
    "configs/bot.yaml": "model_sync:\n  repo_url: http://127.0.0.1:1/r.git\n  token_env: MY_TOKEN\n",
  });
  const without = await run(dir.path, "pull");
  assert.equal(without.code, 3);
  assert.match(without.stderr, /MY_TOKEN is not set/);
  writeFiles(dir.path, { ".env": 'MY_TOKEN="ghp_very_secret"\n' });
  const unreachable = await run(dir.path, "pull", "--verbose");
  assert.equal(unreachable.code, 4, unreachable.stderr);
  assert.doesNotMatch(unreachable.stderr + unreachable.stdout, /ghp_very_secret/);
});

Deno.test("each command runs under the permission set of its name, and not with less", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  const needs: Readonly<
    Record<string, readonly [cwd: string, args: readonly string[], needed: readonly string[]]>
  > = {
    publish: [trainer, ["--skip-training"], ["read", "write", "run", "env", "sys"]],
    pull: [bot, [], ["read", "write", "run", "env", "sys"]],
    rollback: [bot, ["--dry-run", "--to", "0000"], ["read", "env", "sys"]],
    status: [bot, [], ["read", "env", "sys"]],
    verify: [bot, [], ["read", "write", "env", "sys"]],
    prune: [bot, [], ["read", "write", "env", "sys"]],
    doctor: [bot, [], ["read", "write", "run", "env", "sys"]],
    config: [bot, ["check"], ["read", "env", "sys"]],
  };
  for (const [command, [cwd, args, needed]] of Object.entries(needs)) {
    const whole = await runCli(command, args, { cwd, entry: "script" });
    assert.doesNotMatch(whole.stderr, /Requires \w+ access/, command);
    for (const missing of needed) {
      const permissions = needed.filter((name) => name !== missing).map((name) => `--allow-${name}`);
      const less = await runCli(command, args, { cwd, entry: "script", permissions });
      assert.notEqual(less.code, 0, `${command} works without ${missing}`);
      assert.match(
        less.stderr + less.stdout,
        /Requires \w+ access|NotCapable/,
        `${command} without ${missing}`,
      );
    }
  }
});

Deno.test("the one executable gives up what the command does not need", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  for (
    const [cwd, command, args] of [[trainer, "publish", ["--skip-training"]], [bot, "pull", []], [
      bot,
      "status",
      [],
    ], [bot, "verify", []]] as const
  ) {
    const result = await runCli(command, args, { cwd, entry: "main" });
    assert.equal(result.code, 0, result.stderr);
  }
});

Deno.test("help comes without reading anything, and unknown commands are told apart", async () => {
  const help = await new Deno.Command(Deno.execPath(), {
    args: cliArgs("--help", [], { permissions: [] }),
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(help.stdout);
  assert.equal(help.code, 0, new TextDecoder().decode(help.stderr));
  for (
    const command of [
      "publish",
      "pull",
      "rollback",
      "status",
      "verify",
      "prune",
      "daemon",
      "doctor",
      "config",
    ]
  ) {
    assert.match(text, new RegExp(`^ {2}${command} `, "m"));
  }
  const unknown = await runCli("pul", [], { cwd: Deno.cwd() });
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no such command; did you mean "pull"/);
  for (const command of ["publish", "pull", "daemon"]) {
    const own = await runCli(command, ["--help"], { cwd: Deno.cwd(), entry: "script", permissions: [] });
    assert.equal(own.code, 0, own.stderr);
    assert.match(own.stdout, /--repo-models-subdir/);
  }
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} in the middle of a publish ends it with 130, on record, and with everything as it was`, async () => {
    using dir = tempDir();
    const { trainer } = world(dir);
    const config = join(trainer, "configs/bot.yaml");
    const text = Deno.readTextFileSync(config);
    Deno.writeTextFileSync(
      config,
      text.replace(/train_command: .*/, 'train_command: ["sh", "-c", "echo begun; sleep 60"]'),
    );
    const child = new Deno.Command(Deno.execPath(), {
      args: cliArgs("publish", ["--json"], { entry: "script" }),
      cwd: trainer,
      env: GIT_ENV,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let seen = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) {
      seen += decoder.decode(chunk);
      if (seen.includes("begun") && !seen.includes("INTERRUPTED")) child.kill(signal);
    }
    assert.equal((await child.status).code, 130, seen);
    await child.stdout.cancel();
    assert.equal(JSON.parse(seen.slice(seen.indexOf("{"))).code, "INTERRUPTED");
    const { runs } = JSON.parse((await run(trainer, "status", "--json")).stdout);
    assert.equal(runs[0].outcome, "interrupted");
    assert.equal((await run(trainer, "publish", "--skip-training")).code, 0);
  });
}

Deno.test("the daemon runs at once when told to, says when it runs next, and stops cleanly on SIGTERM", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  const child = new Deno.Command(Deno.execPath(), {
    args: cliArgs("daemon", ["--role", "client", "--run-on-start"], { entry: "script" }),
    cwd: bot,
    env: { ...GIT_ENV, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let seen = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    const before = seen;
    seen += decoder.decode(chunk);
    if (seen.includes("next client run at") && !before.includes("next client run at")) child.kill("SIGTERM");
  }
  const stdout = await new Response(child.stdout).text();
  assert.equal((await child.status).code, 0, seen);
  assert.match(stdout, /activated release/);
  assert.match(seen, /daemon stopped/);
  assert.deepEqual(readFiles(join(bot, "models")), MODELS);
});
