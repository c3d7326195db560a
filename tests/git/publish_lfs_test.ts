import assert from "node:assert/strict";
import { join } from "node:path";
import { z } from "zod";
import type { SpawnProcess } from "../../lib/core/subprocess.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import {
  machine,
  MODELS,
  newTrainer,
  planFrom,
  publishFrom,
  pullTo,
  registryOf,
} from "../helpers/machines.ts";
import { ageFiles, memoryDir, noise, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { clone, commitAll, git, testWithLfs } from "../helpers/test_git.ts";

/** Returns whether the registry's manifest lists the chunks of a file. */
function listsChunks(registry: string, path: string): boolean {
  const { files } = Manifest.parse(JSON.parse(git(registry, "show", "main:model-sync.json")));
  return files.find((file) => file.path === path)?.contentChunks !== undefined;
}

const Manifest = z.object({
  files: z.array(z.object({ path: z.string(), contentChunks: z.string().optional() })),
});

testWithLfs(
  "publish() keeps a file over 100 MiB in Git LFS, lists its chunks, and pull() brings it back",
  async () => {
    using dir = memoryDir();
    const trainer = newTrainer(dir.path);
    const large = noise(101 * 1024 * 1024, 3);
    writeFiles(trainer.modelsDir, { "a b/large [1].onnx": large });
    await publishFrom(testContext(), trainer);
    const pointer = git(registryOf(trainer), "show", "main:models/a b/large [1].onnx");
    assert.match(pointer, /^version https:\/\/git-lfs/);
    assert.ok(listsChunks(registryOf(trainer), "a b/large [1].onnx"));
    const bot = machine(dir.path, "bot", registryOf(trainer));
    const report = await pullTo(testContext(), bot);
    assert.equal(report.files, 4);
    assert.deepEqual(Deno.readFileSync(join(bot.modelsDir, "a b/large [1].onnx")), large);
    assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged");
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
    await publishFrom(testContext(), trainer);
    assert.equal((await pullTo(testContext(), bot)).writtenBytes, 3);
  },
);

testWithLfs("publish() with lfs: always keeps every model in Git LFS", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer, { lfs: "always" });
  assert.match(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), /^version https:\/\/git-lfs/);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), Object.fromEntries(Object.entries(MODELS).sort()));
});

testWithLfs(
  "publish() with lfs: never keeps a file as it is that a person took out of Git LFS before",
  async () => {
    using dir = memoryDir();
    const trainer = newTrainer(dir.path);
    await publishFrom(testContext(), trainer, { lfs: "always" });
    const person = clone(registryOf(trainer), `${dir.path}/person`);
    const attributes = join(person, ".gitattributes");
    Deno.writeTextFileSync(attributes, "/models/BTC/metadata.json !filter !diff !merge !text\n", {
      append: true,
    });
    git(person, "commit", "--quiet", "--all", "--message", "metadata without LFS");
    git(person, "push", "--quiet", "origin", "HEAD:main");
    writeFiles(trainer.modelsDir, { "BTC/metadata.json": "[]" });
    await publishFrom(testContext(), trainer, { lfs: "always" });
    assert.equal(git(registryOf(trainer), "show", "main:models/BTC/metadata.json"), "[]");
    assert.equal((await publishFrom(testContext(), trainer, { lfs: "never" })).outcome, "published");
    assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), "one");
  },
);

Deno.test("publish() commits large files together with small ones whose names come before theirs and after", async () => {
  using dir = memoryDir();
  const models = {
    "a.json": "{}",
    "b.bin": noise(9 * 1024 * 1024, 5),
    "c.json": "[]",
    "d.bin": noise(9 * 1024 * 1024, 6),
  };
  const trainer = newTrainer(dir.path, models);
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
  assert.equal(git(registryOf(trainer), "fsck", "--strict"), "");
});

Deno.test("publish() of a file over 100 MiB without git-lfs says how to install it and changes nothing; plain git lists no chunks", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, { "large.onnx": noise(101 * 1024 * 1024, 1) });
  const without = testContext({
    spawn: (request) =>
      isolatedSpawn(request.args.includes("lfs") ? { ...request, args: ["no-such-git-command"] } : request),
  });
  await assert.rejects(publishFrom(without, trainer), { code: "LFS_MISSING", exitCode: 2 });
  assert.equal(git(registryOf(trainer), "branch", "--list"), "");
  assert.equal((await publishFrom(without, trainer, { lfs: "never" })).outcome, "published");
  // The registry is a folder on this disk.
  assert.doesNotMatch(without.log.lines.join("\n"), /GitHub warns/);
  // Git transfers whole objects.
  assert.equal(listsChunks(registryOf(trainer), "large.onnx"), false);
});

