import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { refuseModelsInClone } from "../../lib/carriers/git_publish_guards.ts";
import { formatPointer, parsePointer } from "../../lib/release/lfs_pointer.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { SEQUENCE_MAX } from "../../lib/release/manifest.ts";
import { NO_CACHE, readModelSet } from "../../lib/release/model_set.ts";
import {
  assertRefused,
  machine,
  MODELS,
  newTrainer,
  planFrom,
  publishFrom,
  pullTo,
  registryOf,
} from "../helpers/machines.ts";
import { memoryDir, noise, writeFiles } from "../helpers/temp_dir.ts";
import { vanishingFs, VANISHINGS } from "../helpers/vanishing_fs.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { clone, commitAll, git } from "../helpers/test_git.ts";
import { makeProgram } from "../helpers/make_program.ts";

Deno.test("publish() refuses a dirty worktree, also with untracked files, and leaves it unchanged", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  writeFiles(trainer.registry.repoDir, { "untracked.txt": "x" });
  await assertRefused(trainer, "WORKTREE_DIRTY", 2);
  assert.equal(Deno.readTextFileSync(join(trainer.registry.repoDir, "untracked.txt")), "x");
});

Deno.test("publish() refuses a missing folder, an empty one, and one that lost more than half of its files", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  Deno.removeSync(join(trainer.modelsDir, "BTC"), { recursive: true });
  await assertRefused(trainer, "SHRINK", 5);
  Deno.removeSync(join(trainer.modelsDir, "ETH/rf.joblib"));
  await assertRefused(trainer, "MODELS_EMPTY", 5);
  Deno.removeSync(trainer.modelsDir, { recursive: true });
  await assertRefused(trainer, "MODELS_MISSING", 5);
  writeFiles(trainer.modelsDir, { "ETH/rf.joblib": "eth" });
  assert.equal((await publishFrom(testContext(), trainer, { allowShrink: true })).changed, 2);
});

Deno.test("publish() refuses files that look like secrets, by name and by content", async () => {
  const secrets: Readonly<Record<string, string>> = {
    ".env": "A=1",
    "BTC/id_rsa": "x",
    "key.txt": "-----BEGIN RSA PRIVATE KEY-----\nMII",
    "notes.json": `{"token":"ghp_${"a1B2".repeat(9)}"}`,
    "config.py": `HF="hf_${"aB3".repeat(12)}"`,
    "runpod.yaml": `key: rpa_${"A1B2".repeat(10)}`,
    "aws.txt": "AKIAIOSFODNN7EXAMPLE",
    ".aws/credentials": "[default]",
    "boto.ini": `aws_secret_access_key = ${"aB3/".repeat(10)}`,
    "joined.json": `{"n": "key_ghp_${"a1B2".repeat(9)}"}`,
  };
  for (const [path, text] of Object.entries(secrets)) {
    using dir = memoryDir();
    const trainer = newTrainer(dir.path);
    await publishFrom(testContext(), trainer);
    writeFiles(trainer.modelsDir, { [path]: text });
    await assertRefused(trainer, "SECRET_FOUND", 5);
  }
});

Deno.test("publish() follows links inside the folder and refuses links that leave it, dangle or form a circle", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  Deno.symlinkSync("rf.joblib", join(trainer.modelsDir, "BTC/latest.joblib"));
  Deno.symlinkSync("../ETH", join(trainer.modelsDir, "BTC/eth"));
  await publishFrom(testContext(), trainer);
  assert.equal(git(registryOf(trainer), "show", "main:models/BTC/latest.joblib"), "one");
  assert.equal(git(registryOf(trainer), "show", "main:models/BTC/eth/rf.joblib"), "eth");
  const bad: readonly (readonly [name: string, target: string, problem: RegExp])[] = [
    ["out", "/etc/hostname", /the link out leaves the folder, to \/etc\/hostname$/],
    ["dangling", "nothing", /the link dangling leads nowhere$/],
    ["itself", "itself", /the link itself leads nowhere$/],
    ["circle", ".", /the link circle leads back to a folder that holds it$/],
    ["BTC/circle", ".", /the link BTC\/circle leads back to a folder that holds it$/],
  ];
  for (const [name, target, message] of bad) {
    Deno.symlinkSync(target, join(trainer.modelsDir, name));
    await assertRefused(trainer, "FOLDER_UNFIT", 5);
    await assert.rejects(publishFrom(testContext(), trainer), { message });
    Deno.removeSync(join(trainer.modelsDir, name));
  }
});

