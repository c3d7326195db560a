import assert from "node:assert/strict";
import { join } from "node:path";
import { configuredPair } from "../helpers/machines.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { cliArgs, runCli, spawnCli } from "../helpers/run_cli.ts";
import { ageFiles, listing, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository, git, GIT_ENV } from "../helpers/test_git.ts";
import { MODELS, run, runJson, world } from "../helpers/seed_world.ts";

Deno.test("the commands of seed 0 work as documented", async () => {
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
  assert.deepEqual(readFiles(join(bot, "models")), { ...MODELS, "BTC_USDC/rf.bin": "trained\n" });
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
      "warnings",
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
  writeFiles(join(trainer, "models"), { "BTC_USDC/rf.bin": "two" });
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
  assert.equal(typeof back["durationMs"], "number");
});

Deno.test("a dry run shows what would change, and leaves every file unchanged", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  writeFiles(join(trainer, "models"), { "BTC_USDC/rf.bin": "two", "new.bin": "n" });
  const before = listing(dir.path);
  const preview = await runJson(trainer, "publish", "--dry-run");
  assert.deepEqual([preview["outcome"], preview["sequence"], preview["changes"]], [
    "published",
    2,
    { added: ["new.bin"], modified: ["BTC_USDC/rf.bin"], removed: [] },
  ]);
  assert.ok(Array.isArray(preview["trainCommand"]));
  assert.deepEqual(listing(dir.path), before);
  await runJson(trainer, "publish", "--skip-training");
  const published = listing(dir.path);
  for (
    const [cwd, args, says] of [
      [
        trainer,
        ["publish", "--skip-training"],
        /^nothing to publish: origin\/main holds these models already$/m,
      ],
      [bot, ["rollback", "--to", "1"], /^nothing to do: release [0-9a-f]{12} is active already$/m],
      [bot, ["prune"], /^nothing to remove: the store holds 1 release$/m],
    ] as const
  ) {
    const [command, ...options] = args;
    const { code, stdout } = await run(cwd, command, ...options, "--dry-run");
    assert.equal(code, 0);
    assert.match(stdout, says);
  }
  const pull = await runJson(bot, "pull", "--dry-run");
  assert.deepEqual([pull["outcome"], pull["changes"]], ["activated", {
    added: ["new.bin"],
    modified: ["BTC_USDC/rf.bin"],
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

Deno.test("each fault has its exit code, and one line with the next step", async () => {
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
  await expect(bot, 4, /there is no such branch/, "pull");
  await expect(
    trainer,
    2,
    /Cannot use --symbols: there is no such option; did you mean "--symbol"/,
    "publish",
    "--symbols",
    "X",
  );
  await expect(trainer, 2, /exclude each other/, "publish", "--train-all", "--train-missing-only");
  await expect(trainer, 2, /no-such\.yaml does not exist/, "publish", "--config", "no-such.yaml");
  await expect(
    bot,
    2,
    /nothing was pulled or published there yet/,
    "verify",
    "--models-dir",
    "a",
    "--state-dir",
    "b",
  );
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  // A training into the active release would change what consumers have open.
  await expect(bot, 2, /it is the active release of a pull, which is immutable/, "publish");
  assert.deepEqual(readFiles(join(bot, "models")), MODELS);
  const inClone = ["--skip-training", "--models-dir", join(dir.path, "trainer-clone/models")];
  await expect(trainer, 2, /it is inside the clone/, "publish", ...inClone);
  await expect(trainer, 2, /it is inside the clone/, "publish", ...inClone, "--dry-run");
  await expect(bot, 2, /holds no earlier release/, "rollback");
  await expect(bot, 5, /no such release/, "rollback", "--to", "0123abcd");
  await expect(bot, 2, /neither a sequence number nor the beginning of a digest/, "rollback", "--to", "xyz");
  Deno.writeTextFileSync(join(dir.path, "trainer-clone/untracked"), "x");
  await expect(trainer, 2, /working tree is dirty \(untracked\)/, "publish", "--skip-training");
  Deno.removeSync(join(dir.path, "trainer-clone/untracked"));
  Deno.renameSync(registry, `${registry}.gone`);
  await expect(bot, 4, /registry\.git/, "pull");
});

Deno.test("publish trains first, and publishes nothing if the training fails or is not configured", async () => {
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
  assert.match(missing.stderr, /init git-trainer .* or model-sync init runpod-worker in the worker/);
  assert.match(missing.stderr, /next:.*--skip-training/);
});

Deno.test("a publish does not train into an active release, and its dry run refuses what every pull would refuse", async () => {
  using dir = tempDir();
  const { registry, trainer, bot } = configuredPair(dir.path);
  writeFiles(join(trainer, "models"), { "a.json": "{}" });
  await runJson(trainer, "publish");
  await runJson(bot, "pull");
  const publisher = { train_command: ["sh", "-c", "echo trained > trained"] };
  const settings = { repo_url: registry, publisher };
  writeFiles(bot, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
  const training = await run(bot, "publish");
  assert.deepEqual([training.code, /it is the active release of a pull/.test(training.stderr)], [2, true]);
  assert.throws(() => Deno.statSync(join(bot, "trained")), Deno.errors.NotFound);
  writeFiles(join(trainer, "models"), { "a.json": "{" });
  const planned = await run(trainer, "publish", "--dry-run");
  assert.deepEqual([planned.code, /a\.json/.test(planned.stderr)], [5, true], planned.stderr);
});

Deno.test("the dry run of a publish reads no file of an unchanged folder", async () => {
  using dir = tempDir();
  const { trainer } = configuredPair(dir.path);
  const models = join(trainer, "models");
  writeFiles(models, { "a.json": "{}" });
  ageFiles(models);
  await runJson(trainer, "publish");
  const opened: string[] = [];
  const fs = rootedFs(trainer);
  const open: typeof fs.open = (path, options) => {
    opened.push(String(path));
    return fs.open(path, options);
  };
  const planned = await runCli("publish", ["--dry-run"], { cwd: trainer, world: { fs: { ...fs, open } } });
  assert.equal(planned.code, 0, planned.stderr);
  assert.deepEqual(opened.filter((path) => path.endsWith("a.json")), []);
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

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} during a publish ends it with 130, on record, and leaves everything unchanged`, async () => {
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

Deno.test("a relative repo_url starts at the working directory, and a dry run with another address leaves the clone unchanged", async () => {
  using dir = tempDir();
  const { trainer } = world(dir);
  writeFiles(trainer, {
    "configs/bot.yaml": "model_sync: {repo_url: ../registry.git, publisher: {train_before_push: false}}\n",
  });
  assert.equal((await runJson(trainer, "publish"))["outcome"], "published");
  bareRepository(join(dir.path, "other.git"));
  const before = listing(join(trainer, ".model-sync/registry"));
  for (const command of [["publish", "--dry-run"], ["doctor"]] as const) {
    const [name, ...flags] = command;
    assert.equal((await run(trainer, name, ...flags, "--repo-url", "../other.git")).code, 0);
  }
  assert.equal((await run(trainer, "pull", "--dry-run", "--repo-url", "../other.git")).code, 4);
  assert.deepEqual(listing(join(trainer, ".model-sync/registry")), before);
});

Deno.test("publish and pull recover from a killed run and its git processes, under their own permissions", async () => {
  using dir = tempDir();
  const { registry, trainer, bot } = world(dir);
  const config = `model_sync: {repo_url: ${
    JSON.stringify(registry)
  }, publisher: {train_before_push: false}}\n`;
  for (const machine of [trainer, bot]) writeFiles(machine, { "configs/bot.yaml": config });
  await runJson(trainer, "publish");
  await runJson(bot, "pull");
  for (
    const [machine, command, locks] of [
      [trainer, "publish", ["index", "HEAD"]],
      [bot, "pull", ["shallow", "refs/heads/main"]],
    ] as const
  ) {
    const gitDir = join(machine, ".model-sync/registry/.git");
    for (const name of locks) {
      Deno.writeTextFileSync(join(gitDir, `${name}.lock`), "");
      Deno.utimeSync(join(gitDir, `${name}.lock`), 1, 1);
    }
    const head = git(gitDir, "rev-parse", "main");
    Deno.writeTextFileSync(join(gitDir, "model-sync.journal"), JSON.stringify({ head, paths: ["models"] }));
    Deno.writeTextFileSync(join(gitDir, "model-sync.moving"), "");
    writeFiles(trainer, { "models/BTC_USDC/rf.bin": command });
    const result = await spawnCli(command, [], { cwd: machine, entry: "script" });
    assert.equal(result.code, 0, result.stderr);
  }
  assert.equal(Deno.readTextFileSync(join(bot, "models/BTC_USDC/rf.bin")), "publish");
});
