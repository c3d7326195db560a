import assert from "node:assert/strict";
import { join } from "node:path";
import { readPointer } from "../../lib/store/pointers.ts";
import { type Machine, machine, publishFrom, pullTo, storeOf } from "../helpers/machines.ts";
import { memoryDir, noise, readFiles, type TempDir, writeFiles } from "../helpers/temp_dir.ts";
import { fixedEnvironment, isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../helpers/test_git.ts";
import { writeProgram } from "../helpers/make_program.ts";

const MODELS = { "BTC/rf.onnx": "one", "BTC/metadata.json": "{}" };

interface World {
  readonly dir: TempDir;
  readonly registry: string;
  readonly trainer: Machine;
  readonly bot: Machine;
}

/** A registry with one published release, and a bot that has not pulled yet. */
async function world(dir: TempDir): Promise<World> {
  const registry = bareRepository(join(dir.path, "registry.git"));
  const trainer = machine(dir.path, "trainer", registry);
  writeFiles(trainer.modelsDir, MODELS);
  await publishFrom(testContext(), trainer);
  return { dir, registry, trainer, bot: machine(dir.path, "bot", registry) };
}

async function republish({ trainer }: World, files: Record<string, string>): Promise<void> {
  writeFiles(trainer.modelsDir, files);
  await publishFrom(testContext(), trainer);
}

/** Asserts that a pull is refused and that consumers see the same files as before. */
async function assertRefused(bot: Machine, code: string, exitCode: number): Promise<void> {
  const before = readFiles(bot.modelsDir);
  await assert.rejects(pullTo(testContext(), bot), { code, exitCode });
  assert.deepEqual(readFiles(bot.modelsDir), before);
}

Deno.test("pull() activates what was published, byte for byte", async () => {
  using dir = memoryDir();
  const { bot } = await world(dir);
  const report = await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), MODELS);
  assert.equal(report.outcome, "activated");
  assert.equal(report.sequence, 1);
  assert.equal(Deno.lstatSync(bot.modelsDir).isSymlink, true);
  assert.equal((Deno.statSync(join(bot.modelsDir, "BTC/rf.onnx")).mode ?? 0) & 0o777, 0o444);
});

Deno.test("pull() of an unchanged remote sends one query, fetches nothing and opens no model", async () => {
  using dir = memoryDir();
  const { bot } = await world(dir);
  await pullTo(testContext(), bot);
  const commands: string[] = [];
  const opened: string[] = [];
  const context = testContext({
    spawn: (request) => {
      commands.push(request.args.find((arg) => /^[a-z][a-z-]+$/.test(arg)) ?? "");
      return isolatedSpawn(request);
    },
    fs: {
      ...Deno,
      open: (path, options) => {
        opened.push(String(path));
        return Deno.open(path, options);
      },
    },
  });
  const report = await pullTo(context, bot);
  assert.equal(report.outcome, "unchanged");
  assert.equal(
    commands.filter((command) => ["ls-remote", "fetch", "push", "clone"].includes(command)).join(),
    "ls-remote",
  );
  assert.deepEqual(opened.filter((path) => path.includes("releases")), []);
});

Deno.test("pull() writes only the files that changed, and links the others", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  await pullTo(testContext(), w.bot);
  const before = Deno.statSync(join(w.bot.modelsDir, "BTC/metadata.json")).ino;
  await republish(w, { "BTC/rf.onnx": "two and longer" });
  const report = await pullTo(testContext(), w.bot);
  assert.equal(report.writtenBytes, "two and longer".length);
  assert.equal(report.changed, 1);
  assert.equal(Deno.statSync(join(w.bot.modelsDir, "BTC/metadata.json")).ino, before);
});

Deno.test("pull() gives equal files at two paths the same content, small and large", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  const large = noise(3 * 1024 * 1024, 7);
  writeFiles(w.trainer.modelsDir, {
    "a.bin": large,
    "copy/a.bin": large,
    "b.txt": "same",
    "copy/b.txt": "same",
  });
  await publishFrom(testContext(), w.trainer);
  await pullTo(testContext(), w.bot);
  assert.deepEqual(Deno.readFileSync(join(w.bot.modelsDir, "copy/a.bin")), large);
  assert.equal(Deno.readTextFileSync(join(w.bot.modelsDir, "copy/b.txt")), "same");
});

