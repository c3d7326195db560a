import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { DiskError } from "../../lib/core/errors.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { adoptByMove, ensureModelsLink, scanModels } from "../../lib/store/adopt.ts";
import { writeIntent } from "../../lib/store/intent.ts";
import { inspectModelFolder } from "../../lib/store/model_folder.ts";
import { activeManifest, readPointer } from "../../lib/store/pointers.ts";
import { checkFiles } from "../../lib/store/release_files.ts";
import { readQuarantine } from "../../lib/store/quarantine.ts";
import { findRelease, listReleases, releaseDir } from "../../lib/store/releases.ts";
import { StatCache } from "../../lib/store/stat_cache.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import {
  type Machine,
  machine,
  MODELS,
  newTrainer,
  publishFiles,
  publishFrom,
  pulledReleases,
  pullTo,
  registryOf,
  rollBack,
  storeOf,
} from "../helpers/machines.ts";
import { assertMirrored, mirrorTo } from "../helpers/mirrored_bot.ts";
import { MortalProcess } from "../helpers/mortal_process.ts";
import { memoryDir, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** A published release, and a bot whose model folder is still a real folder. */
async function newBot(root: string, files: Readonly<Record<string, string>>): Promise<Machine> {
  const trainer = newTrainer(root);
  await publishFrom(testContext(), trainer);
  const bot = machine(root, "bot", registryOf(trainer));
  writeFiles(bot.modelsDir, files);
  return bot;
}

function namesBeside({ modelsDir }: Machine): string[] {
  return Array.from(Deno.readDirSync(join(modelsDir, "..")), ({ name }) => name).sort();
}

Deno.test("a model folder that cannot be moved stays, and its adoption leaves no other files", async () => {
  using dir = tempDir();
  const bot = await newBot(dir.path, { "mine.onnx": "from before" });
  const immovable = {
    ...Deno,
    renameSync: (from: string | URL, to: string | URL) => {
      if (from === bot.modelsDir) throw new Deno.errors.PermissionDenied("rename");
      Deno.renameSync(from, to);
    },
  };
  await assert.rejects(pullTo(testContext({ fs: immovable }), bot), DiskError);
  assert.deepEqual(readFiles(bot.modelsDir), { "mine.onnx": "from before" });
  assert.deepEqual(namesBeside(bot), [".model-sync", "models", "registry"]);
});

Deno.test("the next run of any command removes the remains of a killed adoption", async () => {
  using dir = tempDir();
  const bot = await newBot(dir.path, { "mine.onnx": "from before" });
  const context = testContext();
  const store = storeOf(context, bot);
  const run = { runId: "killed", command: "pull", startedAt: "2026-01-01T00:00:00Z" };
  writeIntent(store, { ...run, phase: "adopting", digest: `sha256:${"0".repeat(64)}`, from: null });
  Deno.symlinkSync(".model-sync/current", `${bot.modelsDir}.model-sync-link`);
  await recordedRun(
    context,
    store,
    { command: "prune", lock: "store", sinks: [] },
    () => Promise.resolve({ outcome: "pruned" }),
  );
  assert.deepEqual(namesBeside(bot), [".model-sync", "models"]);
  const settled = /the pull of 2026-01-01T00:00:00Z was interrupted and is undone; no release is active/;
  assert.ok(context.log.lines.some((line) => settled.test(line)), context.log.lines.join("\n"));
});

Deno.test("after an adoption that was killed before any of its steps, the next run of any command restores the model folder", async () => {
  const files = { "BTC/mine.onnx": "from before" };
  const run = { runId: "killed", command: "pull", startedAt: "2026-01-01T00:00:00Z" };
  const ends = new Set<string>();
  for (let step = 1;; step++) {
    using dir = memoryDir();
    const bot = machine(dir.path, "bot", "none");
    writeFiles(bot.modelsDir, files);
    const isDead = await new MortalProcess(step).run((context) =>
      adoptByMove(context, storeOf(context, bot), run)
    );
    if (!isDead) break;
    const context = testContext();
    const store = storeOf(context, bot);
    await recordedRun(
      context,
      store,
      { command: "prune", lock: "store", sinks: [] },
      () => Promise.resolve({ outcome: "pruned" }),
    );
    assert.deepEqual(readFiles(bot.modelsDir), files, `${step}`);
    assert.deepEqual(namesBeside(bot), [".model-sync", "models"], `${step}`);
    const isAdopted = readPointer(store, "current") !== undefined;
    assert.equal(inspectModelFolder(store).kind, isAdopted ? "linked" : "folder", `${step}`);
    const mode = Deno.statSync(join(bot.modelsDir, "BTC/mine.onnx")).mode ?? 0;
    if (isAdopted && Deno.build.os !== "windows") assert.equal(mode & 0o777, 0o444, `${step}`);
    assert.equal(listReleases(store).length, isAdopted ? 1 : 0, `${step}`);
    const [, resolution = "not on record"] = / was interrupted and is (\w+)/.exec(context.log.lines.join()) ??
      [];
    ends.add(`${isAdopted ? "adopted" : "before"}, ${resolution}`);
  }
  // Once the adoption is complete, the run has its activation before it, of which nothing is done.
  const resolutions = ["before, not on record", "before, undone", "adopted, finished", "adopted, undone"];
  assert.deepEqual([...ends], resolutions);
});

Deno.test("the link replaces an empty model folder, and nothing else is left, not even if the folder cannot be removed", () => {
  using dir = tempDir();
  const bot = machine(dir.path, "bot", "none");
  Deno.mkdirSync(bot.modelsDir);
  const unremovable = {
    ...Deno,
    removeSync: (path: string | URL, options?: Deno.RemoveOptions) => {
      if (path === bot.modelsDir) throw new Deno.errors.PermissionDenied("rmdir");
      Deno.removeSync(path, options);
    },
  };
  const refused = storeOf(testContext({ fs: unremovable }), bot);
  assert.throws(() => ensureModelsLink(refused, "run"), Deno.errors.PermissionDenied);
  assert.deepEqual(namesBeside(bot), [".model-sync", "models"]);
  const store = storeOf(testContext(), bot);
  assert.equal(inspectModelFolder(store).kind, "folder");
  assert.equal(ensureModelsLink(store, "run"), undefined);
  assert.deepEqual(namesBeside(bot), [".model-sync", "models"]);
  assert.equal(inspectModelFolder(store).kind, "linked");
});

Deno.test({
  name: "a model folder is adopted, too, where another user owns its files or the file system has no modes",
  ignore: Deno.build.os === "windows", // no POSIX modes
  async fn() {
    for (const code of ["EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "EIO"]) {
      using dir = memoryDir();
      const bot = machine(dir.path, "bot", "none");
      writeFiles(bot.modelsDir, { "mine.onnx": "from before" });
      const chmodSync = (path: string | URL, mode: number) => {
        if (String(path).includes("/releases/")) throw osError(code);
        Deno.chmodSync(path, mode);
      };
      const context = testContext({ fs: { ...Deno, chmodSync } });
      const run = { runId: "run", command: "pull", startedAt: "2026-01-01T00:00:00Z" };
      const adopting = adoptByMove(context, storeOf(context, bot), run);
      if (code === "EIO") await assert.rejects(adopting, { code });
      else await adopting;
      assert.deepEqual(readFiles(bot.modelsDir), { "mine.onnx": "from before" }, code);
    }
  },
});

Deno.test("adopting a folder whose models are installed already keeps its other files beside it", async () => {
  using dir = tempDir();
  const bot = await newBot(dir.path, { ...MODELS, ".gitignore": "*\n", "BTC/.gitkeep": "" });
  const context = testContext();
  await pullTo(context, bot);
  assert.deepEqual(readFiles(bot.modelsDir), Object.fromEntries(Object.entries(MODELS).sort()));
  const [kept = ""] = namesBeside(bot).filter((name) => name.startsWith("models.before-"));
  assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "..", kept, ".gitignore")), "*\n");
  const isNamed = (line: string) => /held files that are in no release: it is kept in/.test(line);
  assert.ok(context.log.lines.some((line) => isNamed(line) && line.endsWith(kept)));

  using other = tempDir();
  const plain = await newBot(other.path, MODELS);
  const quiet = testContext();
  await pullTo(quiet, plain);
  assert.ok(!quiet.log.lines.some(isNamed));
  assert.deepEqual(namesBeside(plain), [".model-sync", "models", "registry"]);
  const active = activeManifest(storeOf(testContext(), plain));
  assert.equal(active?.origin.carrier, "git", "the release keeps the manifest of its publisher");
});

