import assert from "node:assert/strict";
import { join } from "node:path";
import { ifFound } from "../../lib/core/files.ts";
import {
  type Machine,
  machine,
  newTrainer,
  planPullTo,
  publishFrom,
  pullTo,
  registryOf,
} from "../helpers/machines.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { clone, commitAll, git } from "../helpers/test_git.ts";
import { makeProgram } from "../helpers/make_program.ts";

/** A program that leaves a mark when it runs. */
function marker(dir: string): { readonly program: string; readonly ran: () => boolean } {
  const mark = join(dir, "ran");
  const program = join(dir, "program.sh");
  writeFiles(dir, { "program.sh": `#!/bin/sh\ntouch '${mark}'\ncat\n` });
  makeProgram(program);
  return { program, ran: () => ifFound(() => Deno.statSync(mark)) !== undefined };
}

/** Hooks that git itself runs during a pull or a publish. Hooks that may refuse a publish are run by the program. */
const HOOKS = [
  "applypatch-msg",
  "post-checkout",
  "post-commit",
  "post-index-change",
  "post-merge",
  "post-rewrite",
  "reference-transaction",
  "fsmonitor-watchman",
];

function settingsOf(program: string, hooks: string): ReadonlyArray<readonly [string, string]> {
  return [
    ["core.fsmonitor", program],
    ["core.hooksPath", hooks],
    ["core.sshCommand", program],
    ["core.gitProxy", program],
    ["core.askPass", program],
    ["core.editor", program],
    ["core.pager", program],
    ["core.alternateRefsCommand", program],
    ["credential.helper", `!${program}`],
    ["filter.mark.clean", program],
    ["filter.mark.smudge", program],
    ["filter.mark.process", program],
    ["diff.external", program],
    ["merge.mark.driver", program],
    ["alias.ls-remote", `!${program}`],
    ["remote.origin.uploadpack", program],
    ["remote.origin.receivepack", program],
    ["remote.origin.vcs", program],
    ["uploadpack.packObjectsHook", program],
    ["include.path", join(hooks, "included")],
    ["gpg.program", program],
    ["lfs.customtransfer.mark.path", program],
    ["core.worktree", hooks],
  ];
}

/** Adds every setting that runs programs to a clone. */
function taint(repoDir: string, program: string): void {
  const hooks = join(repoDir, ".git/hooks");
  for (const hook of HOOKS) {
    writeFiles(hooks, { [hook]: Deno.readTextFileSync(program) });
    makeProgram(join(hooks, hook));
  }
  writeFiles(hooks, { included: `[core]\n\tfsmonitor = ${program}\n` });
  const config = join(repoDir, ".git/config");
  const lines = settingsOf(program, hooks).map(([key, value]) => {
    const [section = "", ...rest] = key.split(".");
    const name = rest.pop() ?? "";
    return `[${section}${rest.length === 0 ? "" : ` "${rest.join(".")}"`}]\n\t${name} = "${value}"\n`;
  });
  Deno.writeTextFileSync(config, Deno.readTextFileSync(config) + lines.join(""));
}

async function worldOf(root: string): Promise<{ readonly trainer: Machine; readonly bot: Machine }> {
  const trainer = newTrainer(root);
  await publishFrom(testContext(), trainer);
  const hand = clone(registryOf(trainer), join(root, "hand"));
  writeFiles(hand, { ".gitattributes": "*.txt filter=mark diff=mark merge=mark\n", "notes.txt": "by hand" });
  commitAll(hand);
  const bot = machine(root, "bot", registryOf(trainer));
  await pullTo(testContext(), bot);
  await publishFrom(testContext(), trainer);
  return { trainer, bot };
}

Deno.test("programs in the configuration, attributes or hooks of a clone of our own are not run", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await worldOf(dir.path);
  const { program, ran } = marker(dir.path);
  for (const release of ["second", "third"]) {
    for (const { registry } of [trainer, bot]) taint(registry.repoDir, program);
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": release });
    const context = testContext();
    assert.equal((await publishFrom(context, trainer)).outcome, "published");
    assert.equal(ran(), false, `publish ${release}`);
    assert.match(
      context.log.lines.join("\n"),
      /warn removed core\.fsmonitor, core\.hookspath, .* configuration of /,
    );
    await pullTo(testContext(), bot);
    assert.equal(ran(), false, `pull ${release}`);
    assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
    for (const { registry } of [trainer, bot]) {
      assert.doesNotMatch(
        Deno.readTextFileSync(join(registry.repoDir, ".git/config")),
        /program\.sh|included/,
      );
    }
  }
});

Deno.test("a dry run in a clone of our own runs no program of its configuration, which stays unchanged", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await worldOf(dir.path);
  const { program, ran } = marker(dir.path);
  taint(bot.registry.repoDir, program);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "next" });
  await publishFrom(testContext(), trainer);
  const config = Deno.readTextFileSync(join(bot.registry.repoDir, ".git/config"));
  const plan = await planPullTo(testContext(), bot);
  assert.equal(plan.outcome, "activated");
  assert.equal(ran(), false);
  assert.equal(Deno.readTextFileSync(join(bot.registry.repoDir, ".git/config")), config);
});

Deno.test("a clone of our own keeps settings for the committer, HTTP and git-lfs", async () => {
  using dir = memoryDir();
  const { trainer } = await worldOf(dir.path);
  const { repoDir } = trainer.registry;
  const kept = [
    ["user.name", 'Ada "the first" \\ L.'],
    ["http.https://example.org/.proxy", "http://proxy.example.org:8080"],
    ["lfs.https://example.org/r.git/info/lfs.access", "basic"],
  ] as const;
  for (const [key, value] of [...kept, ["core.pager", "less"] as const]) git(repoDir, "config", key, value);
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await publishFrom(testContext(), trainer);
  for (const [key, value] of kept) assert.equal(git(repoDir, "config", key), value);
  assert.doesNotMatch(Deno.readTextFileSync(join(repoDir, ".git/config")), /pager/);
});

Deno.test("a pull removes git's partial-clone mark from an earlier version's clone", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await worldOf(dir.path);
  const { repoDir } = bot.registry;
  git(repoDir, "config", "remote.origin.promisor", "true");
  git(repoDir, "config", "remote.origin.partialclonefilter", "blob:none");
  git(repoDir, "config", "--unset", "model-sync.clone");
  Deno.removeSync(join(repoDir, ".git/model-sync.own"));
  writeFiles(trainer.modelsDir, { "BTC/rf.joblib": "two" });
  await publishFrom(testContext(), trainer);
  const context = testContext();
  await pullTo(context, bot);
  assert.equal(readFiles(bot.modelsDir)["BTC/rf.joblib"], "two");
  assert.doesNotMatch(git(repoDir, "config", "--local", "--list"), /promisor|partial/);
  assert.equal(git(repoDir, "config", "model-sync.clone"), "blobless");
  assert.deepEqual(context.log.lines.filter((line) => line.startsWith("warn")), []);
});
