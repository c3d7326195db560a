import assert from "node:assert/strict";
import { canaryPath, judgedCanary, openCanary } from "../../lib/canary/find_canary.ts";
import { abortCanary } from "../../lib/canary/settle_canary.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { readPendingReload } from "../../lib/store/pending_reload.ts";
import { readHistory } from "../../lib/store/history.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { listReleases } from "../../lib/store/releases.ts";
import { pullTo, storeOf } from "../helpers/machines.ts";
import { writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { guards, heard, METRIC, UNLOADABLE } from "./guards.ts";
import {
  assertSeesOneOf,
  assertStoreSound,
  killEverywhere,
  prepareWorld,
  publishV2,
  V1,
  V2,
  type World,
} from "./kill_everywhere.ts";

/** The first run may have to roll back; the next one only finds the quarantine. */
async function assertGoesBack(world: World, code: string): Promise<void> {
  const first = await refusedPull(world);
  if (first === "QUARANTINED") return;
  assert.deepEqual([first, await refusedPull(world)], [code, "QUARANTINED"]);
}

async function refusedPull(world: World): Promise<string> {
  try {
    await pullTo(testContext(), world.bot, { safeguards: guards(world.root) });
  } catch (error) {
    if (error instanceof ModelSyncError) return error.code;
    throw error;
  }
  return "nothing refused it";
}

// It includes every step of a pull without safeguards.
Deno.test("a pull with safeguards killed before any of its steps leaves the old or the new release, and the next run notifies consumers and continues the canary", async () => {
  await killEverywhere("pull-guarded", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(root, { [METRIC]: "0.6" });
    await pullTo(testContext(), world.bot, { safeguards: guards(root) });
    await publishV2(world);
  }, async (world) => {
    assertSeesOneOf(world, [V1, V2]);
    const report = await pullTo(testContext(), world.bot, { safeguards: guards(world.root) });
    assert.ok(report.outcome === "activated" || report.outcome === "unchanged");
    assertSeesOneOf(world, [V2]);
    await assertStoreSound(world);
    const store = storeOf(testContext(), world.bot);
    assert.equal(
      readPointer(store, "previous"),
      listReleases(store).find(({ manifest }) => manifest.sequence === 1)?.manifest.digest,
    );
    if (report.outcome === "unchanged") {
      const [, killed] = readHistory(store, 2);
      assert.equal(killed?.outcome, "activated", "the killed run's activation is on record");
    }
    const active = readPointer(store, "current");
    assert.equal(heard(world.root).at(-1), `activated ${active}`);
    assert.equal(openCanary(store)?.digest, active);
    assert.deepEqual(openCanary(store)?.metrics[0]?.baseline, { kind: "value", value: 0.6 });
    assert.equal(readPendingReload(store), undefined);
  });
});

Deno.test("a pull that rolls back, killed before any of its steps since it activates the release, ends with the release before, and all consumers are notified", async () => {
  await killEverywhere("pull-guarded", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(root, { [METRIC]: "0.6" });
    await pullTo(testContext(), world.bot, { safeguards: guards(root) });
    writeFiles(world.trainer.modelsDir, { [UNLOADABLE]: "!" });
    await publishV2(world);
  }, async (world) => {
    assertSeesOneOf(world, [V1, { ...V2, [UNLOADABLE]: "!" }]);
    const store = storeOf(testContext(), world.bot);
    await assertGoesBack(world, "RELOAD_FAILED");
    assertSeesOneOf(world, [V1]);
    await assertStoreSound(world);
    assert.equal(heard(world.root).at(-1), `rolled-back ${readPointer(store, "current")}`);
    assert.equal(openCanary(store), undefined);
    assert.equal(readPendingReload(store), undefined);
  }, /canary\.json/);
});

Deno.test("a pull that rolls back a failed canary, killed before any of its steps, still rolls back", async () => {
  await killEverywhere("pull-guarded", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(root, { [METRIC]: "0.6" });
    await pullTo(testContext(), world.bot, { safeguards: guards(root) });
    await publishV2(world);
    await pullTo(testContext(), world.bot, { safeguards: guards(root) });
    abortCanary(testContext(), canaryPath(storeOf(testContext(), world.bot)));
  }, async (world) => {
    assertSeesOneOf(world, [V1, V2]);
    const store = storeOf(testContext(), world.bot);
    await assertGoesBack(world, "CANARY_ABORTED");
    assertSeesOneOf(world, [V1]);
    await assertStoreSound(world);
    assert.equal(heard(world.root).at(-1), `rolled-back ${readPointer(store, "current")}`);
    assert.equal(judgedCanary(store), undefined);
  });
});