Deno.test("adopting the models of an older release of the store keeps the manifest of its publisher", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [MODELS, { "new.onnx": "new" }]);
  const store = storeOf(testContext(), bot);
  const before = listReleases(store);
  Deno.removeSync(bot.modelsDir);
  writeFiles(bot.modelsDir, MODELS);
  await pullTo(testContext(), bot);
  assert.deepEqual(listReleases(store), before);
  assert.deepEqual(
    [readPointer(store, "current"), readPointer(store, "previous")],
    before.map(({ manifest }) => manifest.digest),
  );
});

Deno.test("a rollback to the release that the model folder holds already quarantines the replaced one", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [MODELS, { "new.onnx": "new" }]);
  const store = storeOf(testContext(), bot);
  const [replaced, target] = listReleases(store).map(({ manifest }) => manifest.digest);
  // An image brings its models, and the store lies on a volume.
  Deno.removeSync(bot.modelsDir);
  writeFiles(bot.modelsDir, MODELS);
  await rollBack(testContext(), bot);
  assert.equal(readPointer(store, "current"), target);
  assert.deepEqual(readFiles(bot.modelsDir), sorted(MODELS));
  assert.deepEqual(readQuarantine(store).map(({ digest }) => digest), [replaced]);
  await assert.rejects(pullTo(testContext(), bot), { code: "QUARANTINED" });
  assert.equal(readPointer(store, "current"), target);
});

