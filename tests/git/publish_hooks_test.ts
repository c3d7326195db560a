import assert from "node:assert/strict";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { ifFound } from "../../lib/core/files.ts";
import {
  type Machine,
  machine,
  newTrainer,
  planFrom,
  publishFrom,
  pullTo,
  registryOf,
} from "../helpers/machines.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { clone, commitAll, git } from "../helpers/test_git.ts";
import { makeProgram } from "../helpers/make_program.ts";

const MODELS = {
  "BTC/metadata.json": '{"b":1,"a":[1,2]}',
  "BTC/rf.joblib": "one\r\n",
  "ETH/rf.joblib": "$Id$",
};

/** Acts as a tool that formats on commit: changes models and manifest, and stages them. */
const REFORMAT = "sed -i 's/,/, /g' models/*/*.json model-sync.json 2>/dev/null; git add --all 2>/dev/null";
const AMEND = `${REFORMAT}; git -c core.hooksPath=/dev/null commit --quiet --amend --all --message formatted`;

/** Every client-side hook of git during a publish. Each changes what it can. */
const ALTERING: Readonly<Record<string, string>> = {
  "pre-commit": REFORMAT,
  "prepare-commit-msg": `${REFORMAT}; echo changed >"$1"`,
  "commit-msg": `${REFORMAT}; echo changed >"$1"`,
  "post-commit": AMEND,
  "pre-merge-commit": REFORMAT,
  "post-merge": AMEND,
  "post-checkout": REFORMAT,
  "post-rewrite": REFORMAT,
  "pre-push": AMEND,
};

/** Hooks during git's own work, when a second git would wait for the first one's locks. */
const MEDDLING: Readonly<Record<string, string>> = {
  "post-index-change": "sed -i 's/,/, /g' models/*/*.json model-sync.json 2>/dev/null",
  "reference-transaction": "sed -i 's/,/, /g' models/*/*.json model-sync.json 2>/dev/null",
};

function installHooks(folder: string, hooks: Readonly<Record<string, string>>): void {
  for (const [name, script] of Object.entries(hooks)) {
    writeFiles(folder, { [name]: `#!/bin/sh\n${script}\nexit 0\n` });
    makeProgram(join(folder, name));
  }
}

/**
 * Publishes twice on top of a person's commit. The registry has the trained models, and the second publish changes
 * nothing.
 */
async function publishesUnaltered(context: () => Context, trainer: Machine, root: string): Promise<void> {
  const { repoDir } = trainer.registry;
  const hand = clone(registryOf(trainer), join(root, "hand"));
  writeFiles(hand, { "notes.md": "by hand" });
  commitAll(hand);
  const trained = { ...MODELS, "BTC/metadata.json": '{"b":2,"a":[1,2]}', "SOL/new.json": "[1,2,3]" };
  writeFiles(trainer.modelsDir, trained);
  const report = await publishFrom(context(), trainer);
  assert.equal(report.outcome, "published");
  assert.equal(report.publication.commit, git(registryOf(trainer), "rev-parse", "main"));
  const checkedOut = clone(registryOf(trainer), join(root, "checked-out"));
  assert.deepEqual(readFiles(join(checkedOut, "models")), trained);
  const bot = machine(root, "bot", registryOf(trainer));
  assert.equal((await pullTo(testContext(), bot)).release, report.release);
  assert.deepEqual(readFiles(bot.modelsDir), trained);
  assert.equal((await publishFrom(context(), trainer)).outcome, "unchanged");
  assert.equal(git(repoDir, "rev-parse", "main"), git(registryOf(trainer), "rev-parse", "main"));
  assert.equal(git(repoDir, "status", "--porcelain"), "");
}

Deno.test("publish() through its own clone sends the hashed bytes, whatever hooks are in the clone", async (t) => {
  for (const [what, hooks] of Object.entries({ ALTERING, MEDDLING })) {
    await t.step(what, async () => {
      using dir = memoryDir();
      const trainer = newTrainer(dir.path, MODELS);
      await publishFrom(testContext(), trainer);
      installHooks(join(trainer.registry.repoDir, ".git/hooks"), hooks);
      await publishesUnaltered(() => testContext(), trainer, dir.path);
    });
  }
});

