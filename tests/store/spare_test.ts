import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { ifFound } from "../../lib/core/files.ts";
import { type Clock, systemClock } from "../../lib/core/clock.ts";
import type { SpawnProcess } from "../../lib/core/subprocess.ts";
import { GitReleaseIndex } from "../../lib/git/release_index.ts";
import { indexRelease } from "../../lib/pipeline/index_release.ts";
import { planPrune, pruneReleases } from "../../lib/pipeline/prune.ts";
import { activeManifest, readPointer } from "../../lib/store/pointers.ts";
import { listReleaseNames, releaseDir } from "../../lib/store/releases.ts";
import { StatCache } from "../../lib/store/stat_cache.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import {
  type Machine,
  publishFiles,
  pulledReleases,
  pullTo,
  type PullToOptions,
  registryOf,
  rollBack,
  storeOf,
} from "../helpers/machines.ts";
import { git } from "../helpers/test_git.ts";
import { memoryDir, readFiles, type TempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";

const KEPT = {
  "ADA/f.npy": "f",
  "BTC/a.npy": "a",
  "BTC/b.npy": "b",
  "ETH/deep/c.npy": "c",
  "LTC/e.npy": "e",
  "XRP/d.npy": "d",
};

/** A release in which files of the spare folder are removed, added and moved, and a file replaces a folder. */
const REARRANGED = {
  "BTC/a.npy": "a",
  "LTC/e.npy": "other",
  "ETH/deep": "a file now",
  "b.npy": "b",
  "NEW/x.npy": "new",
};

const release = (text: string) => ({ ...KEPT, "SOL/changed.npy": text });

/** A bot whose store keeps three releases, and the folder of the one before as the spare folder. */
async function botWithSpare(dir: TempDir): Promise<{ readonly trainer: Machine; readonly bot: Machine }> {
  return await pulledReleases(dir.path, ["1", "2", "3", "4"].map(release), { keep: 1 });
}

function spareOf(bot: Machine): string {
  return storeOf(testContext(), bot).spare;
}

/** Returns the relative paths of all entries of a folder. */
function entriesOf(root: string): string[] {
  return Array.from(walk(Deno.realPathSync(root), "")).sort();
}

function* walk(folder: string, prefix: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    yield prefix + name;
    if (isDirectory) yield* walk(join(folder, name), `${prefix}${name}/`);
  }
}

/** Of the bot: an hour later, so that nothing on the disk has changed just now. */
const LATER: Clock = { ...systemClock, now: () => new Date(Date.now() + 3_600_000) };

const INDEXED = { keep: 1, indexedFilesMin: 1 };

/** Pulls releases to a bot one after the other. It knows the folders of its spare folder, and has an index of its files. */
async function pulledWithIndex(
  dir: TempDir,
  sets: readonly Readonly<Record<string, string>>[],
): Promise<{ readonly trainer: Machine; readonly bot: Machine }> {
  const { trainer, bot } = await pulledReleases(dir.path, []);
  const index = join(storeOf(testContext(), bot).root, "release_index/index");
  const later = LATER.now();
  for (const set of sets) {
    await publishFiles(trainer, set);
    await pullTo(testContext({ clock: LATER }), bot, INDEXED);
    // Git reads a file that changed in the second in which the index was written, also in the pulls that follow here.
    ifFound(() => Deno.utimeSync(index, later, later));
  }
  return { trainer, bot };
}

/** As {@link botWithSpare}, with an index. */
async function botWithIndex(dir: TempDir): Promise<{ readonly trainer: Machine; readonly bot: Machine }> {
  return await pulledWithIndex(dir, ["1", "2", "3", "4", "5"].map(release));
}

/** Pulls, and returns the steps that changed the disk. */
async function stepsOfPull(bot: Machine, options: PullToOptions = { keep: 1 }): Promise<string[]> {
  const steps: string[] = [];
  await pullTo(testContext({ fs: countingFs((step) => void steps.push(step)) }), bot, options);
  return steps;
}

/** Pulls, and returns the files and folders of staging that were examined or listed, relative to the release. */
async function examinedByPull(bot: Machine, root = /\/staging\/[^/]+\/files\/(.+)$/): Promise<string[]> {
  const seen: string[] = [];
  const note = (path: string | URL) => {
    const [, inside] = root.exec(String(path)) ?? [];
    if (inside !== undefined) seen.push(inside);
  };
  const fs = {
    ...Deno,
    lstatSync: (path: string | URL) => (note(path), Deno.lstatSync(path)),
    readDirSync: (path: string | URL) => (note(path), Deno.readDirSync(path)),
  };
  await pullTo(testContext({ fs }), bot, INDEXED);
  return seen;
}

