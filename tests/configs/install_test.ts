import assert from "node:assert/strict";
import { basename, delimiter, dirname, join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { SUMMARIES } from "../../cli/_help.ts";
import { foldCaches } from "../../configs/install/fold_caches.ts";
import { mergeArgs } from "../../configs/install/bundle_options.ts";
import { mergeChunks } from "../../configs/install/merge_chunks.ts";
import { runInstaller as start } from "../../configs/install/installer.ts";
import { copyPackages, removeNeedless } from "../../configs/install/copy_packages.ts";
import { parseOptions } from "../../configs/install/install_options.ts";
import { pathAdvice } from "../../configs/install/install_program.ts";
import type { InstallWorld } from "../../configs/install/install_world.ts";
import { osErrorCode } from "../../lib/core/errors.ts";
import { findEntry } from "../../lib/core/files.ts";
import { SOURCE_ROOT } from "../../lib/core/source_root.ts";
import { shellWord } from "../../lib/core/quote.ts";
import { KNOWS_FOLDERS } from "../helpers/user_packages.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { checkpoint, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { makeProgram } from "../helpers/make_program.ts";

const IS_WINDOWS = Deno.build.os === "windows";
const CLONE = PROJECT.replace(/[/\\]$/, "");

/** Stands for what `deno info` says of the program, without its packages. */
const INFO = JSON.stringify({
  roots: [`${SOURCE_ROOT}cli/main.ts`],
  modules: ["main", ...Object.keys(SUMMARIES)].map((name) => ({
    specifier: `${SOURCE_ROOT}cli/${name.replaceAll("-", "_")}.ts`,
  })),
  npmPackages: {},
});

/** Writes what Deno's bundler would, if the arguments start it: an entry of one file. */
function standForBundler(args: readonly string[]): void {
  const entry = args.at(-1) ?? "";
  if (args[0] !== "bundle") return;
  const folder = args[args.indexOf("--outdir") + 1] ?? assert.fail();
  writeFiles(folder, { [basename(entry).replace(/\.ts$/, ".js")]: "export {\n  run\n};\n" });
}

/** Runs the installer with this machine's Deno. */
async function runInstaller(
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
  run: InstallWorld["run"] = async (command, rest, { cwd, env }) => await output(command, rest, cwd, env),
  { execPath = Deno.execPath(), clone = CLONE }: { readonly execPath?: string; readonly clone?: string } = {},
): Promise<{ readonly code: number; readonly printed: string; readonly complaints: string }> {
  const [printed, complaints]: [string[], string[]] = [[], []];
  const values = { HOME: "/nonexistent", PATH: "/usr/bin", ...variables };
  const world: InstallWorld & { complain(line: string): void } = {
    env: { get: (name) => new Map(Object.entries(values)).get(name), toObject: () => values },
    clone,
    execPath,
    denoVersion: Deno.version.deno,
    os: Deno.build.os,
    print: (line) => void printed.push(line),
    complain: (line) => void complaints.push(line),
    run,
  };
  const code = await start(world, args);
  return { code, printed: printed.join("\n"), complaints: complaints.join("\n") };
}

async function output(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ success: boolean; code: number; stdout: string; stderr: string }> {
  const program = new Deno.Command(command, { args: [...args], cwd, env: { ...env }, stdin: "null" });
  const result = await startWhenClosed(() => program.output());
  const [stdout, stderr] = [result.stdout, result.stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { success: result.success, code: result.code, stdout: stdout ?? "", stderr: stderr ?? "" };
}

/** A child that another test starts may hold a new launcher open for writing until it runs: some milliseconds. */
async function startWhenClosed<Result>(start: () => Promise<Result>): Promise<Result> {
  for (let tries = 1;; tries++) {
    try {
      return await start();
    } catch (error) {
      if (osErrorCode(error) !== "ETXTBSY" || tries === 1_000) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/**
 * Asserts that a user who may not write Deno's caches can read them, as SQLite cannot open them without their logs, and
 * that they have what a pull compiles.
 */
function assertReadableCaches(home: string): void {
  const [packages] = Deno.readDirSync(home).filter(({ name }) => name.startsWith("packages-"));
  assert.ok(packages);
  const sizeOf = (name: string) => findEntry(Deno, join(home, packages.name, name))?.size;
  const code = "v8_code_cache_v2";
  assert.ok(
    (sizeOf(`${code}-wal`) ?? Infinity) < (sizeOf(code) ?? 0),
    "the log is there, and shorter than the cache",
  );
  assert.ok((sizeOf(`${code}-shm`) ?? 0) > 0);
  using database = new DatabaseSync(join(home, packages.name, code));
  const stored = database.prepare("SELECT specifier FROM codecache").all().map(({ specifier }) =>
    String(specifier)
  );
  for (const file of [/\/pull\/start\.js$/, /\/pull\/pull_revision-\w+\.js$/]) {
    assert.ok(stored.some((specifier) => file.test(specifier)), `the compiled code of ${file} is stored`);
  }
}

/** Without a network, and with a home folder that cannot be written. */
const OFFLINE = { HTTPS_PROXY: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9", HOME: "/nonexistent" };

Deno.test({
  name:
    "an installed launcher runs any command from any folder, offline, and uninstalling leaves nothing of it",
  ignore: IS_WINDOWS || !KNOWS_FOLDERS,
  async fn() {
    using dir = tempDir();
    const prefix = join(dir.path, "it's a prefix");
    // Deno and Node write other characters of a path in their addresses.
    const clone = join(dir.path, "my~clone [1]^|%41");
    copyClone(clone);
    const runHere = async (
      args: readonly string[],
      variables: Readonly<Record<string, string>> = {},
      run: InstallWorld["run"] = async (command, rest, { cwd, env }) => await output(command, rest, cwd, env),
    ) => await runInstaller(args, variables, run, { clone });
    const launcher = join(prefix, "bin/model-sync");

    const dry = await runHere(["install", "--prefix", prefix, "--dry-run"]);
    assert.match(dry.printed, /^would install model-sync \d/);
    assert.equal(findEntry(Deno, prefix), undefined);

    const first = await runHere(["install", "--prefix", prefix]);
    assert.deepEqual([first.code, first.complaints], [0, ""]);
    assertReadableCaches(join(prefix, "lib/model-sync"));
    const bundles = () => readFiles(join(prefix, "lib/model-sync", bundlesOf(prefix).join()));
    const bundled = bundles();
    assert.match(first.printed, /^installed model-sync \d+\.\d+\.\d+ .*\n {2}command {5}.*bin\/model-sync\n/);
    assert.match(
      first.printed,
      /is not on the PATH\. Add it, then log in again: echo 'export PATH=.* >> ~\/\.profile\n/,
    );

    const project = join(dir.path, "a project");
    writeFiles(project, { "configs/bot.yaml": "model_sync: {models_dir: odd models}\n" });
    const link = join(dir.path, "link");
    Deno.symlinkSync(launcher, link);
    const status = await output(link, ["status", "--json"], project, OFFLINE);
    assert.equal(status.code, 0, status.stderr);
    assert.equal(JSON.parse(status.stdout).modelsDir, "odd models");
    const launched = await output(launcher, ["doctor", "--json"], project, OFFLINE);
    assert.match(launched.stdout, /"name": ?"launcher",\s*"status": ?"pass"/);
    await assertFollowsSource(prefix, launcher, project);
    const doctor = await output(launcher, ["doctor"], dir.path, { ...OFFLINE, DENO_DIR: "/nonexistent" });
    assert.match(doctor.stdout, /^ {2}pass {2}ONNX Runtime: starts$/m);
    const unknown = await output(launcher, ["pulll"], project, { ...OFFLINE, DENO_DIR: "/nonexistent" });
    assert.deepEqual(
      [unknown.code, /did you mean "?pull"?\?/i.test(unknown.stderr)],
      [2, true],
      unknown.stderr,
    );

    const text = Deno.readTextFileSync(launcher);
    const [, head = ""] = /^# Starts model-sync\.[^\n]* run in the clone:\n# {4}(.*)\n/m.exec(text) ?? [];
    const runs = `npx -y deno@${Deno.version.deno} -A configs/install.ts`;
    assert.equal(head, `${runs} uninstall --prefix ${shellWord(prefix)}`);
    const again = await runHere(["install", "--prefix", prefix], { PATH: `/bin:${prefix}/bin/` });
    assert.match(again.printed, /^updated to model-sync .*\n(?:.*\n)*Next, in the folder of your project:/);
    assert.equal(Deno.readTextFileSync(launcher), text);
    assert.deepEqual(bundles(), bundled, "a damaged bundle is replaced");

    const main = join(clone, "cli/main.ts");
    const source = Deno.readTextFileSync(main);
    Deno.writeTextFileSync(main, "export const older = true;\n");
    const older = await output(launcher, ["status"], project, OFFLINE);
    assert.deepEqual([older.code, older.stdout], [1, ""]);
    assert.match(
      older.stderr,
      /^model-sync: this installation cannot start the version in .*my~clone.* --prefix .*\n$/,
    );
    Deno.writeTextFileSync(main, source);
    const [earlier] = bundlesOf(prefix);
    const changed = await runHere(
      ["install", "--prefix", prefix],
      {},
      async (command, args, { cwd, env }) => {
        if (args[0] !== "bundle") return await output(command, args, cwd, env);
        Deno.writeTextFileSync(main, `${source}\n`);
        standForBundler(args);
        return { success: true, stdout: "", stderr: "" };
      },
    );
    assert.match(
      changed.printed,
      /^commands start from source, which takes longer: the source changed during the install\n/,
    );
    assert.deepEqual(
      bundlesOf(prefix),
      [earlier],
      "running commands use the bundle of the replaced launcher",
    );
    assert.equal((await output(launcher, ["status"], project, OFFLINE)).code, 0);

    writeFiles(prefix, { "lib/model-sync/mine.txt": "kept", "bin/other": "kept" });
    const removed = await runHere(["uninstall", "--prefix", prefix]);
    assert.match(removed.printed, /^uninstalled model-sync from /);
    const left = Array.from(Deno.readDirSync(join(prefix, "lib/model-sync")), ({ name }) => name);
    assert.deepEqual(left, ["mine.txt"]);
    assert.equal(findEntry(Deno, launcher), undefined);
    assert.match((await runHere(["uninstall", "--prefix", prefix])).complaints, /did not write/);
  },
});

/** Copies what a clone needs to run, so that a test may change it. */
function copyClone(clone: string): void {
  Deno.mkdirSync(clone);
  for (const path of ["deno.json", "deno.lock", "cli", "lib", "web"]) {
    copyPath(join(CLONE, path), join(clone, path));
  }
}

function copyPath(from: string, to: string): void {
  if (Deno.statSync(from).isFile) return Deno.copyFileSync(from, to);
  Deno.mkdirSync(to, { recursive: true });
  for (const { name } of Deno.readDirSync(from)) copyPath(join(from, name), join(to, name));
}

function bundlesOf(prefix: string): string[] {
  return Array.from(Deno.readDirSync(join(prefix, "lib/model-sync")), ({ name }) => name)
    .filter((name) => name.startsWith("program-"));
}

/** Asserts that commands run the bundle, and the source once the content of a file of it has changed. */
async function assertFollowsSource(prefix: string, launcher: string, project: string): Promise<void> {
  const home = join(prefix, "lib/model-sync");
  const [bundle = ""] = bundlesOf(prefix);
  const folder = join(home, bundle);
  assert.deepEqual(
    Deno.readTextFileSync(join(folder, "status/run.js")).match(/"\.[^"]*"/g),
    ['"./start.js"'],
    "two files are loaded",
  );
  const mains = Array.from(Deno.readDirSync(folder), ({ name }) => name).filter((name) =>
    /^main-.*\.js$/.test(name)
  );
  for (const name of [...mains, "status/start.js"]) {
    const text = Deno.readTextFileSync(join(folder, name));
    const marked = text.replace(
      /^async function start\d*\(\) \{$/m,
      (line) => `${line}\nDeno.stderr.writeSync(new Uint8Array([66]));`,
    );
    assert.notEqual(marked, text, name);
    Deno.writeTextFileSync(join(folder, name), marked);
  }
  const sources = join(folder, "status/sources/status.txt");
  const lines = Deno.readTextFileSync(sources);
  // As after a chmod or a copy, and as after a change.
  const copied = lines.replace(/(?<=cli\/status\.ts\t\d+\t)\d+/, "1");
  const changed = copied.replace(/\w+(?=\tcli\/status\.ts)/, "0");
  assert.equal(new Set([lines, copied, changed]).size, 3);
  for (const [text, printed] of [[lines, "B"], [copied, "B"], [changed, ""], ["", ""]] as const) {
    Deno.writeTextFileSync(sources, text);
    const { code, stderr } = await output(launcher, ["status"], project, OFFLINE);
    assert.deepEqual([code, stderr], [0, printed]);
  }
  Deno.writeTextFileSync(sources, lines);
  for (const [entry, printed] of [["status/run.js", "B"], ["bundled.js", ""]] as const) {
    if (entry === "bundled.js") await assertStartsDamaged(folder, mains, launcher, project);
    Deno.removeSync(join(folder, entry));
    const { code, stderr } = await output(launcher, ["status"], project, OFFLINE);
    assert.deepEqual([code, stderr], [0, printed], `without ${entry}`);
  }
}

/** Asserts that a command starts from source, and reports it, if a file of the bundle of all commands is damaged. */
async function assertStartsDamaged(
  folder: string,
  names: readonly string[],
  launcher: string,
  project: string,
): Promise<void> {
  for (const name of names) Deno.writeTextFileSync(join(folder, name), "\0");
  const { code, stderr } = await output(launcher, ["status"], project, OFFLINE);
  assert.equal(code, 0);
  assert.match(
    stderr,
    /^model-sync: cannot load its bundle, \S.*; starting from source\. To restore it, run in /,
  );
}

Deno.test("the advice for the PATH names a file that the operator's shell reads", () => {
  const advice = (shell: string, os: typeof Deno.build.os) => pathAdvice("/my bin", shell, os);
  assert.equal(
    advice("/bin/bash", "linux"),
    `Add it, then open a new terminal: echo 'export PATH='\\''/my bin'\\'':"$PATH"' >> ~/.bashrc`,
  );
  assert.match(advice("/bin/bash", "darwin"), />> ~\/\.bash_profile$/);
  assert.match(advice("/usr/bin/zsh", "darwin"), />> ~\/\.zshrc$/);
  assert.match(advice("/bin/sh", "linux"), /log in again: .*>> ~\/\.profile$/);
  assert.equal(advice("/usr/bin/fish", "linux"), "Add it: fish_add_path '/my bin'");
});

Deno.test({
  name: "an install into a folder that the operator may not write names --prefix and the other user",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // Not even root may create a folder there.
    const { code, complaints } = await runInstaller(["install", "--prefix", "/sys/model-sync"]);
    assert.notEqual(code, 0);
    assert.match(
      complaints,
      /^error: Cannot install model-sync: .*\nhint: name a folder of your own with --prefix/,
    );
  },
});

Deno.test("the installer replaces and removes no file of another program", async () => {
  using dir = tempDir();
  const name = IS_WINDOWS ? "bin/model-sync.cmd" : "bin/model-sync";
  for (
    const [path, content] of [[name, "#!/bin/sh\nexec other\n"], [
      "lib/model-sync/other.txt",
      "data",
    ]] as const
  ) {
    const prefix = join(dir.path, String(path.length));
    writeFiles(prefix, { [path]: content });
    for (const action of ["install", "uninstall"]) {
      const { code, complaints } = await runInstaller([action, "--prefix", prefix]);
      assert.equal(code, 1);
      assert.match(
        complaints,
        /^error: Cannot use .*: it is a f\w+ that this installer did not write\nhint: move it away/,
      );
    }
    assert.equal(Deno.readTextFileSync(join(prefix, path)), content);
  }
  const { code, printed } = await runInstaller(["uninstall", "--prefix", join(dir.path, "none")]);
  assert.deepEqual([code, /^nothing to uninstall/.test(printed)], [0, true]);
});

Deno.test("the installer's options are checked, and a relative prefix starts where the operator is", async () => {
  const env = (values: Record<string, string>) => ({
    get: (name: string) => values[name],
    toObject: () => values,
  });
  const prefixOf = (args: readonly string[], values: Record<string, string>) =>
    parseOptions(["install", ...args], env(values), "/clone").prefix;
  if (!IS_WINDOWS) {
    assert.equal(prefixOf([], { HOME: "/home" }), "/home/.local");
    assert.equal(prefixOf(["--prefix", "../x"], { INIT_CWD: "/clone/cli" }), "/clone/x");
    assert.throws(() => prefixOf([], {}), { message: /HOME is not set: name a folder with --prefix/ });
    assert.equal(prefixOf(["--prefix=~/x"], { HOME: "/home" }), "/home/x");
  }
  for (
    const [args, message] of [
      [["install", "--prefix="], /--prefix needs the path of a folder/],
      [["install", "--prefix", "a\nb"], /must not contain line breaks/],
      [["--preifx", "x"], /Unknown option/],
      [["uninstall", "x"], /Unexpected argument/],
      [["remove"], /Unexpected argument/],
    ] as const
  ) {
    const { code, complaints } = await runInstaller(args);
    assert.equal(code, 2);
    assert.match(complaints, message);
    assert.match(complaints, /\nhint: npx -y deno@[\d.]+ -A configs\/install\.ts --help lists the options$/);
  }
  const { printed } = await runInstaller(["install", "-h"]);
  assert.match(
    printed,
    /^Usage: npx -y deno@[\d.]+ -A configs\/install\.ts \[options\] +install, or update$/m,
  );
  assert.match(printed, /--prefix DIR .*~\/\.local/);
});

/** Stands for a Deno with empty caches. `answer` says how a download ends. */
async function installWithoutPackages(prefix: string, answer: { success: boolean; stderr: string }) {
  const calls: { readonly words: string; readonly cache: string | undefined }[] = [];
  const result = await runInstaller(["install", "--prefix", prefix], {}, (_, args, { env }) => {
    calls.push({ words: args.join(" "), cache: env["DENO_DIR"] });
    if (args.includes("--cached-only")) return Promise.resolve({ success: false, stdout: "", stderr: "" });
    if (args[0] === "cache") return Promise.resolve({ ...answer, stdout: "" });
    standForBundler(args);
    return Promise.resolve({ success: true, stdout: INFO, stderr: "" });
  });
  return { ...result, calls };
}

Deno.test("an install announces the download of packages once, and downloads them into its own cache only", async () => {
  using dir = tempDir();
  const { code, printed, calls } = await installWithoutPackages(dir.path, { success: true, stderr: "" });
  assert.deepEqual([code, printed.match(/downloading/g)?.length], [0, 1], printed);
  assert.match(printed, /^downloading the packages, about 50 MB, once \.\.\.\ninstalled /);
  const loads = calls.filter(({ words }) => /^(?:cache|bundle|info --json \S)/.test(words));
  assert.equal(loads.length, 18);
  for (const { words, cache = "" } of loads) assert.ok(cache.startsWith(dir.path), words);
});

Deno.test("an install whose launcher does not run is refused; one over a damaged record or behind another model-sync says what it does", async () => {
  using dir = tempDir();
  const prefix = join(dir.path, "own");
  const home = join(prefix, "lib/model-sync");
  const launcher = join(prefix, IS_WINDOWS ? "bin/model-sync.cmd" : "bin/model-sync");
  const install = async (broken: string, variables: Readonly<Record<string, string>> = {}) =>
    await runInstaller(["install", "--prefix", prefix], variables, (_, args) => {
      standForBundler(args);
      return Promise.resolve({ success: args[0] !== broken, stdout: INFO, stderr: "it is a test" });
    });
  const refused = await install("doctor");
  assert.deepEqual([refused.code, findEntry(Deno, launcher)], [1, undefined]);
  assert.match(
    refused.complaints,
    /^error: Cannot run model-sync doctor: [^]*it is a test\nhint: the launcher was not replaced/,
  );

  assert.match((await install("")).printed, /^installed model-sync/m);
  const stale = join(home, "packages-0123456789ab");
  writeFiles(stale, { "a.js": "of an earlier install" });
  writeFiles(home, { "installation.json": "{" });
  const bins = [join(dir.path, "other"), dirname(launcher)];
  writeFiles(dir.path, { [`other/${basename(launcher)}`]: "" });
  const again = await install("", { PATH: bins.join(delimiter) });
  assert.match(again.printed, /^updated to model-sync/);
  assert.ok(
    again.printed.includes(`${bins[0]} is before ${bins[1]} on the PATH, and has a model-sync of its own.`),
  );
  assert.equal(findEntry(Deno, stale), undefined);

  const dry = await runInstaller(["uninstall", "--prefix", prefix, "--dry-run"]);
  assert.ok(dry.printed.startsWith(`would remove ${launcher}\n`), dry.printed);
  assert.notEqual(findEntry(Deno, launcher), undefined);
});

Deno.test("an install that follows a killed one ends like a first one, and uninstalling removes all that both wrote", async () => {
  using dir = tempDir();
  const prefix = join(dir.path, "own");
  const home = join(prefix, "lib/model-sync");
  const launcher = join(prefix, IS_WINDOWS ? "bin/model-sync.cmd" : "bin/model-sync");
  const execPath = join(dir.path, "some deno");
  writeFiles(dir.path, { "some deno": "the runtime" });
  if (!IS_WINDOWS) makeProgram(execPath);
  const install = async (step = () => {}) => {
    const { code, complaints } = await runInstaller(
      ["install", "--prefix", prefix],
      {},
      (_, args, { env }) => {
        step();
        if (args[0] === "cache") writeFiles(env["DENO_DIR"] ?? "", { [`npm/${args.length}.js`]: "" });
        standForBundler(args);
        return Promise.resolve({ success: true, stdout: INFO, stderr: "" });
      },
      { execPath },
    );
    assert.deepEqual([code, complaints], [0, ""]);
    const { "lib/model-sync/lock": _, ...files } = readFiles(prefix);
    return files;
  };

  // The state at each program that the installer runs, and those between two writes.
  const killed: (() => void)[] = [];
  const first = await install(() => {
    const restore = checkpoint(prefix, join(dir.path, `killed-${killed.length}`));
    killed.push(() => {
      Deno.mkdirSync(prefix, { recursive: true });
      restore();
    });
  });
  const [begun, checking] = [killed[0] ?? assert.fail(), killed.at(-1) ?? assert.fail()];
  const runtime = join(home, `deno-${Deno.version.deno}${IS_WINDOWS ? ".exe" : ""}`);
  const between: Readonly<Record<string, () => void>> = {
    "the runtime has its second name": () => Deno.renameSync(runtime, join(home, "deno-new")),
    "a copy of the runtime is cut off": () => Deno.writeTextFileSync(join(home, "deno-new"), "the run"),
    "a new launcher is cut off": () => Deno.writeTextFileSync(`${launcher}.new`, ""),
    "packages of an earlier install are left": () => writeFiles(home, { "packages-0123456789ab/a.js": "" }),
  };
  for (const change of Object.values(between)) {
    killed.push(() => {
      begun();
      Deno.linkSync(execPath, `${runtime}-link`);
      Deno.renameSync(`${runtime}-link`, runtime);
      change();
    });
  }
  assert.equal(killed.length, 46);
  for (const [step, restore] of killed.entries()) {
    restore();
    assert.deepEqual(await install(), first, `${step}`);
    assert.equal(Deno.readTextFileSync(execPath), "the runtime", `${step}`);
    await runInstaller(["uninstall", "--prefix", prefix]);
    assert.equal(findEntry(Deno, prefix), undefined, `${step}`);
  }
  checking();
  Deno.writeTextFileSync(`${launcher}.new`, first[relative(prefix, launcher)] ?? assert.fail());
  const { printed } = await runInstaller(["uninstall", "--prefix", prefix, "--dry-run"]);
  const planned = printed.split("\n");
  assert.equal(planned[0], `would remove ${launcher}.new`);
  // The record of the created folders is the last to go, for the next uninstall.
  assert.equal(planned.indexOf(`would remove ${join(home, "installation.json")}`), planned.length - 1);
  await runInstaller(["uninstall", "--prefix", prefix]);
  assert.equal(findEntry(Deno, prefix), undefined, "without another install");
});

Deno.test("an install replaces a damaged Deno of the installation, also one of the right size, and keeps an intact copy", async () => {
  using dir = tempDir();
  const prefix = join(dir.path, "own");
  const execPath = join(dir.path, "some deno");
  writeFiles(dir.path, { "some deno": "the runtime" });
  if (!IS_WINDOWS) makeProgram(execPath);
  const install = async () => {
    const { code } = await runInstaller(["install", "--prefix", prefix], {}, (_, args) => {
      standForBundler(args);
      return Promise.resolve({ success: true, stdout: INFO, stderr: "" });
    }, { execPath });
    assert.equal(code, 0);
  };
  await install();
  const runtime = join(prefix, `lib/model-sync/deno-${Deno.version.deno}${IS_WINDOWS ? ".exe" : ""}`);
  for (const [text, isKept] of [["the rontime", false], ["the runtime", true]] as const) {
    Deno.removeSync(runtime);
    Deno.writeTextFileSync(runtime, text);
    const { ino } = Deno.statSync(runtime);
    await install();
    assert.equal(Deno.readTextFileSync(runtime), "the runtime");
    if (!IS_WINDOWS) assert.equal(Deno.statSync(runtime).ino === ino, isKept, text);
  }
});

Deno.test("an install that cannot download the packages names the cause in one line, and what to do", async () => {
  using dir = tempDir();
  const stderr = "error: Failed caching npm package 'zod@4.6.7'\n    0: error sending request\n" +
    "    1: Connection refused (os error 111)\n\nStack backtrace:\n   0: <unknown>\n";
  const { code, printed, complaints } = await installWithoutPackages(dir.path, { success: false, stderr });
  assert.deepEqual([code, printed], [1, "downloading the packages, about 50 MB, once ..."]);
  assert.equal(
    complaints,
    "error: Cannot download the packages: Failed caching npm package 'zod@4.6.7': Connection refused (os error 111)\n" +
      "hint: check the connection to the npm registry, then run the command again",
  );
});

Deno.test("the installer itself downloads packages quietly, and names the cause in one line if it cannot", async () => {
  using dir = tempDir();
  const args = ["run", "-A", join(PROJECT, "configs/install.ts"), "--dry-run"];
  const { code, stdout, stderr } = await output(Deno.execPath(), args, dir.path, {
    DENO_DIR: join(dir.path, "cache"),
    NPM_CONFIG_REGISTRY: "http://127.0.0.1:9/",
  });
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /^error: Cannot download the packages: .*refused.*\nhint: check the connection to the npm registry, .*\n$/,
  );
});

Deno.test("an installation keeps of a package what the program loads, and leaves packages outside its cache alone", () => {
  using dir = tempDir();
  const files = {
    "package.json": "{}",
    "index.js": "",
    "index.d.ts": "",
    "dist/index.js.map": "",
    "dist/index.wasm": "",
  };
  const [own, other] = [join(dir.path, "cache/some"), join(dir.path, "node_modules/some")];
  for (const localPath of [own, other]) {
    writeFiles(localPath, files);
    removeNeedless([{ name: "some", version: "1.0.0", registry: undefined, localPath }], dirname(own));
  }
  assert.deepEqual(Object.keys(readFiles(own)).sort(), ["dist/index.wasm", "index.js", "package.json"]);
  assert.deepEqual(readFiles(other), files);
});

Deno.test("a copy of a package replaces what a killed copy left", async () => {
  using dir = tempDir();
  const [npm, cache] = [join(dir.path, "npm"), join(dir.path, "cache")];
  const localPath = join(npm, "some/1.0.0");
  writeFiles(localPath, { "package.json": "{}", "index.js": "code" });
  writeFiles(join(cache, "npm/some/.new-1.0.0"), { "old.js": "of another package" });
  Deno.linkSync(join(localPath, "index.js"), join(cache, "npm/some/.new-1.0.0/index.js"));
  await copyPackages([{ name: "some", version: "1.0.0", registry: undefined, localPath }], npm, cache);
  assert.deepEqual(readFiles(join(cache, "npm/some")), {
    "1.0.0/index.js": "code",
    "1.0.0/package.json": "{}",
  });
  assert.equal(Deno.readTextFileSync(join(localPath, "index.js")), "code");
});

Deno.test("the files that a bundle loads at its start become one in ASCII, which holds each module once", async () => {
  using dir = tempDir();
  writeFiles(dir.path, {
    "entry.js": 'import {\n  count,\n  next as next2\n} from "./chunk-A.js";\nimport "./chunk-B.js";\n' +
      "var run = async () => {\n  next2();\n" +
      '  return [count, (await import("./later-C.js")).seen(), /^[²😀]$/u.exec(`\${"😀"}`)?.[0]];\n};\nexport {\n  run\n};\n',
    "chunk-A.js":
      "var value = 1;\nfunction next() {\n  value++;\n}\nexport {\n  value as count,\n  next\n};\n",
    "chunk-B.js": "globalThis.name ??= undefined;\n",
    "later-C.js":
      'import "./chunk-B.js";\nimport {\n  count\n} from "./chunk-A.js";\nvar seen = () => count;\nexport {\n  seen\n};\n',
  });
  const clone = {
    main: pathToFileURL(join(dir.path, "main.js")).href,
    folder: "/a clone",
    repair: "deno task install",
  };
  await mergeChunks(dir.path, "entry.js", clone, async (entry, outdir, external) => {
    assert.deepEqual(external, ["./later-C.js"]);
    const args = mergeArgs(pathToFileURL(join(dir.path, entry)).href, outdir, external);
    const { success, stderr } = await output(Deno.execPath(), args, dir.path, { DENO_NO_UPDATE_CHECK: "1" });
    assert.ok(success, stderr);
  });
  assert.deepEqual(Object.keys(readFiles(dir.path)).sort(), [
    "chunk-A.js",
    "chunk-B.js",
    "later-C.js",
    "later.js",
    "run.js",
    "start.js",
  ]);
  const { run } = await import(pathToFileURL(join(dir.path, "start.js")).href);
  assert.deepEqual(await run(), [2, 2, "😀"]);
  // Files that a disk cut short, overwrote with zeros, or lost: the source starts.
  writeFiles(dir.path, { "main.js": 'export const start = () => console.log("source");\n' });
  const start = Deno.readTextFileSync(join(dir.path, "start.js"));
  assert.doesNotMatch(start, /[\u0080-\uffff]/);
  for (const damaged of [start.slice(0, -20), "\0".repeat(start.length), undefined]) {
    if (damaged === undefined) Deno.removeSync(join(dir.path, "start.js"));
    else writeFiles(dir.path, { "start.js": damaged });
    const args = ["run", "--no-config", "--allow-read", join(dir.path, "run.js")];
    const { code, stdout, stderr } = await output(Deno.execPath(), args, dir.path, { NO_COLOR: "1" });
    assert.deepEqual([code, stdout], [0, "source\n"], stderr);
    assert.match(
      stderr,
      /^model-sync: cannot load its bundle, \S.*; starting from source\. To restore it, run in \/a clone: deno task install\n$/,
    );
  }
  for (const odd of ["export default 1;\n", "export const one = 1;\n", 'export * from "./chunk-A.js";\n']) {
    writeFiles(dir.path, { "entry.js": 'import "./odd.js";\nexport {\n  run\n};\n', "odd.js": odd });
    await assert.rejects(mergeChunks(dir.path, "entry.js", clone, () => assert.fail()), {
      message: "the bundler wrote other exports than a list into odd.js",
    });
  }
});

Deno.test({
  name: "an install leaves no logs of Deno's caches, which each start would read",
  ignore: IS_WINDOWS,
  fn() {
    using dir = tempDir();
    const path = join(dir.path, "v8_code_cache_v2");
    const database = new DatabaseSync(path);
    database.exec(
      "PRAGMA journal_mode=WAL; CREATE TABLE codecache (code TEXT); INSERT INTO codecache VALUES ('x')",
    );
    for (const end of ["", "-wal"]) Deno.copyFileSync(path + end, join(dir.path, `copy${end}`));
    database.close();
    writeFiles(dir.path, { "damaged": "no database", "damaged-wal": "" });
    assert.ok(Deno.statSync(join(dir.path, "copy-wal")).size > 0);
    foldCaches(dir.path);
    assert.equal(findEntry(Deno, join(dir.path, "copy-wal")), undefined);
    using copy = new DatabaseSync(join(dir.path, "copy"));
    assert.equal(copy.prepare("SELECT code FROM codecache").get()?.["code"], "x");
  },
});

Deno.test({
  name:
    "a bundle that fails its check, or that Deno cannot make, leaves an installation that starts from source",
  ignore: IS_WINDOWS,
  async fn() {
    using dir = tempDir();
    const launcher = join(dir.path, "bin/model-sync");
    const install = async (changed: (words: string, isBundle: boolean) => string | undefined) => {
      const { code, printed } = await runInstaller(["install", "--prefix", dir.path], {}, (command, args) => {
        const isBundle = command.endsWith("launcher-new") &&
          /^if \[ -r "\$bundle\//m.test(Deno.readTextFileSync(command));
        const stdout = changed(args.join(" "), isBundle);
        standForBundler(args);
        return Promise.resolve({ success: stdout === undefined, stdout: stdout ?? INFO, stderr: "" });
      });
      const [first = ""] = printed.split("\n");
      const isBundled = Deno.readTextFileSync(launcher).includes("bundle=");
      return [code, first.replace(/ model-sync.*| \d.*/, ""), isBundled, bundlesOf(dir.path).length];
    };
    assert.deepEqual(await install(() => undefined), [0, "installed", true, 1]);
    const slow = "commands start from source, which takes longer: ";
    assert.deepEqual(
      await install((words) => words === "info --json" ? "{" : undefined),
      [0, `${slow}deno info failed`, false, 1],
    );
    assert.deepEqual(
      await install((words, isBundle) => isBundle && words === "doctor" ? "\n" : undefined),
      [0, `${slow}Cannot run`, false, 0],
    );
  },
});
