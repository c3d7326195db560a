import assert from "node:assert/strict";
import { join } from "node:path";
import { ifFound } from "../../lib/core/files.ts";
import { parseManifest } from "../../lib/release/manifest.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import {
  assertRefused,
  losingRaces,
  type Machine,
  machine,
  MODELS,
  newTrainer,
  publishFrom,
  pullTo,
  registryOf,
} from "../helpers/machines.ts";
import { ageFiles, memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../helpers/test_git.ts";

Deno.test("publish() to an empty remote creates the branch, the manifest and a commit with trailers", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const report = await publishFrom(testContext(), trainer);
  assert.equal(report.outcome, "published");
  assert.equal(report.sequence, 1);
  const registry = registryOf(trainer);
  assert.equal(
    git(registry, "log", "-1", "--format=%(trailers:key=Model-Release,valueonly)", "main"),
    report.release,
  );
  assert.equal(git(registry, "log", "-1", "--format=%(trailers:key=Model-Sequence,valueonly)", "main"), "1");
  assert.match(
    git(registry, "log", "-1", "--format=%s", "main"),
    /^chore\(models\): sync \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
  );
  const manifest = await parseManifest(git(registry, "show", "main:model-sync.json"), "manifest");
  assert.equal(manifest.digest, report.release);
  assert.deepEqual(manifest.files.map((file) => file.path), Object.keys(MODELS).sort());
  assert.equal(git(trainer.registry.repoDir, "status", "--porcelain"), "");
  assert.deepEqual([report.previous, report.revision], [undefined, git(registry, "rev-parse", "main")]);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const next = await publishFrom(testContext(), trainer);
  assert.deepEqual([next.sequence, next.previous, next.revision], [
    2,
    report.release,
    git(registry, "rev-parse", "main"),
  ]);
});

Deno.test("publish() of unchanged models commits nothing, pushes nothing and hashes nothing", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  // The digest of a recently written file is not remembered, so time passes here.
  for (const path of Object.keys(MODELS)) {
    Deno.utimeSync(join(trainer.modelsDir, path), 1_700_000_000.5, 1_700_000_000.5);
  }
  await publishFrom(testContext(), trainer);
  const commands: string[] = [];
  const read: string[] = [];
  const context = testContext({
    spawn: (request) => {
      commands.push(request.args.find((arg) => /^[a-z][a-z-]+$/.test(arg)) ?? "");
      return isolatedSpawn(request);
    },
    fs: {
      ...Deno,
      open: (path, options) => {
        read.push(String(path));
        return Deno.open(path, options);
      },
    },
  });
  const report = await publishFrom(context, trainer);
  assert.equal(report.outcome, "unchanged");
  assert.deepEqual(read.filter((path) => path.startsWith(trainer.modelsDir)), []);
  assert.deepEqual(
    commands.filter((command) => ["commit-tree", "push", "fetch", "update-index"].includes(command)),
    [],
  );
});

Deno.test("publish() notices a change that keeps size and modification time", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const file = join(trainer.modelsDir, "BTC/rf.joblib");
  Deno.utimeSync(file, 1_700_000_000.5, 1_700_000_000.5);
  await publishFrom(testContext(), trainer);
  await publishFrom(testContext(), trainer);
  // Another file replaces it, as with `mv` and `cp -p`.
  Deno.writeTextFileSync(`${file}.new`, "two");
  Deno.utimeSync(`${file}.new`, 1_700_000_000.5, 1_700_000_000.5);
  Deno.renameSync(`${file}.new`, file);
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
});

Deno.test("publish() commits what was added, changed and removed, and grows the sequence by one", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two", "SOL/rf.joblib": "sol" });
  Deno.removeSync(join(trainer.modelsDir, "ETH"), { recursive: true });
  const report = await publishFrom(testContext(), trainer);
  assert.equal(report.sequence, 2);
  assert.equal(report.changed, 3);
  assert.deepEqual(
    git(registryOf(trainer), "diff", "--name-status", "main~1", "main").split("\n"),
    ["M\tmodel-sync.json", "M\tmodels/BTC/rf.joblib", "D\tmodels/ETH/rf.joblib", "A\tmodels/SOL/rf.joblib"],
  );
});

