import assert from "node:assert/strict";
import { join } from "node:path";
import type { Command } from "../../cli/_command.ts";
import type { OptionGroup } from "../../cli/_declaration.ts";
import { optionName, SUMMARIES } from "../../cli/_help.ts";
import { clonedCommit } from "../../cli/_version.ts";
import { ENTRIES } from "../../cli/_entries.ts";
import { COMMON_OPTIONS } from "../../cli/_options.ts";
import { configKeys } from "../../lib/config/keys.ts";
import { VERSION } from "../../lib/core/version.ts";
import { type CliResult, PROJECT, runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { git } from "../helpers/test_git.ts";

/** A command with the words that name it. */
interface Named {
  readonly words: readonly string[];
  readonly command: Command;
}

const PROGRAMS = await Promise.all(Object.values(ENTRIES).map(async ({ load }) => (await load()).program));
const COMMANDS: readonly Named[] = PROGRAMS.flatMap((program) =>
  "command" in program
    ? [{ words: [program.name], command: program.command }]
    : Object.entries(program.commands).map(([name, command]) => ({ words: [program.name, name], command }))
);
const GROUPS = PROGRAMS.filter((program) => "commands" in program);

const WIDTHS = [50, 80, 100];

async function run(args: readonly string[], columns?: number): Promise<CliResult> {
  using dir = tempDir();
  const [name = "", ...rest] = args;
  return await runCli(name, rest, { cwd: dir.path, world: { columns: () => columns } });
}

async function help(args: readonly string[], columns?: number): Promise<string> {
  const { code, stdout, stderr } = await run(args, columns);
  assert.deepEqual([code, stderr], [0, ""], args.join(" "));
  return stdout;
}

/** The words of a help, whatever its lines. */
function wordsOf(text: string): string[] {
  return text.replaceAll(" \\\n", " ").split(/\s+/).filter((word) => word !== "");
}

Deno.test("help fits the terminal from 50 to 100 columns, breaks between words only, and holds no colours", async () => {
  const pages = [[""], ...GROUPS.map(({ name }) => [name]), ...COMMANDS.map(({ words }) => [...words, "-h"])];
  for (const page of pages) {
    const widest = wordsOf(await help(page, 100));
    for (const width of WIDTHS) {
      const text = await help(page, width);
      for (const line of text.split("\n")) {
        assert.ok(line.length <= width, `${page.join(" ")} at ${width}: ${line}`);
        assert.ok(!line.endsWith(" "), `${page.join(" ")} at ${width}: ${line}`);
      }
      assert.deepEqual(wordsOf(text), widest, page.join(" "));
      assert.ok(!text.includes("\x1b") && !text.includes("\u00a0"));
    }
    assert.equal(await help(page, 20), await help(page, 50));
    assert.equal(await help(page, 500), await help(page, 100));
    assert.equal(await help(page), await help(page, 80));
    assert.equal(await help(page, 0), await help(page, 80));
  }
});

Deno.test("a command's help shows operands, placeholders, choices, defaults and examples", async () => {
  const sign = await help(["keys", "sign", "--help"]);
  assert.match(sign, /^Usage: model-sync keys sign --private-key FILE --signature FILE FOLDER \[options\]\n/);
  const artifacts = await help(["artifact-pull", "--help"], 100);
  assert.match(
    artifacts,
    /^ {2}--conclusion RESULT {2,}Conclusion of the workflow run: success, neutral or any\n.*\(default: success\)$/m,
  );
  assert.match(
    await help(["hf-pull", "-h"], 100),
    /^ {2}--include PATTERN .*\(such as \*\.joblib; repeatable\)$/m,
  );
  assert.match(await help(["daemon", "-h"]), /^ {2}--at HH:MM /m);
  assert.match(await help(["rollback", "-h"]), /^Examples:\n {2}.*:\n {4}model-sync rollback/m);
});

Deno.test("options are listed in groups, the command's own first and common ones last", async () => {
  const text = await help(["pull", "--help"]);
  assert.deepEqual(
    Array.from(text.matchAll(/^(\S[^\n]*):$/gm), ([, title]) => title),
    ["Options", "Git registry", "Safety", "Configuration and output", "Examples"],
  );
  for (const { words, command } of COMMANDS) {
    const shown = wordsOf(await help([...words, "--help"]));
    for (const [name, option] of Object.entries(command.options)) {
      const isShown = shown.includes(optionName(name));
      assert.equal(isShown, option.hidden !== true, `${words.join(" ")} ${name}`);
    }
  }
});

Deno.test("each option is declared with a brief of at most nine words, a placeholder and a setting that exists", () => {
  const settings = configKeys().map(({ path }) => path.join("."));
  const common: OptionGroup = "Configuration and output";
  for (const { words, command } of COMMANDS) {
    for (const [name, option] of Object.entries(command.options)) {
      const where = `${words.join(" ")} ${optionName(name)}`;
      assert.match(option.brief, /^[A-Z][^.].*[^.:;,]$/, where);
      const count = option.brief.split(/[\s]+/).length;
      assert.ok(count <= 9, `${where}: ${count} words: ${option.brief}`);
      if (option.kind === "value") assert.match(option.placeholder, /^[A-Z][A-Z:/]*$/, where);
      if (option.setting !== undefined) {
        assert.ok(settings.includes(option.setting), `${where}: ${option.setting}`);
      }
      if (option.group === common) assert.ok(Object.hasOwn(command.options, "config"), where);
    }
    assert.ok(command.summary.split(" ").length <= 12, words.join(" "));
  }
});

Deno.test("each default that the help names is the default of the setting", async () => {
  using dir = tempDir();
  const { stdout } = await runCli("config", ["print", "--json"], { cwd: dir.path });
  const settings: Record<string, { readonly value: unknown }> = JSON.parse(stdout);
  const unset: string[] = [];
  for (const { words, command } of COMMANDS) {
    for (const [name, { setting, standard }] of Object.entries(command.options)) {
      if (setting === undefined || standard === undefined) continue;
      const value = settings[setting]?.value;
      if (value === null || Array.isArray(value)) unset.push(optionName(name));
      else assert.equal(String(value), String(standard), `${words.join(" ")} ${name}`);
    }
  }
  assert.deepEqual([...new Set(unset)].sort(), [
    "--categories",
    "--state-dir",
    "--verify-field",
    "--workflow",
  ]);
});

Deno.test("each command has an example that its own parser understands", () => {
  for (const { words, command } of COMMANDS) {
    assert.ok(command.examples.length > 0, words.join(" "));
    for (const [does, line] of command.examples) {
      assert.match(does, /^[A-Z].*[^.:]$/, line);
      const typed = line.replace(/ [|<>].*/, "").replaceAll(
        /'([^']*)'/g,
        (_, text: string) => text.replaceAll(" ", "_"),
      );
      const [program, ...args] = typed.split(" ");
      assert.deepEqual([program, ...args.slice(0, words.length)], ["model-sync", ...words]);
      command.parse(args.slice(words.length));
    }
  }
});