Deno.test("publish() through a user's clone sends the hashed bytes, whatever hooks the user has for all clones", async () => {
  using dir = memoryDir();
  const own = newTrainer(dir.path, MODELS);
  await publishFrom(testContext(), own);
  const repoDir = clone(registryOf(own), join(dir.path, "mine"));
  const trainer = { ...own, registry: { ...own.registry, repoDir } };
  const hooks = join(dir.path, "my hooks");
  installHooks(hooks, ALTERING);
  writeFiles(dir.path, {
    gitconfig: `[core]\n\thooksPath = ${hooks}\n[user]\n\tname = Ada\n\temail = a@example.org\n`,
  });
  const spawn: Context["spawn"] = (request) =>
    isolatedSpawn({ ...request, env: { ...request.env, HOME: dir.path } });
  const context = () =>
    testContext({
      spawn: (request) =>
        spawn({ ...request, args: ["-c", `include.path=${join(dir.path, "gitconfig")}`, ...request.args] }),
    });
  await publishesUnaltered(context, trainer, dir.path);
});

Deno.test("publish() finds every change, whatever the clone's index and file system monitor say", async (t) => {
  const lies: Readonly<Record<string, (repoDir: string) => void>> = {
    "a monitor that sees nothing": (repoDir) => {
      writeFiles(repoDir, { ".git/monitor": "#!/bin/sh\nprintf 'token\\0'\n" });
      makeProgram(join(repoDir, ".git/monitor"));
      git(repoDir, "config", "core.fsmonitor", ".git/monitor");
      git(repoDir, "update-index", "--fsmonitor");
      git(repoDir, "status");
    },
    "files marked as unchanged": (repoDir) =>
      git(repoDir, "update-index", "--assume-unchanged", "models/BTC/rf.joblib", "model-sync.json"),
    "files left out of the worktree": (repoDir) =>
      git(repoDir, "update-index", "--skip-worktree", "models/BTC/rf.joblib", "model-sync.json"),
    "core.ignoreStat": (repoDir) => git(repoDir, "config", "core.ignoreStat", "true"),
  };
  for (const [name, lie] of Object.entries(lies)) {
    await t.step(name, async () => {
      using dir = memoryDir();
      const trainer = newTrainer(dir.path, MODELS);
      await publishFrom(testContext(), trainer);
      const mine = clone(registryOf(trainer), join(dir.path, "mine"));
      lie(mine);
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two\r\n" });
      const user = { ...trainer, registry: { ...trainer.registry, repoDir: mine } };
      assert.equal((await publishFrom(testContext(), user)).outcome, "published");
      assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), "two");
      await pullTo(testContext(), machine(dir.path, "bot", registryOf(trainer)));
    });
  }
});

Deno.test("publish() writes models, manifest and signature unconverted, whatever attributes the registry has", async (t) => {
  const attributes: Readonly<Record<string, string>> = {
    "line ends": "* text eol=crlf\n",
    "keywords": "* ident\n",
    "an encoding": "*.json text working-tree-encoding=UTF-16\n",
    "a filter of the manifest": "/*.json filter=shout\n",
  };
  for (const [name, text] of Object.entries(attributes)) {
    await t.step(name, async () => {
      using dir = memoryDir();
      const trainer = newTrainer(dir.path, MODELS);
      await publishFrom(testContext(), trainer);
      const hand = clone(registryOf(trainer), join(dir.path, "hand"));
      writeFiles(hand, { ".gitattributes": text });
      // No other file, because git would convert it now.
      git(hand, "add", ".gitattributes");
      git(hand, "commit", "--quiet", "--message", name);
      git(hand, "push", "--quiet", "origin", "HEAD:main");
      git(trainer.registry.repoDir, "config", "filter.shout.clean", "tr a-z A-Z");
      writeFiles(trainer.modelsDir, { "BTC/metadata.json": '{"b":2,"a":[1,2]}\r\n' });
      await publishFrom(testContext(), trainer);
      const bot = machine(dir.path, "bot", registryOf(trainer));
      await pullTo(testContext(), bot);
      assert.deepEqual(readFiles(bot.modelsDir), { ...MODELS, "BTC/metadata.json": '{"b":2,"a":[1,2]}\r\n' });
      assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged");
    });
  }
});

