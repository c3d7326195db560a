import assert from "node:assert/strict";
import { join } from "node:path";
import { losingRaces, machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { makeProgram } from "../helpers/make_program.ts";
import { memoryDir, noise, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { clone, git, packsOf } from "../helpers/test_git.ts";

const MIB = 1024 * 1024;

/** Returns the names in a clone's worktree. */
function shown(repoDir: string): string[] {
  return [...Deno.readDirSync(repoDir)].map(({ name }) => name).filter((name) => name !== ".git").sort();
}

Deno.test("publish() stores models once in a clone of its own: as one pack, without a worktree", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, { "a.bin": noise(3 * MIB, 1), "same.bin": noise(3 * MIB, 1), b: "b" });
  const { repoDir } = trainer.registry;
  await publishFrom(testContext(), trainer);
  const [pack] = packsOf(repoDir);
  const { size } = Deno.statSync(join(repoDir, ".git/objects/pack", pack ?? ""));
  assert.ok(size < 3.01 * MIB, `${size} bytes`);
  writeFiles(trainer.modelsDir, { b: "c" });
  await publishFrom(testContext(), trainer);
  assert.equal(packsOf(repoDir).length, 2);
  assert.deepEqual(shown(repoDir), []);
  assert.equal(git(repoDir, "status", "--porcelain"), "");
  assert.equal(git(repoDir, "fsck", "--strict", "--no-dangling"), "");
});

Deno.test("publish() removes the worktree of a clone that an earlier version made", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  git(repoDir, "config", "--unset", "core.sparseCheckout");
  Deno.removeSync(join(repoDir, ".git/info/sparse-checkout"));
  Deno.removeSync(join(repoDir, ".git/index"));
  git(repoDir, "reset", "--hard", "--quiet");
  assert.deepEqual(shown(repoDir), ["model-sync.json", "models"]);
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged");
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  assert.deepEqual(shown(repoDir), []);
  assert.equal(git(repoDir, "status", "--porcelain"), "");
});

Deno.test("publish() removes the worktree that an earlier version, started in between, showed in part", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  git(repoDir, "config", "core.sparseCheckout", "false");
  Deno.removeSync(join(repoDir, ".git/index"));
  git(repoDir, "read-tree", "HEAD");
  git(repoDir, "checkout", "--", "model-sync.json");
  assert.match(git(repoDir, "status", "--porcelain"), /D models\//);
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged");
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  assert.deepEqual(shown(repoDir), []);
  assert.equal(git(repoDir, "status", "--porcelain"), "");
});

Deno.test("publish() shows its hooks all files of the new commit, also in a clone of its own", async (t) => {
  for (const hook of ["pre-commit", "commit-msg", "pre-push"]) {
    await t.step(hook, async () => {
      using dir = memoryDir();
      const trainer = newTrainer(dir.path);
      await publishFrom(testContext(), trainer);
      const { repoDir } = trainer.registry;
      const path = join(repoDir, ".git/hooks", hook);
      writeFiles(repoDir, {
        [`.git/hooks/${hook}`]: "#!/bin/sh\ncat models/BTC/rf.joblib models/ETH/rf.joblib >.git/seen\n" +
          "git ls-files --deleted >>.git/seen\n",
      });
      makeProgram(path);
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
      await publishFrom(testContext(), trainer);
      assert.equal(Deno.readTextFileSync(join(repoDir, ".git/seen")), "twoeth");
      assert.deepEqual(shown(repoDir), []);
      assert.equal(git(repoDir, "status", "--porcelain"), "");
    });
  }
});

Deno.test("publish() deletes the pack of a commit that is not published", async (t) => {
  const refusals: Readonly<Record<string, (repoDir: string, registry: string) => string>> = {
    "a hook refuses the commit": (repoDir) => join(repoDir, ".git/hooks/pre-commit"),
    "a hook refuses the push": (repoDir) => join(repoDir, ".git/hooks/pre-push"),
    "the registry declines the push": (_, registry) => join(registry, "hooks/pre-receive"),
  };
  for (const [name, hookOf] of Object.entries(refusals)) {
    await t.step(name, async () => {
      using dir = memoryDir();
      const trainer = newTrainer(dir.path);
      await publishFrom(testContext(), trainer);
      const { repoDir } = trainer.registry;
      const before = packsOf(repoDir);
      const hook = hookOf(repoDir, registryOf(trainer));
      writeFiles(join(hook, ".."), { [hook.slice(hook.lastIndexOf("/") + 1)]: "#!/bin/sh\nexit 1\n" });
      makeProgram(hook);
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
      await assert.rejects(publishFrom(testContext(), trainer));
      assert.deepEqual(packsOf(repoDir), before);
      git(repoDir, "gc", "--quiet", "--prune=now");
      Deno.removeSync(hook);
      assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
      assert.equal(packsOf(repoDir).length, before.length + 1);
      assert.equal(git(repoDir, "fsck", "--strict", "--no-dangling"), "");
    });
  }
});

Deno.test("publish() that loses races keeps one pack, and that of a commit whose push got no answer", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  const before = packsOf(repoDir);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const { context } = losingRaces(clone(registryOf(trainer), join(dir.path, "hand")));
  await assert.rejects(publishFrom(context, trainer), { code: "PUSH_LOST" });
  assert.ok(packsOf(repoDir).filter((pack) => !before.includes(pack)).length <= 1);

  const unanswered = testContext({
    spawn: (request) => {
      if (!request.args.includes("push")) return isolatedSpawn(request);
      return isolatedSpawn({
        ...request,
        command: "sh",
        args: [
          "-c",
          'git "$@"; echo "fatal: the remote end hung up unexpectedly" >&2; exit 128',
          "sh",
          ...request.args,
        ],
      });
    },
  });
  await assert.rejects(publishFrom(unanswered, trainer));
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged");
  assert.equal(git(repoDir, "fsck", "--strict", "--no-dangling"), "");
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
});

Deno.test("publish() removes a removed model from a user's worktree although the repository ignores models", async () => {
  using dir = memoryDir();
  const own = newTrainer(dir.path);
  await publishFrom(testContext(), own);
  const mine = clone(registryOf(own), join(dir.path, "mine"));
  writeFiles(mine, { ".git/info/exclude": "*.joblib\n" });
  const trainer = { ...own, registry: { ...own.registry, repoDir: mine, repoUrl: undefined } };
  Deno.removeSync(join(trainer.modelsDir, "ETH"), { recursive: true });
  writeFiles(trainer.modelsDir, { "BTC/new.joblib": "new" });
  await publishFrom(testContext(), trainer);
  assert.deepEqual(readFiles(join(mine, "models")), readFiles(trainer.modelsDir));
  assert.equal(git(mine, "status", "--porcelain", "--ignored"), "");
});

Deno.test("publish() that was killed while it showed files to a hook leaves none of them to the next one", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  const head = git(repoDir, "rev-parse", "HEAD");
  Deno.removeSync(join(repoDir, ".git/index"));
  writeFiles(repoDir, {
    ".git/model-sync.journal": JSON.stringify({ phase: "writing", head, paths: ["."] }),
    "models/BTC/rf.joblib": "tw",
  });
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  assert.deepEqual(shown(repoDir), []);
  assert.equal(git(repoDir, "status", "--porcelain"), "");
});
