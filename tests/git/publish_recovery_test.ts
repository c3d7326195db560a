import assert from "node:assert/strict";
import { join } from "node:path";
import { type Clock, systemClock } from "../../lib/core/clock.ts";
import { FailedError, InterruptedError } from "../../lib/core/errors.ts";
import type { SpawnProcess } from "../../lib/core/subprocess.ts";
import { ifFound } from "../../lib/core/files.ts";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../helpers/test_git.ts";

Deno.test("publish() sends a commit that an earlier run could not push, and says so", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const offline = testContext({
    spawn: (request) =>
      isolatedSpawn(request.args.includes("push") ? { ...request, args: ["no-such-git-command"] } : request),
  });
  await assert.rejects(publishFrom(offline, trainer));
  const report = await publishFrom(testContext(), trainer);
  assert.deepEqual([report.outcome, report.publication.committed, report.publication.pushed], [
    "published",
    false,
    true,
  ]);
  assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), "two");
});

Deno.test("publish() recreates its clone for another registry, also after an interrupted attempt", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const other = bareRepository(join(dir.path, "other.git"));
  const moved = { ...trainer, registry: { ...trainer.registry, repoUrl: other } };
  // As after a power cut during a removal.
  const stopping = {
    ...Deno,
    remove: (path: string | URL, options?: Deno.RemoveOptions) => {
      if (
        !String(path).includes("registry") || ifFound(() => Deno.statSync(`${path}/.git/HEAD`)) === undefined
      ) return Deno.remove(path, options);
      Deno.removeSync(`${path}/.git/HEAD`);
      throw new FailedError("stopped", { code: "TEST" });
    },
  };
  await assert.rejects(publishFrom(testContext({ fs: stopping }), moved), { code: "TEST" });
  await publishFrom(testContext(), moved);
  assert.equal(git(other, "show", "main:models/BTC/rf.joblib"), "one");
  assert.deepEqual(Deno.readDirSync(dir.path).map(({ name }) => name).toArray().sort(), [
    "other.git",
    "registry.git",
    "trainer",
  ]);
  assert.deepEqual(
    Deno.readDirSync(join(dir.path, "trainer")).map(({ name }) => name).toArray().sort(),
    [".model-sync", "models", "registry"],
  );
});

Deno.test("publish() waits for a lock in its own clone, and removes one that is stale", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const lock = join(trainer.registry.repoDir, ".git/index.lock");
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  Deno.writeTextFileSync(lock, "");
  let looks = 0;
  const clock: Clock = {
    ...systemClock,
    // A git that outlives its run removes its lock after a while.
    sleep: async (durationMs, signal) => {
      if (durationMs !== 200) await systemClock.sleep(durationMs, signal);
      else if (++looks === 3) Deno.removeSync(lock);
    },
  };
  assert.equal((await publishFrom(testContext({ clock }), trainer)).outcome, "published");
  assert.equal(looks, 3);

  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "three" });
  for (const name of ["index", "ORIG_HEAD", "refs/heads/main"]) {
    const path = join(trainer.registry.repoDir, `.git/${name}.lock`);
    Deno.writeTextFileSync(path, "");
    Deno.utimeSync(path, 1, 1);
  }
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
});

/** From the merge on, every git fails after writing some of the files, as if it was killed. */
function killedInMerge(repoDir: string): SpawnProcess {
  let isKilled = false;
  return (request) => {
    isKilled ||= request.args.includes("merge");
    if (!isKilled) return isolatedSpawn(request);
    writeFiles(repoDir, { "notes/a.md": "the", "models/BTC/rf.joblib": "ha" });
    throw new FailedError("killed", { code: "TEST" });
  };
}

Deno.test("publish() and pull() restore a user's worktree after a kill during the checkout of the remote's commit", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const mine = clone(registryOf(trainer), join(dir.path, "mine"));
  const registry = { ...trainer.registry, repoDir: mine, repoUrl: undefined };
  const bot = { ...machine(dir.path, "bot", registryOf(trainer)), registry };
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  for (const run of [publishFrom, pullTo] as const) {
    const on = run === pullTo ? bot : { ...trainer, registry };
    writeFiles(hand, { "notes/a.md": `before ${run.name}`, "models/BTC/rf.joblib": "one" });
    git(hand, "pull", "--quiet", "--ff-only");
    commitAll(hand);
    await assert.rejects(run(testContext({ spawn: killedInMerge(mine) }), on), { code: "TEST" });
    assert.notEqual(git(mine, "status", "--porcelain"), "");
    await run(testContext(), on);
    assert.equal(git(mine, "status", "--porcelain"), "");
    assert.equal(git(mine, "rev-parse", "HEAD"), git(registryOf(trainer), "rev-parse", "main"));
  }
});

Deno.test("publish() undoes the changes of a killed earlier version by that version's mark", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  for (const name of ["model-sync.moving", "model-sync.journal"]) {
    const head = git(repoDir, "rev-parse", "HEAD");
    const text = name === "model-sync.journal" ? JSON.stringify({ head, paths: ["models"] }) : "";
    writeFiles(repoDir, { [`.git/${name}`]: text, "models/BTC/rf.joblib": "ha", "models/BTC/new": "" });
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": name });
    assert.equal((await publishFrom(testContext(), trainer)).outcome, "published", name);
    assert.equal(git(repoDir, "status", "--porcelain"), "");
    assert.equal(ifFound(() => Deno.statSync(join(repoDir, ".git", name))), undefined);
  }
});