testWithLfs(
  "publish() moves files into and out of Git LFS when the setting changes, and leaves a clean clone",
  async () => {
    using dir = memoryDir();
    const trainer = newTrainer(dir.path);
    const { repoDir } = trainer.registry;
    const published = (path: string) => git(registryOf(trainer), "show", `main:models/${path}`);
    for (const [round, lfs] of (["always", "never", "always"] as const).entries()) {
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": String(round) });
      await publishFrom(testContext(), trainer, { lfs });
      assert.equal(published("ETH/rf.joblib").startsWith("version https://git-lfs"), lfs === "always", lfs);
      const asInstalled = [
        "-c",
        "filter.lfs.process=git-lfs filter-process",
        "-c",
        "filter.lfs.required=true",
      ];
      assert.equal(git(repoDir, ...asInstalled, "status", "--porcelain"), "", lfs);
      const bot = machine(dir.path, `bot-${round}`, registryOf(trainer));
      await pullTo(testContext(), bot);
      assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "ETH/rf.joblib")), "eth");
    }
  },
);

testWithLfs("pull() refuses a Git LFS object that does not match its pointer", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer, { lfs: "always" });
  const objects = join(registryOf(trainer), "lfs/objects");
  for (const [path, text] of Object.entries(readFiles(objects))) {
    Deno.chmodSync(join(objects, path), 0o644);
    Deno.writeTextFileSync(join(objects, path), "x".repeat(text.length));
  }
  const bot = machine(dir.path, "bot", registryOf(trainer));
  const wrong = (message: RegExp) => ({ code: "DIGEST_MISMATCH", exitCode: 5, message });
  await assert.rejects(pullTo(testContext(), bot), wrong(/the content from Git LFS has SHA-256/));
  // A git-lfs that does not check what it returns.
  const spawn: SpawnProcess = (request) =>
    isolatedSpawn(request.args.includes("smudge") ? { ...request, command: "cat", args: [] } : request);
  await assert.rejects(
    pullTo(testContext({ spawn }), bot),
    wrong(/Git LFS returned SHA-256 .*, its pointer says/),
  );
});

testWithLfs(
  "publish() sends no object of Git LFS that a power cut left in the clone with other bytes",
  async () => {
    using dir = memoryDir();
    const trainer = newTrainer(dir.path);
    await publishFrom(testContext(), trainer, { lfs: "always" });
    const sha256 = await sha256Hex("two");
    const objects = join(dir.path, "trainer/registry/.git/lfs/objects");
    assert.ok(Object.keys(readFiles(objects)).length > 0);
    for (const content of ["\0\0\0", "two"]) {
      writeFiles(objects, { [`${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}`]: content });
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two", "notes.txt": content });
      await publishFrom(testContext(), trainer, { lfs: "always" });
      const bot = machine(dir.path, "bot", registryOf(trainer));
      await pullTo(testContext(), bot);
      assert.equal(readFiles(bot.modelsDir)["BTC/rf.joblib"], "two");
    }
  },
);

testWithLfs(
  "publish() checks unchanged models again when the setting for Git LFS changes",
  async () => {
    using dir = memoryDir();
    const trainer = newTrainer(dir.path);
    // Written long ago, so that the folder is remembered as a whole.
    ageFiles(trainer.modelsDir);
    const context = testContext({ clock: new FakeClock("2100-01-01T00:00:00Z") });
    const isInLfs = () =>
      git(registryOf(trainer), "show", "main:models/ETH/rf.joblib").startsWith("version https://git-lfs");
    await publishFrom(context, trainer, { lfs: "auto" });
    for (const lfs of ["always", "auto"] as const) {
      assert.equal((await planFrom(context, trainer, { lfs })).outcome, "published", lfs);
      assert.equal((await publishFrom(context, trainer, { lfs })).outcome, "published", lfs);
      assert.equal(isInLfs(), lfs === "always");
      assert.equal((await planFrom(context, trainer, { lfs })).outcome, "unchanged", lfs);
      assert.equal((await publishFrom(context, trainer, { lfs })).outcome, "unchanged", lfs);
    }
    assert.equal((await publishFrom(context, trainer, { lfs: "never" })).outcome, "unchanged");
    await pullTo(testContext(), machine(dir.path, "bot", registryOf(trainer)));
  },
);

testWithLfs("publish() sends the files that attributes of any file put into Git LFS", async () => {
  const rule = "new.joblib filter=lfs diff=lfs merge=lfs -text\n";
  for (const place of [".gitattributes", ".git/info/attributes"]) {
    using dir = memoryDir();
    const own = newTrainer(dir.path);
    await publishFrom(testContext(), own);
    const repoDir = clone(registryOf(own), join(dir.path, "mine"));
    writeFiles(repoDir, { [place]: rule });
    if (!place.startsWith(".git/")) commitAll(repoDir);
    const trainer = { ...own, registry: { ...own.registry, repoDir } };
    writeFiles(trainer.modelsDir, { "BTC/new.joblib": "two" });
    assert.equal((await publishFrom(testContext(), trainer)).outcome, "published", place);
    const stored = git(registryOf(trainer), "show", "main:models/BTC/new.joblib");
    assert.match(stored, /^version https:\/\/git-lfs/, place);
    const bot = machine(dir.path, "bot", registryOf(trainer));
    await pullTo(testContext(), bot);
    assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "BTC/new.joblib")), "two", place);
  }
});