Deno.test("a removed release leaves the folders of which the active release links all files, too", async () => {
  using dir = memoryDir();
  const { bot } = await botWithSpare(dir);
  assert.deepEqual(readFiles(spareOf(bot)), KEPT);
  for (const path of Object.keys(KEPT)) {
    assert.equal(Deno.statSync(join(spareOf(bot), path)).ino, Deno.statSync(join(bot.modelsDir, path)).ino);
  }
});

Deno.test("a pull assembles its release in the spare folder: unchanged files are neither linked nor removed, nor their folders synced", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithSpare(dir);
  await publishFiles(trainer, release("5"));
  const steps = await stepsOfPull(bot);
  assert.deepEqual(readFiles(bot.modelsDir), release("5"));
  const onUnchanged = steps.filter((step) => /^link|\/(ADA|BTC|ETH|LTC|XRP)\b/.test(step));
  const moves = onUnchanged.map((step) => step.replace(/\S*\/(releases\/[0-9a-f]+|spare)\//g, ""));
  assert.deepEqual(moves.sort(), ["ADA", "BTC", "ETH", "LTC", "XRP"].map((name) => `rename ${name} ${name}`));
  assert.deepEqual(readFiles(spareOf(bot)), KEPT);
});

Deno.test("a pull removes, adds and moves files in the spare folder as its release says", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithSpare(dir);
  await publishFiles(trainer, REARRANGED);
  await stepsOfPull(bot);
  assert.deepEqual(readFiles(bot.modelsDir), REARRANGED);
  assert.deepEqual(entriesOf(bot.modelsDir), entriesOf(trainer.modelsDir));
});

/** Follows the steps that change the disk, and lists the files and folders that a power cut could still undo. */
class Unsynced {
  #paths = new Set<string>();

  note(step: string): void {
    const [name, from = "", to = ""] = step.split(" ");
    const changed = name === "rename" || name === "link" ? to : from;
    if (name === "sync" || name === "syncSync") return void this.#paths.delete(from);
    if (name === "rename") {
      const moved = this.below(from).map((path) => to + path.slice(from.length));
      this.#forget(from);
      this.#forget(to);
      for (const path of moved) this.#paths.add(path);
      this.#paths.add(dirname(from));
    }
    if (name === "remove") this.#forget(from);
    if (name === "mkdir" || name === "open") this.#paths.add(from);
    if (name !== "chmod") this.#paths.add(dirname(changed));
  }

  below(root: string): string[] {
    return [...this.#paths].filter((path) => path === root || path.startsWith(`${root}/`));
  }

  #forget(root: string): void {
    for (const path of this.below(root)) this.#paths.delete(path);
  }
}

Deno.test("whatever a pull changes in the spare folder is on the disk before its release is installed", async () => {
  using dir = memoryDir();
  const sets = ["1", "2", "3", "4"].map((text) => ({ ...release(text), "SOL/deep/same.npy": "same" }));
  const { trainer, bot } = await pulledReleases(dir.path, sets, { keep: 1 });
  const unsynced = new Unsynced();
  const left: string[][] = [];
  const fs = countingFs((step) => {
    const [, staged] = /^rename (\S*\/files) \S*\/releases\//.exec(step) ?? [];
    if (staged !== undefined) left.push(unsynced.below(staged));
    unsynced.note(step);
  });
  for (const text of ["5", "6"]) {
    await publishFiles(trainer, {
      "BTC/a.npy": "a",
      "ETH/deep/c.npy": "c",
      "ETH/new/c.npy": text,
      "LTC/e.npy": "e",
      "SOL/deep/same.npy": "same",
      "XRP/d.npy": "d",
      "top.npy": text,
    });
    await pullTo(testContext({ fs }), bot, { keep: 1 });
  }
  assert.deepEqual(left, [[], []]);
});