for (const [activation, damage] of [["auto", "its files"], ["mirror", "its files and manifest"]] as const) {
  Deno.test(`adopting the models of a release whose copy in the store is damaged in ${damage} repairs it (${activation})`, async () => {
    using dir = memoryDir();
    const { bot } = await pulledReleases(dir.path, [MODELS, { "new.onnx": "new" }], { activation });
    const store = storeOf(testContext(), bot);
    const { digest } = listReleases(store).at(-1)?.manifest ?? assert.fail();
    const release = releaseDir(store, digest);
    Deno.removeSync(join(release, "ETH/rf.joblib"));
    writeFiles(release, { "ETH/rf.joblib": "bad" });
    if (damage !== "its files") Deno.removeSync(`${release}.json`);
    for (const path of [join(store.root, "current"), bot.modelsDir]) {
      Deno.removeSync(path, { recursive: true });
    }
    writeFiles(bot.modelsDir, MODELS);
    await pullTo(testContext(), bot, { activation });
    assert.equal(readPointer(store, "previous"), digest);
    assert.deepEqual(readFiles(release), sorted(MODELS));
    // The manifest of its publisher is kept, if it is there.
    assert.equal(findRelease(store, digest)?.manifest.sequence, damage === "its files" ? 1 : 0);
    await rollBack(testContext(), bot);
    assert.deepEqual(readFiles(bot.modelsDir), sorted(MODELS));
  });
}

Deno.test({
  name: "the files and folders of an adopted release are read-only, or writable by their owner only",
  ignore: Deno.build.os === "windows", // no POSIX modes
  async fn() {
    using dir = tempDir();
    const bot = await newBot(dir.path, { "BTC/mine.onnx": "from before" });
    for (const path of ["", "BTC"]) Deno.chmodSync(join(bot.modelsDir, path), 0o777);
    const context = testContext();
    await pullTo(context, bot);
    const previous = join(storeOf(context, bot).root, "previous");
    const modes = ["", "BTC", "BTC/mine.onnx"].map((path) =>
      ((Deno.statSync(join(previous, path)).mode ?? 0) & 0o777).toString(8)
    );
    assert.deepEqual(modes, ["755", "755", "444"]);
  },
});

const MINE = { "BTC/mine.onnx": "from before" };

Deno.test("an adoption is announced on the disk before it moves the folder, and is on the disk when it ends", async () => {
  using dir = memoryDir();
  const bot = machine(dir.path, "bot", "none");
  writeFiles(bot.modelsDir, MINE);
  const steps: string[] = [];
  const context = testContext({ fs: countingFs((step) => void steps.push(step)) });
  const store = storeOf(context, bot);
  await adoptByMove(context, store, { runId: "run", command: "pull", startedAt: "2026-01-01T00:00:00Z" });
  const isRename = (step: string, end: string) => step.startsWith("rename ") && step.endsWith(end);
  const [announced = -1, ended = -1] = steps.flatMap((step, at) => isRename(step, store.intent) ? [at] : []);
  const moved = steps.findIndex((step) => step.startsWith(`rename ${bot.modelsDir} `));
  const linked = steps.findIndex((step) => isRename(step, ` ${bot.modelsDir}`));
  assert.ok(announced >= 0 && announced < moved && moved < linked, steps.join("\n"));
  for (const folder of [dirname(bot.modelsDir), store.releases]) {
    const synced = steps.indexOf(`syncSync ${folder}`, linked);
    assert.ok(synced > linked && synced < ended, folder);
  }
});

