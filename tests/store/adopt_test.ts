import assert from "node:assert/strict";
import { join } from "node:path";
import { DiskError } from "../../lib/core/errors.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { writeIntent } from "../../lib/store/intent.ts";
import { activeManifest, readPointer } from "../../lib/store/pointers.ts";
import { listReleases } from "../../lib/store/releases.ts";
import {
  type Machine,
  machine,
  MODELS,
  newTrainer,
  publishFrom,
  pulledReleases,
  pullTo,
  registryOf,
  storeOf,
} from "../helpers/machines.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
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

Deno.test("adopting a folder whose models are installed already keeps its other files beside it", async () => {
  using dir = tempDir();
  const bot = await newBot(dir.path, { ...MODELS, ".gitignore": "*\n", "BTC/.gitkeep": "" });
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), Object.fromEntries(Object.entries(MODELS).sort()));
  const [kept = ""] = namesBeside(bot).filter((name) => name.startsWith("models.before-"));
  assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "..", kept, ".gitignore")), "*\n");

  using other = tempDir();
  const plain = await newBot(other.path, MODELS);
  await pullTo(testContext(), plain);
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