Deno.test("a pull after one change syncs no folder for a memory, and rewrites no list of all objects of git", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithSpare(dir);
  await publishFiles(trainer, release("5"));
  const steps = await stepsOfPull(bot);
  const { root } = storeOf(testContext(), bot);
  const synced = steps.flatMap((step) => /^sync\w* (.*)$/.exec(step)?.[1] ?? [])
    .filter((path) => path.startsWith(root))
    .map((path) => path.replace(root, "store").replace(/[0-9a-f]{64}|(?<=staging\/)[^/]+/, "*"));
  assert.deepEqual(synced.slice(0, synced.indexOf("store/revisions.json.new")), [
    ...["store/intent.json.new", "store"],
    ...["store/staging/*/files/SOL/changed.npy", "store/staging/*/files/SOL", "store/staging/*/files"],
    ...["store/releases/*.json.new", "store/releases", "store/stat_cache/*.bin.new"],
    ...["store/intent.json.new", "store"],
    // The pointers.
    "store",
  ]);
  assert.deepEqual(steps.filter((step) => /git_blobs/.test(step)), []);
});

Deno.test("stat caches list the files as the manifests do, so that those of two releases are compared as bytes", async () => {
  using dir = memoryDir();
  const { bot } = await botWithSpare(dir);
  const store = storeOf(testContext(), bot);
  for (const digest of listReleaseNames(store)) {
    const { paths } = StatCache.ofRelease(store, digest).listed;
    assert.deepEqual(paths.list(), Object.keys(release("")).sort());
  }
});

Deno.test("with an index, a pull examines no unchanged file and lists no unchanged folder itself", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithIndex(dir);
  await publishFiles(trainer, release("6"));
  const examined = await examinedByPull(bot);
  assert.deepEqual(examined.filter((path) => /\.npy$/.test(path) && !path.startsWith("SOL/")), []);
  for (const folder of ["ADA", "BTC", "ETH", "ETH/deep", "LTC", "XRP"]) {
    assert.equal(examined.filter((path) => path === folder).length, 1, folder);
  }
  assert.deepEqual(readFiles(bot.modelsDir), release("6"));
  await pullTo(testContext(), bot, { force: true });
  assert.deepEqual(readFiles(bot.modelsDir), release("6"));
});

Deno.test("with an index, too, a pull removes, adds and moves files as its release says", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithIndex(dir);
  const sets = [REARRANGED, release("7"), { ...release("7"), "BTC/c.npy": "c" }, release("8")];
  for (const set of sets) {
    await publishFiles(trainer, set);
    await stepsOfPull(bot, INDEXED);
    assert.deepEqual(readFiles(bot.modelsDir), set);
    assert.deepEqual(entriesOf(bot.modelsDir), entriesOf(trainer.modelsDir));
  }
});

Deno.test("a damaged index costs time, not a file of the release", async () => {
  using dir = memoryDir();
  const more = (text: string) => ({ ...release(text), "SOL/same.npy": "same" });
  const { trainer, bot } = await pulledWithIndex(dir, ["1", "2", "3", "4"].map(more));
  const path = join(storeOf(testContext(), bot).root, "release_index/index");
  const index = Deno.readFileSync(path);
  const at = new TextDecoder("latin1").decode(index).indexOf("SOL/same.npy");
  index[at + 7] = "f".charCodeAt(0);
  Deno.writeFileSync(path, index);
  await publishFiles(trainer, more("5"));
  await stepsOfPull(bot, INDEXED);
  assert.deepEqual(readFiles(bot.modelsDir), more("5"));
  assert.notDeepEqual(Deno.readFileSync(path), index);
});

Deno.test("an index that the disk does not return costs time, not the pull, also if git dies of it", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithIndex(dir);
  const path = join(storeOf(testContext(), bot).root, "release_index/index");
  const open: typeof Deno.open = (file, options) =>
    String(file) === path ? Promise.reject(osError("EIO")) : Deno.open(file, options);
  const dying: SpawnProcess = (request) => {
    const isHit = request.args.includes("diff-files");
    return isolatedSpawn(isHit ? { ...request, command: "sh", args: ["-c", "kill -BUS $$"] } : request);
  };
  for (const [text, spawn] of [["6", isolatedSpawn], ["7", dying]] as const) {
    const before = Deno.statSync(path).ino;
    await publishFiles(trainer, release(text));
    await pullTo(testContext({ fs: { ...Deno, open }, spawn, clock: LATER }), bot, INDEXED);
    assert.deepEqual(readFiles(bot.modelsDir), release(text));
    assert.notEqual(Deno.statSync(path).ino, before);
  }
});