Deno.test("model-sync without arguments, help and --help list the commands with exit code 0", async () => {
  const [overview, ...others] = await Promise.all(
    [[""], ["help"], ["--help"], ["-h"], ["help", "--help"], ["help", "--json"], ["help", "help"]].map((
      args,
    ) => help(args)),
  );
  assert.ok(overview !== undefined);
  for (const other of others) assert.equal(other, overview);
  const listed = Array.from(overview.matchAll(/^ {2}([a-z-]+) {2,}[A-Z]/gm), ([, name]) => name);
  assert.deepEqual(listed.toSorted(), Object.keys(SUMMARIES).sort());
});

Deno.test("help COMMAND shows what COMMAND --help shows, for subcommands too", async () => {
  for (const { words } of COMMANDS) {
    const own = await help([...words, "--help"]);
    assert.equal(await help(["help", ...words]), own);
    assert.equal(await help([...words, "-h"]), own);
  }
  for (const { name } of GROUPS) {
    const own = await help([name, "--help"]);
    assert.equal(await help(["help", name]), own);
    assert.equal(await help([name]), own);
    assert.match(own, /^Commands:$/m);
  }
});

Deno.test("after a typing error, the suggestion is spelled as in the help, with exit code 2", async () => {
  const cases: ReadonlyArray<readonly [args: readonly string[], suggestion: string]> = [
    [["pul"], "pull"],
    [["help", "pul"], "pull"],
    [["help", "keys", "generat"], "generate"],
    [["keys", "generat"], "generate"],
    [["quarantine", "ad", "x"], "add"],
    [["pull", "--dryrun"], "--dry-run"],
    [["pull", "--dryRunn"], "--dry-run"],
    [["pull", "--repo-urls=x"], "--repo-url"],
    [["runpod-pull", "--poll-interval-sec", "5"], "--poll-interval-sec-runpod"],
    [["artifact-pull", "--conclusion", "sucess"], "success"],
    [["status", "--log-format=jsn"], "json"],
    [["daemon", "--role", "clients"], "client"],
    [["run-now", "publishr"], "publisher"],
    // Two letters in the wrong order are one typing error.
    [["pull", "--repo-ulr", "x"], "--repo-url"],
    [["lgo"], "log"],
  ];
  for (const [args, suggestion] of cases) {
    const { code, stdout, stderr } = await run(args);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.ok(stderr.includes(`; did you mean "${suggestion}"?\n`), stderr);
  }
  assert.match((await run(["help", "foo"])).stderr, /^error: [^\n]*no such command\nnext: /);
  const far = await run(["pull", "--nothing-of-the-kind"]);
  assert.match(
    far.stderr,
    /^error: Cannot use --nothing-of-the-kind: there is no such option\nnext: {2}model-sync pull --help/,
  );
});

