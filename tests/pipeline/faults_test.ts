import assert from "node:assert/strict";
import { join } from "node:path";
import { FailedError, InterruptedError } from "../../lib/core/errors.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { openStore } from "../../lib/store/store.ts";
import { readHistory } from "../../lib/store/history.ts";
import { readPendingReload } from "../../lib/store/pending_reload.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { type Machine, machine, publishFrom, pullTo, rollBack, storeOf } from "../helpers/machines.ts";
import { PROJECT } from "../helpers/run_cli.ts";
import { checkpoint, foreignDir, memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository } from "../helpers/test_git.ts";

const V1 = { "a.onnx": "one", "b.json": "{}" };
const V2 = { "a.onnx": "two", "b.json": "{}", "c.onnx": "three" };

interface World {
  readonly trainer: Machine;
  readonly bot: Machine;
}

/** V1 is pulled, V2 is published. */
async function world(root: string): Promise<World> {
  const registry = bareRepository(join(root, "registry.git"));
  const trainer = machine(root, "trainer", registry);
  const bot = machine(root, "bot", registry);
  writeFiles(trainer.modelsDir, V1);
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  writeFiles(trainer.modelsDir, V2);
  await publishFrom(testContext(), trainer);
  return { trainer, bot };
}

function osError(code: string): Error {
  return Object.assign(new Error(`simulated ${code}`), { code });
}

/** Returns whether a step changes the disk other than by removing, which works on a full disk. */
function isWrite(step: string): boolean {
  return !step.startsWith("remove");
}

/**
 * Returns the writes of a pull at which a fault can make a difference, by number. Of syncs in a row, the first stands for all:
 * one loop syncs them.
 */
async function distinctWrites(bot: Machine): Promise<number[]> {
  const writes: string[] = [];
  const fs = countingFs((step) => void (isWrite(step) && writes.push(step)));
  await pullTo(testContext({ fs }), bot);
  const isSync = (step: string | undefined) => step?.startsWith("sync") === true;
  return writes.flatMap((step, index) => isSync(step) && isSync(writes[index - 1]) ? [] : [index + 1]);
}

Deno.test("a disk that keeps the note of a notification does not make the release one that failed its reload", async () => {
  using dir = memoryDir();
  const { bot } = await world(dir.path);
  const fs = countingFs((step) => {
    if (/^remove .*pending_reload\.json$/.test(step)) throw osError("EIO");
  });
  const context = testContext({ fs });
  assert.equal((await pullTo(context, bot)).outcome, "activated");
  assert.deepEqual(readFiles(bot.modelsDir), V2);
  const warnings = context.log.lines.filter((line) => line.startsWith("warn"));
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /the next run notifies them again$/);
  assert.equal((await pullTo(testContext(), bot)).outcome, "unchanged");
  assert.equal(readPendingReload(storeOf(testContext(), bot)), undefined);
});

// Every write for the most frequent fault; the others are handled alike.
for (const [code, stride] of [["ENOSPC", 1], ["EIO", 7], ["EDQUOT", 7], ["EROFS", 7]] as const) {
  Deno.test(`a pull that fails with ${code} at any of its writes ends with exit code 7 and a whole release`, async () => {
    let faults = 0;
    using dir = memoryDir();
    const { bot } = await world(join(dir.path, "world"));
    const backToStart = checkpoint(join(dir.path, "world"), join(dir.path, "start"));
    const writes = await distinctWrites(bot);
    for (const failAt of writes.filter((_, index) => index % stride === 0)) {
      backToStart();
      let steps = 0;
      // From the n-th change on, every change fails, as on a full disk.
      const fs = countingFs((step) => {
        if (isWrite(step) && ++steps >= failAt) throw osError(code);
      });
      const context = testContext({ fs });
      const failure = await pullTo(context, bot).then(() => undefined, (error: unknown) => error);
      if (failure === undefined) {
        // The release was active by then: the run warns of what it could not write.
        assert.deepEqual(readFiles(bot.modelsDir), V2, `no error although write ${failAt} failed`);
        assert.ok(
          context.log.lines.some((line) => line.startsWith("warn Cannot")),
          context.log.lines.join("\n"),
        );
        continue;
      }
      faults++;
      assert.ok(failure instanceof Error, `write ${failAt}: ${failure}`);
      assert.ok("exitCode" in failure && failure.exitCode === 7, `write ${failAt}: ${failure.stack}`);
      const seen = JSON.stringify(readFiles(bot.modelsDir));
      assert.ok([V1, V2].some((version) => JSON.stringify(version) === seen), `write ${failAt}: ${seen}`);
      await pullTo(testContext(), bot);
      assert.deepEqual(readFiles(bot.modelsDir), V2);
    }
    assert.ok(faults * stride > 30, `only ${faults} writes were failed`);
  });
}

Deno.test("a pull refuses before the download what the disk cannot hold", async () => {
  using dir = memoryDir();
  const { bot } = await world(dir.path);
  await assert.rejects(pullTo(testContext({ freeBytes: () => Promise.resolve(1024) }), bot), {
    code: "DISK",
    exitCode: 7,
    message: /1\.0 KiB free, 16\.0 MiB kept spare$/,
  });
  assert.deepEqual(readFiles(bot.modelsDir), V1);
});

