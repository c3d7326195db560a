import assert from "node:assert/strict";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { load as parseYaml } from "js-yaml";
import type { World } from "../../cli/_world.ts";
import { jsonSchema } from "../../lib/config/keys.ts";
import { LIFE_NAMES, type LifeName } from "../../lib/config/lives.ts";
import { renderStarter } from "../../lib/config/starter.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { readOnlyFs, rootedFs } from "../helpers/fake_fs.ts";
import { type CliResult, runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository, git } from "../helpers/test_git.ts";

const TOKENS = {
  GITHUB_TOKEN: "ghp_0123456789abcdefghij",
  HF_TOKEN: "hf_0123456789",
  RUNPOD_API_KEY: "rpa_0123",
};

/** The options of each life, and the settings that they stand for. */
const LIVES: Readonly<Record<LifeName, readonly [options: readonly string[], settings: object]>> = {
  "git-client": [
    ["--repo-url", "https://github.com/you/models.git"],
    { repo_url: "https://github.com/you/models.git", token_env: "GITHUB_TOKEN" },
  ],
  "git-trainer": [
    ["--repo-url", "git@h:you/models.git", "--train-command", "python3 -m train --note 'a b'"],
    {
      repo_url: "git@h:you/models.git",
      publisher: { train_command: ["python3", "-m", "train", "--note", "a b"] },
    },
  ],
  "runpod": [
    ["--endpoint", "abc123"],
    {
      runpod: {
        trigger_url: "https://api.runpod.ai/v2/abc123/run",
        status_url_template: "https://api.runpod.ai/v2/abc123/status/{job_id}",
      },
    },
  ],
  "runpod-worker": [
    ["--train-command", "python3 train.py", "--repo-id", "you/archives"],
    { publisher: { train_command: ["python3", "train.py"] }, huggingface: { repo_id: "you/archives" } },
  ],
  "github-actions": [
    ["--repository", "https://github.com/you/bot", "--workflow", "train.yml"],
    { artifacts: { owner: "you", repository: "bot", workflow: "train.yml" } },
  ],
  "huggingface": [
    ["--repo-id", "https://huggingface.co/you/models"],
    { huggingface: { repo_id: "you/models" } },
  ],
  "references": [
    ["--primary-url", "https://models.example.org/api", "--reference-owner", "fork"],
    {
      references: {
        primary_url: "https://models.example.org/api",
        image_repository: { owner: "fork" },
        text_repository: { owner: "fork" },
      },
    },
  ],
};

/** A terminal at which a person types these lines, and then ends the input or waits. */
function person(lines: readonly string[], end: "ends" | "waits" = "ends"): Partial<World> {
  const left = [...lines];
  const stdin: NonNullable<World["stdin"]> = {
    isTerminal: () => true,
    read: async (buffer) => {
      const line = left.shift();
      if (line !== undefined) return new TextEncoder().encodeInto(`${line}\n`, buffer).written;
      return end === "ends" ? null : await new Promise<never>(() => {});
    },
  };
  return { stdin };
}