Deno.test("mistakes in a command line are named, with exit code 2 and the help as the next step", async () => {
  const cases: ReadonlyArray<readonly [args: readonly string[], says: RegExp]> = [
    [["rollback", "--to"], /Cannot use --to: its value RELEASE is missing/],
    [["rollback", "--to", "--quiet"], /its value RELEASE is missing, "--quiet" follows[^]*--to=VALUE/],
    [["rollback", "--to", "--log-format=json"], /its value RELEASE is missing, "--log-format=json" follows/],
    [["rollback", "--to", "1", "--to", "2"], /Cannot use --to twice/],
    [["rollback", "--dry-run=odd"], /the option takes no value/],
    [["rollback", "41"], /Cannot use the argument "41": the command takes options only/],
    [["quarantine", "add"], /RELEASE is missing/],
    [["quarantine", "add", "a", "b"], /Cannot use the argument "b": the command takes one RELEASE/],
    [["daemon"], /--role ROLE is missing: it must be one of publisher, client, /],
    [["status", "--output"], /its value FORMAT is missing: it must be one of text, json/],
    [["completions"], /SHELL is missing: it must be one of bash, zsh, fish, powershell\n/],
    [["keys", "generate", "--private-key", "x"], /--public-key FILE is missing/],
    [["run-now"], /ROLE is missing: it must be one of publisher, client, /],
    [
      ["pull", "--branch", "-b d"],
      /^error: Cannot use --branch: must be the name of a git branch\nnext: {2}model-sync pull --help lists the options\n$/,
    ],
    [
      ["status", "--models-dir", "\0"],
      /^error: Cannot use --models-dir: its value contains a NUL character\nnext: {2}model-sync status --help/,
    ],
    [
      ["daemon", "--role", "client", "--at", "25:99"],
      /Cannot use --at: "25:99" is neither [^\n]*\nnext: {2}model-sync daemon --help lists the options\n$/,
    ],
    [["status", "--runs", "few"], /Cannot use --runs: its value must be a whole number of at least 0/],
    [["pull", "-x"], /Cannot use -x: there is no such option/],
    [["pull", "--quiet", "--quiet"], /Cannot use --quiet twice: it may be given only once/],
    [["--verbose"], /Cannot use --verbose here: options follow the command's name/],
    [["--quiet", "pull"], /Cannot use --quiet here: options follow the command's name/],
    [["keys", "--verbose"], /Cannot use --verbose here: options follow the command's name/],
    [["canary", "-v", "status"], /Cannot use -v here: options follow the command's name[^]*canary --help/],
    [["--versoin"], /options follow the command's name; did you mean "--version"/],
    [["--api-key=secret", "pull"], /Cannot use --api-key here/],
  ];
  for (const [args, says] of cases) {
    const { code, stdout, stderr } = await run(args);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, says);
    assert.match(stderr, /\nnext: {2}\S/);
  }
});

Deno.test("an option that names a file refuses an empty name, with exit code 2", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "models/a.bin": "a" });
  const cases = [
    ["pull", "--config="],
    ["config", "check", "--config", ""],
    ["config", "init", "--config="],
    ["train", "--skip-training", "--archive-path="],
    ["keys", "generate", "--private-key=", "--public-key=b"],
    ["keys", "generate", "--private-key=a", "--public-key="],
    ["keys", "sign", "models", "--private-key=", "--signature=a"],
    ["keys", "verify", "models", "--public-key=", "--signature=a"],
    ["keys", "verify", "models", "--public-key=a", "--signature="],
  ];
  for (const [command = "", ...args] of cases) {
    const { code, stderr } = await runCli(command, args, { cwd: dir.path });
    const [typed] = args.filter((arg) => arg.startsWith("--") && (arg.endsWith("=") || arg === "--config"));
    assert.equal(code, 2, stderr);
    assert.ok(
      stderr.startsWith(`error: Cannot use ${typed?.replace("=", "")}: its value must not be empty\nnext: `),
      stderr,
    );
  }
});

Deno.test("options are understood in every spelling that they had", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "a.yaml": "model_sync: {branch: a}\n" });
  const settings = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCli("config", ["print", "--json", ...args], { cwd: dir.path });
    assert.equal(code, 0, stderr);
    const { models_dir } = JSON.parse(stdout);
    return models_dir;
  };
  const expected = { value: "m", from: "--models-dir" };
  for (
    const args of [["--models-dir", "m"], ["--models-dir=m"], ["--modelsDir", "m"], ["--modelsDir=m", "-qv"]]
  ) {
    assert.deepEqual(await settings(...args), expected);
  }
  const text = "--fast mode: no warmup";
  assert.deepEqual(await settings("--models-dir", text), { value: text, from: "--models-dir" });
  const { code, stderr } = await runCli("rollback", ["--dry-run=true", "--", "-x"], { cwd: dir.path });
  assert.deepEqual([code, /argument "-x"/.test(stderr)], [2, true]);
});