Deno.test("pull() handles file names of 255 bytes, and with spaces, quotes, brackets and emoji", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  const names = [
    "n".repeat(255),
    "a b.onnx",
    "it's [1].onnx",
    "émoji 🧠.onnx",
    "-dash.onnx",
    "#hash.onnx",
    "!bang.onnx",
  ];
  writeFiles(w.trainer.modelsDir, Object.fromEntries(names.map((name, index) => [name, `model ${index}`])));
  await publishFrom(testContext(), w.trainer);
  await pullTo(testContext(), w.bot);
  assert.deepEqual(readFiles(w.bot.modelsDir), readFiles(w.trainer.modelsDir));
});

Deno.test("pull() keeps bytes that git could convert: CRLF, $Id$, UTF-16, whatever .gitattributes say", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  const hand = clone(w.registry, join(dir.path, "hand"));
  writeFiles(hand, { ".gitattributes": "* text=auto eol=lf ident\n*.txt working-tree-encoding=UTF-16\n" });
  commitAll(hand);
  const texts = { "a.json": '{"a":1}\r\n', "id.py": "# $Id$\r\n", "u.txt": "plain\r\n" };
  await republish(w, texts);
  await pullTo(testContext(), w.bot);
  assert.deepEqual(readFiles(w.bot.modelsDir), { ...MODELS, ...texts });
});

Deno.test("pull() works on a registry without a manifest, and finds changes there", async () => {
  using dir = memoryDir();
  const registry = bareRepository(join(dir.path, "registry.git"));
  const hand = clone(registry, join(dir.path, "hand"));
  writeFiles(hand, { "models/BTC/rf.joblib": "one", "models/BTC/metadata.json": "{}" });
  commitAll(hand);
  const bot = machine(dir.path, "bot", registry);
  const first = await pullTo(testContext(), bot);
  assert.equal(first.sequence, 0);
  assert.equal((await pullTo(testContext(), bot)).outcome, "unchanged");
  writeFiles(hand, { "models/BTC/rf.joblib": "two", "README.md": "not a model" });
  commitAll(hand);
  const second = await pullTo(testContext(), bot);
  assert.equal(second.changed, 1);
  assert.deepEqual(readFiles(bot.modelsDir), { "BTC/metadata.json": "{}", "BTC/rf.joblib": "two" });
  writeFiles(hand, { "README.md": "changed again" });
  commitAll(hand);
  assert.equal((await pullTo(testContext(), bot)).outcome, "unchanged");
  // Only a manifest shows whether another program changed the files.
  const accepting = { otherWriters: "accept", force: true } as const;
  assert.equal((await pullTo(testContext(), bot, accepting)).outcome, "unchanged");
  const required = { signatures: { keys: [], isRequired: true }, force: true };
  await assert.rejects(pullTo(testContext(), bot, required), {
    code: "SIGNATURE_MISSING",
    exitCode: 5,
    message: /the offered files: they have no model-sync\.json/,
  });
});

Deno.test("pull() refuses a registry whose file differs from the manifest by one bit", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  await pullTo(testContext(), w.bot);
  const hand = clone(w.registry, join(dir.path, "hand"));
  writeFiles(hand, { "models/BTC/rf.onnx": "onf" });
  commitAll(hand);
  await assertRefused(w.bot, "DIGEST_MISMATCH", 5);
  await assert.rejects(
    pullTo(testContext(), w.bot),
    /BTC\/rf\.onnx has SHA-256 [0-9a-f]{64}, manifest says [0-9a-f]{64}/,
  );
});

Deno.test("pull() refuses one byte less, one file more and one file fewer than the manifest says", async () => {
  const tampering: Readonly<Record<string, (hand: string) => void>> = {
    "one byte less": (hand) => writeFiles(hand, { "models/BTC/rf.onnx": "on" }),
    "one file more": (hand) => writeFiles(hand, { "models/extra.onnx": "x" }),
    "one file fewer": (hand) => Deno.removeSync(join(hand, "models/BTC/metadata.json")),
  };
  for (const tamper of Object.values(tampering)) {
    using dir = memoryDir();
    const w = await world(dir);
    await pullTo(testContext(), w.bot);
    const hand = clone(w.registry, join(dir.path, "hand"));
    tamper(hand);
    commitAll(hand);
    await assertRefused(w.bot, "DIGEST_MISMATCH", 5);
  }
});

Deno.test("pull() refuses a manifest that is not JSON, has a later schema, or another digest", async () => {
  const manifests = ["{", '{"schema":2}', '{"schema":1}'];
  for (const text of manifests) {
    using dir = memoryDir();
    const w = await world(dir);
    await pullTo(testContext(), w.bot);
    const hand = clone(w.registry, join(dir.path, "hand"));
    writeFiles(hand, { "model-sync.json": text });
    commitAll(hand);
    await assertRefused(w.bot, "MANIFEST_INVALID", 5);
  }
});

