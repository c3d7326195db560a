import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { loadedBy, moduleGraph } from "../../configs/install/module_graph.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { readLocalTip } from "../../lib/git/local_tip.ts";
import type { RegistrySettings } from "../../lib/git/registry_settings.ts";
import { SOURCE_ROOT } from "../../lib/core/source_root.ts";
import { spawnInOurGroup } from "../../lib/core/subprocess.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { configuredPair } from "../helpers/machines.ts";
import { PROJECT, runCli } from "../helpers/run_cli.ts";
import { git, GIT_ENV } from "../helpers/test_git.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** The addresses of the modules that a command loads before it runs. */
function loadedFirst(command: string): string[] {
  const { success, stdout } = new Deno.Command(Deno.execPath(), {
    args: ["info", "-q", "--json", `${PROJECT}cli/${command}.ts`],
    env: { NO_COLOR: "1" },
  }).outputSync();
  assert.ok(success);
  const graph = moduleGraph(new TextDecoder().decode(stdout));
  return loadedBy(graph, `${SOURCE_ROOT}cli/${command}.ts`, { later: false });
}

/** Sections of the configuration that every command parses, and what they are made of. */
const SECTIONS = ["kinds.ts", "schedule.ts"];

for (const [command, filesMax] of [["status", 131], ["pull", 170]] as const) {
  Deno.test(`${command} loads few modules at its start: of Node none but node:path, which a bundle replaces`, () => {
    const loaded = loadedFirst(command);
    const own = loaded.filter((address) => address.startsWith(SOURCE_ROOT));
    assert.ok(
      own.length > 50 && own.length <= filesMax,
      `${own.length} files; load the new ones where they are used`,
    );
    const others = loaded.filter((address) => !address.startsWith("file:"));
    assert.deepEqual(others.map((name) => name.replace(/(?<=.)@[\d.]+$/, "").replace(":/", ":")), [
      "node:path",
      "npm:croner",
      "npm:js-yaml",
      "npm:zod",
    ]);
    const sections = own.flatMap((address) => /config\/sections\/(.*)$/.exec(address)?.[1] ?? []);
    assert.deepEqual(sections, SECTIONS);
    for (const address of own) {
      const text = Deno.readTextFileSync(new URL(address));
      assert.ok(!/^import .*\{ z\b.*"zod"/m.test(text), `${address} imports zod as a whole: import * as z`);
    }
  });
}

/** Returns a world for the bot, and the programs that a command has started in it since the last look. */
function watchedWorld(bot: string, env: Readonly<Record<string, string>> = {}) {
  const requests: Parameters<typeof spawnInOurGroup>[0][] = [];
  const spawn: typeof spawnInOurGroup = (request) => {
    requests.push(request);
    return spawnInOurGroup({
      ...request,
      cwd: request.cwd ?? bot,
      env: { ...GIT_ENV, ...request.env, ...env },
    });
  };
  const started = () =>
    requests.splice(0).map(({ command, args }) =>
      `${command} ${args.find((word) => /^[a-z]+(?:-[a-z]+)*$/.test(word))}`
    );
  return { world: { spawn }, requests, started };
}

/** Notes which of the runtime's timers are used until the result is disposed of: the first one loads Node's. */
function watchTimers(): Disposable & { readonly used: readonly string[] } {
  const used: string[] = [];
  const restored = ["setTimeout", "setInterval", "clearTimeout", "clearInterval"].map((name) => {
    const own = Object.getOwnPropertyDescriptor(globalThis, name) ?? assert.fail();
    const get = (): unknown => {
      used.push(name);
      return own.get === undefined ? own.value : own.get.call(globalThis);
    };
    Object.defineProperty(globalThis, name, { configurable: true, get });
    return () => Object.defineProperty(globalThis, name, own);
  });
  return {
    used,
    [Symbol.dispose]: () => restored.forEach((restore) => restore()),
  };
}

Deno.test("an unchanged pull of a registry on this disk starts no program and no timer; nor does status", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  writeFiles(trainer, { "models/a.json": "{}" });
  assert.equal((await runCli("publish", [], { cwd: trainer })).code, 0);
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const { world, started } = watchedWorld(bot);
  {
    using timers = watchTimers();
    const { code, stdout } = await runCli("pull", [], { cwd: bot, world });
    assert.deepEqual([code, /unchanged/.test(stdout), timers.used], [0, true, []]);
  }
  assert.deepEqual(started(), []);
  assert.equal((await runCli("status", [], { cwd: bot, world })).code, 0);
  assert.deepEqual(started(), []);
});

