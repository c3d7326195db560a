import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { readHistory } from "../../lib/store/history.ts";
import { openStore } from "../../lib/store/store.ts";
import { type GitHubServer, OWNER, REPOSITORY, startGitHubServer, TOKEN } from "../../fakes/github_server.ts";
import { type CliOptions, type CliResult, runCli, spawnCli, type SpawnOptions } from "../helpers/run_cli.ts";
import { streamedZip } from "../helpers/streamed_zip.ts";
import { listing, readFiles, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";

const MODELS = { "cvar_ppo/cvar_ppo_model.bin": "ppo", "cvar_ppo/metadata.json": "{}" };

const APPSETTINGS = {
  CloudSync: { IntervalMinutes: 15, Enabled: true },
  GitHub: { Owner: OWNER, Repository: REPOSITORY, Token: "" },
};

/** A bot of seed 2 in its folder, and its GitHub. */
class BotWorld implements AsyncDisposable {
  readonly dir: TempDir = tempDir();
  readonly github: GitHubServer = startGitHubServer(systemClock);

  constructor(appsettings: unknown = APPSETTINGS) {
    writeFiles(this.dir.path, { "appsettings.json": JSON.stringify(appsettings, undefined, 2) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.github[Symbol.asyncDispose]();
    } finally {
      this.dir[Symbol.dispose]();
    }
  }

  get models(): string {
    return join(this.dir.path, "models");
  }

  async train(files: Readonly<Record<string, string>>): Promise<number> {
    const run = this.github.addRun();
    await this.github.addArtifact(run, { name: `trained-models-${run}`, content: streamedZip(files) });
    return run;
  }

  async run(args: readonly string[], { env }: Pick<CliOptions, "env"> = {}): Promise<CliResult> {
    return await runCli("artifact-pull", args, {
      cwd: this.dir.path,
      env: { ...this.github.env, ...env },
    });
  }

  /** The same as a process of its own. */
  async spawn(args: readonly string[], options: Partial<SpawnOptions> = {}): Promise<CliResult> {
    return await spawnCli("artifact-pull", args, {
      cwd: this.dir.path,
      entry: "script",
      env: this.github.env,
      ...options,
    });
  }
}

Deno.test("artifact-pull works with seed 2's appsettings.json as documented, under its own permissions", async () => {
  await using bot = new BotWorld();
  const run = await bot.train(MODELS);
  const result = await bot.spawn([]);
  assert.equal(result.code, 0, result.stderr);
  assert.deepEqual(readFiles(bot.models), MODELS);
  assert.match(result.stderr, /Starting model synchronization\.\.\./);
  assert.match(result.stderr, new RegExp(`Downloading new model: trained-models-${run} from run ${run}`));
  assert.match(result.stdout, /activated release [0-9a-f]{12} \(sequence \d+\)/);
});

Deno.test("artifact-pull prints the JSON that scripts rely on", async () => {
  await using bot = new BotWorld();
  const run = await bot.train(MODELS);
  const { code, stdout, stderr } = await bot.run(["--json", "--workflow", "train_models.yml"]);
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "");
  const report = JSON.parse(stdout);
  assert.deepEqual(
    [report.outcome, report.carrier, report.revision, report.sequence, report.files, report.artifacts],
    ["activated", "github-actions", `${run}.1`, 1, 2, [`trained-models-${run}`]],
  );
  assert.deepEqual([report.run.id, report.run.number, report.run.attempt], [run, 1, 1]);
});

Deno.test("artifact-pull skips a pull that comes too soon, logs seed 2's phrase, and records the run", async () => {
  await using bot = new BotWorld();
  await bot.train(MODELS);
  await bot.run([]);
  bot.github.requests.length = 0;
  const skipped = await bot.run([]);
  assert.equal(skipped.code, 0, skipped.stderr);
  assert.match(skipped.stderr, /Rate limiting - skipping sync/);
  assert.match(skipped.stderr, /the previous pull started .+ ago; artifacts\.min_interval_minutes is 5/);
  assert.deepEqual(bot.github.requests, []);
  const store = openStore(Deno, { modelsDir: bot.models });
  assert.deepEqual(readHistory(store, 10).map(({ outcome }) => outcome), ["unchanged", "activated"]);
  const { stdout } = await bot.run(["--json"]);
  const report = JSON.parse(stdout);
  assert.deepEqual([report.outcome, report.skipped, report.files], [
    "unchanged",
    "Rate limiting - skipping sync",
    2,
  ]);
  for (const args of [["--min-interval-minutes", "0"], ["--force"]]) {
    await bot.run(args);
    assert.ok(bot.github.requests.length > 0, args.join(" "));
    bot.github.requests.length = 0;
  }
});

Deno.test("artifact-pull ignores a start in the future and the starts of other sources", async () => {
  await using bot = new BotWorld();
  await bot.train(MODELS);
  await bot.run([]);
  const starts = join(bot.dir.path, ".model-sync/starts.json");
  const [source = ""] = Object.keys(JSON.parse(Deno.readTextFileSync(starts)));
  Deno.writeTextFileSync(starts, JSON.stringify({ [source]: "2999-01-01T00:00:00.000Z" }));
  assert.doesNotMatch((await bot.run([])).stderr, /skipping/);
  assert.match((await bot.run([])).stderr, /skipping/);
  assert.doesNotMatch(
    (await bot.run(["--workflow", "train_models.yml", "--allow-downgrade"])).stderr,
    /skipping/,
  );
});

Deno.test("artifact-pull counts only a pull that got a release, or refused one, towards the least interval", async () => {
  await using bot = new BotWorld();
  // There is no run yet, and then the token is wrong: nothing was learnt, so the next pull asks again.
  assert.equal((await bot.run([])).code, 4);
  assert.equal((await bot.run([])).code, 4);
  await bot.train(MODELS);
  assert.equal((await bot.run([], { env: { GITHUB_TOKEN: "wrong" } })).code, 3);
  const activated = await bot.run([]);
  assert.equal(activated.code, 0, activated.stderr);
  assert.match(activated.stdout, /activated release/);
  assert.match((await bot.run([])).stderr, /Rate limiting - skipping sync/);
});

Deno.test("artifact-pull skips after a refused release, unless the operator answers the refusal", async () => {
  await using bot = new BotWorld();
  const run = bot.github.addRun();
  await bot.github.addArtifact(run, { name: `trained-models-${run}`, content: streamedZip({}) });
  assert.equal((await bot.run([])).code, 5);
  const skipped = await bot.run(["--json"]);
  assert.equal(skipped.code, 0);
  assert.equal(JSON.parse(skipped.stdout).release, null);
  for (const answer of ["--adopt", "--allow-downgrade", "--force"]) {
    assert.equal((await bot.run([answer])).code, 5, answer);
  }
});

Deno.test("artifact-pull without a token logs seed 2's phrase once, and exits with 3", async () => {
  await using bot = new BotWorld();
  const result = await bot.run([], { env: { GITHUB_TOKEN: "" } });
  assert.equal(result.code, 3);
  const said = result.stderr.match(/No GitHub token configured - cloud model sync will be disabled/g);
  assert.equal(said?.length, 1);
  assert.match(result.stderr, /set GITHUB_TOKEN/);
  assert.deepEqual(bot.github.requests, []);
});

Deno.test("artifact-pull uses a token from appsettings.json, and warns about a token in a file", async () => {
  await using bot = new BotWorld({ ...APPSETTINGS, GitHub: { ...APPSETTINGS.GitHub, Token: TOKEN } });
  await bot.train(MODELS);
  const result = await bot.run([], { env: { GITHUB_TOKEN: "" } });
  assert.equal(result.code, 0, result.stderr);
  assert.match(
    result.stderr,
    /appsettings\.json:\d+:\d+: a token in a file .* set GITHUB_TOKEN in the environment/,
  );
  assert.ok(!result.stderr.includes(TOKEN));
  assert.doesNotMatch((await bot.run(["--force"])).stderr, /a token in a file/);
  assert.deepEqual(readFiles(bot.models), MODELS);
});

Deno.test("artifact-pull reads names from options and from seed 2's variables, and exits with 2 if one is missing", async () => {
  await using bot = new BotWorld({});
  await bot.train(MODELS);
  const unset = await bot.run([]);
  assert.equal(unset.code, 2);
  assert.match(unset.stderr, /--owner and --repository/);
  const flags = await bot.run([
    "--owner",
    OWNER,
    "--repository",
    REPOSITORY,
    "--branch",
    "main",
    "--artifact",
    "trained-*",
  ]);
  assert.equal(flags.code, 0, flags.stderr);
  const variables = await bot.run(["--force"], {
    env: { GitHub__Owner: OWNER, GitHub__Repository: REPOSITORY },
  });
  assert.equal(variables.code, 0, variables.stderr);
  const oneWord = await bot.run(["--force", "--repository", `${OWNER}/${REPOSITORY}`]);
  assert.equal(oneWord.code, 0, oneWord.stderr);
});

Deno.test("artifact-pull --dry-run shows what would change, and leaves no trace", async () => {
  await using bot = new BotWorld();
  await bot.train(MODELS);
  const before = listing(bot.dir.path);
  const first = await bot.run(["--dry-run"]);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /would activate .*2 files changed/);
  assert.deepEqual(listing(bot.dir.path), before);
  await bot.run([]);
  const same = await bot.run(["--dry-run"]);
  assert.match(same.stdout, /^nothing to do: release [0-9a-f]{12} \(sequence \d+\) is active already$/m);
  assert.doesNotMatch(same.stderr, /Downloading/);
  await bot.train({ ...MODELS, "new.bin": "new" });
  const after = listing(bot.dir.path);
  assert.match((await bot.run(["--dry-run"])).stdout, /new\.bin/);
  assert.deepEqual(listing(bot.dir.path), after);
});

Deno.test("artifact-pull runs through main.ts with the permissions that it keeps, and does not run with fewer", async () => {
  await using bot = new BotWorld();
  await bot.train(MODELS);
  const main = await bot.spawn([], { entry: "main" });
  assert.equal(main.code, 0, main.stderr);
  const needed = ["read", "write", "env", "net", "sys"];
  for (const missing of needed) {
    const permissions = needed.filter((name) => name !== missing).map((name) => `--allow-${name}`);
    const less = await bot.spawn(["--force"], { permissions });
    assert.notEqual(less.code, 0, `artifact-pull works without ${missing}`);
    assert.match(less.stderr + less.stdout, /Requires \w+ access|NotCapable/, `without ${missing}`);
  }
});

Deno.test("config print shows the settings that come from the bot's files", async () => {
  await using bot = new BotWorld();
  const { stdout, code } = await runCli("config", ["print", "--json"], { cwd: bot.dir.path });
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout)["artifacts.owner"], { value: OWNER, from: "appsettings.json:7:6" });
});
