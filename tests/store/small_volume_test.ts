import assert from "node:assert/strict";
import { join } from "node:path";
import { readHistory } from "../../lib/store/history.ts";
import { checkMirrorFolder, MIRROR_SCRATCH_NAME } from "../../lib/store/mirror_scratch.ts";
import { listReleases } from "../../lib/store/releases.ts";
import { osError } from "../helpers/fake_fs.ts";
import { machine, publishFiles, pulledReleases, pullTo, storeOf } from "../helpers/machines.ts";
import { activeSequence, assertMirrored, mirrorTo, settleLeft } from "../helpers/mirrored_bot.ts";
import { verifyActive } from "../../lib/pipeline/verify.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import {
  bindAt,
  freeBytes,
  mountObstacle,
  overlayAt,
  type SmallDisk,
  tmpfsAt,
} from "../helpers/small_disk.ts";
import { memoryDir, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository } from "../helpers/test_git.ts";
import { testContext } from "../helpers/test_context.ts";

const obstacle = mountObstacle("tmpfs");

/** A model set of 300 KiB in two files, and its text, which differs from that of others. */
function models(version: string): Record<string, string> {
  return { "a.bin": version.repeat(200 * 1024), [`${version}/b.bin`]: version.repeat(100 * 1024) };
}

const V1 = models("1");
const V2 = models("2");
const MIRROR = { activation: "mirror" } as const;

interface Volume extends Disposable {
  readonly bot: ReturnType<typeof machine>;
  readonly disk: SmallDisk;
}

/** A bot whose model folder is a volume with the first release; the second one is published. */
async function botOnVolume(root: string, options: string): Promise<Volume> {
  const bot = machine(root, "bot", join(root, "registry.git"));
  const disk = tmpfsAt(bot.modelsDir, options);
  try {
    const { trainer } = await pulledReleases(root, [V1], { ...MIRROR, bot });
    await publishFiles(trainer, V2);
    return { bot, disk, [Symbol.dispose]: () => disk[Symbol.dispose]() };
  } catch (error) {
    disk[Symbol.dispose]();
    throw error;
  }
}

function test(name: string, options: string, fn: (volume: Volume) => Promise<void>): void {
  Deno.test({
    name: obstacle === undefined ? name : `${name} (skipped: ${obstacle})`,
    ignore: obstacle !== undefined,
    fn: async () => {
      using dir = tempDir();
      using volume = await botOnVolume(dir.path, options);
      await fn(volume);
    },
  });
}

test(
  "a volume without room for the new files beside the old ones is refused before the download",
  "size=500k",
  async ({ bot }) => {
    await assert.rejects(pullTo(testContext({ freeBytes }), bot, MIRROR), {
      code: "DISK",
      exitCode: 7,
      message: /need \d+ bytes beside the old ones, \d+ are free/,
    });
    assert.equal(listReleases(storeOf(testContext(), bot)).length, 1);
    assertMirrored(bot, [V1]);
  },
);

test(
  "a volume that fills up while files are copied keeps the old release, and the run is on record",
  "size=500k",
  async ({ bot }) => {
    await assert.rejects(pullTo(testContext(), bot, MIRROR), { code: "DISK", exitCode: 7 });
    assertMirrored(bot, [V1]);
    assert.equal(readHistory(storeOf(testContext(), bot), 1)[0]?.outcome, "failed");
    await settleLeft(testContext(), bot);
    assertMirrored(bot, [V1]);
  },
);

test("a volume without a free inode keeps the old release", "size=4m,nr_inodes=6", async ({ bot }) => {
  await assert.rejects(pullTo(testContext({ freeBytes }), bot, MIRROR), { code: "DISK", exitCode: 7 });
  assertMirrored(bot, [V1]);
});