Deno.test("an unchanged pull waits for one write: that of its line of history", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  writeFiles(trainer, { "models/a.json": "{}" });
  assert.equal((await runCli("publish", [], { cwd: trainer })).code, 0);
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const steps: string[] = [];
  const counting = countingFs((step) => steps.push(step));
  const at = (path: string | URL) => typeof path === "string" ? resolve(bot, path) : path;
  const fs: FileSystem = {
    ...rootedFs(bot),
    open: (path, options) => counting.open(at(path), options),
    openSync: (path, options) => counting.openSync(at(path), options),
  };
  const { code, stdout } = await runCli("pull", [], { cwd: bot, world: { fs } });
  assert.deepEqual([code, /unchanged/.test(stdout)], [0, true]);
  const synced = steps.filter((step) => /^sync/.test(step));
  assert.deepEqual(synced, [`syncSync ${join(bot, ".model-sync/history.jsonl")}`]);
});

/** Publishes a file with this text. @returns the release */
async function publishText(trainer: string, text: string): Promise<string> {
  writeFiles(trainer, { "models/a.json": text });
  const { code, stdout, stderr } = await runCli("publish", ["--json"], { cwd: trainer });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).release;
}

Deno.test("git is asked for the newest commit where its configuration may replace the address of a registry on this disk", async () => {
  using dir = tempDir();
  const { trainer, bot, registry } = configuredPair(dir.path);
  const first = await publishText(trainer, "{}");
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const mirror = join(dir.path, "mirror.git");
  git(dir.path, "clone", "--quiet", "--mirror", registry, mirror);
  await publishText(trainer, "[]");
  // Git reads the mirror, which has the earlier release; the files of the registry name the later one.
  const rewriting = `[url ${JSON.stringify(mirror)}]\n\tinsteadOf = ${registry}\n`;
  writeFiles(dir.path, {
    "home/.gitconfig": rewriting,
    "xdg/git/config": rewriting,
    "global": rewriting,
    "user/.config/git/config": rewriting,
    "including": `[include]\n\tpath = ${join(dir.path, "global")}\n`,
  });
  const rewritten: readonly Readonly<Record<string, string>>[] = [
    { GIT_CONFIG_GLOBAL: join(dir.path, "global") },
    { GIT_CONFIG_GLOBAL: join(dir.path, "including") },
    { GIT_CONFIG_NOSYSTEM: "0", GIT_CONFIG_SYSTEM: join(dir.path, "global") },
    { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: `url.${mirror}.insteadOf`, GIT_CONFIG_VALUE_0: registry },
  ];
  for (const env of rewritten) {
    const { world, started } = watchedWorld(bot, env);
    const { stdout, stderr } = await runCli("pull", ["--json"], { cwd: bot, env, world });
    const { outcome, release } = JSON.parse(stdout || stderr);
    assert.deepEqual([outcome, release], ["unchanged", first], JSON.stringify(env));
    assert.ok(started().includes("git ls-remote"), JSON.stringify(env));
  }
  const settings: RegistrySettings = {
    repoUrl: registry,
    repoDir: join(bot, ".model-sync/registry"),
    remote: "origin",
    branch: "main",
    token: undefined,
    transferTimeoutMs: 1_000,
    isInStore: true,
  };
  const at = (name: string) => join(dir.path, name);
  const tipWith = (variables: Readonly<Record<string, string>>) => {
    const env = fixedEnvironment({ GIT_CONFIG_SYSTEM: "/dev/null", ...variables });
    return readLocalTip(testContext({ env }), settings)?.commit;
  };
  const tip = git(registry, "rev-parse", "main");
  assert.deepEqual(
    [
      { HOME: at("empty") },
      { HOME: at("home") },
      { HOME: at("empty"), XDG_CONFIG_HOME: at("xdg") },
      { HOME: at("user") },
    ].map(tipWith),
    [tip, undefined, undefined, undefined],
  );
});

Deno.test("files of a registry on this disk name its newest commit in their own file or a packed one; whatever else they say, git is asked", async () => {
  using dir = tempDir();
  const { trainer, bot, registry } = configuredPair(dir.path);
  await publishText(trainer, "{}");
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const programsOfPull = async () => {
    const { world, started } = watchedWorld(bot);
    const { code, stdout, stderr } = await runCli("pull", ["--json"], { cwd: bot, world });
    return { code, outcome: JSON.parse(stdout || stderr).outcome, asks: started().includes("git ls-remote") };
  };
  const quiet = { code: 0, outcome: "unchanged", asks: false };
  git(registry, "pack-refs", "--all");
  assert.deepEqual(await programsOfPull(), quiet);
  // A reference in its own file counts more than a packed one.
  await publishText(trainer, "[]");
  assert.equal((await programsOfPull()).outcome, "activated");
  assert.deepEqual(await programsOfPull(), quiet);
  const reference = join(registry, "refs/heads/main");
  const commit = Deno.readTextFileSync(reference);
  const asked = { ...quiet, asks: true };
  // Its target is read by git.
  Deno.writeTextFileSync(join(registry, "refs/heads/other"), commit);
  Deno.writeTextFileSync(reference, "ref: refs/heads/other\n");
  assert.deepEqual(await programsOfPull(), asked);
  for (const damaged of ["", "\0".repeat(41), commit.slice(1), commit.toUpperCase(), `${commit}${commit}`]) {
    Deno.writeTextFileSync(reference, damaged);
    assert.equal((await programsOfPull()).asks, true, JSON.stringify(damaged));
  }
  Deno.removeSync(reference);
  Deno.mkdirSync(reference);
  assert.equal((await programsOfPull()).asks, true);
  Deno.removeSync(reference);
  Deno.writeTextFileSync(reference, commit);
  assert.deepEqual(await programsOfPull(), quiet);
  // A folder that is no repository any more is git's to report.
  Deno.renameSync(join(registry, "HEAD"), join(registry, "head"));
  assert.deepEqual([(await programsOfPull()).code === 0, (await programsOfPull()).asks], [false, true]);
  Deno.renameSync(join(registry, "head"), join(registry, "HEAD"));
  // A worktree at the same address, and a file that names another folder.
  Deno.renameSync(registry, join(dir.path, "moved.git"));
  Deno.mkdirSync(registry);
  Deno.renameSync(join(dir.path, "moved.git"), join(registry, ".git"));
  assert.deepEqual(await programsOfPull(), quiet);
  Deno.renameSync(join(registry, ".git"), join(dir.path, "moved.git"));
  Deno.writeTextFileSync(join(registry, ".git"), `gitdir: ${join(dir.path, "moved.git")}\n`);
  assert.deepEqual(await programsOfPull(), asked);
});

