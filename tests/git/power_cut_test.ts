import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import type { Context } from "../../lib/core/context.ts";
import { countingFs, countingSpawn, type OnStep } from "../helpers/counting_fs.ts";
import { type Machine, machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { type CutDisk, cutDisk, whyNoCutDisk } from "./power_cut.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { git } from "../helpers/test_git.ts";

const why = whyNoCutDisk();
/** Part of the names of skipped tests. */
const skipped = why === undefined ? "" : ` (not tried: ${why})`;

/** The number of steps between two power cuts: about ten cuts in a run. */
const STEPS_BETWEEN_CUTS = 23;

/** Runs work on a disk, and keeps the disk's content after every few steps and at the end. */
async function runWithCuts(disk: CutDisk, work: (context: Context) => Promise<unknown>): Promise<void> {
  let steps = 0;
  const onStep = () => {
    if (steps++ % STEPS_BETWEEN_CUTS === 0) disk.cut();
  };
  await work(testContext({ fs: countingFs(onStep), spawn: countingSpawn(onStep) }));
  disk.cut();
  assert.ok(disk.count > 5);
}

/** The world an hour after the power cut: locks of earlier gits are stale. */
function laterContext(): ReturnType<typeof testContext> {
  const hourMs = 3_600_000;
  return testContext({ clock: { ...systemClock, now: () => new Date(Date.now() + hourMs) } });
}

function onDisk(disk: CutDisk, registry: string): Machine {
  const made = machine(disk.path, "machine", registry);
  return { ...made, registry: { ...made.registry, isInStore: true } };
}

Deno.test({
  name: `a first pull that a power cut ends at any moment is followed by one that pulls everything${skipped}`,
  ignore: why !== undefined,
  fn: async () => {
    using dir = tempDir();
    const trainer = newTrainer(dir.path);
    await publishFrom(testContext(), trainer);
    using disk = cutDisk(dir.path);
    const bot = onDisk(disk, registryOf(trainer));
    await runWithCuts(disk, (context) => pullTo(context, bot));
    for (let cut = 0; cut < disk.count; cut++) {
      disk.restore(cut);
      const context = laterContext();
      await pullTo(context, bot);
      assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
      // After a successful run, the disk is consistent.
      if (cut === disk.count - 1) {
        assert.deepEqual(context.log.lines.filter((line) => /^warn/.test(line)), []);
      }
    }
  },
});

Deno.test({
  name:
    `a pull in the spare folder that a power cut ends leaves the old release or the new one, and the next pull pulls${skipped}`,
  ignore: why !== undefined,
  fn: async () => {
    using dir = tempDir();
    const trainer = newTrainer(dir.path);
    using disk = cutDisk(dir.path);
    const bot = onDisk(disk, registryOf(trainer));
    const options = { keep: 1, indexedFilesMin: 1 };
    const release = (text: string) => ({
      "ADA/kept.npy": "kept",
      "BTC/deep/kept.npy": "kept, too",
      "BTC/f.npy": text,
    });
    const publishSet = async (files: Readonly<Record<string, string>>) => {
      Deno.removeSync(trainer.modelsDir, { recursive: true });
      writeFiles(trainer.modelsDir, files);
      await publishFrom(testContext(), trainer);
    };
    for (const text of ["1", "2", "3", "4"]) {
      await publishSet(release(text));
      await pullTo(laterContext(), bot, options);
    }
    const [before, after] = [release("4"), { ...release("5"), "BTC/added.npy": "added" }];
    await publishSet(after);
    new Deno.Command("sync", { args: ["--file-system", disk.path] }).outputSync();
    const { clock } = laterContext();
    await runWithCuts(disk, (context) => pullTo({ ...context, clock }, bot, options));
    await publishSet(release("6"));
    const seen = new Set<string>();
    for (let cut = 0; cut < disk.count; cut++) {
      disk.restore(cut);
      const present = readFiles(bot.modelsDir);
      seen.add(present["BTC/f.npy"] ?? "none");
      assert.deepEqual(present, present["BTC/f.npy"] === "4" ? before : after);
      await pullTo(laterContext(), bot, options);
      assert.deepEqual(readFiles(bot.modelsDir), release("6"));
    }
    assert.deepEqual([...seen], ["4", "5"]);
  },
});

for (const what of ["first", "second"]) {
  Deno.test({
    name: `a ${what} publish that a power cut ends at any moment is followed by one that publishes${skipped}`,
    ignore: why !== undefined,
    fn: async () => {
      using dir = tempDir();
      const trainer = newTrainer(dir.path);
      await publishFrom(testContext(), trainer);
      const registry = registryOf(trainer);
      using disk = cutDisk(dir.path);
      const publisher = onDisk(disk, registry);
      writeFiles(publisher.modelsDir, { "BTC/rf.joblib": "mine", "BTC/metadata.json": "{}" });
      if (what === "second") await publishFrom(testContext(), publisher);
      writeFiles(publisher.modelsDir, { "BTC/rf.joblib": "mine, again", "new/rf.joblib": "new" });
      new Deno.Command("sync", { args: ["--file-system", disk.path] }).outputSync();
      await runWithCuts(disk, (context) => publishFrom(context, publisher));
      for (let cut = 0; cut < disk.count; cut++) {
        disk.restore(cut);
        writeFiles(publisher.modelsDir, { "BTC/rf.joblib": `after cut ${cut}` });
        const context = laterContext();
        assert.equal((await publishFrom(context, publisher)).outcome, "published");
        assert.equal(git(registry, "show", "main:models/BTC/rf.joblib"), `after cut ${cut}`);
        assert.equal(git(publisher.registry.repoDir, "status", "--porcelain"), "");
        if (cut === disk.count - 1) {
          assert.deepEqual(context.log.lines.filter((line) => /^warn/.test(line)), []);
        }
      }
    },
  });
}

Deno.test("a new clone is synced before it gets its name, and git syncs its writes", async () => {
  using dir = tempDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const steps: string[] = [];
  const onStep: OnStep = (step) => void steps.push(step);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  const commands: string[] = [];
  const spawn = countingSpawn(onStep);
  const context = testContext({
    fs: countingFs(onStep),
    spawn: (request) => {
      commands.push(request.args.join(" "));
      return spawn(request);
    },
  });
  await pullTo(context, bot);
  const fresh = join(dir.path, "bot/.registry.new/.git");
  const renamed = steps.findIndex((step) => step.startsWith("rename") && step.endsWith(bot.registry.repoDir));
  assert.ok(renamed > 0);
  for (const name of ["HEAD", "config", "refs", "objects", "."]) {
    const path = join(fresh, name);
    const synced = steps.findIndex((step) => step === `sync ${path}` || step === `syncSync ${path}`);
    assert.ok(synced >= 0 && synced < renamed, path);
  }
  for (const name of ["refs/heads", "objects/pack", "shallow"]) {
    const path = join(bot.registry.repoDir, ".git", name);
    const isThere = Deno.readDirSync(join(path, "..")).some((entry) => path.endsWith(entry.name));
    const isSynced = steps.some((step) => step === `sync ${path}` || step === `syncSync ${path}`);
    assert.equal(isSynced, isThere, path);
  }
  for (const command of commands) assert.match(command, /-c core\.fsync=all /);
});