Deno.test("--version says name, version, commit, Deno and platform, and --json says it for programs", async () => {
  const commit = clonedCommit(Deno, PROJECT);
  const { stdout } = await run(["--version"]);
  const known = commit === undefined ? "" : `commit ${commit.slice(0, 12)}, `;
  const platform = `${Deno.build.os} ${Deno.build.arch}`;
  assert.equal(stdout, `model-sync ${VERSION} (${known}Deno ${Deno.version.deno}, ${platform})\n`);
  assert.equal((await run(["-V"])).stdout, stdout);
  assert.deepEqual(JSON.parse((await run(["--version", "--json"])).stdout), {
    name: "model-sync",
    version: VERSION,
    commit: commit ?? null,
    deno: Deno.version.deno,
    platform,
  });
});

Deno.test("the commit of a clone is found on a branch, packed, detached and in a worktree", () => {
  using dir = tempDir();
  const clone = join(dir.path, "clone");
  git(dir.path, "init", "-q", "-b", "main", "clone");
  git(clone, "commit", "-q", "--allow-empty", "-m", "one");
  const commit = git(clone, "rev-parse", "HEAD").trim();
  assert.equal(clonedCommit(Deno, clone), commit);
  git(clone, "worktree", "add", "-q", "-b", "feature/x", "../tree");
  assert.equal(clonedCommit(Deno, join(dir.path, "tree")), commit);
  git(clone, "pack-refs", "--all");
  assert.equal(clonedCommit(Deno, clone), commit);
  assert.equal(clonedCommit(Deno, join(dir.path, "tree")), commit);
  git(clone, "checkout", "-q", "--detach");
  assert.equal(clonedCommit(Deno, clone), commit);
  assert.equal(clonedCommit(Deno, dir.path), undefined);
});

Deno.test("the list of commands loads neither the configuration's schema nor a parser", () => {
  const loaded = modulesOf("main");
  assert.ok(loaded.some((specifier) => specifier.endsWith("cli/_help.ts")));
  for (const specifier of loaded) assert.doesNotMatch(specifier, /^npm:|node:util|lib\/config|cli\/_command/);
});