Deno.test("a publish to a registry on this disk asks it for its newest commit only if that is not the clone's, and builds on it", async () => {
  using dir = tempDir();
  const { trainer, registry } = configuredPair(dir.path);
  await publishText(trainer, "{}");
  const publishWatched = async (text: string) => {
    writeFiles(trainer, { "models/a.json": text });
    const { world, started } = watchedWorld(trainer);
    assert.equal((await runCli("publish", [], { cwd: trainer, world })).code, 0);
    return started().includes("git ls-remote");
  };
  assert.equal(await publishWatched("[]"), false);
  const others = git(registry, "commit-tree", "main^{tree}", "-p", "main", "-m", "of another program");
  git(registry, "update-ref", "refs/heads/main", others);
  assert.equal(await publishWatched("[1]"), true);
  assert.equal(git(registry, "rev-parse", "main~1"), others);
});

Deno.test("a pull without news does not look at the clone: one that is damaged is replaced when it is needed; one that is lost, at once", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  writeFiles(trainer, { "models/a.json": "{}" });
  assert.equal((await runCli("publish", [], { cwd: trainer })).code, 0);
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const clone = join(bot, ".model-sync/registry");
  Deno.writeTextFileSync(join(clone, ".git/HEAD"), "no reference");
  assert.match((await runCli("pull", [], { cwd: bot })).stdout, /unchanged/);
  const forced = await runCli("pull", ["--force"], { cwd: bot });
  assert.deepEqual(
    [forced.code, /is damaged .*cloning it again/.test(forced.stderr)],
    [0, true],
    forced.stderr,
  );
  Deno.removeSync(clone, { recursive: true });
  assert.match((await runCli("pull", [], { cwd: bot })).stdout, /unchanged/);
  assert.match(Deno.readTextFileSync(join(clone, ".git/HEAD")), /main/);
});

Deno.test("a publish syncs nothing of its clone twice but the references, which the push changes, and no memory that checks itself", async () => {
  using dir = tempDir();
  const { trainer } = configuredPair(dir.path);
  writeFiles(trainer, { "models/a.json": "{}", "models/b/c.json": "{}" });
  assert.equal((await runCli("publish", [], { cwd: trainer })).code, 0);
  writeFiles(trainer, { "models/a.json": "[]" });
  const steps: string[] = [];
  const counting = countingFs((step) => steps.push(step));
  const at = (path: string | URL) => typeof path === "string" ? resolve(trainer, path) : path;
  const fs: FileSystem = {
    ...rootedFs(trainer),
    open: (path, options) => counting.open(at(path), options),
    openSync: (path, options) => counting.openSync(at(path), options),
  };
  const { code, stdout } = await runCli("publish", [], { cwd: trainer, world: { fs } });
  assert.deepEqual([code, /published/.test(stdout)], [0, true]);
  const synced = steps.flatMap((step) => /^sync(?:Sync)? (.*)$/.exec(step)?.[1] ?? []);
  const store = join(trainer, ".model-sync");
  const clone = join(store, "registry/.git");
  const sincePush = synced.slice(synced.lastIndexOf(join(clone, "model-sync.lock")) + 1)
    .filter((path) => path.startsWith(clone));
  const again = sincePush.filter((path, index) => sincePush.indexOf(path) < index);
  assert.ok(again.includes(join(clone, "refs/remotes/origin")));
  const others = again.filter((path) => path !== clone && !path.startsWith(join(clone, "refs")));
  assert.deepEqual(others, []);
  for (const name of ["folder_index", "passed_releases.json", "published_files"]) {
    assert.deepEqual(synced.filter((path) => path.startsWith(join(store, name))), [], name);
  }
});
