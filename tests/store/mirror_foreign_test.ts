import assert from "node:assert/strict";
import { join } from "node:path";
import { writeIntent } from "../../lib/store/intent.ts";
import { MIRROR_SCRATCH_NAME } from "../../lib/store/mirror_scratch.ts";
import { setPointers } from "../../lib/store/pointers.ts";
import { listReleases, releaseDir } from "../../lib/store/releases.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { type Machine, machine, publishFiles, pulledReleases, pullTo, storeOf } from "../helpers/machines.ts";
import { activeSequence, assertMirrored, mirrorTo, settleLeft } from "../helpers/mirrored_bot.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const V1 = { "a.bin": "one", "sub/deep/b.bin": "one", "c.bin": "same" };
const V2 = { "a.bin": "two", "d.bin": "two", "c.bin": "same" };
const MIRROR = { activation: "mirror" } as const;

async function botWithV1(root: string, next: Readonly<Record<string, string>> = V2): Promise<Machine> {
  const { trainer, bot } = await pulledReleases(root, [V1], MIRROR);
  await publishFiles(trainer, next);
  return bot;
}

Deno.test("a first mirroring over files of the same names keeps them as a release to roll back to", async () => {
  using dir = memoryDir();
  const { trainer } = await pulledReleases(dir.path, [V1]);
  const bot = machine(dir.path, "other", trainer.registry.repoUrl ?? "");
  const before = { "a.bin": "mine", "sub": "a file where a folder comes" };
  writeFiles(bot.modelsDir, before);
  await pullTo(testContext(), bot, MIRROR);
  assertMirrored(bot, [V1]);
  // With its journal, a later recovery of the same run would undo the mirroring.
  const { root } = storeOf(testContext(), bot);
  assert.throws(() => Deno.lstatSync(join(root, "mirror.json")), Deno.errors.NotFound);
  await mirrorTo(testContext(), bot, 0);
  assert.deepEqual(readFiles(bot.modelsDir), before);
});

Deno.test("a file of no release at the path of a new file is kept under another name, and its folder stays", async () => {
  using dir = memoryDir();
  const bot = await botWithV1(dir.path);
  writeFiles(bot.modelsDir, { "d.bin": "mine", "sub/mine.txt": "mine, too" });
  const context = testContext();
  await pullTo(context, bot, MIRROR);
  const {
    [Object.keys(readFiles(bot.modelsDir)).find((name) => name.startsWith("d.bin.before-")) ?? ""]: kept,
  } = readFiles(bot.modelsDir);
  assert.equal(kept, "mine");
  assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "d.bin")), "two");
  assert.ok(context.log.lines.some((line) => /d\.bin in .* belonged to no release/.test(line)));
  const left = Array.from(Deno.readDirSync(join(bot.modelsDir, "sub")), ({ name }) => name);
  assert.deepEqual(left, ["mine.txt"], "the folder of a file of the old release alone is removed");
});

for (const hasLinks of [true, false]) {
  const where = hasLinks ? "" : ", where there are no hard links";
  Deno.test(`files that were changed by hand are replaced, and restored when the mirroring fails, and when its undo does${where}`, async () => {
    using dir = memoryDir();
    const bot = await botWithV1(dir.path);
    writeFiles(bot.modelsDir, {
      "a.bin": "changed by hand",
      "c.bin": "this one",
      "sub/deep/b.bin": "this too",
    });
    const changed = readFiles(bot.modelsDir);
    const failures = ["models/d.bin", "models/a.bin"];
    const fs = countingFs((step) => {
      if (step.startsWith("link") && !hasLinks) throw osError("EPERM");
      // The rename that puts a file in place fails, and then one of those that put the old files back.
      if (!step.startsWith("rename") || !step.endsWith(failures[0] ?? "no failure")) return;
      failures.shift();
      throw osError("EIO");
    });
    await assert.rejects(pullTo(testContext({ fs }), bot, MIRROR), { exitCode: 7 });
    assert.deepEqual(failures, []);
    await settleLeft(testContext(), bot);
    assert.deepEqual(readFiles(bot.modelsDir), changed);
    assert.equal(activeSequence(bot), 1);
    await pullTo(testContext(), bot, MIRROR);
    assertMirrored(bot, [V1, V2]);
    assert.throws(() => Deno.lstatSync(join(bot.modelsDir, "sub")), Deno.errors.NotFound);
  });
}