Deno.test("publish() refuses entries that no release can hold, and files that hold only a pointer to a model", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const pipe = join(trainer.modelsDir, "BTC/pipe");
  if (Deno.build.os !== "windows") {
    assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    await assert.rejects(publishFrom(testContext(), trainer), {
      code: "FOLDER_UNFIT",
      message: /BTC\/pipe is neither a file nor a folder$/,
    });
    Deno.removeSync(pipe);
  }
  if (Deno.build.os === "linux") {
    writeFiles(trainer.modelsDir, { "btc/rf.joblib": "x" });
    await assert.rejects(publishFrom(testContext(), trainer), {
      code: "FOLDER_UNFIT",
      message: /differ only by case/,
    });
    Deno.removeSync(join(trainer.modelsDir, "btc"), { recursive: true });
  }
  writeFiles(trainer.modelsDir, { "BTC/big.onnx": formatPointer({ sha256: "a".repeat(64), bytes: 12 }) });
  await assert.rejects(publishFrom(testContext(), trainer), {
    code: "LFS_POINTER",
    exitCode: 5,
    message: /BTC\/big\.onnx: it is a Git LFS pointer, not a model$/,
    hint: "fetch its content first: git lfs pull",
  });
});

Deno.test("a Git LFS pointer has its version, a digest and a size, in less than 1024 bytes", () => {
  const pointer = { sha256: "a".repeat(64), bytes: 12 };
  const parse = (text: string) => parsePointer(new TextEncoder().encode(text));
  const text = formatPointer(pointer);
  assert.deepEqual(parse(text), pointer);
  assert.deepEqual(parse(text.replaceAll("\n", "\r\n")), pointer);
  assert.deepEqual(parse(text.padEnd(1023, "x")), pointer);
  const [version = "", oid = "", size = ""] = text.split("\n");
  for (
    const other of [
      text.padEnd(1024, "x"),
      `${oid}\n${size}\n`,
      `${version}\n${size}\n`,
      `${version}\n${oid}\n`,
      `the text ${text}`,
      "",
    ]
  ) {
    assert.equal(parse(other), undefined, other);
  }
});

Deno.test("a model that ends with the text of a pointer is not a pointer", async () => {
  using dir = memoryDir();
  const pointer = formatPointer({ sha256: "a".repeat(64), bytes: 12 });
  // The pointer is a piece of its own.
  const model = new Uint8Array([...noise(1024 * 1024, 1), ...new TextEncoder().encode(pointer)]);
  writeFiles(dir.path, { "a.onnx": model });
  assert.equal((await readModelSet(testContext(), dir.path, NO_CACHE)).files[0]?.size, model.length);
});

Deno.test("reading a model folder shows its progress over all files, and stops when the signal is aborted", async () => {
  using dir = memoryDir();
  writeFiles(dir.path, { "a.onnx": noise(1024 * 1024 + 5, 1), "b.onnx": "bcd", "c.onnx": "known" });
  const shown: (readonly [number, number | undefined])[] = [];
  const context = testContext();
  context.log.progress = (_, doneBytes, totalBytes) => void shown.push([doneBytes, totalBytes]);
  const cache = { ...NO_CACHE, find: (path: string) => path === "c.onnx" ? "c".repeat(64) : undefined };
  await readModelSet(context, dir.path, cache);
  const done = [1024 * 1024, 1024 * 1024 + 5, 1024 * 1024 + 8, 1024 * 1024 + 13];
  const total = done.at(-1);
  assert.deepEqual(new Set(shown.map(([doneBytes]) => doneBytes)), new Set(done));
  assert.ok(shown.every(([, totalBytes]) => totalBytes === total));
  const signal = AbortSignal.abort(new Error("stopped"));
  const known = { ...NO_CACHE, find: () => "c".repeat(64) };
  await assert.rejects(readModelSet(testContext({ signal }), dir.path, known), /stopped/);
});

Deno.test("a model folder without a file for the release is refused: it has none, or the patterns exclude all", async () => {
  using dir = memoryDir();
  const none = { isWanted: () => false, refuseTaken: () => {} };
  const read = () => readModelSet(testContext(), dir.path, NO_CACHE, undefined, none);
  await assert.rejects(read, { code: "MODELS_EMPTY", message: /: it contains no files$/ });
  writeFiles(dir.path, { "a.onnx": "a" });
  await assert.rejects(read, { code: "MODELS_EMPTY", message: /: the patterns exclude every file in it$/ });
});

Deno.test("a folder whose name no release can hold is refused before it is entered", async () => {
  using dir = memoryDir();
  writeFiles(dir.path, { "con/a.onnx": "a" });
  const readDirSync = (path: string | URL) => {
    assert.equal(path, Deno.realPathSync(dir.path), "entered");
    return Deno.readDirSync(path);
  };
  const context = testContext({ fs: { ...Deno, readDirSync } });
  await assert.rejects(readModelSet(context, dir.path, NO_CACHE), {
    code: "FOLDER_UNFIT",
    message: /the path "con" /,
  });
});