Deno.test("publish() works through a user's clone: another remote name, ignore rules, its other branch unchanged", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  writeFiles(hand, { "README.md": "registry", ".gitignore": "*.joblib\nmodels/\n" });
  commitAll(hand);
  const own = clone(registryOf(trainer), join(dir.path, "user-clone"));
  git(own, "remote", "rename", "origin", "upstream");
  git(own, "checkout", "--quiet", "-b", "work");
  const user: Machine = {
    ...trainer,
    registry: { ...trainer.registry, repoDir: own, remote: "upstream", repoUrl: undefined },
  };
  const report = await publishFrom(testContext(), user);
  assert.equal(report.publication.remote, "upstream");
  assert.equal(git(own, "branch", "--show-current"), "main");
  const listed = git(registryOf(trainer), "ls-tree", "-r", "--name-only", "main").split("\n");
  assert.ok(listed.includes("models/BTC/rf.joblib") && listed.includes("README.md"));
});

Deno.test("publish() works in a linked worktree and in a clone that pull made", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  git(hand, "checkout", "--quiet", "--detach");
  git(hand, "worktree", "add", "--quiet", join(dir.path, "linked"), "main");
  const linked: Machine = {
    ...trainer,
    registry: { ...trainer.registry, repoDir: join(dir.path, "linked"), repoUrl: undefined },
  };
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  assert.equal((await publishFrom(testContext(), linked)).outcome, "published");

  const both = machine(dir.path, "both", registryOf(trainer));
  await pullTo(testContext(), both);
  const source = { ...both, modelsDir: join(dir.path, "retrained", "models") };
  writeFiles(source.modelsDir, {
    "BTC/rf.joblib": "three",
    "BTC/metadata.json": "{}",
    "ETH/rf.joblib": "eth",
  });
  const report = await publishFrom(testContext(), source);
  assert.deepEqual([report.outcome, report.changed, report.sequence], ["published", 1, 3]);
  await pullTo(testContext(), both);
  assert.equal(Deno.readTextFileSync(join(both.modelsDir, "BTC/rf.joblib")), "three");
});

Deno.test("publish() without a git identity commits as model-sync", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  assert.equal(
    git(registryOf(trainer), "log", "-1", "--format=%an <%ae>", "main"),
    "model-sync <model-sync@test-host>",
  );
});

Deno.test("publish() pushes again on top of another push, and keeps both histories", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  let races = 2;
  const context = testContext({
    spawn: (request) => {
      if (request.args.includes("push") && races > 0) {
        writeFiles(hand, { "notes.md": `note ${races}` });
        git(hand, "pull", "--quiet", "--ff-only", "origin", "main");
        commitAll(hand, `note ${races}`);
        races--;
      }
      return isolatedSpawn(request);
    },
  });
  const report = await publishFrom(context, trainer);
  assert.equal(report.outcome, "published");
  assert.equal(git(registryOf(trainer), "show", "main:notes.md"), "note 1");
  assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), "two");
  assert.equal(git(registryOf(trainer), "rev-list", "--count", "main"), "4");
});

Deno.test("publish() to a branch that is locked at the remote reports the remote's reason, not another push", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const lock = join(registryOf(trainer), "refs/heads/main.lock");
  Deno.writeTextFileSync(lock, "");
  await assert.rejects(publishFrom(testContext(), trainer), {
    code: "PUSH_DECLINED",
    message: /^Cannot push to \S+: the remote rejects it: /,
  });
  Deno.removeSync(lock);
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
});

Deno.test("a publish that lost a race names the commit that it gives up, and counts the other publisher's files that it removes", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const registry = registryOf(trainer);
  const base = git(registry, "rev-parse", "main");
  const other = machine(dir.path, "other", registry);
  writeFiles(other.modelsDir, { ...readFiles(trainer.modelsDir), "new.joblib": "new" });
  const theirs = (await publishFrom(testContext(), other)).publication.commit ?? "";
  git(registry, "update-ref", "refs/heads/main", base);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const context = testContext({
    spawn: (request) => {
      // The other publisher pushes right before.
      if (request.args.includes("push")) git(registry, "update-ref", "refs/heads/main", theirs);
      return isolatedSpawn(request);
    },
  });
  const { publication, sequence } = await publishFrom(context, trainer);
  assert.deepEqual([sequence, publication.changed, publication.removed], [3, 2, 1]);
  const log = context.log.lines.join("\n");
  assert.match(
    log,
    /committed ([0-9a-f]{12}) as sequence 2\n[^]*info commit \1 is given up: the remote has new commits\n[^]*warn another publisher pushed/,
  );
});

