import assert from "node:assert/strict";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { FILE_DAMAGES, OBJECT_DAMAGES } from "../helpers/clone_damages.ts";
import { type Machine, machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { checkpoint, memoryDir, readFiles, type TempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, type RecordedLog, testContext } from "../helpers/test_context.ts";
import { clone, git } from "../helpers/test_git.ts";

/** More processes than any command here needs, and fewer than lazy fetches start in a second. */
const PROCESSES_MAX = 60;

/** A world that counts the processes of git, and kills each after ten seconds. */
function tracedContext(trace: string): Context & { readonly log: RecordedLog } {
  return testContext({
    spawn: (request) =>
      isolatedSpawn({
        ...request,
        timeoutMs: Math.min(request.timeoutMs, 10_000),
        env: { ...request.env, GIT_TRACE2_EVENT: trace },
      }),
  });
}

/** Asserts that few git processes ran, including those that git starts. */
function assertFewProcesses(trace: string): void {
  const starts = Deno.readTextFileSync(trace).split("\n").filter((line) => line.includes('"event":"start"'));
  assert.ok(starts.length < PROCESSES_MAX, `${starts.length} processes`);
  Deno.removeSync(trace);
}

interface World {
  readonly trainer: Machine;
  readonly bot: Machine;
  /** The registry's commits, first to third. */
  readonly tips: readonly string[];
}

/**
 * A registry with three releases after an older one, and a bot whose clone, in the store as by default, has the first.
 */
async function world(dir: TempDir): Promise<World> {
  const trainer = newTrainer(dir.path);
  const made = machine(dir.path, "bot", registryOf(trainer));
  const bot = { ...made, registry: { ...made.registry, isInStore: true } };
  const tips: string[] = [];
  await publishFrom(testContext(), trainer);
  for (const text of ["first", "second", "third"]) {
    writeFiles(trainer.modelsDir, { "BTC/rf.joblib": text });
    await publishFrom(testContext(), trainer);
    tips.push(git(registryOf(trainer), "rev-parse", "main"));
    if (tips.length === 1) await pullTo(testContext(), bot);
  }
  return { trainer, bot, tips };
}

function rewind({ trainer, tips }: World, release: number): void {
  git(registryOf(trainer), "update-ref", "refs/heads/main", tips[release - 1] ?? "");
}

Deno.test("pull() pulls the next release whatever is damaged in its own clone, which is recreated", async (test) => {
  using dir = memoryDir();
  const w = await world(dir);
  const restore = checkpoint(join(dir.path, "bot"), join(dir.path, "bot-before"));
  const trace = join(dir.path, "trace");
  for (const [what, damage] of Object.entries({ ...OBJECT_DAMAGES, ...FILE_DAMAGES })) {
    await test.step(what, async () => {
      restore();
      rewind(w, 2);
      await damage(join(w.bot.registry.repoDir, ".git"));
      const context = tracedContext(trace);
      await pullTo(context, w.bot);
      assertFewProcesses(trace);
      assert.equal(readFiles(w.bot.modelsDir)["BTC/rf.joblib"], "second");
      const isHarmless = what === "no promisor mark";
      const warnings = context.log.lines.filter((line) =>
        /^warn .* is damaged \(.+\); cloning it again$/.test(line)
      );
      assert.equal(warnings.length, isHarmless ? 0 : 1, context.log.lines.join("\n"));
      rewind(w, 3);
      const next = testContext();
      await pullTo(next, w.bot);
      assert.equal(readFiles(w.bot.modelsDir)["BTC/rf.joblib"], "third");
      assert.deepEqual(next.log.lines.filter((line) => line.startsWith("warn")), []);
    });
  }
});

Deno.test("pull() works if its own clone lost the remote's branch, and fetches the history in between", async () => {
  using dir = memoryDir();
  const w = await world(dir);
  rewind(w, 2);
  git(w.bot.registry.repoDir, "update-ref", "-d", "refs/remotes/origin/main");
  await pullTo(testContext(), w.bot);
  assert.equal(readFiles(w.bot.modelsDir)["BTC/rf.joblib"], "second");
});

Deno.test("pull() from a user's damaged partial clone reports the damage, without endless fetches", async (test) => {
  using dir = memoryDir();
  const w = await world(dir);
  const mine = join(dir.path, "user/registry");
  const registry = registryOf(w.trainer);
  git(registry, "config", "uploadpack.allowFilter", "true");
  rewind(w, 1);
  Deno.mkdirSync(join(dir.path, "user"));
  git(dir.path, "clone", "--quiet", "--filter=blob:none", `file://${registry}`, mine);
  const made = machine(dir.path, "user", registry);
  const user = { ...made, registry: { ...made.registry, repoDir: mine, repoUrl: undefined } };
  await pullTo(testContext(), user);
  rewind(w, 2);
  const restore = checkpoint(join(dir.path, "user"), join(dir.path, "user-before"));
  const trace = join(dir.path, "trace");
  for (const what of Object.keys(OBJECT_DAMAGES)) {
    await test.step(what, async () => {
      restore();
      await OBJECT_DAMAGES[what]?.(join(mine, ".git"));
      // Git still works.
      if (["no promisor mark", "garbage for alternates"].includes(what)) {
        return void await pullTo(tracedContext(trace), user);
      }
      await assert.rejects(pullTo(tracedContext(trace), user), {
        code: "CLONE_DAMAGED",
        exitCode: 7,
        message: /^Cannot use the clone .*registry: \S/,
      });
      assertFewProcesses(trace);
      assert.equal(readFiles(user.modelsDir)["BTC/rf.joblib"], "first");
    });
  }
});

Deno.test("pull() and publish() report damage in a user's whole clone, and change nothing there", async (test) => {
  using dir = memoryDir();
  const w = await world(dir);
  rewind(w, 1);
  const made = machine(dir.path, "user", registryOf(w.trainer));
  const mine = clone(registryOf(w.trainer), made.registry.repoDir);
  const user = { ...made, registry: { ...made.registry, repoDir: mine, repoUrl: undefined } };
  rewind(w, 2);
  const restore = checkpoint(join(dir.path, "user"), join(dir.path, "user-before"));
  const harmless = [
    "no promisor mark",
    "garbage for alternates",
    "an empty shallow",
    "an empty config",
    "a config without a remote",
    "no git folder",
  ];
  for (const [what, damage] of Object.entries({ ...OBJECT_DAMAGES, ...FILE_DAMAGES })) {
    if (harmless.includes(what)) continue;
    await test.step(what, async () => {
      restore();
      await damage(join(mine, ".git"));
      const publisher = { ...w.trainer, registry: user.registry };
      for (const run of [() => pullTo(testContext(), user), () => publishFrom(testContext(), publisher)]) {
        await assert.rejects(run, {
          code: "CLONE_DAMAGED",
          exitCode: 7,
          message: /^Cannot use the clone .*registry: \S/,
        });
      }
    });
  }
});