test(
  "a read-only volume is refused before the download, and taken once it can be written",
  "size=4m",
  async ({ bot, disk }) => {
    disk.remount("ro");
    await assert.rejects(pullTo(testContext(), bot, MIRROR), { exitCode: 7, message: /read-only/ });
    assert.equal(listReleases(storeOf(testContext(), bot)).length, 1);
    assertMirrored(bot, [V1]);
    disk.remount("rw");
    await pullTo(testContext(), bot, MIRROR);
    assertMirrored(bot, [V1, V2]);
    disk.remount("ro");
    await assert.rejects(mirrorTo(testContext(), bot, 1), { exitCode: 7, message: /read-only/ });
    assert.equal(activeSequence(bot), 2);
    disk.remount("rw");
    await mirrorTo(testContext(), bot, 1);
    assertMirrored(bot, [V1, V2]);
  },
);

/** Kills a pull after it has put one file in place. */
async function killAmongRenames({ bot }: Pick<Volume, "bot">): Promise<void> {
  let isDead = false;
  const fs = countingFs((step) => {
    if (isDead) throw osError("EIO");
    isDead = step.startsWith("rename") && step.endsWith("models/a.bin");
  });
  await assert.rejects(pullTo(testContext({ fs }), bot, MIRROR));
}

test(
  "a pull that was killed among its renames is settled on a volume that is full by then",
  "size=2m",
  async (volume) => {
    await killAmongRenames(volume);
    const free = volume.disk.fill();
    await settleLeft(testContext(), volume.bot);
    free();
    assertMirrored(volume.bot, [V1, V2]);
  },
);

test(
  "a volume that went read-only among the renames keeps pulls and rollbacks waiting, but no prune",
  "size=4m",
  async (volume) => {
    const { bot, disk } = volume;
    await killAmongRenames(volume);
    disk.remount("ro");
    await settleLeft(testContext(), bot);
    await assert.rejects(mirrorTo(testContext(), bot, 1), { exitCode: 7, message: /read-only/ });
    await assert.rejects(pullTo(testContext(), bot, MIRROR), { exitCode: 7, message: /read-only/ });
    disk.remount("rw");
    await mirrorTo(testContext(), bot, 1);
    assertMirrored(bot, [V1, V2]);
  },
);

test(
  "a rollback into a full volume is refused whole, and possible once there is room",
  "size=1m",
  async ({ bot, disk }) => {
    await pullTo(testContext(), bot, MIRROR);
    const free = disk.fill();
    await assert.rejects(mirrorTo(testContext({ freeBytes }), bot, 1), { code: "DISK", exitCode: 7 });
    assert.equal(activeSequence(bot), 2);
    free();
    assertMirrored(bot, [V1, V2]);
    assert.equal((await pullTo(testContext(), bot, MIRROR)).outcome, "unchanged");
    await mirrorTo(testContext({ freeBytes }), bot, 1);
    assertMirrored(bot, [V1, V2]);
  },
);

Deno.test({
  name: "a model folder that is mounted from a folder of the same disk is replaced file by file",
  ignore: obstacle !== undefined,
  async fn() {
    for (const before of [{}, { "mine.bin": "from before" }]) {
      using dir = tempDir();
      const bot = machine(dir.path, "bot", join(dir.path, "registry.git"));
      writeFiles(join(dir.path, "volume"), before);
      using _volume = bindAt(bot.modelsDir, join(dir.path, "volume"));
      await pulledReleases(dir.path, [V1, V2], { bot });
      assert.deepEqual(readFiles(join(dir.path, "volume")), V2);
      await mirrorTo(testContext(), bot, 1);
      assertMirrored(bot, [V1, V2]);
    }
  },
});

