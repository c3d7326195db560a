import assert from "node:assert/strict";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { DiskError, ModelSyncError } from "../../lib/core/errors.ts";
import { checkPrograms, checkRegistry } from "../../lib/doctor/git_checks.ts";
import { gitError } from "../../lib/git/git_error.ts";
import { Git } from "../../lib/git/git.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { type Machine, machine, publishFrom, pullTo } from "../helpers/machines.ts";
import { checkpoint, memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, git } from "../helpers/test_git.ts";

/** Git's messages when system calls fail with `strace -e inject`, and messages that it may print besides. */
const WORDS = [
  "fatal: unable to read tree (1a2b3c): Input/output error",
  "error: file write error: No space left on device\nfatal: failed to write object",
  "error: unable to create temporary file: Read-only file system\nfatal: failed to write commit object",
  "fatal: update_ref failed for ref 'refs/heads/main': cannot update ref 'refs/heads/main': couldn't write '/r/.git/refs/heads/main.lock'",
  "error: cannot update the ref 'refs/remotes/origin/main': unable to create directory for '.git/logs/refs/remotes/origin/main': No such file or directory",
  "error: cannot mmap pack: Structure needs cleaning\nfatal: bad object HEAD",
  "error: Disk quota exceeded\nfatal: unable to write new index file",
  "error: index-pack died of signal 7\nfatal: fetch-pack: invalid index-pack output",
];

/** A world in which the n-th git, and with `stays` every later one, fails with the message of a disk fault. */
function faultyContext(fails: number, stays: boolean): { context: Context; readonly calls: () => number } {
  let calls = 0;
  const context = testContext({
    spawn: (request) => {
      const call = request.command === "git" ? ++calls : 0;
      const isHit = call === fails || (stays && call > fails);
      if (!isHit) return isolatedSpawn(request);
      const words = WORDS[call % WORDS.length] ?? "";
      const { stdin: _unread, ...rest } = request;
      return isolatedSpawn({ ...rest, command: "sh", args: ["-c", `echo "$1" >&2; exit 128`, "sh", words] });
    },
  });
  return { context, calls: () => calls };
}

/** Runs a command with a fault at each of its git calls, one at a time, and then without. */
async function failEverywhere(
  restore: () => void,
  run: (context: Context) => Promise<unknown>,
  check: () => void,
): Promise<void> {
  for (let fails = 1;; fails++) {
    assert.ok(fails < 200, "a command makes fewer calls");
    restore();
    const { context, calls } = faultyContext(fails, fails % 2 === 0);
    const error: unknown = await run(context).then(() => undefined, (error: unknown) => error);
    if (calls() < fails) break;
    const shown = `call ${fails}: ${error instanceof Error ? error.message : "no error"}`;
    assert.ok(error instanceof ModelSyncError, shown);
    assert.equal(error.exitCode, 7, shown);
    assert.match(error.message, /^Cannot [^\n]+$/, shown);
    assert.ok(error.hint !== undefined, shown);
    await run(testContext());
    check();
  }
}

interface World {
  readonly trainer: Machine;
  readonly bot: Machine;
  readonly registry: string;
}

async function world(root: string): Promise<World> {
  const registry = bareRepository(join(root, "registry.git"));
  const [trainer, bot] = [machine(root, "trainer", registry), machine(root, "bot", registry)];
  writeFiles(trainer.modelsDir, { "a.onnx": "one" });
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  writeFiles(trainer.modelsDir, { "a.onnx": "two" });
  return { trainer, bot, registry };
}

Deno.test("a disk fault in any git call of a pull is exit code 7, and the next pull pulls", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await world(dir.path);
  await publishFrom(testContext(), trainer);
  const restore = checkpoint(join(dir.path, "bot"), join(dir.path, "bot-before"));
  await failEverywhere(
    restore,
    (context) => pullTo(context, bot),
    () => assert.deepEqual(readFiles(bot.modelsDir), { "a.onnx": "two" }),
  );
});

Deno.test("a disk fault in any git call of a first pull is exit code 7, and the next pull pulls", async () => {
  using dir = memoryDir();
  const { trainer, registry } = await world(dir.path);
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "new", registry);
  const restore = checkpoint(join(dir.path, "new"), join(dir.path, "new-before"));
  await failEverywhere(
    restore,
    (context) => pullTo(context, bot),
    () => assert.deepEqual(readFiles(bot.modelsDir), { "a.onnx": "two" }),
  );
});

