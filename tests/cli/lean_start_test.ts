import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { loadedBy, moduleGraph } from "../../configs/install/module_graph.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { SOURCE_ROOT } from "../../lib/core/source_root.ts";
import { spawnInOurGroup } from "../../lib/core/subprocess.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { configuredPair } from "../helpers/machines.ts";
import { PROJECT, runCli } from "../helpers/run_cli.ts";
import { git, GIT_ENV } from "../helpers/test_git.ts";
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

for (const [command, filesMax] of [["status", 130], ["pull", 185]] as const) {
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

Deno.test("an unchanged pull starts one program, which does not outlive it, and no timer; status no program", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  writeFiles(trainer, { "models/a.json": "{}" });
  assert.equal((await runCli("publish", [], { cwd: trainer })).code, 0);
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const { world, requests, started } = watchedWorld(bot);
  {
    using timers = watchTimers();
    const { code, stdout } = await runCli("pull", [], { cwd: bot, world });
    assert.deepEqual([code, /unchanged/.test(stdout), timers.used], [0, true, []]);
  }
  // Outside of every repository: nothing has looked at the clone's configuration, which may name programs.
  const [query] = requests;
  assert.equal(query?.args[query.args.indexOf("-C") + 1], join(bot, ".model-sync"));
  assert.deepEqual(requests.map(({ isAlone }) => isAlone), [true]);
  assert.deepEqual(started(), ["git ls-remote"]);
  assert.equal((await runCli("status", [], { cwd: bot, world })).code, 0);
  assert.deepEqual(started(), []);
});

Deno.test("an unchanged pull asks the registry before it opens the store, and waits for one write: that of its line of history", async () => {
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
  const { world } = watchedWorld(bot);
  const spawn: typeof spawnInOurGroup = (request) => {
    steps.push(request.command);
    return world.spawn(request);
  };
  const { code, stdout } = await runCli("pull", [], { cwd: bot, world: { fs, spawn } });
  assert.deepEqual([code, /unchanged/.test(stdout)], [0, true]);
  assert.equal(steps[0], "git");
  const synced = steps.filter((step) => /^sync/.test(step));
  assert.deepEqual(synced, [`syncSync ${join(bot, ".model-sync/history.jsonl")}`]);
});

Deno.test("a registry that was asked before the clone was opened is asked again for news, as git rewrites its address", async () => {
  using dir = tempDir();
  const { trainer, bot, registry } = configuredPair(dir.path);
  const publish = async (text: string) => {
    writeFiles(trainer, { "models/a.json": text });
    const { code, stdout } = await runCli("publish", ["--json"], { cwd: trainer });
    assert.equal(code, 0);
    return JSON.parse(stdout).release;
  };
  await publish("{}");
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const mirror = join(dir.path, "mirror.git");
  git(dir.path, "clone", "--quiet", "--mirror", registry, mirror);
  const second = await publish("[]");
  // The user's git is configured to read the mirror, which has the earlier release.
  const rewritten = watchedWorld(bot, {
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `url.${mirror}.insteadOf`,
    GIT_CONFIG_VALUE_0: registry,
  });
  const unchanged = await runCli("pull", ["--json"], { cwd: bot, world: rewritten.world });
  assert.equal(JSON.parse(unchanged.stdout).outcome, "unchanged", unchanged.stderr);
  assert.deepEqual(rewritten.started(), ["git ls-remote"]);
  git(mirror, "fetch", "--quiet");
  const changed = await runCli("pull", ["--json"], { cwd: bot, world: rewritten.world });
  assert.equal(JSON.parse(changed.stdout).release, second, changed.stderr);
  assert.deepEqual(rewritten.started().slice(0, 5), [
    "git ls-remote",
    "git rev-parse",
    "git config",
    "git remote",
    "git ls-remote",
  ]);
  // An answer from before another pull is no reason to refuse what that one pulled.
  const late = watchedWorld(bot);
  let isBefore = true;
  const spawnLate: typeof spawnInOurGroup = (request) => {
    const to = isBefore ? rewritten.world.spawn : late.world.spawn;
    isBefore = false;
    return to(request);
  };
  const newer = await publish("[0]");
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const kept = await runCli("pull", ["--json"], { cwd: bot, world: { spawn: spawnLate } });
  assert.deepEqual([kept.code, JSON.parse(kept.stdout).release], [0, newer], kept.stderr);
  // A query that fails is repeated.
  const third = await publish("[1]");
  const { world, started } = watchedWorld(bot);
  let isFirst = true;
  const spawn: typeof spawnInOurGroup = (request) => {
    const args = isFirst ? ["--no-such-option", ...request.args] : request.args;
    isFirst = false;
    return world.spawn({ ...request, args });
  };
  const pulled = await runCli("pull", ["--json"], { cwd: bot, world: { spawn } });
  assert.equal(JSON.parse(pulled.stdout).release, third, pulled.stderr);
  assert.equal(started().filter((program) => program === "git ls-remote").length, 2);
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

Deno.test("a publish syncs no file and no folder of its clone twice after the push, and no memory that checks itself", async () => {
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
  // After the push, the references are synced, too.
  const afterPush = synced.slice(synced.lastIndexOf(join(clone, "model-sync.lock")) + 1)
    .filter((path) => path.startsWith(clone));
  assert.ok(afterPush.includes(join(clone, "refs/remotes/origin")));
  assert.equal(new Set(afterPush).size, afterPush.length, afterPush.join("\n"));
  for (const name of ["folder_index", "passed_releases.json", "published_files"]) {
    assert.deepEqual(synced.filter((path) => path.startsWith(join(store, name))), [], name);
  }
});
