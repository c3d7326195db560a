import assert from "node:assert/strict";
import { join } from "node:path";
import { type Clock, systemClock } from "../../lib/core/clock.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { FILE_DAMAGES, INDEX_DAMAGES, OBJECT_DAMAGES, unpack } from "../helpers/clone_damages.ts";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { checkpoint, memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { clone, commitAll, git } from "../helpers/test_git.ts";
import { makeProgram } from "../helpers/make_program.ts";

Deno.test("publish() publishes the next release whatever is damaged in its own clone", async (test) => {
  using dir = memoryDir();
  const made = newTrainer(dir.path);
  const trainer = { ...made, registry: { ...made.registry, isInStore: true } };
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "second" });
  await publishFrom(testContext(), trainer);
  git(trainer.registry.repoDir, "repack", "-adq");
  const bot = machine(dir.path, "bot", registryOf(trainer));
  const restore = checkpoint(join(dir.path, "trainer"), join(dir.path, "trainer-before"));
  const tip = git(registryOf(trainer), "rev-parse", "main");
  for (const [what, damage] of Object.entries({ ...OBJECT_DAMAGES, ...FILE_DAMAGES, ...INDEX_DAMAGES })) {
    await test.step(what, async () => {
      restore();
      git(registryOf(trainer), "update-ref", "refs/heads/main", tip);
      await damage(join(trainer.registry.repoDir, ".git"));
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": `after ${what}` });
      const context = testContext();
      assert.equal((await publishFrom(context, trainer)).outcome, "published");
      const warnings = context.log.lines.filter((line) => / is damaged \(.+\); cloning it again$/.test(line));
      const isHarmless = ["no promisor mark", "garbage for alternates", "an empty shallow"].includes(what);
      assert.equal(warnings.length, isHarmless ? 0 : 1, context.log.lines.join("\n"));
      assert.equal(git(trainer.registry.repoDir, "status", "--porcelain"), "");
      assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), `after ${what}`);
      assert.equal(git(registryOf(trainer), "rev-list", "--count", `${tip}..main`), "1");
    });
  }
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
});

Deno.test("publish() clones again if its clone has lost a folder of models, the manifest or .gitattributes", async (test) => {
  for (const lost of ["models/BTC", "models", "model-sync.json", ".gitattributes"]) {
    await test.step(lost, async () => {
      using dir = memoryDir();
      const trainer = newTrainer(dir.path);
      writeFiles(trainer.modelsDir, { "BTC/other.joblib": "kept" });
      const other = clone(registryOf(trainer), join(dir.path, "other"));
      writeFiles(other, { ".gitattributes": "docs/*.png filter=lfs diff=lfs merge=lfs -text\n" });
      commitAll(other);
      git(other, "push", "-q", "origin", "HEAD:main");
      await publishFrom(testContext(), trainer);
      Deno.removeSync(await unpack(join(trainer.registry.repoDir, ".git"), `HEAD:${lost}`));
      // As on a machine that has lost its store.
      if (lost === "model-sync.json") Deno.removeSync(join(dir.path, "trainer/.model-sync/published.json"));
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
      const context = testContext();
      assert.equal((await publishFrom(context, trainer)).sequence, 2);
      assert.ok(context.log.lines.some((line) => / is damaged \(.+\); cloning it again$/.test(line)), lost);
      const published = git(registryOf(trainer), "ls-tree", "-r", "--name-only", "main:models").split("\n");
      assert.deepEqual(published.sort(), Object.keys(readFiles(trainer.modelsDir)).sort());
    });
  }
});

Deno.test("a damaged digest in the stat cache of the published folder fails one publish, not each later one", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  // Nothing in the folder has changed just now, as git and this program see it.
  const write = (files: Readonly<Record<string, string>>) => {
    writeFiles(trainer.modelsDir, files);
    for (const path of Object.keys(files)) Deno.utimeSync(join(trainer.modelsDir, path), 1000, 1000);
  };
  const later: Clock = { ...systemClock, now: () => new Date(Date.now() + 3_600_000) };
  const publishLater = () => publishFrom(testContext({ clock: later }), trainer);
  write({ "a.joblib": "a", "b.joblib": "b", "c.joblib": "c" });
  await publishLater();
  const state = join(dir.path, "trainer/.model-sync");
  const cache = join(state, "stat_cache/published.bin");
  const bytes = Deno.readFileSync(cache);
  const at = new TextDecoder("latin1").decode(bytes).indexOf(await sha256Hex("a"));
  assert.notEqual(at, -1);
  bytes[at] = bytes[at] === "0".charCodeAt(0) ? "1".charCodeAt(0) : "0".charCodeAt(0);
  Deno.writeFileSync(cache, bytes);
  // Damage there costs the time of a whole scan, which uses the cache.
  Deno.removeSync(join(state, "folder_index"), { recursive: true });
  write({ "b.joblib": "new" });
  await assert.rejects(publishLater(), { code: "MODELS_CHANGING" });
  // During a training, most files are not the one that changed, and may be large.
  assert.ok(new TextDecoder("latin1").decode(Deno.readFileSync(cache)).includes(await sha256Hex("c")));
  assert.equal((await publishLater()).outcome, "published");
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
});

Deno.test("publish() keeps a release whose push failed, although its clone was damaged since", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const hook = join(registryOf(trainer), "hooks/pre-receive");
  writeFiles(registryOf(trainer), { "hooks/pre-receive": "#!/bin/sh\nexit 1\n" });
  makeProgram(hook);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await assert.rejects(publishFrom(testContext(), trainer), { code: "PUSH_DECLINED" });
  Deno.removeSync(hook);
  await OBJECT_DAMAGES["no objects"]?.(join(trainer.registry.repoDir, ".git"));
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), "two");
});

Deno.test("publish() creates a whole clone where a pull created one without files", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await pullTo(testContext(), bot);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await publishFrom(testContext(), { ...trainer, registry: bot.registry });
  assert.equal(git(bot.registry.repoDir, "cat-file", "-p", "HEAD:models/BTC/rf.joblib"), "two");
  assert.equal(git(bot.registry.repoDir, "fsck"), "");
  await pullTo(testContext(), bot);
  assert.equal(readFiles(bot.modelsDir)["BTC/rf.joblib"], "two");
});
