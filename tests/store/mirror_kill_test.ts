import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import type { FileSystem } from "../../lib/core/files.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { type Machine, pulledReleases, storeOf } from "../helpers/machines.ts";
import { verifyActive } from "../../lib/pipeline/verify.ts";
import { readHistory } from "../../lib/store/history.ts";
import { activeSequence, assertMirrored, mirrorTo, settleLeft } from "../helpers/mirrored_bot.ts";
import { ageFiles, checkpoint, memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** A file becomes a folder, a folder a file; files come, go, change and stay. */
const V1 = {
  "folder/b.bin": "one",
  "folder/deep/c.bin": "one",
  "file": "one",
  "changed.bin": "one",
  "gone/only.bin": "one",
  "same.json": "{}",
};
const V2 = {
  "folder": "two",
  "file/y.bin": "two",
  "changed.bin": "two!",
  "new/deep/z.bin": "two",
  "same.json": "{}",
};
const FOREIGN = { "mine.txt": "not a model", "notes/n.txt": "nor this" };

/** A step of the run, and the fault at it. */
type Fault = (step: string, count: number) => void;

class World {
  readonly bot: Machine;
  readonly restore: () => void;

  constructor(bot: Machine, restore: () => void) {
    this.bot = bot;
    this.restore = restore;
  }

  static async at(root: string): Promise<World> {
    const { bot } = await pulledReleases(join(root, "world"), [V1, V2], { activation: "mirror" });
    writeFiles(bot.modelsDir, FOREIGN);
    await mirrorTo(testContext(), bot, 1);
    Deno.removeSync(bot.registry.repoDir, { recursive: true });
    return new World(bot, checkpoint(join(root, "world/bot"), join(root, "start")));
  }

  /** Activates the second release under a fault. @returns its steps, its log, and how it ended */
  async run(
    fault: Fault,
  ): Promise<{ readonly steps: number; readonly log: readonly string[]; readonly failure: unknown }> {
    let steps = 0;
    const context = testContext({ fs: countingFs((step) => fault(step, ++steps)) });
    const failure = await mirrorTo(context, this.bot, 2).then(() => undefined, (error: unknown) => error);
    return { steps, log: context.log.lines, failure };
  }

  async settle(fs: FileSystem = Deno): Promise<void> {
    await settleLeft(testContext({ fs }), this.bot);
  }

  /** Returns a step with paths relative to the bot's folder. */
  relative(step: string): string {
    return step.replaceAll(`${dirname(this.bot.modelsDir)}/`, "");
  }

  check(when: string, foreign: Readonly<Record<string, string>> = FOREIGN): void {
    try {
      assertMirrored(this.bot, [V1, V2], foreign);
    } catch (error) {
      throw new Error(when, { cause: error });
    }
  }
}

/** No further change reaches the disk, as after a kill. */
function killedFrom(at: number): Fault {
  return (_step, count) => {
    if (count >= at) throw osError("EIO");
  };
}

Deno.test("after a kill at any step of a mirroring, one whole release is active and on record, and the pull can be repeated", async () => {
  using dir = memoryDir();
  const world = await World.at(dir.path);
  const ends = new Set<number | undefined>();
  for (let at = 1;; at++) {
    world.restore();
    const { steps } = await world.run(killedFrom(at));
    if (steps < at) break;
    await world.settle();
    world.check(`after a kill at step ${at}`);
    ends.add(activeSequence(world.bot));
    const runs = readHistory(storeOf(testContext(), world.bot), 3);
    assert.equal(runs[0]?.command, "prune");
    await mirrorTo(testContext(), world.bot, activeSequence(world.bot) === 1 ? 2 : 1);
    world.check(`after the run that followed the kill at step ${at}`);
  }
  assert.deepEqual([...ends].sort(), [1, 2], "kills have to end on both sides");
});

Deno.test("a recovery that is killed at any step is finished by the next one", async () => {
  using dir = memoryDir();
  using other = memoryDir();
  const world = await World.at(dir.path);
  let kills = 0;
  for (let at = 15;; at += 11) {
    world.restore();
    if ((await world.run(killedFrom(at))).steps < at) break;
    const killed = checkpoint(join(dir.path, "world/bot"), join(other.path, String(at)));
    for (let again = 1;; again += 3) {
      killed();
      let steps = 0;
      await world.settle(countingFs((step) => killedFrom(again)(step, ++steps))).catch(() => {});
      if (steps < again) break;
      kills++;
      await world.settle();
      world.check(`after kills at step ${at}, and at step ${again} of the recovery`);
    }
  }
  assert.ok(kills > 50, `only ${kills} kills`);
});

for (const code of ["ENOSPC", "EIO", "EACCES", "EBUSY"]) {
  Deno.test(`a mirroring that fails with ${code} at any step leaves one whole release and names it`, async () => {
    using dir = memoryDir();
    const world = await World.at(dir.path);
    let failures = 0;
    for (let at = 1;; at += code === "ENOSPC" ? 1 : 4) {
      world.restore();
      const { steps, failure } = await world.run((step, count) => {
        if (count === at && !step.startsWith("remove")) throw osError(code);
      });
      if (steps < at) break;
      world.check(`after ${code} at step ${at}`);
      if (failure !== undefined) failures++;
      assert.equal(activeSequence(world.bot), failure === undefined ? 2 : activeSequence(world.bot));
    }
    assert.ok(failures > 3, `only ${failures} failures`);
  });
}

Deno.test("a model folder that is full from any step on keeps the old release", async () => {
  using dir = memoryDir();
  const world = await World.at(dir.path);
  let failures = 0;
  for (let at = 1;; at++) {
    world.restore();
    let written = 0;
    const { failure } = await world.run((step) => {
      // Renames on a full file system need no space, and removing frees some.
      const needsSpace = /^(open|write|mkdir|link|symlink)/.test(step) && step.includes(world.bot.modelsDir);
      if (needsSpace && ++written >= at) throw osError("ENOSPC");
    });
    if (failure === undefined) break;
    failures++;
    assert.ok(failure instanceof Error && "exitCode" in failure && failure.exitCode === 7, String(failure));
    assert.equal(activeSequence(world.bot), 1, `write ${at}`);
    world.check(`after ENOSPC at write ${at}`);
  }
  assert.ok(failures > 10, `only ${failures} failures`);
});

Deno.test("a model folder that becomes read-only at any step is whole again once it is writable", async () => {
  using dir = memoryDir();
  const world = await World.at(dir.path);
  for (let at = 1;; at++) {
    world.restore();
    let touched = 0;
    const readOnly = (step: string) => {
      if (!/^(write|sync)/.test(step) && step.includes(world.bot.modelsDir) && ++touched >= at) {
        throw osError("EROFS");
      }
    };
    const { failure } = await world.run(readOnly);
    if (failure === undefined && touched < at) break;
    await world.settle();
    world.check(`after EROFS at change ${at}`);
  }
});

/** Returns the folders that the renames of some steps change. */
function renamedIn(steps: readonly string[]): string[] {
  const paths = steps.flatMap((step) => step.startsWith("rename models/") ? step.split(" ").slice(1) : []);
  return [...new Set(paths.map((path) => dirname(path)))];
}

const JOURNAL_WRITTEN = "rename .model-sync/mirror.json.new .model-sync/mirror.json";
const JOURNAL_REMOVED = "remove .model-sync/mirror.json";

Deno.test("a mirroring is on the disk before each step that counts on it, and replaces a file by one rename", async () => {
  using dir = memoryDir();
  const world = await World.at(dir.path);
  const all: string[] = [];
  const { failure, log } = await world.run((step) => void all.push(world.relative(step)));
  assert.equal(failure, undefined);
  world.check("after the mirroring");
  assert.ok(!log.some((line) => /it is kept as/.test(line)), "no file of the old release is kept");
  const [written, removed] = [all.indexOf(JOURNAL_WRITTEN), all.indexOf(JOURNAL_REMOVED)];
  const [before, renaming] = [all.slice(0, written), all.slice(written, removed)];

  // The journal counts on the copies, and on the folders that hold them.
  const made = before.flatMap((step) =>
    /^(?:mkdir|write) (models\/\.model-sync\.part.*)/.exec(step)?.[1] ?? []
  );
  assert.ok(made.length > 6, made.join("\n"));
  for (const path of [...made, "models"]) {
    assert.ok(before.lastIndexOf(`syncSync ${path}`) > before.lastIndexOf(`write ${path}`), path);
  }
  // From then on, a full disk stops nothing.
  assert.deepEqual(renaming.filter((step) => /^(mkdir|open|write|link|symlink).* models\//.test(step)), []);
  const renames = renaming.filter((step) => step.startsWith("rename models/"));
  const changed = renames.filter((step) => step.includes("models/changed.bin"));
  assert.ok(changed.length === 1 && changed[0]?.endsWith("/changed.bin"), changed.join("\n"));
  assert.ok(renames.at(-1)?.startsWith("rename models/gone/only.bin "), "files of the old release go last");
  // The removal of the journal, and of the intent, counts on the renames.
  const synced = renaming.slice(renaming.indexOf(renames.at(-1) ?? ""));
  for (const folder of renamedIn(renaming)) assert.ok(synced.includes(`syncSync ${folder}`), folder);
  for (const file of ["mirror.json", "intent.json"]) {
    assert.equal(all[all.indexOf(`remove .model-sync/${file}`) + 1], "syncSync .model-sync", file);
  }
});

Deno.test("after a mirroring, a check hashes no file again", async () => {
  using dir = memoryDir();
  const world = await World.at(dir.path);
  Deno.removeSync(join(storeOf(testContext(), world.bot).root, "stat_cache"), { recursive: true });
  ageFiles(world.bot.modelsDir);
  await world.run(() => {});
  const opened: string[] = [];
  const open: FileSystem["open"] = (path, options) => {
    opened.push(String(path));
    return Deno.open(path, options);
  };
  const context = testContext({ fs: { ...Deno, open } });
  assert.deepEqual((await verifyActive(context, storeOf(context, world.bot), "stat")).problems, []);
  assert.deepEqual(opened, []);
});

Deno.test("a mirroring that fails after its last rename is undone, on the disk, with the folders that it removed", async () => {
  using dir = memoryDir();
  const world = await World.at(dir.path);
  const undone: string[] = [];
  let hasFailed = false;
  const { failure } = await world.run((step) => {
    if (hasFailed) undone.push(world.relative(step));
    if (hasFailed || world.relative(step) !== JOURNAL_REMOVED) return;
    hasFailed = true;
    throw osError("EIO");
  });
  assert.ok(failure instanceof Error);
  assert.equal(activeSequence(world.bot), 1);
  world.check("after the undo");
  const renames = undone.slice(0, undone.indexOf(JOURNAL_REMOVED));
  const last = renames.findLastIndex((step) => step.startsWith("rename models/"));
  for (const folder of ["models", "models/gone", "models/.model-sync.part"]) {
    assert.ok(renames.lastIndexOf(`syncSync ${folder}`) > last, folder);
  }
});

Deno.test("a file that a consumer wrote into a new folder stays when the mirroring is undone", async () => {
  using dir = memoryDir();
  const world = await World.at(dir.path);
  const mine = { "new/deep/mine.txt": "written meanwhile" };
  const { failure } = await world.run((step) => {
    if (!world.relative(step).startsWith("rename models/gone/only.bin")) return;
    writeFiles(world.bot.modelsDir, mine);
    throw osError("EIO");
  });
  assert.ok(failure instanceof Error);
  assert.equal(activeSequence(world.bot), 1);
  world.check("after the undo", { ...FOREIGN, ...mine });
});