Deno.test("a damaged path in the notes of the index costs time, not a file of the release", async () => {
  using dir = memoryDir();
  const sets = [...["1", "2", "3", "4"].map(release), { ...release("5"), "SOL/added.npy": "added" }];
  const { trainer, bot } = await pulledWithIndex(dir, sets);
  const path = join(storeOf(testContext(), bot).root, "release_index/release.json");
  const notes = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, notes.replace("SOL/added.npy", "SOL/adder.npy"));
  assert.notEqual(Deno.readTextFileSync(path), notes);
  const next = { ...release("6"), "SOL/added.npy": "added" };
  await publishFiles(trainer, next);
  await stepsOfPull(bot, INDEXED);
  assert.deepEqual(readFiles(bot.modelsDir), next);
});

Deno.test("an unchanged folder of the spare folder keeps no file that the active release lacks after a rollback", async () => {
  using dir = memoryDir();
  const other = (text: string) => ({ "BTC/a.npy": "a", "SOL/changed.npy": text });
  const sets = [release("1"), release("2"), other("3"), release("4")];
  const { trainer, bot } = await pulledWithIndex(dir, sets);
  const context = testContext();
  const store = storeOf(context, bot);
  await rollBack(context, bot);
  const active = activeManifest(store);
  const [[source, seen] = assert.fail()] = Object.entries(JSON.parse(Deno.readTextFileSync(store.revisions)));
  assert.ok(active !== undefined && typeof seen === "object");
  const revision = git(registryOf(trainer), "rev-parse", "main~1");
  Deno.writeTextFileSync(
    store.revisions,
    JSON.stringify({ [source]: { ...seen, revision, digest: active.digest } }),
  );
  assert.ok(readFiles(store.spare)["ADA/f.npy"] !== undefined);
  await publishFiles(trainer, other("5"));
  await stepsOfPull(bot, INDEXED);
  assert.deepEqual(readFiles(bot.modelsDir), other("5"));
});

for (const prepare of [botWithSpare, botWithIndex]) {
  Deno.test(`nothing in the spare folder is trusted: only files of the active release stay in it (${prepare.name})`, async () => {
    using dir = memoryDir();
    const { trainer, bot } = await prepare(dir);
    const [spare, models] = [spareOf(bot), Deno.realPathSync(bot.modelsDir)];
    for (const path of ["BTC/a.npy", "BTC/b.npy", "XRP", "LTC/e.npy", "ADA"]) {
      Deno.removeSync(join(spare, path), { recursive: true });
    }
    writeFiles(spare, {
      "BTC/a.npy": "x",
      "BTC/mine.txt": "mine",
      "MINE/mine.txt": "mine",
      "LTC/e.npy/mine.txt": "mine",
      "ADA": "mine",
    });
    Deno.symlinkSync(join(models, "BTC/b.npy"), join(spare, "BTC/b.npy"));
    Deno.symlinkSync(join(models, "XRP"), join(spare, "XRP"));
    Deno.mkdirSync(join(spare, "EMPTY/EMPTY"), { recursive: true });
    Deno.chmodSync(join(spare, "ETH"), 0o777);
    await publishFiles(trainer, release("6"));
    await stepsOfPull(bot, INDEXED);
    assert.deepEqual(readFiles(bot.modelsDir), release("6"));
    assert.deepEqual(entriesOf(bot.modelsDir), entriesOf(trainer.modelsDir));
    for (const path of entriesOf(bot.modelsDir)) {
      const info = Deno.lstatSync(join(bot.modelsDir, path));
      assert.equal((info.mode ?? 0) & 0o777, info.isDirectory ? 0o755 : 0o444, path);
    }
  });
}

Deno.test("a link in the place of the spare folder is not followed", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithSpare(dir);
  Deno.removeSync(spareOf(bot), { recursive: true });
  Deno.symlinkSync(Deno.realPathSync(bot.modelsDir), spareOf(bot));
  await publishFiles(trainer, release("5"));
  await stepsOfPull(bot);
  await pullTo(testContext(), bot, { force: true });
  assert.deepEqual(readFiles(bot.modelsDir), release("5"));
});

Deno.test("a link in the place of the spare folder is removed with a warning, and nothing to which it leads", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithSpare(dir);
  const foreign = { "BTC/a.npy": "of the user", "notes.txt": "of the user" };
  writeFiles(join(dir.path, "foreign"), foreign);
  Deno.removeSync(spareOf(bot), { recursive: true });
  Deno.symlinkSync(join(dir.path, "foreign"), spareOf(bot));
  await publishFiles(trainer, release("5"));
  const context = testContext();
  await pullTo(context, bot, { keep: 1 });
  assert.deepEqual(readFiles(bot.modelsDir), release("5"));
  assert.deepEqual(readFiles(join(dir.path, "foreign")), foreign);
  const warnings = context.log.lines.filter((line) => line.startsWith("warn") && line.includes(spareOf(bot)));
  assert.deepEqual(warnings, [
    `warn ${
      spareOf(bot)
    } was a link, not a folder, and is rebuilt. Lost: the next pull links every unchanged file again`,
  ]);
  assert.deepEqual(readFiles(spareOf(bot)), KEPT);
});

