import assert from "node:assert/strict";
import { join } from "node:path";
import { moveFile } from "../../lib/git/copy_files.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
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

Deno.test("a file for which another disk has no room stays, and nothing of it is on that disk", async () => {
  for (const failing of ["write", "sync", "rename"]) {
    using dir = memoryDir();
    const [from, to, temporary] = [join(dir.path, "mine"), join(dir.path, "theirs"), join(dir.path, "part-")];
    writeFiles(dir.path, { mine: "new", theirs: "old" });
    const fs = countingFs((step) => {
      if (step.startsWith(`rename ${from} `)) throw osError("EXDEV");
      if (step.startsWith(`${failing} ${temporary}`)) throw osError("ENOSPC");
    });
    await assert.rejects(moveFile(testContext({ fs }), from, to, temporary), { code: "ENOSPC" }, failing);
    assert.deepEqual(readFiles(dir.path), { mine: "new", theirs: "old" }, failing);
  }
});

Deno.test("a file that replaces one on another disk is on that disk before it has the name, and then gone here", async () => {
  using dir = memoryDir();
  const [from, to, temporary] = [join(dir.path, "mine"), join(dir.path, "theirs"), join(dir.path, "part-")];
  writeFiles(dir.path, { mine: "new", theirs: "old" });
  const steps: string[] = [];
  const fs = countingFs((step) => {
    if (step.startsWith(`rename ${from} `)) throw osError("EXDEV");
    steps.push(step.slice(0, step.indexOf(" ")));
  });
  await moveFile(testContext({ fs }), from, to, temporary);
  assert.deepEqual(readFiles(dir.path), { theirs: "new" });
  assert.deepEqual(steps.filter((step) => ["sync", "rename", "remove"].includes(step)), [
    "sync",
    "rename",
    "remove",
  ]);
});