Deno.test("a disk fault in any git call of a publish is exit code 7, and the next publish publishes", async () => {
  using dir = memoryDir();
  const { trainer, registry } = await world(dir.path);
  const before = git(registry, "rev-parse", "main");
  const restore = checkpoint(join(dir.path, "trainer"), join(dir.path, "trainer-before"));
  await failEverywhere(
    () => {
      restore();
      git(registry, "update-ref", "refs/heads/main", before);
    },
    (context) => publishFrom(context, trainer),
    () => assert.equal(git(registry, "show", "main:models/a.onnx"), "two"),
  );
});

Deno.test("doctor reports a disk fault of any git call in one failed check", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await world(dir.path);
  await pullTo(testContext(), bot);
  for (const { registry } of [bot, trainer]) {
    for (let fails = 1, calls = fails; calls >= fails; fails++) {
      const faulty = faultyContext(fails, false);
      const scratch = Deno.makeTempDirSync({ dir: dir.path });
      const checks = [
        ...await checkPrograms(faulty.context),
        ...await checkRegistry(faulty.context, registry, scratch),
      ];
      calls = faulty.calls();
      const failed = checks.filter(({ status }) => status === "fail");
      assert.equal(failed.length, calls >= fails ? 1 : 0, `call ${fails}: ${JSON.stringify(failed)}`);
    }
  }
});

Deno.test("gitError() recognizes every message of a failing disk, unless it comes from the remote", () => {
  for (const words of WORDS) {
    assert.ok(gitError("do it", words) instanceof DiskError, words);
    const remote = words.split("\n").map((line) => `remote: ${line}`).join("\n");
    assert.ok(!(gitError("do it", remote) instanceof DiskError), words);
  }
});

Deno.test("a git that dies of a bus error is a disk fault, not an answer", async () => {
  using dir = memoryDir();
  const context = testContext({
    spawn: (request) => isolatedSpawn({ ...request, command: "sh", args: ["-c", "kill -7 $$"] }),
  });
  const dying = new Git(context, { repoDir: dir.path, transferTimeoutMs: 60_000 });
  await assert.rejects(dying.attempt(["config", "--get", "x.y"], { action: "read x.y" }), {
    exitCode: 7,
    message: "Cannot read x.y: git died of a bus error: Input/output error",
  });
});

Deno.test("a git that was killed has not answered, and its error says where to look for the cause", async () => {
  using dir = memoryDir();
  const context = testContext({
    spawn: (request) => isolatedSpawn({ ...request, command: "sh", args: ["-c", "kill -9 $$"] }),
  });
  const git = new Git(context, { repoDir: dir.path, transferTimeoutMs: 60_000 });
  const hint = "check the system's log for the cause: out of memory, a restart, kill; then run again";
  await assert.rejects(git.attempt(["config", "--get", "x.y"], { action: "read x.y" }), {
    exitCode: 1,
    message: "Cannot read x.y: git died of signal 9",
    hint,
  });
  const ofItsChild = gitError(
    "fetch",
    "error: index-pack died of signal 9\nfatal: fetch-pack: invalid index-pack output",
  );
  assert.equal(ofItsChild.hint, hint);
});

Deno.test("a reference that cannot be read from the disk is exit code 7, not a missing branch", async () => {
  using dir = memoryDir();
  const { trainer, bot } = await world(dir.path);
  for (const name of ["HEAD", "refs/heads/main"]) {
    const unreadable = new Error("Input/output error (os error 5)");
    Object.assign(unreadable, { code: "EIO" });
    const context = testContext({
      fs: {
        ...Deno,
        openSync: (path, options) => {
          if (String(path).endsWith(`.git/${name}`)) throw unreadable;
          return Deno.openSync(path, options);
        },
      },
    });
    for (const run of [() => pullTo(context, bot), () => publishFrom(context, trainer)]) {
      await assert.rejects(run, { exitCode: 7, code: "DISK", message: new RegExp(`read .*\\.git/${name}`) });
    }
  }
});

Deno.test("a disk fault after a push is reported for the clone, and the next publish finds the release published", async () => {
  using dir = memoryDir();
  const { trainer, registry } = await world(dir.path);
  const gitDir = join(dir.path, "trainer/registry/.git");
  let isPushed = false;
  const fs = countingFs((step) => {
    isPushed ||= step === `remove ${join(gitDir, "model-sync.packs")}`;
    if (isPushed && step === `syncSync ${gitDir}`) throw osError("EIO");
  });
  await assert.rejects(publishFrom(testContext({ fs }), trainer), {
    message: `Cannot write ${gitDir} to the disk: the disk reports an input/output error`,
  });
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged");
  assert.equal(git(registry, "show", "main:models/a.onnx"), "two");
  assert.equal(git(registry, "rev-list", "--count", "main"), "2");
});
