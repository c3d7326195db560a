import assert from "node:assert/strict";
import { join } from "node:path";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { clone, commitAll, git, GIT_ENV, hasLfs } from "../helpers/test_git.ts";

const CAN_RUN = hasLfs && Deno.build.os !== "windows";
const SKIPPED = CAN_RUN ? "" : " (skipped: no git-lfs here, or Windows)";

const MISSING = { code: "LFS_MISSING", exitCode: 2 };

/** A machine with git but without git-lfs on its PATH, as under cron. */
function withoutLfs(root: string) {
  const bin = join(root, "bin");
  Deno.mkdirSync(bin);
  for (const program of ["git", "sh", "sed", "cat", "uname"]) {
    const { stdout } = new Deno.Command("which", { args: [program] }).outputSync();
    Deno.symlinkSync(new TextDecoder().decode(stdout).trim(), join(bin, program));
  }
  return testContext({
    spawn: (request) => isolatedSpawn({ ...request, env: { ...GIT_ENV, ...request.env, PATH: bin } }),
  });
}

Deno.test({
  name: "a pull of a registry with Git LFS, without git-lfs on the PATH, is LFS_MISSING" + SKIPPED,
  ignore: !CAN_RUN,
  fn: async () => {
    using dir = tempDir();
    const trainer = newTrainer(dir.path);
    await publishFrom(testContext(), trainer, { lfs: "always" });
    const bot = { ...trainer, modelsDir: join(dir.path, "bot/models") };
    const cron = withoutLfs(dir.path);
    const own = { ...bot, registry: { ...bot.registry, repoDir: join(dir.path, "bot/registry") } };
    await assert.rejects(pullTo(cron, own), MISSING);
    // In a user's clone, the merge would run git-lfs as a filter.
    const repoDir = clone(registryOf(trainer), join(dir.path, "bot/clone"));
    git(repoDir, "lfs", "install", "--local", "--skip-smudge");
    git(repoDir, "config", "filter.lfs.smudge", "git-lfs smudge -- %f");
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
    await publishFrom(testContext(), trainer, { lfs: "always" });
    await assert.rejects(pullTo(cron, { ...bot, registry: { ...bot.registry, repoDir } }), MISSING);
  },
});

Deno.test({
  name: "a publish through a clone whose hooks call git-lfs, without it on the PATH, is LFS_MISSING" +
    SKIPPED,
  ignore: !CAN_RUN,
  fn: async () => {
    using dir = tempDir();
    const trainer = newTrainer(dir.path);
    const repoDir = clone(registryOf(trainer), join(dir.path, "clone"));
    writeFiles(repoDir, { "README": "of people" });
    commitAll(repoDir);
    git(repoDir, "lfs", "install", "--local");
    const before = git(registryOf(trainer), "rev-parse", "main");
    const own = { ...trainer, registry: { ...trainer.registry, repoDir } };
    await assert.rejects(publishFrom(withoutLfs(dir.path), own), MISSING);
    assert.equal(git(registryOf(trainer), "rev-parse", "main"), before);
    assert.equal((await publishFrom(testContext(), own)).outcome, "published");
  },
});

Deno.test({
  name: "a commit of a failed publish is not pushed without its Git LFS files" + SKIPPED,
  ignore: !CAN_RUN,
  fn: async () => {
    using dir = tempDir();
    const trainer = newTrainer(dir.path);
    const unpushed = testContext({
      spawn: (request) =>
        isolatedSpawn(request.args.includes("push") ? { ...request, args: ["nothing"] } : request),
    });
    await assert.rejects(publishFrom(unpushed, trainer, { lfs: "always" }));
    await assert.rejects(publishFrom(withoutLfs(dir.path), trainer, { lfs: "always" }), MISSING);
    assert.equal(git(registryOf(trainer), "branch", "--list"), "");
    assert.equal((await publishFrom(testContext(), trainer, { lfs: "always" })).outcome, "published");
  },
});

Deno.test({
  name: "a pull of several files in Git LFS looks for git-lfs once" + SKIPPED,
  ignore: !CAN_RUN,
  fn: async () => {
    using dir = tempDir();
    const trainer = newTrainer(dir.path);
    await publishFrom(testContext(), trainer, { lfs: "always" });
    const bot = machine(dir.path, "bot", registryOf(trainer));
    let count = 0;
    const context = testContext({
      spawn: (request) => {
        if (request.args.includes("lfs") && request.args.includes("version")) count++;
        return isolatedSpawn(request);
      },
    });
    await pullTo(context, bot);
    assert.equal(count, 1);
  },
});