for (const prepare of [botWithSpare, botWithIndex]) {
  Deno.test(`a file whose name is not UTF-8 does not get into a release with the spare folder (${prepare.name})`, async () => {
    using dir = memoryDir();
    const { trainer, bot } = await prepare(dir);
    const shell = (script: string, folder: string) =>
      new TextDecoder("latin1").decode(
        new Deno.Command("sh", { args: ["-c", script, "sh", folder] }).outputSync().stdout,
      );
    shell(`cd "$1/BTC" && touch "$(printf 'stray\\377')"`, spareOf(bot));
    await publishFiles(trainer, release("6"));
    await stepsOfPull(bot, INDEXED);
    assert.deepEqual(readFiles(bot.modelsDir), release("6"));
    assert.equal(shell('ls "$1/BTC"', bot.modelsDir), "a.npy\nb.npy\n");
  });
}

for (const prepare of [botWithSpare, botWithIndex]) {
  Deno.test(`a damaged file that the spare folder and the active release share is downloaded again (${prepare.name})`, async () => {
    using dir = memoryDir();
    const { trainer, bot } = await prepare(dir);
    const shared = join(spareOf(bot), "BTC/a.npy");
    Deno.chmodSync(shared, 0o644);
    Deno.writeTextFileSync(shared, "b");
    // An hour later, as the bot's clock says: git may compare whole seconds only.
    Deno.utimeSync(shared, LATER.now(), LATER.now());
    await publishFiles(trainer, release("6"));
    await stepsOfPull(bot, INDEXED);
    assert.deepEqual(readFiles(bot.modelsDir), release("6"));
  });
}

