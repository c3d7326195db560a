import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { HOOK_REFUSED } from "../../lib/git/hooks.ts";
import { newTrainer, publishFrom, registryOf } from "../helpers/machines.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { clone, git } from "../helpers/test_git.ts";
import { makeProgram } from "../helpers/make_program.ts";

const MODELS = { "BTC/metadata.json": '{"b":1}', "BTC/rf.joblib": "one" };

function modelsOf(version: number): Record<string, string> {
  return { ...MODELS, "BTC/metadata.json": `{"b":${version}}` };
}

const WITHOUT_HOOKS = "git -c core.hooksPath=/dev/null -c user.name=h -c user.email=h@h.invalid";

/** Changes that tools' hooks leave in the worktree and on the branch. */
const LEAVING: Readonly<Record<string, string>> = {
  "files, new, changed, removed and staged": [
    "mkdir -p .cache; echo x >.cache/x",
    "echo x >models/report.txt",
    "echo x >'[n]otes*.md'",
    "echo more >>README.md",
    "rm -f LICENSE",
    "echo x >staged.txt; unset GIT_INDEX_FILE; git add staged.txt",
  ].join("\n"),
  "a commit of its own":
    `echo x >models/extra; unset GIT_INDEX_FILE; git add -A; ${WITHOUT_HOOKS} commit --quiet --no-verify -m inner`,
  "another branch": `unset GIT_INDEX_FILE; ${WITHOUT_HOOKS} checkout --quiet -b elsewhere`,
};

/** Hooks before the commit behave alike. */
const HOOKS = ["commit-msg", "pre-push"] as const;

Deno.test("files that a hook leaves in a clone of our own do not block this publish or the next", async (t) => {
  for (const [what, script] of Object.entries(LEAVING)) {
    for (const hook of HOOKS) {
      await t.step(`${hook} leaves ${what}`, async () => {
        using dir = memoryDir();
        const trainer = newTrainer(dir.path, MODELS);
        await publishFrom(testContext(), trainer);
        const { repoDir } = trainer.registry;
        commitOthers(dir.path, registryOf(trainer));
        const path = installHook(repoDir, hook, `${script}\nexit 0`);
        for (const version of [2, 3]) {
          writeFiles(trainer.modelsDir, modelsOf(version));
          assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
          assert.deepEqual(heldBy(registryOf(trainer)), [
            "LICENSE",
            "README.md",
            "model-sync.json",
            ...paths(),
          ]);
        }
        assert.equal(git(repoDir, "status", "--porcelain"), "");
        installHook(repoDir, hook, `${script}\nexit 1`);
        writeFiles(trainer.modelsDir, modelsOf(4));
        await assert.rejects(
          publishFrom(testContext(), trainer),
          (error) => error instanceof ModelSyncError && error.code === HOOK_REFUSED,
        );
        Deno.removeSync(path);
        assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
        assert.deepEqual(
          readFiles(join(clone(registryOf(trainer), join(dir.path, "seen")), "models")),
          modelsOf(4),
        );
      });
    }
  }
});

Deno.test("attributes of the user or of the clone do not filter files of a clone of our own", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, MODELS);
  writeFiles(dir.path, {
    attributes: "*.json filter=up\n*.joblib filter=lfs\n",
    ".gitconfig":
      `[core]\n\tattributesFile = ${join(dir.path, "attributes")}\n[filter "up"]\n\tclean = tr a-z A-Z\n` +
      "[user]\n\tname = Ada\n\temail = a@example.org\n",
  });
  const context = () =>
    testContext({
      spawn: (request) =>
        isolatedSpawn({
          ...request,
          args: ["-c", `include.path=${join(dir.path, ".gitconfig")}`, ...request.args],
        }),
    });
  for (const version of [1, 2, 3]) {
    writeFiles(trainer.modelsDir, modelsOf(version));
    assert.equal((await publishFrom(context(), trainer)).outcome, "published");
    assert.equal(git(registryOf(trainer), "show", "main:models/BTC/metadata.json"), `{"b":${version}}`);
    assert.equal(git(registryOf(trainer), "show", "main:models/BTC/rf.joblib"), "one");
    writeFiles(trainer.registry.repoDir, { ".git/info/attributes": "*.json filter=up\n" });
  }
});

function commitOthers(root: string, registry: string): void {
  const hand = clone(registry, join(root, "hand"));
  writeFiles(hand, { "README.md": "models", "LICENSE": "free" });
  git(hand, "add", "--all");
  git(hand, "commit", "--quiet", "-m", "by hand");
  git(hand, "push", "--quiet", "origin", "HEAD:main");
}

function installHook(repoDir: string, name: string, script: string): string {
  const path = join(repoDir, ".git/hooks", name);
  writeFiles(repoDir, { [`.git/hooks/${name}`]: `#!/bin/sh\n${script}\n` });
  makeProgram(path);
  return path;
}

function heldBy(registry: string): string[] {
  return git(registry, "ls-tree", "-r", "--name-only", "main").split("\n");
}

function paths(): string[] {
  return Object.keys(MODELS).map((path) => `models/${path}`);
}