Deno.test("publish() leaves housekeeping files out and refuses a repository inside the folder", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, {
    ...MODELS,
    ".gitignore": "*",
    "BTC/.DS_Store": "x",
    ".gitkeep": "",
  });
  assert.equal((await publishFrom(testContext(), trainer)).files, 3);
  git(join(trainer.modelsDir, "ETH"), "init", "--quiet");
  await assertRefused(trainer, "FOLDER_UNFIT", 5);
});

Deno.test("publish() refuses models inside the clone that it publishes through", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  Deno.mkdirSync(join(repoDir, "models"));
  assert.throws(() => refuseModelsInClone(Deno, join(repoDir, "models"), repoDir), {
    code: "MODELS_IN_CLONE",
    exitCode: 2,
  });
  assert.throws(() => refuseModelsInClone(Deno, repoDir, repoDir), { code: "MODELS_IN_CLONE" });
  refuseModelsInClone(Deno, trainer.modelsDir, repoDir);
});

Deno.test("publish() does not write through links in the place of a registry's folders", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const outside = join(dir.path, "outside");
  Deno.mkdirSync(outside);
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  Deno.mkdirSync(join(hand, "models"));
  Deno.symlinkSync(outside, join(hand, "models/BTC"));
  commitAll(hand);
  const mine = clone(registryOf(trainer), join(dir.path, "mine"));
  const user = { ...trainer, registry: { ...trainer.registry, repoDir: mine, repoUrl: undefined } };
  const linked = git(hand, "rev-parse", "HEAD");
  for (const publisher of [trainer, user]) {
    git(registryOf(trainer), "update-ref", "refs/heads/main", linked);
    await publishFrom(testContext(), publisher, { allowShrink: true });
    assert.deepEqual([...Deno.readDirSync(outside)], []);
    assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), "one");
  }
  assert.equal(Deno.readTextFileSync(join(mine, "models/BTC/rf.joblib")), "one");
  assert.equal(git(mine, "status", "--porcelain"), "");
});

for (const [event, change] of Object.entries(VANISHINGS)) {
  Deno.test(`publish() says that a file changed if it ${event}, whenever that is`, async () => {
    using dir = memoryDir();
    const trainer = newTrainer(dir.path);
    const location = join(Deno.realPathSync(trainer.modelsDir), "BTC/rf.joblib");
    let failures = 0;
    for (let at = 1;; at++) {
      Deno.writeTextFileSync(location, `content ${at}`);
      const fs = vanishingFs(location, { at, change });
      try {
        await publishFrom(testContext({ fs }), trainer);
      } catch (error) {
        const { code, exitCode, message } = failureOf(error);
        assert.deepEqual([code, exitCode], ["MODELS_CHANGING", 1], message);
        assert.equal(message, "Cannot publish BTC/rf.joblib: it changed while it was being published");
        failures++;
      }
      if (fs.looks() < at) break;
      rmSync(location, { recursive: true, force: true });
    }
    assert.ok(failures >= 2, `${failures}`);
  });
}

function failureOf(error: unknown): ModelSyncError {
  assert.ok(error instanceof ModelSyncError, String(error));
  return error;
}

Deno.test("publish() fails if a file changes during the publish", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const changing = testContext({
    spawn: (request) => {
      if (request.args.includes("check-attr")) {
        writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "changed under way" });
      }
      return isolatedSpawn(request);
    },
  });
  await assert.rejects(publishFrom(changing, trainer), { code: "MODELS_CHANGING", exitCode: 1 });
  assert.equal(git(trainer.registry.repoDir, "status", "--porcelain"), "");
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
});

Deno.test("publish() refuses to take over the manifest of another model set", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer, { subdir: "btc" });
  await assertRefused(trainer, "MANIFEST_TAKEN", 2, { subdir: "eth" });
  assert.equal((await publishFrom(testContext(), trainer, { subdir: "eth/models" })).outcome, "published");
});

Deno.test("publish() refuses a filter that rewrites models, even one that keeps their size", async () => {
  using dir = memoryDir();
  // The filter has nothing to change here, so that `git status` below shows only publish()'s changes.
  const trainer = newTrainer(dir.path, { "BTC/rf.joblib": "ONE" });
  await publishFrom(testContext(), trainer);
  const mine = clone(registryOf(trainer), join(dir.path, "mine"));
  git(mine, "config", "filter.shout.clean", "tr a-z A-Z");
  writeFiles(mine, { ".gitattributes": "*.joblib filter=shout\n" });
  commitAll(mine);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const user = { ...trainer, registry: { ...trainer.registry, repoDir: mine, repoUrl: undefined } };
  for (const publisher of [trainer, user]) {
    await assertRefused(publisher, "GIT_CONVERTS", 1);
    assert.equal(git(publisher.registry.repoDir, "status", "--porcelain"), "");
  }
});