Deno.test("no command loads the code of suggestions before a typing error", () => {
  const loaded = modulesOf("status");
  assert.ok(loaded.some((specifier) => specifier.endsWith("cli/_declaration.ts")));
  for (const specifier of loaded) assert.doesNotMatch(specifier, /fastest-levenshtein/);
});

/** Returns the modules that a file of `cli` loads at its start, without those of dynamic imports. */
function modulesOf(name: string): string[] {
  const { stdout } = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--config", join(PROJECT, "deno.json"), join(PROJECT, `cli/${name}.ts`)],
  }).outputSync();
  const { roots, modules }: {
    roots: string[];
    modules: {
      specifier: string;
      dependencies?: { isDynamic?: boolean; code?: { specifier?: string } }[];
    }[];
  } = JSON.parse(new TextDecoder().decode(stdout));
  const graph = new Map(modules.map(({ specifier, dependencies = [] }) => [specifier, dependencies]));
  const loaded = new Set(roots);
  for (const specifier of loaded) {
    for (const { isDynamic = false, code } of graph.get(specifier) ?? []) {
      if (!isDynamic && code?.specifier !== undefined) loaded.add(code.specifier);
    }
  }
  return [...loaded];
}

/** Returns the texts of a source file: without comments, with parts of a text joined, each expression as one word. */
function textsOf(path: string): string {
  return Deno.readTextFileSync(path)
    .replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, "")
    .replaceAll(/\$\{[^{}]*\}/g, "X")
    .replaceAll(/["`] \+\s+["`]/g, "");
}

function sourcesIn(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder)).flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    return isDirectory ? sourcesIn(path) : name.endsWith(".ts") ? [path] : [];
  });
}

/** The rooms of lib whose errors and hints several commands show. */
const SHARED_ROOMS = ["carriers", "git", "github", "huggingface", "pipeline", "release", "store"];

Deno.test("a command line in a text has only options of its command", () => {
  const known = new Map(COMMANDS.map(({ words, command }) => [words.join(" "), command]));
  const wrong: string[] = [];
  let checked = 0;
  for (const path of ["lib", "cli"].flatMap((room) => sourcesIn(join(PROJECT, room)))) {
    const lines = textsOf(path).matchAll(/\bmodel-sync ([a-z-]+)([^;,:"`)\\\n]*)/g);
    for (const [line, first = "", rest = ""] of lines) {
      const [second = ""] = rest.trim().split(" ");
      const command = known.get(`${first} ${second}`) ?? known.get(first);
      if (command === undefined) continue;
      const names = [...Object.keys(command.options).map(optionName), "--help"];
      for (const [option] of rest.matchAll(/--[a-z-]+/g)) {
        checked++;
        if (!names.includes(option)) wrong.push(`${path}: ${line}`);
      }
    }
  }
  assert.ok(checked > 20, String(checked));
  assert.deepEqual(wrong, []);
});

Deno.test("a text of the rooms that several commands use names the command or the setting of each option that not all commands have", () => {
  const holders = new Map<string, string[]>();
  for (const { words, command } of COMMANDS) {
    for (const name of Object.keys(command.options).map(optionName)) {
      holders.set(name, [...holders.get(name) ?? [], words.join(" ")]);
    }
  }
  // Every command that opens a worktree has the first one. The second one was typed.
  const known = [...Object.keys(COMMON_OPTIONS).map(optionName), "--allow-dirty-worktree", "--api-key"];
  const isClear = (text: string) =>
    (text.match(/--[a-z-]+/g) ?? []).every((name) =>
      known.includes(name) || /model_sync\.|model-sync X /.test(text) ||
      (holders.get(name) ?? [text]).some((command) => text.includes(command))
    );
  const files = SHARED_ROOMS.flatMap((room) => sourcesIn(join(PROJECT, "lib", room)));
  const unclear = files.flatMap((path) =>
    Array.from(textsOf(path).matchAll(/(["`])([^"`\n]* [^"`\n]*)\1/g), ([, , text = ""]) => text)
      .filter((text) => !isClear(text)).map((text) => `${path}: ${text}`)
  );
  assert.deepEqual(unclear, []);
});
