import assert from "node:assert/strict";
import { join } from "node:path";
import { checkRegistry } from "../../lib/doctor/git_checks.ts";
import {
  machine,
  MODELS,
  newTrainer,
  planFrom,
  publishFrom,
  pullTo,
  registryOf,
} from "../helpers/machines.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../helpers/test_git.ts";

/** An empty registry with the object format SHA-256. */
function sha256Registry(path: string): string {
  Deno.mkdirSync(path);
  git(path, "init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main");
  return path;
}

Deno.test("publish() and pull() work with a registry of the sha256 object format, from its first commit on", async () => {
  using dir = memoryDir();
  const url = sha256Registry(join(dir.path, "registry"));
  const trainer = machine(dir.path, "trainer", url);
  writeFiles(trainer.modelsDir, MODELS);
  assert.equal((await planFrom(testContext(), trainer)).outcome, "published");
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  assert.match(git(url, "rev-parse", "main"), /^[0-9a-f]{64}$/);
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged");
  const bot = machine(dir.path, "bot", url);
  const checks = await checkRegistry(testContext(), bot.registry, join(dir.path, "scratch"));
  assert.deepEqual(checks.filter(({ status }) => status !== "pass"), []);
  assert.equal((await pullTo(testContext(), bot)).outcome, "activated");
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  assert.equal((await planFrom(testContext(), trainer)).sequence, 2);
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  assert.equal((await pullTo(testContext(), bot)).writtenBytes, 3);
  assert.equal(readFiles(bot.modelsDir)["BTC/rf.joblib"], "two");
  // The registry's object format also applies to recreated clones.
  const second = machine(dir.path, "second", url);
  writeFiles(second.modelsDir, { ...MODELS, "BTC/rf.joblib": "three" });
  assert.equal((await publishFrom(testContext(), second)).sequence, 3);
  Deno.writeTextFileSync(join(second.registry.repoDir, ".git/HEAD"), "");
  writeFiles(second.modelsDir, { "BTC/rf.joblib": "four" });
  assert.equal((await publishFrom(testContext(), second)).sequence, 4);
});

Deno.test("a clone of our own follows repo_url to a registry of the other object format and back", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const url = sha256Registry(join(dir.path, "other"));
  for (const repoUrl of [registryOf(trainer), url, registryOf(trainer)]) {
    const moved = { ...trainer, registry: { ...trainer.registry, repoUrl } };
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": repoUrl + Math.random() });
    assert.equal((await publishFrom(testContext(), moved)).outcome, "published");
  }
});

Deno.test("a user's clone of a sha256 registry works, and one with the other object format is reported", async () => {
  using dir = memoryDir();
  const url = sha256Registry(join(dir.path, "registry"));
  const hand = join(dir.path, "hand");
  Deno.mkdirSync(hand);
  git(hand, "init", "--quiet", "--object-format=sha256", "--initial-branch=main");
  git(hand, "remote", "add", "origin", url);
  writeFiles(hand, { "README": "of people" });
  commitAll(hand);
  const trainer = machine(dir.path, "trainer", url);
  writeFiles(trainer.modelsDir, MODELS);
  const own = { ...trainer, registry: { ...trainer.registry, repoDir: hand, repoUrl: undefined } };
  assert.equal((await publishFrom(testContext(), own)).outcome, "published");
  const other = clone(bareRepository(join(dir.path, "empty.git")), join(dir.path, "wrong"));
  git(other, "remote", "set-url", "origin", url);
  const wrong = { ...trainer, registry: { ...trainer.registry, repoDir: other, repoUrl: undefined } };
  for (const run of [publishFrom, pullTo]) {
    await assert.rejects(run(testContext(), wrong), {
      code: "GIT_OBJECT_FORMAT",
      exitCode: 2,
      message: /sha256.*sha1/,
    });
  }
});

Deno.test("a damaged clone of a sha256 registry is cloned again in its format, in the run that finds the damage", async () => {
  using dir = memoryDir();
  const url = sha256Registry(join(dir.path, "registry"));
  const trainer = machine(dir.path, "trainer", url);
  writeFiles(trainer.modelsDir, MODELS);
  await publishFrom(testContext(), trainer);
  const packs = join(trainer.registry.repoDir, ".git/objects/pack");
  for (const { name } of Deno.readDirSync(packs)) {
    Deno.chmodSync(join(packs, name), 0o600);
    Deno.truncateSync(join(packs, name), 40);
  }
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  assert.equal((await publishFrom(testContext(), trainer)).sequence, 2);
});