Deno.test("pull() refuses an older release, and activates it with allowDowngrade", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  const hand = clone(w.registry, join(dir.path, "hand"));
  const first = git(hand, "rev-parse", "HEAD");
  await republish(w, { "BTC/rf.onnx": "two" });
  await pullTo(testContext(), w.bot);
  git(hand, "fetch", "--quiet");
  git(hand, "reset", "--quiet", "--hard", "origin/main");
  git(hand, "checkout", "--quiet", first, "--", ".");
  commitAll(hand, "back to the first");
  await assertRefused(w.bot, "DOWNGRADE", 5);
  const report = await pullTo(testContext(), w.bot, { allowDowngrade: true });
  assert.equal(report.sequence, 1);
  assert.deepEqual(readFiles(w.bot.modelsDir), MODELS);
});

Deno.test("pull() refuses a force-pushed branch with the options that resolve it, and follows it with resetToRemote", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  await pullTo(testContext(), w.bot);
  const hand = clone(w.registry, join(dir.path, "hand"));
  git(hand, "commit", "--quiet", "--amend", "--message", "rewritten");
  git(hand, "push", "--quiet", "--force", "origin", "HEAD:main");
  await assertRefused(w.bot, "DIVERGED", 5);
  await assert.rejects(pullTo(testContext(), w.bot), (error: Error & { hint?: string }) => {
    const hint = "to follow the remote: model-sync pull --reset-to-remote; " +
      "add --allow-downgrade if its release is older than the active one; release ";
    assert.ok(error.hint?.startsWith(hint), error.hint);
    return true;
  });
  assert.equal((await pullTo(testContext(), w.bot, { resetToRemote: true })).outcome, "unchanged");
  assert.equal((await pullTo(testContext(), w.bot)).outcome, "unchanged");
});

Deno.test("pull() refuses a remote branch that was set back, and follows it with allowDowngrade", async () => {
  using dir = memoryDir();
  const registry = bareRepository(join(dir.path, "registry.git"));
  const hand = clone(registry, join(dir.path, "hand"));
  const bot = machine(dir.path, "bot", registry);
  writeFiles(hand, { "models/a.onnx": "one" });
  const first = commitAll(hand);
  await pullTo(testContext(), bot);
  writeFiles(hand, { "models/a.onnx": "two" });
  commitAll(hand);
  await pullTo(testContext(), bot);
  git(hand, "push", "--quiet", "--force", "origin", `${first}:main`);
  await assertRefused(bot, "DOWNGRADE", 5);
  await pullTo(testContext(), bot, { allowDowngrade: true });
  assert.deepEqual(readFiles(bot.modelsDir), { "a.onnx": "one" });
});

Deno.test("pull() through a user's clone fast-forwards its worktree", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  clone(w.registry, w.bot.registry.repoDir);
  await republish(w, { "BTC/rf.onnx": "two" });
  await pullTo(testContext(), w.bot);
  assert.equal(Deno.readTextFileSync(join(w.bot.registry.repoDir, "models/BTC/rf.onnx")), "two");
  assert.equal(git(w.bot.registry.repoDir, "status", "--porcelain"), "");
  assert.equal(Deno.readTextFileSync(join(w.bot.modelsDir, "BTC/rf.onnx")), "two");
});

Deno.test("pull() through a user's clone on another branch checks out the configured one", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  clone(w.registry, w.bot.registry.repoDir);
  git(w.bot.registry.repoDir, "checkout", "--quiet", "-b", "elsewhere");
  await republish(w, { "BTC/rf.onnx": "two" });
  await pullTo(testContext(), w.bot);
  assert.equal(git(w.bot.registry.repoDir, "branch", "--show-current"), "main");
  assert.equal(Deno.readTextFileSync(join(w.bot.registry.repoDir, "models/BTC/rf.onnx")), "two");
});

Deno.test("pull() refuses a dirty worktree unless it is allowed, and keeps the changes", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  clone(w.registry, w.bot.registry.repoDir);
  writeFiles(w.bot.registry.repoDir, { "notes.txt": "mine" });
  await assert.rejects(pullTo(testContext(), w.bot), {
    code: "WORKTREE_DIRTY",
    exitCode: 2,
    message: /notes\.txt/,
  });
  await pullTo(testContext(), w.bot, { allowDirtyWorktree: true });
  assert.equal(Deno.readTextFileSync(join(w.bot.registry.repoDir, "notes.txt")), "mine");
  assert.deepEqual(readFiles(w.bot.modelsDir), MODELS);
});