for (const prepare of [botWithSpare, botWithIndex]) {
  Deno.test(`an unchanged file whose entry has other chunks stays where it is (${prepare.name})`, async () => {
    using dir = memoryDir();
    const { trainer, bot } = await prepare(dir);
    await publishFiles(trainer, release("6"));
    const clone = join(dir.path, "clone");
    git(dir.path, "clone", "-q", registryOf(trainer), clone);
    const manifest = join(clone, "model-sync.json");
    const text = Deno.readTextFileSync(manifest);
    const line = /("path":"BTC\/a\.npy".*?")\}/;
    Deno.writeTextFileSync(manifest, text.replace(line, '$1,"contentChunks":"of a later version:1"}'));
    git(clone, "commit", "-qam", "chunks");
    git(clone, "push", "-q");
    const steps = await stepsOfPull(bot, INDEXED);
    assert.deepEqual(readFiles(bot.modelsDir), release("6"));
    assert.deepEqual(steps.filter((step) => step.includes("BTC/a.npy")), []);
    const stored = storeOf(testContext(), bot);
    assert.match(JSON.stringify(activeManifest(stored)), /of a later version:1/);
  });
}

/** Changes a byte of a file of the active release. Its size and its time stay the same. Returns where it is. */
function damageUnseen(bot: Machine): string {
  const damaged = join(Deno.realPathSync(bot.modelsDir), "BTC/a.npy");
  const { mtime } = Deno.statSync(damaged);
  assert.ok(mtime !== null);
  Deno.chmodSync(damaged, 0o644);
  Deno.writeTextFileSync(damaged, "b");
  Deno.utimeSync(damaged, mtime, mtime);
  return damaged;
}

for (const prepare of [botWithSpare, botWithIndex]) {
  Deno.test(`damage that an unfinished \`pull --force\` found is repaired by the next pull (${prepare.name})`, async () => {
    using dir = memoryDir();
    const { bot } = await prepare(dir);
    const damaged = damageUnseen(bot);
    const fs = countingFs((step) => {
      if (/^mkdir .*\/staging\/.*\/files$/.test(step)) throw osError("EIO");
    });
    const failing = pullTo(testContext({ fs, clock: LATER }), bot, { ...INDEXED, force: true });
    await assert.rejects(failing, { code: "DISK" });
    assert.ok(readFiles(spareOf(bot))["BTC/a.npy"] !== undefined);
    await pullTo(testContext({ clock: LATER }), bot, INDEXED);
    assert.equal(Deno.readTextFileSync(damaged), "a");
  });
}

for (const prepare of [botWithSpare, botWithIndex]) {
  Deno.test(`\`pull --force\` downloads a file again of which only the bytes show the damage, and no later pull uses it (${prepare.name})`, async () => {
    using dir = memoryDir();
    const { trainer, bot } = await prepare(dir);
    const damaged = damageUnseen(bot);
    await pullTo(testContext({ clock: LATER }), bot, { ...INDEXED, force: true });
    assert.equal(Deno.readTextFileSync(damaged), "a");
    for (const text of ["6", "7", "8"]) {
      await publishFiles(trainer, release(text));
      await pullTo(testContext({ clock: LATER }), bot, INDEXED);
      assert.deepEqual(readFiles(bot.modelsDir), release(text));
    }
  });
}

for (const prepare of [botWithSpare, botWithIndex]) {
  Deno.test(`a stray file in a folder of a folder leaves the files beside it in the spare folder (${prepare.name})`, async () => {
    using dir = memoryDir();
    const { trainer, bot } = await prepare(dir);
    writeFiles(spareOf(bot), { "ETH/deep/notes.txt": "mine" });
    await publishFiles(trainer, release("6"));
    const steps = await stepsOfPull(bot, INDEXED);
    assert.deepEqual(readFiles(bot.modelsDir), release("6"));
    assert.deepEqual(steps.filter((step) => /^link .*ETH/.test(step)), []);
  });
}

Deno.test("a file that only the removed release has does not get into a release, also if its stat cache lacks the file", async () => {
  using dir = memoryDir();
  const older = (text: string) => ({ ...release(text), "ETH/deep/old.npy": "old" });
  const sets = [older("1"), older("2"), older("3"), older("4"), release("5")];
  const { trainer, bot } = await pulledWithIndex(dir, sets);
  const store = storeOf(testContext(), bot);
  const previous = readPointer(store, "previous");
  assert.ok(previous !== undefined);
  const cache = StatCache.ofRelease(store, previous);
  cache.forget("ETH/deep/old.npy");
  cache.save();
  for (const text of ["6", "7", "8"]) {
    await publishFiles(trainer, release(text));
    await stepsOfPull(bot, INDEXED);
    assert.deepEqual(readFiles(bot.modelsDir), release(text));
  }
});

Deno.test("a spare folder that cannot be used costs links, not the pull", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithSpare(dir);
  writeFiles(spareOf(bot), { "ETH/mine.txt": "mine" });
  await publishFiles(trainer, release("5"));
  let faults = 0;
  const fs = countingFs((step) => {
    if (!/^remove .*\/ETH\/mine\.txt/.test(step) || faults++ > 0) return;
    throw new Deno.errors.PermissionDenied("not yours");
  });
  await pullTo(testContext({ fs }), bot, { keep: 1 });
  assert.equal(faults, 1);
  assert.deepEqual(readFiles(bot.modelsDir), release("5"));
  assert.deepEqual(entriesOf(bot.modelsDir), entriesOf(trainer.modelsDir));
});

/** Returns the folder of the release that the next pull removes. */
function oldestOf(bot: Machine): string {
  const store = storeOf(testContext(), bot);
  const named = [readPointer(store, "current"), readPointer(store, "previous")];
  const oldest = listReleaseNames(store).find((digest) => !named.includes(digest));
  assert.ok(oldest !== undefined);
  return releaseDir(store, oldest);
}

/** Opens the folders of a folder, so that no other one gets their inodes. @returns their inodes by their paths */
function holdFolders(root: string, held: DisposableStack): Map<string, number | null> {
  const folders = ["", ...entriesOf(root).filter((path) => Deno.lstatSync(join(root, path)).isDirectory)];
  return new Map(folders.map((path) => {
    const file = held.use(Deno.openSync(join(root, path), { read: true }));
    return [path, file.statSync().ino];
  }));
}

