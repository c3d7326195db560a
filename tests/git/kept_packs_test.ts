import assert from "node:assert/strict";
import { join } from "node:path";
import { type Machine, machine, newTrainer, publishFrom, registryOf } from "../helpers/machines.ts";
import { makeProgram } from "../helpers/make_program.ts";
import { memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { git, packsOf } from "../helpers/test_git.ts";

/** Writes a hook into the trainer's clone, and returns its path. */
function writeHook({ registry: { repoDir } }: Machine, hook: string, script: string): string {
  writeFiles(repoDir, { [`.git/hooks/${hook}`]: `#!/bin/sh\n${script}\n` });
  const path = join(repoDir, ".git/hooks", hook);
  makeProgram(path);
  return path;
}

/** Requires that the clone has all objects of its commits. */
function assertComplete({ registry: { repoDir } }: Machine): void {
  assert.equal(git(repoDir, "fsck", "--strict", "--no-dangling"), "");
  git(repoDir, "gc", "--quiet", "--prune=now");
}

Deno.test("publish() keeps the pack of a refused commit if a published commit has the same models", async (t) => {
  for (const hook of ["pre-commit", "pre-push"]) {
    await t.step(hook, async () => {
      using dir = memoryDir();
      const trainer = newTrainer(dir.path);
      await publishFrom(testContext(), trainer);
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
      await publishFrom(testContext(), trainer);
      const packs = packsOf(trainer.registry.repoDir);
      const path = writeHook(trainer, hook, "exit 1");
      writeFiles(trainer.modelsDir, { "BTC/copy.joblib": "two" });
      await assert.rejects(publishFrom(testContext(), trainer));
      assert.deepEqual(packsOf(trainer.registry.repoDir), packs);
      assertComplete(trainer);
      Deno.removeSync(path);
      assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
      assertComplete(trainer);
    });
  }
});

Deno.test("publish() keeps the pack of a commit that lost a race against the same models", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const other = machine(dir.path, "other", registryOf(trainer));
  writeFiles(other.modelsDir, { "BTC/rf.joblib": "one", "BTC/metadata.json": "{}", "ETH/rf.joblib": "eth" });
  await publishFrom(testContext(), other);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  writeFiles(other.modelsDir, { "BTC/rf.joblib": "two", "ETH/rf.joblib": "other" });
  let isRaced = false;
  const context = testContext({
    spawn(request) {
      if (!request.args.includes("push") || isRaced) return isolatedSpawn(request);
      isRaced = true;
      const running = publishFrom(testContext(), other).then(() => isolatedSpawn(request));
      return {
        stdout: (async function* () {
          yield* (await running).stdout;
        })(),
        exit: running.then(({ exit }) => exit),
      };
    },
  });
  await publishFrom(context, trainer);
  assert.ok(isRaced);
  assertComplete(trainer);
});

Deno.test("publish() keeps the pack of an unpushed commit although its clock is behind all others", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const old = testContext({
    spawn: (request) =>
      request.args.includes("push")
        ? isolatedSpawn({ ...request, command: "sh", args: ["-c", "exit 128"] })
        : isolatedSpawn({ ...request, env: { ...request.env, GIT_COMMITTER_DATE: "2001-01-01T00:00:00Z" } }),
  });
  await assert.rejects(publishFrom(old, trainer));
  const [head] = git(repoDir, "rev-list", "HEAD").split("\n");
  // A thousand newer commits on a branch that a person fetched.
  const tree = git(repoDir, "rev-parse", "HEAD~:");
  const stream = Array.from(
    { length: 1001 },
    (_, index) =>
      `commit refs/heads/newer\ncommitter A <a@b.c> ${1.7e9 + index} +0000\ndata 0\n` +
      (index === 0 ? `M 040000 ${tree} \n` : ""),
  );
  writeFiles(dir.path, { stream: stream.join("\n") });
  const imported = new Deno.Command("sh", {
    args: ["-c", 'git fast-import --quiet <"$0"', join(dir.path, "stream")],
    cwd: repoDir,
  });
  assert.ok(imported.outputSync().success);
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  assert.equal(git(repoDir, "rev-parse", "HEAD"), head);
  assertComplete(trainer);
});

Deno.test("publish() asks the hook of a damaged clone of its own, which it recreates", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  const before = git(registryOf(trainer), "rev-parse", "main");
  const path = writeHook(trainer, "pre-push", ". .git/hooks/lib/refuse");
  writeFiles(repoDir, { ".git/hooks/lib/refuse": "echo not today >&2; exit 1\n", ".git/HEAD": "" });
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const context = testContext();
  await assert.rejects(publishFrom(context, trainer), { code: "HOOK_REFUSED" });
  assert.match(context.log.lines.join("\n"), /is damaged .*cloning it again/);
  assert.equal(git(registryOf(trainer), "rev-parse", "main"), before);
  assert.ok(Deno.statSync(path).isFile);
});
