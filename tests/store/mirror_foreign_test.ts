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

const V1 = { "a.bin": "one", "sub/b.bin": "one", "c.bin": "same" };
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
  await mirrorTo(testContext(), bot, 0);
  assert.deepEqual(readFiles(bot.modelsDir), before);
});

Deno.test("a file of no release at the path of a new file is kept under another name", async () => {
  using dir = memoryDir();
  const bot = await botWithV1(dir.path);
  writeFiles(bot.modelsDir, { "d.bin": "mine" });
  const context = testContext();
  await pullTo(context, bot, MIRROR);
  const {
    [Object.keys(readFiles(bot.modelsDir)).find((name) => name.startsWith("d.bin.before-")) ?? ""]: kept,
  } = readFiles(bot.modelsDir);
  assert.equal(kept, "mine");
  assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "d.bin")), "two");
  assert.ok(context.log.lines.some((line) => /d\.bin in .* belonged to no release/.test(line)));
});

Deno.test("a file that was changed by hand is replaced, and restored when the mirroring fails", async () => {
  using dir = memoryDir();
  const bot = await botWithV1(dir.path);
  writeFiles(bot.modelsDir, { "a.bin": "changed by hand", "sub/b.bin": "this too" });
  const changed = readFiles(bot.modelsDir);
  const fs = countingFs((step) => {
    if (step.startsWith("rename") && step.endsWith("models/d.bin")) throw osError("EIO");
  });
  await assert.rejects(pullTo(testContext({ fs }), bot, MIRROR), { exitCode: 7 });
  assert.deepEqual(readFiles(bot.modelsDir), changed);
  assert.equal(activeSequence(bot), 1);
  await pullTo(testContext(), bot, MIRROR);
  assertMirrored(bot, [V1, V2]);
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
