import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { git, gitWithInput } from "../helpers/test_git.ts";

/** Adds loose objects to the folder by which git estimates their number. */
async function addLooseObjects(repository: string, scratch: string): Promise<void> {
  const files: Record<string, string> = {};
  for (let number = 0; Object.keys(files).length < 30; number++) {
    const name = createHash("sha1").update(`blob ${String(number).length}\0${number}`).digest("hex");
    if (name.startsWith("17")) files[`${number}`] = String(number);
  }
  writeFiles(scratch, files);
  const paths = Object.keys(files).map((name) => join(scratch, name)).join("\n");
  await gitWithInput(repository, new TextEncoder().encode(paths), "hash-object", "-w", "--stdin-paths");
}

function looseObjects(repository: string): number {
  return Number(/^count: (\d+)/m.exec(git(repository, "count-objects", "-v"))?.[1]);
}

Deno.test("clones of our own are packed when they have many loose objects, and work as before", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  for (const { registry } of [trainer, bot]) {
    await addLooseObjects(registry.repoDir, join(dir.path, "scratch"));
  }
  for (const [round, text] of ["two", "three", "four"].entries()) {
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": text });
    const context = testContext();
    await publishFrom(context, trainer);
    await pullTo(context, bot);
    assert.deepEqual(context.log.lines.filter((line) => line.startsWith("warn")), []);
    const packed = context.log.lines.filter((line) => line.includes("packing the clone"));
    assert.equal(packed.length, round === 0 ? 2 : 0, context.log.lines.join("\n"));
    assert.equal(readFiles(bot.modelsDir)["BTC/rf.joblib"], text);
  }
  for (const { registry } of [trainer, bot]) assert.ok(looseObjects(registry.repoDir) < 30);
  git(trainer.registry.repoDir, "fsck", "--strict");
});

Deno.test("a pack that another process removes while packs are counted does not fail the publish", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const pack = join(trainer.registry.repoDir, ".git", "objects", "pack");
  Deno.symlinkSync(join(pack, "removed"), join(pack, "pack-0.pack"));
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
});

Deno.test("a clone that cannot be packed causes a warning, and the publish succeeds", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  await addLooseObjects(trainer.registry.repoDir, join(dir.path, "scratch"));
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const context = testContext({
    spawn: (request) =>
      isolatedSpawn(request.args.includes("gc") ? { ...request, args: ["nothing"] } : request),
  });
  assert.equal((await publishFrom(context, trainer)).outcome, "published");
  assert.ok(context.log.lines.some((line) => line.startsWith("warn Cannot pack the clone")));
});