Deno.test("publish() gives up after five lost races, and the next one publishes", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const { context, pushes } = losingRaces(hand);
  await assert.rejects(publishFrom(context, trainer), { code: "PUSH_LOST", exitCode: 1 });
  assert.equal(pushes(), 5);
  const report = await publishFrom(testContext(), trainer);
  assert.equal(report.outcome, "published");
  assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), "two");
});

Deno.test("publish() refuses a branch that diverged by people's commits, and keeps these", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const own = clone(registryOf(trainer), join(dir.path, "user-clone"));
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  writeFiles(hand, { "theirs.md": "theirs" });
  commitAll(hand);
  writeFiles(own, { "ours.md": "ours" });
  git(own, "add", "--all");
  git(own, "commit", "--quiet", "--message", "ours");
  const user: Machine = { ...trainer, registry: { ...trainer.registry, repoDir: own, repoUrl: undefined } };
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await assertRefused(user, "DIVERGED", 5);
  assert.equal(Deno.readTextFileSync(join(own, "ours.md")), "ours");
});

Deno.test("publish() and a mirroring pull replace a file by a folder of its name, and a folder by a file", async () => {
  using dir = memoryDir();
  const kept = { "keep/1": "k", "keep/2": "k", "keep/3": "k", "keep/4": "k" };
  const trainer = newTrainer(dir.path, { ...kept, a: "file", "b/c": "in a folder", "b/d": "too" });
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot, { activation: "mirror" });
  Deno.removeSync(join(trainer.modelsDir, "a"));
  Deno.removeSync(join(trainer.modelsDir, "b"), { recursive: true });
  writeFiles(trainer.modelsDir, { "a/x": "in a folder now", b: "a file now" });
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot, { activation: "mirror" });
  assert.deepEqual(readFiles(bot.modelsDir), { "a/x": "in a folder now", b: "a file now", ...kept });
});

Deno.test("publish() of an unknown registry's equal content commits nothing and remembers it", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const second = machine(dir.path, "second", registryOf(trainer));
  writeFiles(second.modelsDir, MODELS);
  const report = await publishFrom(testContext(), second);
  assert.deepEqual([report.outcome, report.publication.committed], ["unchanged", false]);
  assert.equal(git(second.registry.repoDir, "status", "--porcelain"), "");
});

Deno.test("publish() fixes a registry whose models were edited by hand", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  writeFiles(hand, { "models/BTC/rf.joblib": "edited" });
  commitAll(hand);
  const report = await publishFrom(testContext(), trainer);
  assert.equal(report.outcome, "published");
  assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), "one");
  await pullTo(testContext(), machine(dir.path, "bot", registryOf(trainer)));
});

Deno.test("publish() stores models without compressing them", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, { "zeros.bin": new Uint8Array(20 * 1024 * 1024) });
  await publishFrom(testContext(), trainer);
  const du = new Deno.Command("du", { args: ["-sk", join(registryOf(trainer), "objects")] }).outputSync();
  assert.ok(parseInt(new TextDecoder().decode(du.stdout)) > 20 * 1024);
});

Deno.test("publish() restores a manifest that the registry lost", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  git(hand, "rm", "--quiet", "model-sync.json");
  commitAll(hand);
  await assert.rejects(pullTo(testContext(), bot), { exitCode: 5 });
  assert.equal((await publishFrom(testContext(), trainer)).sequence, 2);
  assert.equal((await pullTo(testContext(), bot)).sequence, 2);
});

Deno.test("publish() does not change ignored files of a user's clone if there is nothing to publish", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const mine = clone(registryOf(trainer), join(dir.path, "mine"));
  writeFiles(mine, { ".gitignore": "*.tmp\n" });
  commitAll(mine);
  writeFiles(mine, { "models/part.tmp": "mine" });
  Deno.removeSync(join(dir.path, "trainer/.model-sync"), { recursive: true });
  const registry = { ...trainer.registry, repoDir: mine, repoUrl: undefined };
  assert.equal((await publishFrom(testContext(), { ...trainer, registry })).outcome, "unchanged");
  assert.equal(Deno.readTextFileSync(join(mine, "models/part.tmp")), "mine");
});

Deno.test("publish() follows repo_url to another registry, also if git rewrites other URLs", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const context = testContext({
    spawn: (request) =>
      isolatedSpawn({
        ...request,
        args: ["-c", "url.git@github.com:.insteadOf=https://github.com/", ...request.args],
      }),
  });
  await publishFrom(context, trainer);
  const other = bareRepository(join(dir.path, "other.git"));
  const moved = { ...trainer, registry: { ...trainer.registry, repoUrl: other } };
  await publishFrom(context, moved);
  assert.equal(git(other, "show", "main:models/BTC/rf.joblib"), "one");
});