Deno.test("a hook that refuses stops publish(), which shows its last words, and the next publish starts over", async (t) => {
  for (const hook of ["pre-commit", "prepare-commit-msg", "commit-msg", "pre-push"]) {
    await t.step(hook, async () => {
      using dir = memoryDir();
      const trainer = newTrainer(dir.path, MODELS);
      await publishFrom(testContext(), trainer);
      const { repoDir } = trainer.registry;
      const before = git(registryOf(trainer), "rev-parse", "main");
      installHooks(join(repoDir, ".git/hooks"), {
        [hook]:
          `${REFORMAT}\necho checking\nprintf 'fatal: unable to access\\n\\033[31mno releases\\007 on Sundays\\033[0m\\n' >&2\nexit 3`,
      });
      writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
      await assert.rejects(publishFrom(testContext(), trainer), (error) => {
        assert.ok(error instanceof ModelSyncError);
        assert.deepEqual([error.code, error.exitCode], ["HOOK_REFUSED", 1]);
        assert.match(error.message, new RegExp(`the ${hook} hook `));
        assert.match(error.message, /no releases.* on Sundays/);

        assert.doesNotMatch(error.message, /\p{Cc}/u);
        return true;
      });
      assert.equal(git(registryOf(trainer), "rev-parse", "main"), before);
      assert.equal(git(repoDir, "rev-parse", "main"), before);
      assert.equal(git(repoDir, "status", "--porcelain"), "");
      Deno.removeSync(join(repoDir, ".git/hooks", hook));
      assert.equal((await publishFrom(testContext(), trainer)).sequence, 2);
      await pullTo(testContext(), machine(dir.path, "bot", registryOf(trainer)));
    });
  }
});

Deno.test("publish() runs the pre-push hook as git does: same arguments, input and folder", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, MODELS);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  const before = git(repoDir, "rev-parse", "main");
  installHooks(join(repoDir, ".git/hooks"), {
    "pre-push": 'pwd >.git/seen; echo "$1 $2" >>.git/seen; cat >>.git/seen',
  });
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const { commit } = (await publishFrom(testContext(), trainer)).publication;
  assert.deepEqual(Deno.readTextFileSync(join(repoDir, ".git/seen")).trimEnd().split("\n"), [
    Deno.realPathSync(repoDir),
    `origin ${registryOf(trainer)}`,
    `refs/heads/main ${commit} refs/heads/main ${before}`,
  ]);
});

Deno.test("publish() fixes files that a hook changed under an earlier version, although no model changed since", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, MODELS);
  await publishFrom(testContext(), trainer);
  const repoDir = clone(registryOf(trainer), join(dir.path, "hand"));
  // The result of version 0.1: a commit that a hook changed, remembered as the hashed release.
  writeFiles(repoDir, { "models/BTC/metadata.json": '{"b":1, "a":[1, 2]}' });
  git(repoDir, "commit", "--quiet", "--all", "--amend", "--no-edit");
  git(repoDir, "push", "--quiet", "--force", "origin", "main");
  const memory = join(dir.path, "trainer/.model-sync/published.json");
  const { checked: _, ...published } = JSON.parse(Deno.readTextFileSync(memory));
  const head = git(repoDir, "rev-parse", "main");
  const tree = git(repoDir, "rev-parse", "main:models");
  Deno.writeTextFileSync(memory, JSON.stringify({ ...published, head, tree }));
  const bot = machine(dir.path, "bot", registryOf(trainer));
  await assert.rejects(pullTo(testContext(), bot), { exitCode: 5 });
  const plan = await planFrom(testContext(), trainer);
  assert.deepEqual([plan.outcome, plan.changes.modified], ["published", ["BTC/metadata.json"]]);
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), MODELS);
  assert.equal((await planFrom(testContext(), trainer)).outcome, "unchanged");
});

Deno.test("publish() leaves other files that a user staged staged and uncommitted", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, MODELS);
  await publishFrom(testContext(), trainer);
  const mine = clone(registryOf(trainer), join(dir.path, "mine"));
  writeFiles(mine, { "draft.md": "draft" });
  git(mine, "add", "draft.md");
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  const user = { ...trainer, registry: { ...trainer.registry, repoDir: mine } };
  await publishFrom(testContext(), user, { allowDirtyWorktree: true });
  assert.equal(git(mine, "status", "--porcelain"), "A  draft.md");
  assert.doesNotMatch(git(registryOf(trainer), "ls-tree", "-r", "--name-only", "main"), /draft/);
});

