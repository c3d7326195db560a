import assert from "node:assert/strict";
import { join } from "node:path";
import { publishFrom, pullTo } from "../helpers/machines.ts";
import { fixedKey } from "../helpers/signing.ts";
import { readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { git } from "../helpers/test_git.ts";
import {
  assertSeesOneOf,
  emptyWorld,
  type Files,
  killEverywhere,
  prepareWorld,
  V1,
  V2,
} from "./kill_everywhere.ts";

Deno.test("a publish killed before any of its steps leaves the registry with the old release or the new one", async () => {
  await killEverywhere("publish", async (root) => {
    const world = await prepareWorld(root);
    writeFiles(world.trainer.modelsDir, V2);
    Deno.removeSync(join(world.trainer.modelsDir, "ETH"), { recursive: true });
  }, async (world) => {
    const published: Files = Object.fromEntries(
      Object.entries(V2).filter(([path]) => !path.startsWith("ETH")),
    );
    await pullTo(testContext(), world.bot);
    assertSeesOneOf(world, [V1, published]);
    const report = await publishFrom(testContext(), world.trainer);
    assert.ok(report.outcome === "published" || report.outcome === "unchanged");
    assert.equal(git(world.trainer.registry.repoDir, "status", "--porcelain"), "", "the clone is left dirty");
    await pullTo(testContext(), world.bot);
    assertSeesOneOf(world, [published]);
    assert.deepEqual(
      readFiles(world.trainer.modelsDir),
      Object.fromEntries(Object.entries(published).sort()),
    );
  });
});

Deno.test("a publish that signs, killed before any of its steps, leaves nothing that a client would refuse", async () => {
  await killEverywhere("publish-signed", async (root) => {
    const world = emptyWorld(root);
    writeFiles(world.trainer.modelsDir, V1);
    await publishFrom(testContext(), world.trainer, { seal: fixedKey().seal() });
    writeFiles(world.trainer.modelsDir, { "ETH/rf.bin": "another" });
  }, async (world) => {
    const signatures = fixedKey().required;
    await pullTo(testContext(), world.bot, { signatures });
    assertSeesOneOf(world, [V1, { ...V1, "ETH/rf.bin": "another" }]);
    await publishFrom(testContext(), world.trainer, { seal: fixedKey().seal() });
    assert.equal(git(world.trainer.registry.repoDir, "status", "--porcelain"), "", "the clone is left dirty");
    await pullTo(testContext(), world.bot, { signatures });
    assertSeesOneOf(world, [{ ...V1, "ETH/rf.bin": "another" }]);
  });
});
