import assert from "node:assert/strict";
import { join } from "node:path";
import { ENTRIES } from "../../cli/_entries.ts";
import { configKeys } from "../../lib/config/keys.ts";
import { type CliResult, runCli, spawnCli } from "../helpers/run_cli.ts";
import { fixedKey } from "../helpers/signing.ts";
import { startCli } from "../helpers/start_cli.ts";
import { listing, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository } from "../helpers/test_git.ts";
import { makeProgram } from "../helpers/make_program.ts";

const KEY = fixedKey();

/** Settings whose relative paths, and whose programs, all start at the project. */
const BOT = `model_sync:
  repo_url: ../registry.git
  repo_dir: clone
  models_dir: data/models
  token_env: REGISTRY_TOKEN
  report: { metrics_file: metrics/bot.prom }
  signing: { required: true, public_keys: [keys/public.pem] }
  activation:
    backup_dir: backup
    validate: { validate_command: ["./check.sh"] }
    reload: [{ type: command, command: ["./reload.sh", "reloaded.txt"] }]
`;

const TRAINER = `model_sync:
  repo_url: ../registry.git
  signing: { private_key: keys/private.pem }
  publisher: { train_command: ["./train.sh"] }
`;

/** A registry, a trainer, and a folder beside the projects in which commands are started. */
function machines(dir: TempDir): { readonly trainer: string; readonly elsewhere: string } {
  bareRepository(join(dir.path, "registry.git"));
  const trainer = join(dir.path, "trainer");
  writeFiles(trainer, { "configs/bot.yaml": TRAINER, "keys/private.pem": KEY.privatePem });
  Deno.chmodSync(join(trainer, "keys/private.pem"), 0o600);
  script(trainer, "train.sh", 'mkdir -p models; date +%N > models/a.bin; echo "$MODEL_SYNC_MODELS_DIR"');
  const elsewhere = join(dir.path, "elsewhere");
  Deno.mkdirSync(elsewhere);
  return { trainer, elsewhere };
}

function makeBot(path: string): string {
  writeFiles(path, {
    "configs/bot.yaml": BOT,
    "keys/public.pem": KEY.publicPem,
    ".env": "REGISTRY_TOKEN=t0k3n-of-the-project\n",
    "metrics/README": "",
  });
  script(path, "check.sh", 'test -f "$1/a.bin" && test -f check.sh');
  script(path, "reload.sh", 'echo reloaded >> "$1"');
  return path;
}

function script(folder: string, name: string, body: string): void {
  writeFiles(folder, { [name]: `#!/bin/sh\n${body}\n` });
  makeProgram(join(folder, name));
}

