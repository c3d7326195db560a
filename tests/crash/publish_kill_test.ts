import assert from "node:assert/strict";
import { join } from "node:path";
import { publishFrom, pullTo } from "../helpers/machines.ts";
import { fixedKey } from "../helpers/signing.ts";
import { readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { git, packsOf } from "../helpers/test_git.ts";
import { assertSeesOneOf, emptyWorld, type Files, killEverywhere, V1, V2 } from "./kill_everywhere.ts";

const PUBLISHED: Files = Object.fromEntries(Object.entries(V2).filter(([path]) => !path.startsWith("ETH")));

// It signs: an unsigned publish has the same steps except one.
Deno.test("a publish killed before any of its steps leaves the registry with the old release or the new one, signed", async () => {
  const seal = fixedKey().seal();
  const signatures = fixedKey().required;
  await killEverywhere("publish", async (root) => {
    const world = emptyWorld(root);
    writeFiles(world.trainer.modelsDir, V1);
    await publishFrom(testContext(), world.trainer, { seal });
    await pullTo(testContext(), world.bot, { signatures });
    writeFiles(world.trainer.modelsDir, V2);
    Deno.removeSync(join(world.trainer.modelsDir, "ETH"), { recursive: true });
  }, async (world) => {
    await pullTo(testContext(), world.bot, { signatures });
    assertSeesOneOf(world, [V1, PUBLISHED]);
    const report = await publishFrom(testContext(), world.trainer, { seal });
    assert.ok(report.outcome === "published" || report.outcome === "unchanged");
    const { repoDir } = world.trainer.registry;
    assert.equal(git(repoDir, "status", "--porcelain"), "", "the clone is left dirty");
    assert.deepEqual(packsOf(repoDir).length, 2, "a pack is left over");
    await pullTo(testContext(), world.bot, { signatures });
    assertSeesOneOf(world, [PUBLISHED]);
    assert.deepEqual(
      readFiles(world.trainer.modelsDir),
      Object.fromEntries(Object.entries(PUBLISHED).sort()),
    );
  });
});