class Screen {
  text = "";
  readonly stderr: World["stderr"] = {
    isTerminal: () => true,
    writeSync: (bytes) => {
      this.text += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  };
}

async function init(
  cwd: string,
  args: readonly string[],
  world: Partial<World> = {},
): Promise<CliResult> {
  return await runCli("init", args, { cwd, env: TOKENS, world });
}

async function expectRefused(
  result: Promise<CliResult>,
  code: number,
  message: RegExp,
  cwd: string,
): Promise<void> {
  const { code: actual, stderr } = await result;
  assert.equal(actual, code, stderr);
  assert.match(stderr, message);
  assert.deepEqual([...Deno.readDirSync(cwd)].filter(({ name }) => name !== ".git"), []);
}

Deno.test("init writes the settings of each life and nothing else, which the schema beside it accepts", async () => {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(jsonSchema());
  assert.ok(validate(parseYaml(renderStarter())), JSON.stringify(validate.errors));
  assert.ok(!validate({ model_sync: { repo_ulr: "typo" } }));
  for (const name of LIFE_NAMES) {
    using dir = tempDir();
    const [options, settings] = LIVES[name];
    const { code, stdout, stderr } = await init(dir.path, [name, ...options, "--dry-run"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual(parseYaml(stdout), { model_sync: settings });
    assert.deepEqual([...Deno.readDirSync(dir.path)], []);
    const written = await runCli("config", ["init", name, ...options], { cwd: dir.path });
    assert.equal(written.code, 0, written.stderr);
    const text = Deno.readTextFileSync(join(dir.path, "configs/bot.yaml"));
    assert.equal(text, stdout);
    assert.equal((await runCli("config", ["check"], { cwd: dir.path })).code, 0);
    const [, schema = ""] = /^# yaml-language-server: \$schema=\.\/(.*)$/m.exec(text) ?? [];
    assert.deepEqual(JSON.parse(Deno.readTextFileSync(join(dir.path, "configs", schema))), jsonSchema());
    assert.ok(validate(parseYaml(text)), JSON.stringify(validate.errors));
  }
});

Deno.test("after init on both machines, a publish and a pull work with nothing else", async () => {
  using dir = tempDir();
  bareRepository(join(dir.path, "registry.git"));
  const [trainer, bot] = [join(dir.path, "trainer"), join(dir.path, "bot")];
  for (const path of [trainer, bot]) Deno.mkdirSync(path);
  git(bot, "init", "--quiet");
  const url = ["--repo-url", "../registry.git"];
  const ofTrainer = await init(trainer, ["git-trainer", ...url, "--train-command", "sh train.sh"]);
  assert.match(ofTrainer.stdout, /^next: model-sync publish$/m, ofTrainer.stdout);
  assert.match(ofTrainer.stdout, /^ {2}pass {2}registry writable/m);
  writeFiles(trainer, { "train.sh": "mkdir -p models; echo 1 > models/a.bin\n" });
  assert.equal((await runCli("publish", [], { cwd: trainer })).code, 0);
  const { stdout } = await init(bot, ["git-client", ...url, "--json"]);
  const { next, doctor, written, ignored, tokenVariable } = JSON.parse(stdout);
  assert.deepEqual([next, doctor.ok, tokenVariable], ["model-sync pull", true, null]);
  assert.deepEqual(written, ["configs/bot.yaml", "configs/model-sync.schema.json"]);
  assert.deepEqual(ignored, [".env", ".model-sync/"]);
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  assert.doesNotMatch(git(bot, "status", "--short"), /\.model-sync/);
});

Deno.test("init asks a person for the life and for each setting, and again after an answer that cannot be used", async () => {
  using dir = tempDir();
  const screen = new Screen();
  const lines = [
    "8",
    "2",
    "",
    "https://u:p4ssw0rd@h/m.git",
    "https://github.com/you/m.git",
    "none",
    "python3 train.py",
  ];
  const world = { ...person(lines), stderr: screen.stderr };
  const { code, stdout } = await init(dir.path, ["--dry-run"], world);
  assert.equal(code, 0, screen.text);
  assert.deepEqual(parseYaml(stdout), {
    model_sync: {
      repo_url: "https://github.com/you/m.git",
      publisher: { train_command: ["python3", "train.py"] },
    },
  });
  assert.match(screen.text, /^ {2}2 {2}git-trainer {5}train models and publish them to a git repository$/m);
  assert.match(screen.text, /must be a number from 1 to 7, or a name/);
  assert.match(screen.text, /must not contain a user or password: the token goes into a variable/);
  assert.match(
    screen.text,
    /repository's token \(none: use the credentials of this machine\) \[GITHUB_TOKEN\]: /,
  );
  assert.ok(!screen.text.includes("p4ssw0rd"));
});

Deno.test("an empty answer stands for the default, and options are not asked for", async () => {
  using dir = tempDir();
  const screen = new Screen();
  const world = { ...person([""]), stderr: screen.stderr };
  const args = ["references", "--primary-url", "https://m.example.org", "--dry-run"];
  const { stdout } = await init(dir.path, args, world);
  assert.deepEqual(parseYaml(stdout), {
    model_sync: {
      references: {
        primary_url: "https://m.example.org",
        image_repository: { owner: "Haidra-Org" },
        text_repository: { owner: "Haidra-Org" },
      },
    },
  });
  assert.doesNotMatch(screen.text, /PRIMARY/);
  const silent = await init(dir.path, [...args, "--yes"], { ...person([]), stderr: screen.stderr });
  assert.equal(silent.stdout, stdout);
});

Deno.test("the end of the input and Ctrl-C end the questions with exit code 130, and nothing is written", async () => {
  using dir = tempDir();
  const ended = new Screen();
  const atEnd = init(dir.path, [], { ...person(["git-client"]), stderr: ended.stderr });
  await expectRefused(atEnd, 130, /^$/, dir.path);
  assert.match(
    ended.text,
    /: $\n^error: Cannot continue: the input ended before every question was answered$/m,
  );
  const stopping = new AbortController();
  const stopped = new Screen();
  const stderr: World["stderr"] = {
    ...stopped.stderr,
    writeSync: (bytes) => {
      if (new TextDecoder().decode(bytes).startsWith("Address")) queueMicrotask(() => stopping.abort());
      return stopped.stderr.writeSync(bytes);
    },
  };
  const world = { ...person([], "waits"), stderr };
  const atQuestion = runCli("init", ["git-client"], { cwd: dir.path, world, stop: stopping.signal });
  await expectRefused(atQuestion, 130, /^$/, dir.path);
  assert.match(
    stopped.text,
    /: \nerror: Cannot continue: stopped by SIGTERM\n$/,
  );
  const useless = new Screen();
  const stubborn = init(dir.path, [], { ...person(Array(9).fill("?")), stderr: useless.stderr });
  await expectRefused(stubborn, 2, /^$/, dir.path);
  assert.match(useless.text, /no usable answer in 5 tries; nothing was written/);
});

Deno.test("without a terminal, init names the options that it needs, and refuses those that do not fit", async () => {
  using dir = tempDir();
  const refused = (args: readonly string[], message: RegExp) =>
    expectRefused(init(dir.path, args), 2, message, dir.path);
  await refused([], /the kind of machine is missing\nnext: {2}[^\n]*git-client\|git-trainer\|runpod/);
  await refused(["runpod"], /--endpoint is missing\nnext: {2}add --endpoint VALUE/);
  await refused(
    ["git-cleint"],
    /Cannot use the KIND "git-cleint": it must be one of git-client[^\n]*; did you mean "?git-client/,
  );
  await refused(
    ["runpod", "--repo-id", "a/b"],
    /Cannot use --repo-id with runpod\nnext: {2}runpod takes --endpoint/,
  );
  await refused(["runpod", "--endpoint", "https://h/start"], /--endpoint: must be the id/);
  await refused(["huggingface", "--repo-id", "models"], /--repo-id: must be owner\/name/);
  await refused(
    ["git-client", "--repo-url", ""],
    /--repo-url: must not be empty\nnext: {2}model-sync init --help/,
  );
  await refused(["git-client", "--life", "runpod"], /--life runpod with git-client/);
  await refused(
    ["git-trainer", "--repo-url", "/r", "--train-command", "a | b"],
    /--train-command: must be a program/,
  );
  await refused(["git-client", "--repo-url", "https://t0k3n@h/a.git"], /must not contain a user or password/);
  await refused(["git-client", "--repo-url", "nonsense url"], /must be an address or a path/);
  await refused(
    ["huggingface", "--repo-id", "a/b", "--config", "../no-such-project-x/bot.yaml"],
    /its project is \S+x\nnext: {2}create the folder \S+x and run the command in it/,
  );
  using there = tempDir();
  await refused(
    ["huggingface", "--repo-id", "a/b", "--config", join(there.path, "bot.yaml")],
    /its project is \S+\nnext: {2}run the command in \S+$/m,
  );
});

Deno.test("init replaces a file only with --force, and does not hide an appsettings.json", async () => {
  using dir = tempDir();
  const args = ["huggingface", "--repo-id", "you/models"];
  writeFiles(dir.path, {
    "configs/bot.yaml": "bot: {mode: paper}\n",
    "configs/model-sync.schema.json": "{}",
  });
  const kept = await init(dir.path, args);
  assert.equal(kept.code, 2);
  assert.match(kept.stderr, /configs\/bot\.yaml: it exists\nnext: {2}add the lines that --dry-run prints/);
  assert.match((await init(dir.path, [...args, "--dry-run"])).stdout, /repo_id: "you\/models"/);
  assert.equal(Deno.readTextFileSync(join(dir.path, "configs/bot.yaml")), "bot: {mode: paper}\n");
  const full = await runCli("config", ["init", "--full", "--force"], { cwd: dir.path });
  assert.equal(full.code, 0, full.stderr);
  assert.equal(Deno.readTextFileSync(join(dir.path, "configs/bot.yaml")), renderStarter());
  assert.notEqual(Deno.readTextFileSync(join(dir.path, "configs/model-sync.schema.json")), "{}");
  Deno.removeSync(join(dir.path, "configs"), { recursive: true });
  writeFiles(dir.path, { "appsettings.json": '{"GitHub": {"Owner": "you", "Repository": "bot"}}' });
  const hidden = await init(dir.path, args);
  assert.deepEqual(
    [hidden.code, /appsettings\.json holds settings/.test(hidden.stderr)],
    [2, true],
    hidden.stderr,
  );
  writeFiles(dir.path, { "appsettings.json": '{"Logging": {}}' });
  assert.equal((await runCli("config", ["init", ...args], { cwd: dir.path })).code, 0);
});

Deno.test("init adds to .gitignore only what git does not ignore, and keeps its lines", async () => {
  using dir = tempDir();
  bareRepository(join(dir.path, "registry.git"));
  const args = ["git-client", "--repo-url", "registry.git", "--force"];
  const file = join(dir.path, ".gitignore");
  await init(dir.path, args);
  assert.throws(() => Deno.statSync(file), Deno.errors.NotFound);
  git(dir.path, "init", "--quiet");
  writeFiles(dir.path, { ".gitignore": "*.log\n.env" });
  await init(dir.path, args);
  assert.equal(Deno.readTextFileSync(file), "*.log\n.env\n.model-sync/\n");
  await init(dir.path, args);
  assert.equal(Deno.readTextFileSync(file), "*.log\n.env\n.model-sync/\n");
});

Deno.test("init says which variable the token goes into, and sends a person to doctor until it is set", async () => {
  using dir = tempDir();
  const args = ["runpod", "--endpoint", "http://127.0.0.1:9/v2/x/run"];
  const env = { RUNPOD_API_KEY: "" };
  const { code, stdout } = await runCli("init", args, { cwd: dir.path, env });
  assert.equal(code, 0);
  assert.match(stdout, /^put the API key of RunPod into RUNPOD_API_KEY: in the environment, or in \.env$/m);
  assert.match(stdout, /^next: model-sync doctor, and then model-sync runpod-pull$/m);
});

Deno.test("init asks for a token only if the Hugging Face repository is private, and goes on to the pull", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "hub/README": "" });
  await using hub = new HubServer(join(dir.path, "hub"));
  hub.createRepo("you/models");
  const env = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: "" };
  const args = ["huggingface", "--repo-id", "you/models"];
  const { code, stdout } = await runCli("init", args, { cwd: dir.path, env });
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^if the repository is private, put a read token into HF_TOKEN: in the environment, or/m,
  );
  assert.match(stdout, /^next: model-sync hf-pull$/m);
});