Deno.test("a pull that is stopped at any step ends interrupted, with a whole release, and is on record", async () => {
  let stops = 0;
  using dir = memoryDir();
  const { bot } = await world(join(dir.path, "world"));
  const backToStart = checkpoint(join(dir.path, "world"), join(dir.path, "start"));
  for (let stopAt = 1;; stopAt += 4) {
    backToStart();
    const controller = new AbortController();
    let steps = 0;
    const fs = countingFs(() => {
      if (++steps === stopAt) controller.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
    });
    const context = testContext({ fs, signal: controller.signal });
    const outcome = await pullTo(context, bot).then((report) => report.outcome, (error: unknown) => error);
    if (steps < stopAt) break;
    const seen = readFiles(bot.modelsDir);
    if (outcome === "activated") assert.deepEqual(seen, V2);
    else {
      stops++;
      assert.ok(outcome instanceof InterruptedError, `step ${stopAt}: ${String(outcome)}`);
      assert.deepEqual(seen, V1);
      assert.equal(readHistory(storeOf(testContext(), bot), 1)[0]?.outcome, "interrupted");
    }
    await pullTo(testContext(), bot);
    assert.deepEqual(readFiles(bot.modelsDir), V2);
  }
  assert.ok(stops > 3, `only ${stops} stops`);
});

Deno.test("a second run names the run that holds the store, and ends with exit code 6", async () => {
  using dir = memoryDir();
  const { bot } = await world(dir.path);
  const store = storeOf(testContext(), bot);
  const holder = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "-A",
      "--config",
      `${PROJECT}deno.json`,
      `${PROJECT}tests/pipeline/lock_holder.ts`,
      store.lock,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = holder.stdout.getReader();
  await reader.read();
  await assert.rejects(pullTo(testContext(), bot), {
    code: "LOCKED",
    exitCode: 6,
    message: new RegExp(`held by pid ${holder.pid} on gpu-1 since .* running pull \\(run r1\\)`),
  });
  assert.equal(readHistory(store, 1)[0]?.error?.code, "LOCKED");
  // Its lock ends with it, even after a kill.
  holder.kill("SIGKILL");
  await reader.cancel();
  await holder.stdin.close().catch(() => {});
  await holder.status;
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), V2);
});

Deno.test("a rollback whose activation fails leaves the release active and not quarantined", async () => {
  using dir = memoryDir();
  const { bot } = await world(dir.path);
  await pullTo(testContext(), bot);
  const fs = countingFs((step) => {
    if (step.startsWith("rename") && step.includes("current")) throw osError("EIO");
  });
  await assert.rejects(rollBack(testContext({ fs }), bot), { exitCode: 7 });
  assert.deepEqual(readFiles(bot.modelsDir), V2);
  assert.equal((await pullTo(testContext(), bot)).outcome, "unchanged");
  await rollBack(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), V1);
});

const hasOther = (() => {
  using folder = foreignDir();
  return folder !== undefined;
})();

Deno.test({
  name: "a store on another file system is refused in symlink mode, and works in mirror mode" +
    (hasOther ? "" : " (skipped: no second file system here)"),
  ignore: !hasOther,
  fn: async () => {
    using dir = memoryDir();
    const { trainer } = await world(dir.path);
    using foreign = foreignDir();
    assert.ok(foreign !== undefined);
    const elsewhere: Machine = {
      ...machine(dir.path, "elsewhere", trainer.registry.repoUrl ?? ""),
      stateDir: foreign.path,
    };
    writeFiles(elsewhere.modelsDir, { "mine.onnx": "from before" });
    await assert.rejects(pullTo(testContext(), elsewhere), { code: "OTHER_FILE_SYSTEM", exitCode: 7 });
    assert.deepEqual(readFiles(elsewhere.modelsDir), { "mine.onnx": "from before" });
    await pullTo(testContext(), elsewhere, { activation: "mirror" });
    assert.deepEqual(readFiles(elsewhere.modelsDir), V2);
  },
});

/** Returns whether another process could take the lock now. */
function isFree(lock: string): boolean {
  const script = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)";
  return new Deno.Command("python3", { args: ["-c", script, lock], stderr: "null" }).outputSync().success;
}

const hasFlock = Deno.build.os !== "windows" &&
  new Deno.Command("sh", { args: ["-c", "command -v python3"], stdout: "null" }).outputSync().success;

Deno.test({
  name: "a failed run is settled and on record before another run can begin" +
    (hasFlock ? "" : " (needs python3 to look at the lock)"),
  ignore: !hasFlock,
  async fn() {
    using dir = memoryDir();
    const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
    const freeAt: Record<string, boolean> = {};
    const fs = countingFs((step) => {
      if (/(history|intent)\.json/.test(step)) freeAt[step.replace(dir.path, "")] = isFree(store.lock);
    });
    const work = () => Promise.reject(new FailedError("no", { code: "TEST" }));
    await assert.rejects(
      recordedRun(testContext({ fs }), { ...store, fs }, { command: "pull", lock: "store", sinks: [] }, work),
      { code: "TEST" },
    );
    assert.ok(Object.keys(freeAt).some((step) => step.startsWith("remove")), JSON.stringify(freeAt));
    assert.deepEqual(Object.entries(freeAt).filter(([, free]) => free), []);
    assert.equal(isFree(store.lock), true);
  },
});

Deno.test("a first pull keeps a model folder whose files are another user's", async () => {
  using dir = memoryDir();
  const registry = bareRepository(join(dir.path, "registry.git"));
  const trainer = machine(dir.path, "trainer", registry);
  const bot = machine(dir.path, "bot", registry);
  writeFiles(trainer.modelsDir, { "a.onnx": "new" });
  await publishFrom(testContext(), trainer);
  writeFiles(bot.modelsDir, { "a.onnx": "old" });
  const fs = {
    ...Deno,
    chmodSync: (path: string | URL, mode: number) => {
      if (!String(path).includes("/releases/")) return Deno.chmodSync(path, mode);
      throw Object.assign(new Deno.errors.PermissionDenied("Operation not permitted"), { code: "EPERM" });
    },
  };
  await pullTo(testContext({ fs }), bot);
  await rollBack(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), { "a.onnx": "old" });
});