Deno.test("publish() replaces a damaged manifest, or one of other models, although no model differs", async () => {
  const damages: Readonly<Record<string, (hand: string) => void>> = {
    "of other models": (hand) => writeFiles(hand, { "models/BTC/rf.joblib": "two" }),
    "no JSON": (hand) =>
      writeFiles(hand, { "model-sync.json": "<<<<<<< HEAD\n", "models/BTC/rf.joblib": "two" }),
    "of a later format": (hand) => writeFiles(hand, { "model-sync.json": '{"schema": 2}' }),
  };
  for (const [what, damage] of Object.entries(damages)) {
    using dir = memoryDir();
    const trainer = newTrainer(dir.path);
    const bot = machine(dir.path, "bot", registryOf(trainer));
    await publishFrom(testContext(), trainer);
    const hand = clone(registryOf(trainer), join(dir.path, "hand"));
    damage(hand);
    commitAll(hand);
    await assert.rejects(pullTo(testContext(), bot), { exitCode: 5 }, what);
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": what === "of a later format" ? "one" : "two" });
    const report = await publishFrom(testContext(), trainer);
    assert.deepEqual(
      [report.outcome, report.sequence, report.publication.pushed],
      ["published", 2, true],
      what,
    );
    assert.equal((await pullTo(testContext(), bot)).release, report.release, what);
    assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged", what);
  }
});

Deno.test("publish() with a dirty worktree allowed works, but does not overwrite uncommitted work", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const mine = clone(registryOf(trainer), join(dir.path, "mine"));
  writeFiles(mine, { ".gitattributes": "*.txt text\n" });
  commitAll(mine);
  const through = { ...trainer, registry: { ...trainer.registry, repoDir: mine, repoUrl: undefined } };
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  for (const path of [".gitattributes", "models/notes.md", "model-sync.json"]) {
    const before = ifFound(() => Deno.readTextFileSync(join(mine, path)));
    writeFiles(mine, { [path]: "my work\n" });
    const settings = { allowDirtyWorktree: true };
    await assert.rejects(publishFrom(testContext(), through, settings), {
      code: "WORKTREE_DIRTY",
      exitCode: 2,
    });
    assert.equal(Deno.readTextFileSync(join(mine, path)), "my work\n");
    if (before === undefined) Deno.removeSync(join(mine, path));
    else Deno.writeTextFileSync(join(mine, path), before);
  }
  writeFiles(mine, { "draft.md": "my work\n" });
  assert.equal(
    (await publishFrom(testContext(), through, { allowDirtyWorktree: true })).outcome,
    "published",
  );
  assert.equal(Deno.readTextFileSync(join(mine, "draft.md")), "my work\n");
});

Deno.test("publish() and pull() check out a branch that only the remote has, also in a clone of a single branch", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  git(registryOf(trainer), "branch", "prod", "main");
  for (const option of ["--no-single-branch", "--single-branch"]) {
    const mine = join(dir.path, `mine${option}`);
    git(dir.path, "clone", "--quiet", option, "--branch", "main", `file://${registryOf(trainer)}`, mine);
    git(mine, "update-ref", "-d", "refs/remotes/origin/prod");
    const registry = { ...trainer.registry, repoDir: mine, repoUrl: undefined, branch: "prod" };
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": option });
    assert.equal((await publishFrom(testContext(), { ...trainer, registry })).outcome, "published");
    assert.equal(git(registryOf(trainer), "show", "prod:models/BTC/rf.joblib"), option);
    assert.equal(git(mine, "config", "branch.prod.merge"), "refs/heads/prod");
  }
});

Deno.test("publish() pushes a release again that the remote has lost, although no model changed", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  // Written long ago, so that the folder is remembered as a whole.
  ageFiles(trainer.modelsDir);
  const context = testContext({ clock: new FakeClock("2100-01-01T00:00:00Z") });
  await publishFrom(context, trainer);
  assert.equal((await publishFrom(context, trainer)).outcome, "unchanged");
  git(registryOf(trainer), "update-ref", "-d", "refs/heads/main");
  const again = await publishFrom(context, trainer);
  assert.deepEqual([again.outcome, again.publication.pushed], ["published", true]);
  assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), "one");
});