Deno.test("pull() reports the problem of a clone: missing, not a repository, no such remote, branch or folder", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  const without = (change: Partial<Machine["registry"]>): Machine => ({
    ...w.bot,
    registry: { ...w.bot.registry, ...change },
  });
  const reject = async (bot: Machine, code: string, exitCode: number) =>
    await assert.rejects(pullTo(testContext(), bot), { code, exitCode });
  await reject(without({ repoUrl: undefined }), "REPO_MISSING", 2);
  // A folder inside a repository is not a repository itself.
  git(dir.path, "init", "--quiet");
  const plain = join(dir.path, "plain");
  writeFiles(plain, { "x.txt": "x" });
  await reject(without({ repoDir: plain }), "REPO_INVALID", 2);
  const userClone = clone(w.registry, join(dir.path, "user"));
  await reject(without({ repoDir: userClone, remote: "upstream" }), "REMOTE_MISSING", 2);
  const missing = { code: "REMOTE_MISSING", hint: /^add it: git -C / };
  const alone = join(dir.path, "alone");
  git(dir.path, "init", "--quiet", alone);
  await assert.rejects(pullTo(testContext(), without({ repoDir: alone })), missing);
  // Without a remote, a bare repository is the registry.
  const itself = {
    code: "REMOTE_MISSING",
    hint: /^set model_sync\.repo_url to it, and model_sync\.repo_dir to a new/,
  };
  await assert.rejects(pullTo(testContext(), without({ repoDir: w.registry })), itself);
  await reject(without({ branch: "nightly" }), "BRANCH_MISSING", 4);
  Deno.renameSync(w.registry, `${w.registry}.gone`);
  await reject(w.bot, "GIT_REMOTE_MISSING", 4);
});

Deno.test("pull() of a registry without the configured folder names that folder", async () => {
  using dir = memoryDir();
  const registry = bareRepository(join(dir.path, "registry.git"));
  const hand = clone(registry, join(dir.path, "hand"));
  writeFiles(hand, { "weights/a.onnx": "one" });
  commitAll(hand);
  await assert.rejects(pullTo(testContext(), machine(dir.path, "bot", registry)), {
    code: "SUBDIR_MISSING",
    exitCode: 2,
    message: /"models"/,
  });
});

Deno.test("pull() repairs a damaged active release, although the remote is unchanged", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  await pullTo(testContext(), w.bot);
  const file = join(w.bot.modelsDir, "BTC/rf.onnx");
  Deno.chmodSync(file, 0o644);
  Deno.writeTextFileSync(file, "bad");
  Deno.removeSync(join(w.bot.modelsDir, "BTC/metadata.json"));
  const report = await pullTo(testContext(), w.bot);
  // Consumers saw different files before, so this is an activation.
  assert.deepEqual([report.outcome, report.changed], ["activated", 2]);
  assert.deepEqual(readFiles(w.bot.modelsDir), MODELS);
});

Deno.test("pull() never links a damaged file of an old release into a new one", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  await pullTo(testContext(), w.bot);
  const file = join(w.bot.modelsDir, "BTC/metadata.json");
  Deno.chmodSync(file, 0o644);
  Deno.writeTextFileSync(file, "[]");
  await republish(w, { "BTC/rf.onnx": "two" });
  await pullTo(testContext(), w.bot);
  assert.deepEqual(readFiles(w.bot.modelsDir), { "BTC/metadata.json": "{}", "BTC/rf.onnx": "two" });
});

Deno.test("pull() recreates a link that was replaced by a folder, and keeps that folder as a release", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  await pullTo(testContext(), w.bot);
  Deno.removeSync(w.bot.modelsDir);
  writeFiles(w.bot.modelsDir, { "by-hand.onnx": "mine" });
  await pullTo(testContext(), w.bot);
  assert.deepEqual(readFiles(w.bot.modelsDir), MODELS);
  const store = storeOf(testContext(), w.bot);
  const previous = readPointer(store, "previous");
  assert.ok(previous);
  assert.deepEqual(readFiles(join(store.releases, previous.slice(7))), { "by-hand.onnx": "mine" });
});

Deno.test("a clone made by pull() contains neither history nor models, however much is published", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  for (let release = 0; release < 4; release++) {
    writeFiles(w.trainer.modelsDir, { "big.bin": noise(500_000, release) });
    await publishFrom(testContext(), w.trainer);
    await pullTo(testContext(), w.bot);
  }
  const size = new Deno.Command("du", { args: ["-sk", join(w.bot.registry.repoDir, ".git/objects")] })
    .outputSync();
  assert.ok(parseInt(new TextDecoder().decode(size.stdout)) < 200, new TextDecoder().decode(size.stdout));
  const fresh = machine(dir.path, "fresh", w.registry);
  await pullTo(testContext(), fresh);
  assert.equal(git(fresh.registry.repoDir, "rev-list", "--count", "origin/main"), "1");
});