Deno.test("without the manifest of the replaced release, its files are replaced and not kept, but a link is", async () => {
  using dir = memoryDir();
  const bot = await botWithV1(dir.path);
  const store = storeOf(testContext(), bot);
  const [active] = listReleases(store);
  Deno.removeSync(`${releaseDir(store, active?.manifest.digest ?? assert.fail())}.json`);
  Deno.symlinkSync("c.bin", join(bot.modelsDir, "d.bin"));
  await pullTo(testContext(), bot, MIRROR);
  const names = Array.from(Deno.readDirSync(bot.modelsDir), ({ name }) => name).sort();
  const [kept = ""] = names.filter((name) => name.includes(".before-"));
  assert.deepEqual(names, ["a.bin", "c.bin", "d.bin", kept, "sub"]);
  assert.equal(Deno.readLinkSync(join(bot.modelsDir, kept)), "c.bin");
  assert.deepEqual(["a.bin", "d.bin"].map((name) => readFiles(bot.modelsDir)[name]), ["two", "two"]);
});

Deno.test("a file of the store that was damaged after its check is not mirrored", async () => {
  using dir = memoryDir();
  const bot = await botWithV1(dir.path);
  const store = storeOf(testContext(), bot);
  // The pull checks the new release when it places it in the store; the disk damages it before it is mirrored.
  const fs = countingFs((step) => {
    const [placed, before] = listReleases(store);
    if (before === undefined || !(step.startsWith("mkdir") && step.endsWith(MIRROR_SCRATCH_NAME))) return;
    const file = join(releaseDir(store, placed?.manifest.digest ?? assert.fail()), "a.bin");
    Deno.chmodSync(file, 0o600);
    Deno.writeTextFileSync(file, "bad");
  });
  await assert.rejects(pullTo(testContext({ fs }), bot, MIRROR), { code: "RELEASE_DAMAGED", exitCode: 5 });
  assertMirrored(bot, [V1]);
});

for (const hasRoom of [true, false]) {
  Deno.test(`a mixture that an older version left is completed or undone (${hasRoom ? "room" : "no room"})`, async () => {
    using dir = memoryDir();
    const { bot } = await pulledReleases(dir.path, [V1, V2], MIRROR);
    await mirrorTo(testContext(), bot, 1);
    const store = storeOf(testContext(), bot);
    const [to, from] = listReleases(store).map(({ manifest }) => manifest.digest);
    assert.ok(to !== undefined && from !== undefined);
    const run = { runId: "old", command: "pull", startedAt: "2026-01-01T00:00:00Z" };
    writeIntent(store, { ...run, phase: "activating", mode: "mirror", from, to, previousBefore: null });
    setPointers(store, { previous: from, current: to }, "mirror");
    // An older version copied file by file: the first file is complete, the second one cut off.
    writeFiles(bot.modelsDir, { "d.bin": "two", [`${MIRROR_SCRATCH_NAME}/1`]: "tw" });
    const isFull = (step: string) =>
      step.startsWith("write") && step.includes(MIRROR_SCRATCH_NAME) && !hasRoom;
    let copies = 0;
    const fs = countingFs((step) => {
      if (isFull(step) && ++copies === 1) throw osError("ENOSPC");
    });
    await settleLeft(testContext({ fs }), bot);
    assert.equal(activeSequence(bot), hasRoom ? 2 : 1);
    assertMirrored(bot, [V1, V2]);
  });
}