Deno.test("publish() and pull() handle a damaged journal in a clone of their own, and refuse one in a user's", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const mine = clone(registryOf(trainer), join(dir.path, "mine"));
  const user = { ...trainer, registry: { ...trainer.registry, repoDir: mine, repoUrl: undefined } };
  for (const text of ["", "{", "null", '{"head": 3}', '{"phase": "unknown"}']) {
    writeFiles(trainer.registry.repoDir, { ".git/model-sync.journal": text, "models/BTC/rf.joblib": "half" });
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": `after ${text}` });
    assert.equal((await publishFrom(testContext(), trainer)).outcome, "published", text);
    writeFiles(mine, { ".git/model-sync.journal": text, "models/BTC/rf.joblib": "mine" });
    for (const run of [publishFrom, pullTo] as const) {
      await assert.rejects(run(testContext(), user), { code: "JOURNAL_DAMAGED", exitCode: 2 });
    }
    assert.equal(Deno.readTextFileSync(join(mine, "models/BTC/rf.joblib")), "mine");
  }
});

Deno.test("publish() keeps its clone if the new repo_url cannot be reached", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const mistyped = { ...trainer, registry: { ...trainer.registry, repoUrl: join(dir.path, "regstry.git") } };
  const head = git(trainer.registry.repoDir, "rev-parse", "HEAD");
  await assert.rejects(publishFrom(testContext(), mistyped), { exitCode: 4 });
  assert.equal(git(trainer.registry.repoDir, "rev-parse", "HEAD"), head);
});

Deno.test("publish() and pull() remove old temporary objects of killed gits from a clone of their own", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await pullTo(testContext(), bot);
  const mine = clone(registryOf(trainer), join(dir.path, "mine"));
  const user = { ...trainer, registry: { ...trainer.registry, repoDir: mine, repoUrl: undefined } };
  const incomplete = `../lfs/incomplete/${"17".repeat(32)}`;
  const old = [
    "tmp_obj_a1",
    "4b/tmp_obj_b2",
    "pack/tmp_pack_c3",
    "pack/tmp_idx_d4",
    `${incomplete}671488755`,
  ];
  const others = ["4b/tmp_obj_young", "pack/mine.keep", `${incomplete}.part`, `${incomplete}300153988`];
  const cases = [[publishFrom, trainer, false], [pullTo, bot, false], [publishFrom, user, true]] as const;
  for (const [run, on, stays] of cases) {
    const objects = join(on.registry.repoDir, ".git/objects");
    for (const path of [...old, ...others]) writeFiles(objects, { [path]: "half" });
    for (const path of [...old, "pack/mine.keep", `${incomplete}.part`]) {
      Deno.utimeSync(join(objects, path), 1, 1);
    }
    if (on !== bot) writeFiles(trainer.modelsDir, { "BTC/rf.joblib": on.registry.repoDir });
    await run(testContext(), on);
    for (const path of old) {
      assert.equal(ifFound(() => Deno.statSync(join(objects, path))) !== undefined, stays, path);
    }
    for (const path of others) assert.ok(Deno.statSync(join(objects, path)).isFile, path);
  }
});

Deno.test("publish() that fails while copying deletes its copies at once", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "BTC/metadata.json": "copied", "BTC/rf.joblib": "read" });
  const changing = testContext({
    spawn: (request) => {
      if (request.args.includes("cat-file")) writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "other" });
      return isolatedSpawn(request);
    },
  });
  await assert.rejects(publishFrom(changing, trainer), { code: "MODELS_CHANGING" });
  assert.equal(
    ifFound(() => Deno.statSync(join(trainer.registry.repoDir, ".git/model-sync.part"))),
    undefined,
  );
});

Deno.test("publish() does not wait for a named pipe that replaces a model after the scan", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "BTC/metadata.json": "copied", "BTC/rf.joblib": "read" });
  const model = join(trainer.modelsDir, "BTC/rf.joblib");
  const changing = testContext({
    spawn: (request) => {
      if (request.args.includes("cat-file") && Deno.lstatSync(model).isFile) {
        Deno.removeSync(model);
        assert.ok(new Deno.Command("mkfifo", { args: [model] }).outputSync().success);
      }
      return isolatedSpawn(request);
    },
  });
  await assert.rejects(publishFrom(changing, trainer), { code: "MODELS_CHANGING" });
});

Deno.test("publish() leaves a user's worktree unchanged at whatever step it is interrupted", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const mine = clone(registryOf(trainer), join(dir.path, "mine"));
  const user = { ...trainer, registry: { ...trainer.registry, repoDir: mine, repoUrl: undefined } };
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two", "new.onnx": "new" });
  for (const at of ["cat-file", "log", "check-attr", "mktree", "ls-files", "commit-tree", "update-ref"]) {
    const stop = new AbortController();
    const context = testContext({
      signal: stop.signal,
      spawn: (request) => {
        if (request.args.includes(at)) stop.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
        return isolatedSpawn(request);
      },
    });
    await assert.rejects(publishFrom(context, user), { code: "INTERRUPTED" });
    assert.equal(git(mine, "status", "--porcelain"), "", at);
  }
  assert.equal((await publishFrom(testContext(), user)).outcome, "published");
});