Deno.test("in an empty folder, a command names the init that writes its settings", async () => {
  using dir = tempDir();
  for (
    const [command, options, life] of [
      ["pull", [], "git-client"],
      ["publish", [], "git-trainer"],
      ["runpod-pull", [], "runpod"],
      ["artifact-pull", [], "github-actions"],
      ["hf-pull", [], "huggingface"],
      ["references-sync", ["--dry-run"], "references"],
    ] as const
  ) {
    const { code, stderr } = await runCli(command, options, { cwd: dir.path });
    const named = /to write a configuration, run model-sync init (\S+)((?: --[a-z-]+ [A-Z\/]+)+)/.exec(
      stderr,
    );
    assert.deepEqual([code, named?.[1]], [2, life], stderr);
    const typed = named?.[2]?.trim().replaceAll("ADDRESS", "https://example.org/x").split(" ") ?? [];
    // As init, without the checks, which would ask these servers.
    const written = await runCli("config", ["init", life, ...typed], { cwd: dir.path });
    assert.equal(written.code, 0, written.stderr);
    Deno.removeSync(join(dir.path, "configs"), { recursive: true });
  }
});

Deno.test("after init for a RunPod worker, train works, and the last lines name what its container runs", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "hub/README": "" });
  await using hub = new HubServer(join(dir.path, "hub"));
  const env = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: "" };
  const run = (name: string, ...args: string[]) => runCli(name, args, { cwd: dir.path, env });
  const train = JSON.stringify(["sh", "-c", "mkdir -p models && echo one > models/model.bin"]);
  const answers = ["--train-command", train, "--repo-id", "you/archives"];
  const { code, stdout } = await run("init", "runpod-worker", ...answers);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^ {2}warn {2}hugging face: .*\n {8}the first upload creates it/m);
  assert.match(
    stdout,
    /\non RunPod, put a token that may write to the repository into HF_TOKEN: in the environment, or in \.env\non RunPod, the container runs: model-sync train --serve-runpod\nnext: model-sync train\n$/,
  );
  assert.match((await run("train")).stdout, /wrote release/);
  const named = await run("init", "runpod-worker", ...answers, "--config", "worker.yaml");
  assert.match(
    named.stdout,
    /--serve-runpod --config worker\.yaml\nnext: model-sync train --config worker\.yaml\n$/,
  );
});

Deno.test("init for a machine that trains on RunPod names the set-up of the worker", async () => {
  using dir = tempDir();
  const { stdout } = await init(dir.path, ["runpod", "--endpoint", "http://127.0.0.1:9/v2/x/run"]);
  assert.match(
    stdout,
    /\nthe endpoint's worker is another machine; to set it up: model-sync init runpod-worker\nnext: /,
  );
});

Deno.test("init on a full disk names the file that it could not write", async () => {
  using dir = tempDir();
  const world = { fs: readOnlyFs(rootedFs(dir.path), "ENOSPC") };
  const args = ["init", "huggingface", "--repo-id", "you/models"];
  const { code, stderr } = await runCli("config", args, { cwd: dir.path, world });
  assert.equal(code, 7, stderr);
  assert.match(stderr, /Cannot write .*configs\/bot\.yaml: /);
});
