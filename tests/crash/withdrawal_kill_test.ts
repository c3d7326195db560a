import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { readWithdrawals } from "../../lib/store/withdrawals.ts";
import { pullTo, storeOf, withdrawFrom } from "../helpers/machines.ts";
import { testContext } from "../helpers/test_context.ts";
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

/** Pulls, whatever comes of it. @returns the code of the error */
async function tryPull({ bot }: World): Promise<string> {
  try {
    return (await pullTo(testContext(), bot)).outcome;
  } catch (error) {
    if (error instanceof ModelSyncError) return error.code;
    throw error;
  }
}

Deno.test("a pull of a withdrawal killed before any of its steps since it learns the list still rolls back, also without the registry", async () => {
  await killEverywhere("pull-withdrawn", async (root) => {
    const world = await prepareWorld(root);
    await pullTo(testContext(), world.bot);
    await publishV2(world);
    await pullTo(testContext(), world.bot);
    await withdrawFrom(testContext(), world.trainer, "active");
  }, async (world) => {
    assertSeesOneOf(world, [V1, V2]);
    const store = storeOf(testContext(), world.bot);
    if (readWithdrawals(store).length > 0) {
      const registry = join(world.root, "registry.git");
      Deno.renameSync(registry, `${registry}.away`);
      await tryPull(world);
      assertSeesOneOf(world, [V1]);
      Deno.renameSync(`${registry}.away`, registry);
    }
    assert.match(await tryPull(world), /^(?:WITHDRAWN|unchanged)$/);
    assertSeesOneOf(world, [V1]);
    assert.equal(await tryPull(world), "unchanged");
    await assertStoreSound(world);
  }, /withdrawals\.json/);
});