Deno.test("a mirroring needs room for the changed files beside the old ones, and for no others", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [V1, V2], MIRROR);
  const withRoom = (bytes: number) => testContext({ freeBytes: () => Promise.resolve(bytes) });
  const needed = (200 + 100 + 64) * 1024;
  await assert.rejects(mirrorTo(withRoom(needed - 1), bot, 1), { code: "DISK", exitCode: 7 });
  assert.equal(activeSequence(bot), 2);
  assertMirrored(bot, [V1, V2]);
  await mirrorTo(withRoom(needed), bot, 1);
  assertMirrored(bot, [V1, V2]);

  // The check before a download: a killed run may have left its copies.
  const store = storeOf(testContext(), bot);
  const [, present] = listReleases(store);
  const files = present?.manifest.files ?? [];
  writeFiles(bot.modelsDir, { [`${MIRROR_SCRATCH_NAME}/0`]: "left" });
  await checkMirrorFolder(withRoom(0), store, files);
  assertMirrored(bot, [V1, V2]);
  const changed = files.map((file) => ({ ...file, sha256: file.path === "a.bin" ? undefined : file.sha256 }));
  await assert.rejects(checkMirrorFolder(withRoom((200 + 64) * 1024 - 1), store, changed), { code: "DISK" });
  await checkMirrorFolder(withRoom((200 + 64) * 1024), store, changed);
});

const overlayObstacle = mountObstacle("overlay");

/** Models that an image brings: one of a path that releases have, too. */
const BAKED = { "a.bin": "baked", "baked/c.bin": "baked" };

function testOnImage(
  name: string,
  fn: (bot: ReturnType<typeof machine>, root: string) => Promise<void>,
): void {
  Deno.test({
    name: overlayObstacle === undefined ? name : `${name} (skipped: ${overlayObstacle})`,
    ignore: overlayObstacle !== undefined,
    fn: async () => {
      using dir = tempDir();
      const bot = machine(dir.path, "bot", join(dir.path, "registry.git"));
      const image = Object.entries(BAKED).map(([path, text]) => [`models/${path}`, text] as const);
      using _overlay = overlayAt(join(dir.path, "bot"), Object.fromEntries(image));
      await fn(bot, dir.path);
    },
  });
}

async function assertIntact(bot: ReturnType<typeof machine>): Promise<void> {
  const { problems } = await verifyActive(testContext(), storeOf(testContext(), bot), "content");
  assert.deepEqual(problems, []);
  assert.ok(Deno.lstatSync(bot.modelsDir).isDirectory, "a folder of an image's layer stays one");
}

testOnImage(
  "models in a layer of an image are replaced by the first pull, restored by a rollback, and swapped by the next pull",
  async (bot, root) => {
    const { trainer } = await pulledReleases(root, [V1], { bot });
    assert.deepEqual(readFiles(bot.modelsDir), V1);
    await assertIntact(bot);
    await mirrorTo(testContext(), bot, 0);
    assert.deepEqual(readFiles(bot.modelsDir), BAKED);
    await publishFiles(trainer, V2);
    await pullTo(testContext(), bot);
    assertMirrored(bot, [V1, V2]);
    await assertIntact(bot);
  },
);

testOnImage(
  "a first pull that was killed among its renames in an image's layer is settled, and keeps the models of the image",
  async (bot, root) => {
    const trainer = machine(root, "trainer", bareRepository(join(root, "registry.git")));
    await publishFiles(trainer, V1);
    await killAmongRenames({ bot });
    await settleLeft(testContext(), bot);
    assertMirrored(bot, [V1]);
    await pullTo(testContext(), bot);
    await assertIntact(bot);
    await mirrorTo(testContext(), bot, 0);
    assert.deepEqual(readFiles(bot.modelsDir), BAKED);
  },
);

testOnImage(
  "a kill at any rename of a swap in an image's layer leaves one whole release",
  async (bot, root) => {
    await pulledReleases(root, [V1, V2], { bot });
    let kills = 0;
    for (let isDead = true; isDead; kills++) {
      const target = activeSequence(bot) === 2 ? 1 : 2;
      let renames = 0;
      isDead = false;
      const fs = countingFs((step) => {
        isDead ||= step.startsWith("rename") && renames++ === kills;
        if (isDead) throw osError("EIO");
      });
      await mirrorTo(testContext({ fs }), bot, target).catch((error: unknown) =>
        assert.ok(isDead, String(error))
      );
      await settleLeft(testContext(), bot);
      assertMirrored(bot, [V1, V2]);
      await assertIntact(bot);
    }
    assert.ok(kills > 5, `${kills} kills`);
  },
);
