import assert from "node:assert/strict";
import { join } from "node:path";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { foreignDir, memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { clone, git } from "../helpers/test_git.ts";

const hasLfs = new Deno.Command("git", { args: ["lfs", "version"], stdout: "null", stderr: "null" });

/** Moves a folder to another place, and leaves a link to it. */
function linkElsewhere(folder: string, place: string): void {
  assert.ok(new Deno.Command("cp", { args: ["-r", folder, place] }).outputSync().success);
  Deno.removeSync(folder, { recursive: true });
  Deno.symlinkSync(place, folder);
}

Deno.test("publish() publishes from a clone whose objects or Git LFS storage are on another disk", async (t) => {
  using elsewhere = foreignDir();
  if (elsewhere === undefined) return;
  const layouts: Readonly<Record<string, (mine: string, place: string) => void>> = {
    "objects": (mine, place) => linkElsewhere(join(mine, ".git/objects"), place),
    "packs": (mine, place) => {
      Deno.mkdirSync(join(mine, ".git/objects/pack"), { recursive: true });
      linkElsewhere(join(mine, ".git/objects/pack"), place);
    },
    ...hasLfs.outputSync().success
      ? { "Git LFS storage": (mine: string, place: string) => void git(mine, "config", "lfs.storage", place) }
      : {},
  };
  for (const [name, arrange] of Object.entries(layouts)) {
    await t.step(name, async () => {
      using dir = memoryDir();
      const own = newTrainer(dir.path);
      await publishFrom(testContext(), own);
      const mine = clone(registryOf(own), join(dir.path, "mine"));
      const place = join(elsewhere.path, name);
      arrange(mine, place);
      const trainer = { ...own, registry: { ...own.registry, repoDir: mine, repoUrl: undefined } };
      writeFiles(trainer.modelsDir, { "BTC/new.joblib": "new" });
      const lfs = name === "Git LFS storage" ? "always" : "never";
      assert.equal((await publishFrom(testContext(), trainer, { lfs })).outcome, "published");
      assert.equal(git(mine, "fsck", "--strict", "--no-dangling"), "");
      const left = Object.keys(readFiles(place)).filter((path) => /tmp/.test(path));
      assert.deepEqual(left, []);
      const bot = machine(dir.path, "bot", registryOf(own));
      await pullTo(testContext(), bot);
      assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
    });
  }
});
