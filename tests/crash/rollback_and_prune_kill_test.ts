import assert from "node:assert/strict";
import { planPrune, pruneReleases } from "../../lib/pipeline/prune.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { listReleases } from "../../lib/store/releases.ts";
import { publishFrom, pullTo, rollBack, storeOf } from "../helpers/machines.ts";
import { writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import {
  assertSeesOneOf,
  assertStoreSound,
  killEverywhere,
  prepareWorld,
  publishV2,
  V1,
  V2,
} from "./kill_everywhere.ts";

Deno.test("a rollback killed before any of its steps leaves one of the two releases, and can be repeated", async () => {
  await killEverywhere("rollback", async (root) => {
    const world = await prepareWorld(root);
    await pullTo(testContext(), world.bot);
    await publishV2(world);
    await pullTo(testContext(), world.bot);
  }, async (world) => {
    assertSeesOneOf(world, [V1, V2]);
    const store = storeOf(testContext(), world.bot);
    const first = listReleases(store).find(({ manifest }) => manifest.sequence === 1);
    await rollBack(testContext(), world.bot, first?.manifest.digest);
    assertSeesOneOf(world, [V1]);
    await assertStoreSound(world);
    await assert.rejects(pullTo(testContext(), world.bot), { code: "QUARANTINED" });
  });
});

Deno.test("a prune killed before any of its steps never removes a release that a pointer names", async () => {
  await killEverywhere("prune", async (root) => {
    const world = await prepareWorld(root);
    await pullTo(testContext(), world.bot);
    for (const text of ["two", "three", "four"]) {
      writeFiles(world.trainer.modelsDir, { "BTC/rf.bin": text });
      await publishFrom(testContext(), world.trainer);
      await pullTo(testContext(), world.bot);
    }
  }, async (world) => {
    assertSeesOneOf(world, [{ ...V1, "BTC/rf.bin": "four" }]);
    const context = testContext();
    const store = storeOf(context, world.bot);
    await recordedRun(context, store, { command: "prune", lock: "store", sinks: [] }, async () => {
      await pruneReleases(context, store, planPrune(store, 1));
      return { outcome: "pruned" };
    });
    assert.equal(listReleases(store).length, 2);
    await assertStoreSound(world);
    await rollBack(context, world.bot);
    assertSeesOneOf(world, [{ ...V1, "BTC/rf.bin": "three" }]);
  });
});