Deno.test("pull() with resetToRemote follows a diverged branch and keeps the commits of a user's clone", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  const mine = clone(w.registry, join(dir.path, "mine"));
  const bot = { ...w.bot, registry: { ...w.bot.registry, repoDir: mine, repoUrl: undefined } };
  await pullTo(testContext(), bot);
  writeFiles(mine, { "notes.md": "mine" });
  git(mine, "add", "--all");
  git(mine, "commit", "--quiet", "--message", "my notes");
  const ours = git(mine, "rev-parse", "HEAD");
  await republish(w, { "BTC/rf.onnx": "two" });
  await assertRefused(bot, "DIVERGED", 5);
  await pullTo(testContext(), bot, { resetToRemote: true });
  assert.equal(git(mine, "rev-parse", "HEAD"), git(w.registry, "rev-parse", "main"));
  assert.equal(git(mine, "rev-parse", `main-before-reset-${ours.slice(0, 7)}`), ours);
});

Deno.test({
  name: "an SSH command of the environment or of git's configuration is used, and never prompts",
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = memoryDir();
    const { registry, bot } = await world(dir);
    // Git asks a program of this name for no variant of SSH.
    const ssh = join(dir.path, "ssh");
    const asked = join(dir.path, "asked");
    writeProgram(
      ssh,
      `#!/bin/sh\nprintf '%s\\n' "$*" >>"${asked}"\nfor word; do :; done\nexec sh -c "$word"\n`,
    );
    const remote = {
      ...bot,
      registry: { ...bot.registry, repoUrl: `ssh://git@registry.invalid${registry}` },
    };
    const env = fixedEnvironment({ GIT_SSH_COMMAND: `${ssh} -4` });
    assert.equal((await pullTo(testContext({ env }), remote)).outcome, "activated");

    const mine = clone(registry, join(dir.path, "mine"));
    git(mine, "remote", "set-url", "origin", remote.registry.repoUrl);
    git(mine, "config", "core.sshCommand", `${ssh} -6`);
    const registryOfMine = { ...bot.registry, repoDir: mine, repoUrl: undefined };
    const other = { ...bot, modelsDir: join(dir.path, "other/models"), registry: registryOfMine };
    assert.equal((await pullTo(testContext(), other)).outcome, "activated");
    const lines = Deno.readTextFileSync(asked).trim().split("\n");
    assert.ok(
      lines.every((line) => / -o BatchMode=yes .*git@registry\.invalid /.test(line)),
      lines.join("\n"),
    );
    assert.deepEqual(new Set(lines.map((line) => line.slice(0, 2))), new Set(["-4", "-6"]));
  },
});

Deno.test("a pull of one change lists no unchanged folder of the commit, and one of a change without its manifest is refused", async () => {
  using dir = memoryDir();
  const registry = bareRepository(join(dir.path, "registry.git"));
  const [trainer, bot] = [machine(dir.path, "trainer", registry), machine(dir.path, "bot", registry)];
  const set = { "BTC/a.npy": "a", "ETH/b.npy": "b", "LTC/c.npy": "c" };
  const pulled = async (files: Readonly<Record<string, string>>) => {
    writeFiles(trainer.modelsDir, files);
    await publishFrom(testContext(), trainer);
    const listed: string[] = [];
    const spawn: typeof isolatedSpawn = (request) => {
      if (request.args.some((arg) => arg === "models/")) {
        listed.push(request.args.find((arg) => /-tree$/.test(arg)) ?? "");
      }
      return isolatedSpawn(request);
    };
    await pullTo(testContext({ spawn }), bot);
    assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
    return listed;
  };
  assert.deepEqual(await pulled(set), ["ls-tree"]);
  assert.deepEqual(await pulled({ "ETH/b.npy": "other" }), ["diff-tree"]);
  assert.deepEqual(await pulled({ "ETH/b.npy": "b", "NEW/d.npy": "d" }), ["diff-tree"]);
  const hand = clone(registry, join(dir.path, "hand"));
  writeFiles(hand, { "models/LTC/c.npy": "changed by hand" });
  commitAll(hand);
  git(hand, "push", "--quiet");
  await assert.rejects(pullTo(testContext(), bot), { code: "DIGEST_MISMATCH" });
  assert.deepEqual(readFiles(bot.modelsDir), { ...set, "NEW/d.npy": "d" });
});
