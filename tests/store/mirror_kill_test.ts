import assert from "node:assert/strict";
import { join } from "node:path";
import type { FileSystem } from "../../lib/core/files.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { type Machine, pulledReleases, storeOf } from "../helpers/machines.ts";
import { readHistory } from "../../lib/store/history.ts";
import { activeSequence, assertMirrored, mirrorTo, settleLeft } from "../helpers/mirrored_bot.ts";
import { checkpoint, memoryDir, writeFiles } from "../helpers/temp_dir.ts";
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

  /** Activates the second release under a fault. @returns its steps, and how it ended */
  async run(fault: Fault): Promise<{ readonly steps: number; readonly failure: unknown }> {
    let steps = 0;
    const fs = countingFs((step) => fault(step, ++steps));
    const failure = await mirrorTo(testContext({ fs }), this.bot, 2)
      .then(() => undefined, (error: unknown) => error);
    return { steps, failure };
  }

  async settle(fs: FileSystem = Deno): Promise<void> {
    await settleLeft(testContext({ fs }), this.bot);
  }

  check(when: string): void {
    try {
      assertMirrored(this.bot, [V1, V2], FOREIGN);
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