Deno.test("where a folder of a removed release is mounted, no part of a release is seen, and no staged file", async () => {
  using dir = memoryDir();
  const sets = ["1", "2", "3"].map((text) => ({ ...release(text), "SOL/deep/same.npy": "same" }));
  const { trainer, bot } = await pulledReleases(dir.path, sets, { keep: 1 });
  using held = new DisposableStack();
  const mounted = holdFolders(oldestOf(bot), held);
  await publishFiles(trainer, { ...release("4"), "SOL/deep/same.npy": "same" });
  await pullTo(testContext(), bot, { keep: 1 });
  const kept = (root: string) =>
    [...mounted].filter(([path, ino]) => Deno.statSync(join(root, path)).ino === ino).map(([path]) => path);
  assert.deepEqual(kept(spareOf(bot)), ["ADA", "BTC", "ETH", "ETH/deep", "LTC", "SOL/deep", "XRP"]);
  await publishFiles(trainer, {
    ...release("5"),
    "BTC/a.npy": "other",
    "ETH/deep/more.npy": "more",
    "SOL/deep/same.npy": "same",
  });
  await pullTo(testContext(), bot, { keep: 1 });
  assert.deepEqual(kept(bot.modelsDir), ["ADA", "LTC", "SOL/deep", "XRP"]);
});

Deno.test("if a folder of the removed release was replaced by a link, the files to which it leads stay", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await pulledReleases(dir.path, ["1", "2", "3"].map(release), { keep: 1 });
  const [folder, moved] = [join(oldestOf(bot), "SOL"), join(dir.path, "moved")];
  Deno.renameSync(folder, moved);
  Deno.symlinkSync(moved, folder);
  await publishFiles(trainer, release("4"));
  await pullTo(testContext(), bot, { keep: 1 });
  assert.throws(() => Deno.lstatSync(folder), Deno.errors.NotFound);
  assert.deepEqual(readFiles(moved), { "changed.npy": "1" });
});

Deno.test("a release of which no folder can be moved is removed", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await pulledReleases(dir.path, ["1", "2", "3"].map(release), { keep: 1 });
  const oldest = oldestOf(bot);
  await publishFiles(trainer, release("4"));
  let faults = 0;
  const fs = countingFs((step) => {
    if (!/^rename .*\/releases\/.*\/spare\//.test(step)) return;
    faults++;
    throw osError("EACCES");
  });
  const context = testContext({ fs });
  await pullTo(context, bot, { keep: 1 });
  assert.equal(faults, 1);
  assert.throws(() => Deno.lstatSync(oldest), Deno.errors.NotFound);
  assert.deepEqual(context.log.lines.filter((line) => line.startsWith("warn")), []);
});

Deno.test("where files have no inodes, there is no spare folder: nothing shows that two are the same file", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await pulledReleases(dir.path, [], {});
  const lstatSync = (path: string | URL) => ({ ...Deno.lstatSync(path), ino: null });
  for (const text of ["1", "2", "3", "4"]) {
    await publishFiles(trainer, release(text));
    await pullTo(testContext({ fs: { ...Deno, lstatSync } }), bot, { keep: 1 });
  }
  assert.throws(() => Deno.lstatSync(spareOf(bot)), Deno.errors.NotFound);
});

Deno.test("a pull that uses and removes a release leaves nothing of it", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await pulledReleases(dir.path, ["1", "2", "3"].map(release), { keep: 1 });
  const store = storeOf(testContext(), bot);
  const oldest = oldestOf(bot);
  // It has to be hashed again.
  Deno.utimeSync(join(oldest, "SOL/changed.npy"), 1, 1);
  await publishFiles(trainer, { ...release("4"), "SOL/again.npy": "1" });
  await pullTo(testContext(), bot, { keep: 1 });
  assert.throws(() => Deno.lstatSync(oldest), Deno.errors.NotFound);
  const caches = Array.from(Deno.readDirSync(store.statCache), ({ name }) => name);
  assert.deepEqual(caches.filter((name) => name.startsWith(basename(oldest))), []);
});

Deno.test("`prune` removes the spare folder", async () => {
  using dir = memoryDir();
  const { bot } = await botWithSpare(dir);
  const context = testContext();
  const store = storeOf(context, bot);
  await pruneReleases(context, store, planPrune(store, 1));
  assert.throws(() => Deno.lstatSync(store.spare), Deno.errors.NotFound);
});

Deno.test("a failed pull keeps every release that a rollback can activate", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithSpare(dir);
  await publishFiles(trainer, release("5"));
  const fs = countingFs((step) => {
    if (/^rename .*\/files .*\/releases\//.test(step)) throw new Deno.errors.PermissionDenied("no");
  });
  await assert.rejects(pullTo(testContext({ fs }), bot, { keep: 1 }));
  assert.deepEqual(readFiles(bot.modelsDir), release("4"));
  const store = storeOf(testContext(), bot);
  const active = activeManifest(store);
  assert.ok(active !== undefined);
  assert.equal(
    Array.from(Deno.readDirSync(store.releases)).filter(({ isDirectory }) => isDirectory).length,
    3,
  );
  assert.deepEqual(readFiles(releaseDir(store, active.digest)), release("4"));
});