/** Returns a trainer whose own clone an earlier version made: with all files in its worktree, and a person's file. */
async function trainerWithWorktree(root: string): Promise<Machine> {
  const trainer = newTrainer(root, MODELS);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  git(repoDir, "config", "--unset", "core.sparseCheckout");
  for (const name of ["info/sparse-checkout", "index"]) Deno.removeSync(join(repoDir, ".git", name));
  git(repoDir, "reset", "--hard", "--quiet");
  writeFiles(repoDir, { "README.md": "committed" });
  commitAll(repoDir);
  writeFiles(repoDir, { "README.md": "a person's edit", "notes.txt": "a person's notes" });
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  return trainer;
}

function assertEditsKept({ registry: { repoDir } }: Machine): void {
  assert.equal(git(repoDir, "status", "--porcelain"), " M README.md\n?? notes.txt");
  assert.equal(Deno.readTextFileSync(join(repoDir, "README.md")), "a person's edit");
  assert.equal(Deno.readTextFileSync(join(repoDir, "notes.txt")), "a person's notes");
}

Deno.test("publish() never overwrites a person's edits in its own clone, with a dirty worktree allowed", async (t) => {
  for (const hook of ["pre-commit", "prepare-commit-msg", "commit-msg", "pre-push"]) {
    await t.step(`with a ${hook} hook, it refuses`, async () => {
      using dir = memoryDir();
      const trainer = await trainerWithWorktree(dir.path);
      const { repoDir } = trainer.registry;
      installHooks(join(repoDir, ".git/hooks"), { [hook]: "git add --all; touch .git/ran" });
      const before = git(registryOf(trainer), "rev-parse", "main");
      await assert.rejects(publishFrom(testContext(), trainer, { allowDirtyWorktree: true }), (error) => {
        assert.ok(error instanceof ModelSyncError);
        assert.equal(error.code, "WORKTREE_DIRTY");
        assert.match(`${error.message} ${error.hint}`, new RegExp(`README.md.* the ${hook} hook`));
        return true;
      });
      assertEditsKept(trainer);
      assert.equal(ifFound(() => Deno.statSync(join(repoDir, ".git/ran"))), undefined);
      assert.equal(git(registryOf(trainer), "rev-parse", "main"), before);
      git(repoDir, "checkout", "--quiet", "README.md");
      Deno.removeSync(join(repoDir, "notes.txt"));
      assert.equal((await publishFrom(testContext(), trainer, { allowDirtyWorktree: true })).sequence, 2);
      assert.equal(git(repoDir, "status", "--porcelain"), "");
    });
  }
  await t.step("without hooks, it publishes", async () => {
    using dir = memoryDir();
    const trainer = await trainerWithWorktree(dir.path);
    const report = await publishFrom(testContext(), trainer, { allowDirtyWorktree: true });
    assert.equal(report.outcome, "published");
    assertEditsKept(trainer);
  });
  await t.step("when it fails, it undoes only its own changes", async () => {
    using dir = memoryDir();
    const trainer = await trainerWithWorktree(dir.path);
    const context = testContext({
      spawn: (request) => {
        if (request.args.includes("commit-tree")) throw new Error("no more processes");
        return isolatedSpawn(request);
      },
    });
    await assert.rejects(publishFrom(context, trainer, { allowDirtyWorktree: true }), /no more processes/);
    assertEditsKept(trainer);
    const report = await publishFrom(testContext(), trainer, { allowDirtyWorktree: true });
    assert.equal(report.sequence, 2);
    assertEditsKept(trainer);
  });
});

Deno.test("publish() leaves its own clone clean, whatever a hook changes, with a dirty worktree allowed", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, MODELS);
  await publishFrom(testContext(), trainer);
  const { repoDir } = trainer.registry;
  installHooks(join(repoDir, ".git/hooks"), {
    "pre-commit": "echo by a hook >new.txt",
    "pre-push": "echo by a hook >new.txt",
  });
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await publishFrom(testContext(), trainer, { allowDirtyWorktree: true });
  assert.equal(git(repoDir, "status", "--porcelain"), "");
});