Deno.test("publish() and its dry run refuse after the last sequence, and following the hint helps", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await publishFrom(testContext(), trainer);
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  setSequence(hand, SEQUENCE_MAX);
  await publishFrom(testContext(), trainer);
  assert.equal((await pullTo(testContext(), bot)).sequence, SEQUENCE_MAX);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await assertRefused(trainer, "SEQUENCE_LAST", 5);
  await assert.rejects(planFrom(testContext(), trainer), { code: "SEQUENCE_LAST", exitCode: 5 });

  setSequence(hand, 7);
  assert.equal((await planFrom(testContext(), trainer)).sequence, 8);
  assert.equal((await publishFrom(testContext(), trainer)).sequence, 8);
  await assert.rejects(pullTo(testContext(), bot), { code: "DOWNGRADE" });
  assert.equal((await pullTo(testContext(), bot, { allowDowngrade: true })).sequence, 8);
});

Deno.test("publish() and its dry run replace a manifest whose sequence no pull accepts", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await publishFrom(testContext(), trainer);
  setSequence(clone(registryOf(trainer), join(dir.path, "hand")), Number.MAX_SAFE_INTEGER);
  await assert.rejects(pullTo(testContext(), bot), { code: "MANIFEST_INVALID", exitCode: 5 });
  assert.equal((await planFrom(testContext(), trainer)).outcome, "published");
  assert.equal((await publishFrom(testContext(), trainer)).sequence, 2);
  assert.equal((await pullTo(testContext(), bot)).sequence, 2);
});

Deno.test("publish() that the remote rejects says so, and the rejected commit does not block the next publish", async () => {
  for (const isFirst of [true, false]) {
    using dir = memoryDir();
    const trainer = newTrainer(dir.path);
    if (!isFirst) await publishFrom(testContext(), trainer);
    writeFiles(join(registryOf(trainer), "hooks"), {
      "pre-receive":
        "#!/bin/sh\nread -r _ new _\ngit ls-tree -r --name-only $new | grep -q large || exit 0\n" +
        "echo 'GH001: Large files detected' >&2\nexit 1\n",
    });
    makeProgram(join(registryOf(trainer), "hooks/pre-receive"));
    writeFiles(trainer.modelsDir, { "large.onnx": "large" });
    await assert.rejects(publishFrom(testContext(), trainer), {
      code: "PUSH_DECLINED",
      exitCode: 1,
      message: /GH001: Large files detected/,
    });
    assert.equal(git(trainer.registry.repoDir, "status", "--porcelain"), "");
    Deno.removeSync(join(trainer.modelsDir, "large.onnx"));
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
    assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
    const log = git(registryOf(trainer), "log", "--name-only", "--format=", "main");
    assert.doesNotMatch(log, /large/);
  }
});

function setSequence(hand: string, sequence: number): void {
  git(hand, "pull", "--quiet", "--ff-only");
  const manifest = Deno.readTextFileSync(join(hand, "model-sync.json"));
  writeFiles(hand, { "model-sync.json": manifest.replace(/"sequence": \d+/, `"sequence": ${sequence}`) });
  commitAll(hand);
}

Deno.test("publish() to a branch whose name collides with another branch says so without retries", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const other = machine(dir.path, "other", registryOf(trainer));
  writeFiles(other.modelsDir, MODELS);
  const context = testContext();
  const nested = { ...other, registry: { ...other.registry, branch: "main/models" } };
  await assert.rejects(publishFrom(context, nested), { code: "BRANCH_NAME_TAKEN", exitCode: 1 });
  assert.deepEqual(context.log.lines.filter((line) => line.includes("trying again")), []);
});

Deno.test("publish() with push.gpgSign, to a remote without signed pushes, fails with git's message", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const signing = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "push.gpgSign", GIT_CONFIG_VALUE_0: "true" };
  const context = testContext({
    spawn: (request) => isolatedSpawn({ ...request, env: { ...signing, ...request.env } }),
  });
  await assert.rejects(
    publishFrom(context, trainer),
    (error: Error & { exitCode?: number; code?: string }) => {
      assert.deepEqual([error.exitCode, error.code], [1, "GIT_SIGNING"]);
      assert.match(error.message, /: the receiving end does not support --signed push$/);
      return true;
    },
  );
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
});