/** Paths in a project, without those below the clone and the store's caches, whose names differ. */
function filesOf(project: string): string[] {
  return listing(project).map((line) => line.split(" ", 1).join("").slice(project.length + 1))
    .filter((path) => !/^(?:clone|backup|data\/\.model-sync\/stat-cache)\//.test(path));
}

async function modelFolder(cwd: string, config: string): Promise<string | undefined> {
  const { stdout } = await succeed(runCli("status", ["--config", config], { cwd }));
  return /^model folder {3}(.*)$/m.exec(stdout)?.[1];
}

async function succeed(result: Promise<CliResult>): Promise<CliResult> {
  const { code, stdout, stderr } = await result;
  assert.equal(code, 0, stdout + stderr);
  return { code, stdout, stderr };
}

Deno.test("with --config, a publish and a pull from another folder do the same as in the project", async () => {
  using dir = tempDir();
  const { trainer, elsewhere } = machines(dir);
  const ofTrainer = ["--config", "../trainer/configs/bot.yaml"];
  await succeed(runCli("publish", ofTrainer, { cwd: elsewhere }));
  await succeed(runCli("publish", ["--skip-training"], { cwd: trainer }));
  const [near, far] = [makeBot(join(dir.path, "near")), makeBot(join(dir.path, "far"))];
  await succeed(runCli("pull", [], { cwd: near }));
  const config = ["--config", join(far, "configs/bot.yaml")];
  await succeed(runCli("pull", config, { cwd: elsewhere }));
  assert.deepEqual(filesOf(far), filesOf(near));
  assert.ok(
    ["data/models", "reloaded.txt", "metrics/bot.prom"].every((name) => filesOf(far).includes(name)),
  );

  // The next commands find the same store and clone, from either folder.
  const active = async (cwd: string, ...args: string[]) =>
    JSON.parse((await succeed(runCli("status", [...args, "--json"], { cwd }))).stdout);
  const [inside, outside] = [await active(far), await active(elsewhere, ...config)];
  assert.deepEqual(outside.current, inside.current);
  assert.equal(inside.runs.length, 1);
  assert.match((await succeed(runCli("pull", [], { cwd: far }))).stdout, /unchanged/);
  await succeed(runCli("publish", ofTrainer, { cwd: elsewhere }));
  await succeed(runCli("pull", config, { cwd: elsewhere }));
  for (const command of ["verify", "prune", "rollback"]) {
    await succeed(runCli(command, config, { cwd: elsewhere }));
  }
  writeFiles(elsewhere, { ".env": "REGISTRY_TOKEN=another\n" });
  const doctor = await succeed(runCli("doctor", config, { cwd: elsewhere }));
  assert.match(
    doctor.stdout,
    /warn {2}environment: \S+elsewhere\/\.env is not read: the project is \S+far\n/,
  );
  Deno.removeSync(join(elsewhere, ".env"));
  assert.ok(doctor.stdout.includes(`model folder   ${join(far, "data/models")}\n`), doctor.stdout);
  assert.doesNotMatch(doctor.stdout, /fail/);
  assert.deepEqual([...Deno.readDirSync(elsewhere)], []);
  assert.equal(Deno.readTextFileSync(join(far, "reloaded.txt")).trim().split("\n").length, 3);
});

Deno.test("a daemon and a dashboard with --config work in the project; the daemon follows the file's changes", async () => {
  using dir = tempDir();
  const { elsewhere } = machines(dir);
  const bot = makeBot(join(dir.path, "bot"));
  const config = ["--config", "../bot/configs/bot.yaml"];
  const daemon = startCli("daemon", ["--role", "client", ...config], { cwd: elsewhere });
  await daemon.until(/next client run at \S+T\d\d:[03]0:00Z/);
  Deno.writeTextFileSync(join(bot, "configs/bot.yaml"), `${BOT}  client: { schedule: "02:34" }\n`);
  // An operator in the project wakes the daemon.
  await succeed(runCli("pause", ["client"], { cwd: bot }));
  await daemon.until(/next client run at \S+T\d\d:[03]4:00Z/);
  daemon.stop();
  assert.equal(await daemon.exitCode, 0);
  const dashboard = startCli("dashboard", ["--listen", "127.0.0.1:0", ...config], { cwd: elsewhere });
  await dashboard.until(/dashboard: http:/);
  dashboard.stop();
  assert.equal(await dashboard.exitCode, 0);
  assert.ok(Deno.statSync(join(bot, "data/.model-sync/dashboard/kv.sqlite3")).isFile);
  assert.deepEqual([...Deno.readDirSync(elsewhere)], []);
});

Deno.test("a process with --config enters the project, under the permissions of its command", async () => {
  using dir = tempDir();
  const { elsewhere } = machines(dir);
  const bot = makeBot(join(dir.path, "bot"));
  const printed = await spawnCli("status", ["--config", join(bot, "configs/bot.yaml")], {
    cwd: elsewhere,
    entry: "script",
  });
  assert.equal(printed.code, 0, printed.stderr);
  assert.match(printed.stdout, new RegExp(`^model folder {3}${join(bot, "data/models")}$`, "m"));
});

Deno.test("options and the process's variables start at the working directory; the file and .env at the project", async () => {
  using dir = tempDir();
  const [bot, here] = [join(dir.path, "bot"), join(dir.path, "here")];
  Deno.mkdirSync(here);
  writeFiles(bot, {
    "configs/bot.yaml": "model_sync: {repo_dir: of-file, keep: 3}\n",
    ".env": "MODEL_SYNC_ACTIVATION_BACKUP_DIR=of-dotenv\nMODEL_SYNC_STATE_DIR=lost\nKEY=k\n",
  });
  const env = {
    MODEL_SYNC_STATE_DIR: "of-variable",
    MODEL_SYNC_REPORT_METRICS_FILE: "../m.prom",
    MODEL_SYNC_SIGNING_PUBLIC_KEYS: "a.pem,/b.pem",
    HORDE_GITHUB_SYNC_TARGET_CLONE_DIR: "clones",
    MODEL_SYNC_KEEP: "4",
  };
  const args = ["print", "--config", "../bot/configs/bot.yaml", "--models-dir", "of-option", "--json"];
  const { stdout } = await succeed(runCli("config", args, { cwd: here, env }));
  const printed: Record<string, { value: unknown }> = JSON.parse(stdout);
  const value = (name: string) => printed[name]?.value;
  assert.equal(value("repo_dir"), "of-file");
  assert.equal(value("activation.backup_dir"), "of-dotenv");
  assert.equal(value("state_dir"), join(here, "of-variable"));
  assert.equal(value("report.metrics_file"), join(dir.path, "m.prom"));
  assert.deepEqual(value("signing.public_keys"), [join(here, "a.pem"), "/b.pem"]);
  assert.equal(value("references.target_dir"), join(here, "clones"));
  assert.equal(value("models_dir"), join(here, "of-option"));
  assert.equal(value("keep"), 4);
});

Deno.test("the project is the folder above configs/, else the file's own; a device is no file of a project", async () => {
  using dir = tempDir();
  const elsewhere = join(dir.path, "elsewhere");
  Deno.mkdirSync(elsewhere);
  writeFiles(dir.path, {
    "configs/bot.yaml": "",
    "conf/bot.yaml": "",
    "real/bot.yaml": "",
    "app/configs/.keep": "",
  });
  Deno.symlinkSync("../../real/bot.yaml", join(dir.path, "app/configs/bot.yaml"));
  const project = (config: string) => modelFolder(elsewhere, config);
  assert.equal(await project("../configs/bot.yaml"), join(dir.path, "models"));
  assert.equal(await project("../conf/bot.yaml"), join(dir.path, "conf/models"));
  // A link counts where it is, and not where it leads: containers mount files as links.
  assert.equal(await project("../app/configs/bot.yaml"), join(dir.path, "app/models"));
  assert.equal(await project("/dev/null"), join(elsewhere, "models"));
  const missing = await runCli("status", ["--config", "../no/bot.yaml"], { cwd: elsewhere });
  assert.deepEqual([missing.code, /no\/bot\.yaml does not exist/.test(missing.stderr)], [2, true]);
});

Deno.test("a store that an earlier version made in the working directory stays in use, with a warning", async () => {
  using dir = tempDir();
  const { trainer } = machines(dir);
  await succeed(runCli("publish", [], { cwd: trainer }));
  const [work, etc] = [join(dir.path, "work"), join(dir.path, "etc")];
  writeFiles(etc, { "bot.yaml": "model_sync: {repo_url: ../registry.git}\n", ".env": "" });
  writeFiles(work, { ".env": "" });
  // This is where the earlier version resolved the paths of the file.
  await succeed(runCli("pull", ["--repo-url", "../registry.git"], { cwd: work }));
  const config = ["--config", "../etc/bot.yaml"];
  const again = await succeed(runCli("pull", config, { cwd: work }));
  assert.match(again.stdout, /unchanged/);
  assert.match(
    again.stderr,
    /relative paths of \S+bot\.yaml start at \S+work, which has \.model-sync,/,
  );
  assert.deepEqual(filesOf(etc), [".env", "bot.yaml"]);

  const [later, state] = [join(dir.path, "later"), join(dir.path, "state")];
  Deno.mkdirSync(later);
  await succeed(runCli("pull", ["--repo-url", "../registry.git", "--state-dir", state], { cwd: later }));
  const named = await succeed(runCli("status", [...config, "--state-dir", state], { cwd: later }));
  assert.match(named.stderr, /start at \S+later, which has models,/);
  assert.match(named.stdout, new RegExp(`^model folder {3}${later}/models$`, "m"));

  // A folder with its own configuration keeps its store for itself, and the other project gets its own.
  writeFiles(work, { "configs/bot.yaml": "" });
  const own = await succeed(runCli("pull", config, { cwd: work }));
  assert.match(own.stdout, /activated/);
  assert.ok(Deno.statSync(join(etc, ".model-sync")).isDirectory);
});

Deno.test("every option that takes a file or a folder of this machine is declared as a path", async () => {
  const pathSettings = configKeys().filter(({ schema: { format, anyOf = [] } }) =>
    [format, ...anyOf.map(({ format }) => format)].some((format) =>
      ["path", "git-address"].includes(format ?? "")
    )
  ).map(({ path }) => path.join("."));
  const wrong: string[] = [];
  for (const { load } of Object.values(ENTRIES)) {
    const { program } = await load();
    const commands = "command" in program ? [program.command] : Object.values(program.commands);
    for (const [name, option] of commands.flatMap(({ options }) => Object.entries(options))) {
      if (option.kind === "switch" || option.hidden) continue;
      const isPath = option.setting === undefined
        ? /^(?:FILE|DIR|DATABASE)$/.test(option.placeholder) || name === "repoUrl"
        : pathSettings.includes(option.setting);
      if (isPath !== (option.isPath?.("models") === true)) wrong.push(`${program.name} --${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});