function sorted(files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).sort());
}

Deno.test("an empty model folder becomes a link, one with only housekeeping files is kept beside it, and neither is a release", async () => {
  using dir = memoryDir();
  const empty = await newBot(dir.path, {});
  Deno.mkdirSync(empty.modelsDir);
  await pullTo(testContext(), empty);
  assert.deepEqual(readFiles(empty.modelsDir), sorted(MODELS));
  assert.deepEqual(namesBeside(empty), [".model-sync", "models", "registry"]);
  assert.equal(listReleases(storeOf(testContext(), empty)).length, 1);
  const link = Deno.lstatSync(empty.modelsDir).ino;
  ensureModelsLink(storeOf(testContext(), empty), "next");
  assert.equal(Deno.lstatSync(empty.modelsDir).ino, link, "the link is made once");

  const cluttered = machine(dir.path, "cluttered", empty.registry.repoUrl ?? "");
  writeFiles(cluttered.modelsDir, { ".DS_Store": "view" });
  const immovable: FileSystem = {
    ...Deno,
    renameSync: (from, to) => {
      if (from === cluttered.modelsDir) throw osError("EIO");
      Deno.renameSync(from, to);
    },
  };
  await assert.rejects(pullTo(testContext({ fs: immovable }), cluttered), { exitCode: 7 });
  assert.deepEqual(namesBeside(cluttered), [".model-sync", "models", "registry"]);
  await pullTo(testContext(), cluttered);
  const [kept = ""] = namesBeside(cluttered).filter((name) => name.startsWith("models.before-"));
  assert.deepEqual(readFiles(join(cluttered.modelsDir, "..", kept)), { ".DS_Store": "view" });
  assert.equal(listReleases(storeOf(testContext(), cluttered)).length, 1);
});

Deno.test("a model folder that cannot be read is an error, and not a refusal of its files", () => {
  using dir = tempDir();
  const readDirSync = () => {
    throw osError("EIO");
  };
  assert.throws(() => scanModels({ fs: { ...Deno, readDirSync }, modelsDir: dir.path }), { code: "EIO" });
});

Deno.test("adopting a mirrored folder keeps one copy of each file, and takes a release of the store for itself", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  const before = { "ETH/rf.joblib": "eth", "mine.onnx": "from before" };
  writeFiles(bot.modelsDir, before);
  await pullTo(testContext(), bot, { activation: "mirror" });
  assert.deepEqual(readFiles(bot.modelsDir), sorted(MODELS));
  const store = storeOf(testContext(), bot);
  const inodes = listReleases(store).map(({ manifest }) =>
    Deno.statSync(join(releaseDir(store, manifest.digest), "ETH/rf.joblib")).ino
  );
  assert.equal(new Set(inodes).size, 1);
  await mirrorTo(testContext(), bot, 0);
  assert.deepEqual(readFiles(bot.modelsDir), before);

  // Without the pointer, the files of the folder show which release it holds.
  Deno.removeSync(join(store.root, "current"));
  const next = { "next.onnx": "two" };
  await publishFiles(trainer, next);
  await pullTo(testContext(), bot, { activation: "mirror" });
  assertMirrored(bot, [MODELS, next]);
  assert.equal(readPointer(store, "previous"), listReleases(store).at(-1)?.manifest.digest);
});

Deno.test("after an adoption, a check hashes no file again", async () => {
  for (const mode of ["auto", "mirror"] as const) {
    using dir = memoryDir();
    const bot = await newBot(dir.path, MINE);
    await pullTo(testContext(), bot, { activation: mode });
    const opened: string[] = [];
    const open: FileSystem["open"] = (path, options) => {
      opened.push(String(path));
      return Deno.open(path, options);
    };
    const context = testContext({ fs: { ...Deno, open } });
    const store = storeOf(context, bot);
    const adopted = listReleases(store).at(-1);
    assert.ok(adopted);
    const folder = {
      dir: releaseDir(store, adopted.manifest.digest),
      cache: StatCache.ofRelease(store, adopted.manifest.digest),
    };
    assert.deepEqual(await checkFiles(context, folder, adopted.manifest, "stat"), []);
    assert.deepEqual(opened, []);
  }
});
