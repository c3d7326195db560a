import assert from "node:assert/strict";
import { join } from "node:path";
import { verifyActive } from "../../lib/pipeline/verify.ts";
import { findEntry } from "../../lib/core/files.ts";
import { publishFrom, pullTo, rollBack, storeOf } from "../helpers/machines.ts";
import { fixedKey } from "../helpers/signing.ts";
import { writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { clone, commitAll } from "../helpers/test_git.ts";
import {
  assertSeesOneOf,
  assertStoreSound,
  emptyWorld,
  type Files,
  killEverywhere,
  prepareWorld,
  publishV2,
  V1,
  V2,
} from "./kill_everywhere.ts";

Deno.test("a first pull killed before any of its steps leaves the former folder or a whole release", async () => {
  const before: Files = { "old.bin": "from before" };
  await killEverywhere("pull", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(world.bot.modelsDir, before);
  }, async (world) => {
    // Between the two renames of an adoption there is no model folder; the next run restores it.
    if (findEntry(Deno, world.bot.modelsDir) !== undefined) assertSeesOneOf(world, [before, V1]);
    await pullTo(testContext(), world.bot);
    assertSeesOneOf(world, [V1]);
    await assertStoreSound(world);
    await rollBack(testContext(), world.bot);
    assertSeesOneOf(world, [before]);
  });
});

Deno.test("a pull into a mirrored folder killed before any of its steps in that folder or later ends whole with the next pull", async () => {
  await killEverywhere("pull-mirror", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(world.bot.modelsDir, { "mine.txt": "not a model" });
    await pullTo(testContext(), world.bot, { activation: "mirror" });
    writeFiles(world.bot.modelsDir, { "mine.txt": "not a model" });
    await publishV2(world);
  }, async (world) => {
    await pullTo(testContext(), world.bot, { activation: "mirror" });
    assertSeesOneOf(world, [{ ...V2, "mine.txt": "not a model" }]);
    await assertStoreSound(world);
  }, /mkdir .*\/bot\/models\//);
});

Deno.test("a pull killed at any step since it takes the spare folder leaves a whole release, and nothing of the folder", async () => {
  const former: Files = { ...V1, "BTC/rf.bin": "four" };
  await killEverywhere("pull-to-spare", async (root) => {
    const world = await prepareWorld(root);
    for (const text of ["one", "two", "three", "four"]) {
      writeFiles(world.trainer.modelsDir, { "BTC/rf.bin": text });
      await publishFrom(testContext(), world.trainer);
      await pullTo(testContext(), world.bot, { keep: 1, indexedFilesMin: 1 });
    }
    await publishV2(world);
  }, async (world) => {
    assertSeesOneOf(world, [former, V2]);
    await pullTo(testContext(), world.bot, { keep: 1 });
    assertSeesOneOf(world, [V2]);
    await assertStoreSound(world);
    await rollBack(testContext(), world.bot);
    assertSeesOneOf(world, [former]);
  }, /rename .*\/spare /);
});

Deno.test("a pull killed before any step of its fetch of files leaves the active release, and the next pull ends whole", async () => {
  // Files of a registry without a manifest are fetched, also from one on this disk.
  await killEverywhere(
    "pull",
    async (root) => {
      const world = emptyWorld(root);
      const byHand = clone(join(root, "registry.git"), join(root, "by-hand"));
      for (const files of [V1, V2]) {
        writeFiles(join(byHand, "models"), files);
        commitAll(byHand);
        if (files === V1) await pullTo(testContext(), world.bot);
      }
    },
    async (world) => {
      assertSeesOneOf(world, [V1, V2]);
      await pullTo(testContext(), world.bot);
      assertSeesOneOf(world, [V2]);
      await assertStoreSound(world);
    },
    /^link .*\/staging\//,
    /git_blobs/,
  );
});

Deno.test("after a pull of a signed release is killed before any step since it writes the signature, the next pull ends with the signature", async () => {
  await killEverywhere("pull-signed", async (root) => {
    const world = await prepareWorld(root);
    await pullTo(testContext(), world.bot);
    // The active release is published again, now signed.
    await publishFrom(testContext(), world.trainer, { seal: fixedKey().seal() });
  }, async (world) => {
    assertSeesOneOf(world, [V1]);
    const context = testContext();
    assert.equal(
      (await pullTo(context, world.bot, { signatures: fixedKey().required })).outcome,
      "unchanged",
    );
    await assertStoreSound(world);
    const report = await verifyActive(context, storeOf(context, world.bot), "stat", fixedKey().required);
    assert.deepEqual([report.signature, report.sequence, report.problems], ["verified", 2, []]);
  }, /\.sig/);
});