Deno.test("a full disk that takes no index, nor what is known of folders, costs the next pull only time", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await botWithIndex(dir);
  Deno.removeSync(join(storeOf(testContext(), bot).root, "release_index"), { recursive: true });
  let faults = 0;
  const fs = countingFs((step) => {
    if (!/^(open|mkdir) .*(release_index|folders\.json)/.test(step)) return;
    faults++;
    throw osError("ENOSPC");
  });
  for (const text of ["6", "7"]) {
    await publishFiles(trainer, release(text));
    const context = testContext({ fs, clock: LATER });
    await pullTo(context, bot, INDEXED);
    assert.deepEqual(readFiles(bot.modelsDir), release(text));
    assert.deepEqual(context.log.lines.filter((line) => line.startsWith("warn")), []);
  }
  assert.ok(faults >= 4, String(faults));
});

/** The path of a file of a release in the store. */
const INSTALLED = /\/releases\/[0-9a-f]{64}\/(.+)$/;

Deno.test("a pull without news examines the files of an indexed release that changed since the index was written, and no other", async () => {
  using dir = memoryDir();
  const { bot } = await botWithIndex(dir);
  assert.deepEqual(await examinedByPull(bot, INSTALLED), ["SOL/changed.npy"]);
  const store = storeOf(testContext(), bot);
  const active = activeManifest(store);
  assert.ok(active !== undefined);
  const cache = StatCache.ofRelease(store, active.digest);
  cache.forget("BTC/a.npy");
  cache.save();
  const all = active.files.map(({ path }) => path);
  assert.deepEqual(await examinedByPull(bot, INSTALLED), all);
  Deno.removeSync(join(store.root, "release_index"), { recursive: true });
  assert.deepEqual(await examinedByPull(bot, INSTALLED), all);
});

Deno.test("a release is not indexed from a stat cache that lacks one of its files: no pull would examine it", async () => {
  using dir = memoryDir();
  const { bot } = await botWithIndex(dir);
  const context = testContext();
  const store = storeOf(context, bot);
  const active = activeManifest(store);
  assert.ok(active !== undefined);
  const index = new GitReleaseIndex(context, store.root, 1);
  const isIndexed = async () => {
    Deno.removeSync(join(store.root, "release_index"), { recursive: true });
    Deno.mkdirSync(join(store.root, "release_index"));
    await indexRelease(store, index, active, { claim: undefined }, []);
    return await index.findUnsure(active.digest, releaseDir(store, active.digest)) !== undefined;
  };
  assert.equal(await isIndexed(), true);
  const cache = StatCache.ofRelease(store, active.digest);
  cache.forget("BTC/a.npy");
  cache.save();
  assert.equal(await isIndexed(), false);
});

Deno.test("a pull without news finds what was damaged in an indexed release, and downloads it again", async () => {
  using dir = memoryDir();
  const { bot } = await botWithIndex(dir);
  const damages: Readonly<Record<string, (path: string) => void>> = {
    "ADA/f.npy": (path) => Deno.removeSync(path),
    "BTC/a.npy": (path) => (Deno.removeSync(path), Deno.symlinkSync("b.npy", path)),
    "ETH/deep/c.npy": (path) => (Deno.removeSync(path), Deno.mkdirSync(path)),
    "BTC/b.npy": (path) => (Deno.chmodSync(path, 0o644), Deno.writeTextFileSync(path, "longer")),
    "LTC/e.npy": (path) => {
      Deno.chmodSync(path, 0o644);
      Deno.writeTextFileSync(path, "x");
      Deno.utimeSync(path, 1, 1);
    },
    "XRP/d.npy": (path) => (Deno.removeSync(path), Deno.writeTextFileSync(path, "x")),
  };
  const models = Deno.realPathSync(bot.modelsDir);
  for (const [path, damage] of Object.entries(damages)) damage(join(models, path));
  const examined = await examinedByPull(bot, INSTALLED);
  const damaged = Object.keys(damages);
  assert.deepEqual(examined.slice(0, damaged.length + 1).sort(), [...damaged, "SOL/changed.npy"].sort());
  assert.deepEqual(readFiles(bot.modelsDir), release("5"));
});
