import assert from "node:assert/strict";
import { join } from "node:path";
import { planPrune, pruneReleases } from "../../lib/pipeline/prune.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { readHistory } from "../../lib/store/history.ts";
import { newestRolledBack, readQuarantine } from "../../lib/store/quarantine.ts";
import { listReleases } from "../../lib/store/releases.ts";
import {
  configuredPair,
  type Machine,
  machine,
  pulledReleases,
  pullTo,
  rollBack,
  storeOf,
} from "../helpers/machines.ts";
import { activeSequence } from "../helpers/mirrored_bot.ts";
import { runCli } from "../helpers/run_cli.ts";
import { ext4At, mountObstacle, type SmallDisk, tmpfsAt } from "../helpers/small_disk.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const SETS = ["1", "2", "3", "4"].map((version) => ({ "a.bin": version.repeat(5000), "b.bin": "same" }));

const DISKS: Readonly<Record<string, (path: string) => SmallDisk>> = {
  tmpfs: (path) => tmpfsAt(path, "size=8m"),
  "tmpfs without an inode": (path) => tmpfsAt(path, "size=8m,nr_inodes=400"),
  ext4: (path) => ext4At(path, 16),
  "ext4 without an inode": (path) => ext4At(path, 16, "-N", "400"),
};

/** A bot on a disk of its own with four releases. */
async function botOn(root: string, disk: SmallDisk): Promise<Machine> {
  const bot = machine(disk.path, "bot", join(root, "registry.git"));
  await pulledReleases(root, SETS, { bot });
  return bot;
}

/** Uses up the last byte, or the last inode. */
function exhaust(disk: SmallDisk, what: string): () => void {
  if (!what.includes("inode")) return disk.fill();
  const folder = join(disk.path, "fillers");
  Deno.mkdirSync(folder);
  try {
    for (let index = 0;; index++) Deno.writeTextFileSync(join(folder, String(index)), "");
  } catch {
    return () => Deno.removeSync(folder, { recursive: true });
  }
}

async function prune(bot: Machine): Promise<void> {
  const context = testContext();
  const store = storeOf(context, bot);
  await recordedRun(context, store, { command: "prune", lock: "store", sinks: [] }, async () => {
    await pruneReleases(context, store, planPrune(store, 1));
    return { outcome: "pruned" };
  });
}

for (const [what, mount] of Object.entries(DISKS)) {
  const obstacle = mountObstacle(what.startsWith("ext4") ? "ext4" : "tmpfs");
  const skipped = obstacle === undefined ? "" : ` (skipped: ${obstacle})`;
  Deno.test({
    name: `a rollback works on a full disk and is not undone, and a prune frees it: ${what}${skipped}`,
    ignore: obstacle !== undefined,
    fn: async () => {
      using dir = tempDir();
      using disk = mount(join(dir.path, "disk"));
      const bot = await botOn(dir.path, disk);
      const store = storeOf(testContext(), bot);
      const free = exhaust(disk, what);
      const context = testContext();
      await rollBack(context, bot);
      assert.ok(
        context.log.lines.some((line) => /reserve is used/.test(line)),
        "there was room without the reserve",
      );
      assert.deepEqual(readFiles(bot.modelsDir), SETS[2]);
      assert.equal(newestRolledBack(store), 4);
      assert.equal(readHistory(store, 1)[0]?.outcome, "rolled-back");
      // Again, with the rest of the reserve.
      exhaustAgain(disk, what);
      await rollBack(testContext(), bot);
      assert.equal(activeSequence(bot), 2);
      assert.equal(readQuarantine(store).length, 2);
      await prune(bot);
      assert.equal(listReleases(store).length, 2);
      assert.equal(activeSequence(bot), 2);
      free();
      await assert.rejects(pullTo(testContext(), bot), { code: "QUARANTINED", exitCode: 5 });
      assert.ok(
        Deno.statSync(join(store.root, "reserve/0")).size >= 512 * 1024,
        "the reserve is not made again",
      );
    },
  });
}

function exhaustAgain(disk: SmallDisk, what: string): void {
  if (what.includes("inode")) return;
  using file = Deno.openSync(join(disk.path, "another"), { write: true, create: true });
  try {
    for (;;) file.writeSync(new Uint8Array(512));
  } catch {
    // Full to the last byte once more.
  }
}

const noTmpfs = mountObstacle("tmpfs");
Deno.test({
  name: "a store without a reserve, as older versions left it, rolls back on a full disk" +
    (noTmpfs === undefined ? "" : ` (skipped: ${noTmpfs})`),
  ignore: noTmpfs !== undefined,
  fn: async () => {
    using dir = tempDir();
    using disk = tmpfsAt(join(dir.path, "disk"), "size=8m");
    const bot = await botOn(dir.path, disk);
    Deno.removeSync(join(storeOf(testContext(), bot).root, "reserve"), { recursive: true });
    disk.fill();
    await rollBack(testContext(), bot);
    assert.equal(activeSequence(bot), 3);
    assert.equal(newestRolledBack(storeOf(testContext(), bot)), 4);
  },
});

Deno.test({
  name: "a pull on a full disk leaves the reserve to a rollback" +
    (noTmpfs === undefined ? "" : ` (skipped: ${noTmpfs})`),
  ignore: noTmpfs !== undefined,
  fn: async () => {
    using dir = tempDir();
    using disk = tmpfsAt(join(dir.path, "disk"), "size=8m");
    const bot = await botOn(dir.path, disk);
    disk.fill();
    for (let run = 0; run < 3; run++) {
      await pullTo(testContext(), bot, { force: true }).catch((error) => assert.equal(error.exitCode, 7));
    }
    assert.ok(Deno.statSync(join(storeOf(testContext(), bot).root, "reserve/0")).size >= 512 * 1024);
    await rollBack(testContext(), bot);
    assert.equal(activeSequence(bot), 3);
  },
});

for (const what of ["a byte", "an inode"]) {
  Deno.test({
    name:
      `a pull on a full disk learns that the active release is withdrawn, and rolls back from it: without ${what}` +
      (noTmpfs === undefined ? "" : ` (skipped: ${noTmpfs})`),
    ignore: noTmpfs !== undefined,
    fn: async () => {
      using dir = tempDir();
      // Pulls keep 16 MiB spare.
      using disk = tmpfsAt(join(dir.path, "bot"), "size=24m,nr_inodes=400");
      const { trainer, bot } = configuredPair(dir.path);
      for (const version of ["good", "bad"]) {
        writeFiles(trainer, { "models/a.bin": version });
        for (const [command, cwd] of [["publish", trainer], ["pull", bot]] as const) {
          const { code, stderr } = await runCli(command, [], { cwd });
          assert.equal(code, 0, stderr);
        }
      }
      assert.equal((await runCli("withdraw", ["active"], { cwd: trainer })).code, 0);
      exhaust(disk, what);
      const { code, stderr } = await runCli("pull", [], { cwd: bot });
      assert.equal(code, 8, stderr);
      assert.deepEqual(readFiles(join(bot, "models")), { "a.bin": "good" });
      assert.match(stderr, /was withdrawn at \S+; rolling back to .*\n(.*\n)*.* warn .*Cannot /);
    },
  });
}
