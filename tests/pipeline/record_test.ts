import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { ModelSync } from "../../lib/config/schema.ts";
import { type Context } from "../../lib/core/context.ts";
import { DiskError, FailedError, InterruptedError, ModelSyncError } from "../../lib/core/errors.ts";
import { findEntry } from "../../lib/core/files.ts";
import { acquireLock, isLocked } from "../../lib/core/lock.ts";
import { CurrentRun } from "../../lib/pipeline/current_run.ts";
import { addActiveToHint, readActiveNow } from "../../lib/pipeline/active_after_run.ts";
import { openSinks } from "../../lib/pipeline/open_sinks.ts";
import { recordedRun, type RunLock } from "../../lib/pipeline/run.ts";
import { RolledBackError } from "../../lib/pipeline/run_report.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import type { RunSink } from "../../lib/store/run_sink.ts";
import { readHistory, type RunRecord } from "../../lib/store/history.ts";
import { readIntent, writeIntent } from "../../lib/store/intent.ts";
import { clearPendingReload, readPendingReload } from "../../lib/store/pending_reload.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { refillReserve } from "../../lib/store/reserve.ts";
import { findRunning, markRun } from "../../lib/store/running.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { osError } from "../helpers/fake_fs.ts";
import { pulledReleases, storeOf } from "../helpers/machines.ts";
import { readFiles, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const KILLED = "20260101T000000Z-abcdef";
const DIGEST = `sha256:${"ab".repeat(32)}` as const;

function storeIn(dir: TempDir): Store {
  return openStore(Deno, { modelsDir: join(dir.path, "models") });
}

/** Leaves the store as a process that was killed in a step that began 90 seconds after the run. */
function leaveKilled(store: Store, step = "train", runId = KILLED): void {
  const path = join(store.root, "running", `${runId}.json`);
  const context = testContext({ host: "gpu-1", clock: new FakeClock("2026-01-01T00:01:30Z") });
  const mark = markRun(context, store, { runId, command: "runpod-pull", startedAt: "2026-01-01T00:00:00Z" });
  mark.note(step, [{ name: "resolve", startMs: 0, durationMs: 5 }]);
  const text = Deno.readTextFileSync(path);
  mark[Symbol.dispose]();
  Deno.writeTextFileSync(path, text);
}

async function run(
  store: Store,
  command = "pull",
  lock: RunLock = "store",
  context: Context = testContext(),
) {
  const options = { command, lock, sinks: [] };
  return await recordedRun(context, store, options, () => Promise.resolve({ outcome: "unchanged" }));
}

/** The errors of the runs on record, newest first. */
function recorded(store: Store): (string | undefined)[] {
  return readHistory(store, 100).map(({ command, error }) =>
    [command, error?.code].filter(Boolean).join(" ")
  );
}

Deno.test("the next run records a run that was killed before it wrote an intent, whatever that next run locks", async () => {
  for (const lock of ["store", "references", "redeploy", "control"] as const) {
    using dir = tempDir();
    const store = storeIn(dir);
    leaveKilled(store);
    await run(store, "next", lock);
    await run(store, "next", "store");
    assert.deepEqual(recorded(store), ["next", "next", "runpod-pull KILLED"], lock);
    const killed = readHistory(store, 5).at(-1);
    assert.equal(killed?.runId, KILLED);
    assert.equal(killed?.host, "gpu-1");
    assert.equal(killed?.outcome, "interrupted");
    assert.ok(killed.durationMs > 0, "until its last step began");
    assert.match(killed?.error?.message ?? "", /was killed in its step "train"$/);
    assert.deepEqual(killed?.steps, [{ name: "resolve", startMs: 0, durationMs: 5 }]);
    assert.deepEqual([...Deno.readDirSync(join(store.root, "running"))], []);
  }
});

Deno.test("a killed run with an intent is recorded once, by the run that settles it", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  leaveKilled(store, "stage");
  const announced = { runId: KILLED, command: "pull", startedAt: "2026-01-01T00:00:00Z" };
  writeIntent(store, { ...announced, phase: "preparing" });
  await run(store, "references-sync", "references");
  assert.deepEqual(recorded(store), ["references-sync"]);
  await run(store);
  await run(store);
  assert.deepEqual(recorded(store), ["pull", "pull", "pull KILLED", "references-sync"]);
  const killed = readHistory(store, 3).at(-1);
  assert.match(
    killed?.error?.message ?? "",
    /was killed in its step "stage"; the next run has undone its work/,
  );
  assert.equal(killed?.outcome, "interrupted");
});

Deno.test("the record of a killed activation says how the next run settled it, and a finished one leaves its notification to a pull", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "one" }, { "a.bin": "two" }]);
  const store = storeOf(testContext(), bot);
  const [from, to] = [readPointer(store, "previous"), readPointer(store, "current")];
  assert.ok(from !== undefined && to !== undefined);
  const startedAt = "2026-01-01T00:00:00Z";
  const activating = { phase: "activating", mode: "symlink", previousBefore: from } as const;
  const pending = { digest: to, previous: from };
  for (
    const [phase, resolution, outcome, notification] of [
      [{ ...activating, from, to }, "finished", "activated", pending],
      [{ ...activating, from: to, to }, "finished", "activated", undefined],
      [{ ...activating, from: to, to: from }, "undone", "interrupted", undefined],
      [{ phase: "preparing" }, "undone", "interrupted", undefined],
    ] as const
  ) {
    const runId = `20260101T00000${readHistory(store, 100).length}Z-abcdef`;
    leaveKilled(store, "activate", runId);
    writeIntent(store, { runId, command: "pull", startedAt, ...phase });
    writeFiles(join(store.staging, runId), { "half.bin": "half" });
    const context = testContext();
    await run(store, "prune", "store", context);
    assert.deepEqual(readHistory(store, 2).at(-1), {
      runId,
      command: "pull",
      startedAt,
      outcome,
      durationMs: 90_000,
      steps: [{ name: "resolve", startMs: 0, durationMs: 5 }],
      host: "gpu-1",
      release: to,
      error: {
        code: "KILLED",
        message: `the run was killed in its step "activate"; the next run has ${resolution} its work`,
        hint: "check the system's log for the cause: out of memory, a restart, kill -9",
      },
    });
    assert.deepEqual(context.log.lines, [
      `warn the pull of ${startedAt} was interrupted and is ${resolution}; release ${
        shortDigest(to)
      } is active`,
    ]);
    assert.deepEqual(readPendingReload(store), notification);
    clearPendingReload(store);
    for (const left of ["running", "staging"]) {
      assert.deepEqual([...Deno.readDirSync(join(store.root, left))], []);
    }
  }
});

Deno.test("a killed activation that one run cannot settle is settled, recorded and announced by the next", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "one" }, { "a.bin": "two" }]);
  const store = storeOf(testContext(), bot);
  const [from, to] = [readPointer(store, "previous"), readPointer(store, "current")];
  assert.ok(from !== undefined && to !== undefined);
  leaveKilled(store, "activate");
  const killed = { runId: KILLED, command: "pull", startedAt: "2026-01-01T00:00:00Z" };
  writeIntent(store, { ...killed, phase: "activating", mode: "symlink", from, to, previousBefore: null });
  writeFiles(join(store.staging, KILLED), { "half.bin": "half" });
  const fs = countingFs((step) => {
    if (step.startsWith("remove") && step.includes(KILLED)) throw osError("EIO");
  });
  await assert.rejects(run({ ...store, fs }, "pull", "store", testContext({ fs })), (error) => {
    assert.ok(error instanceof DiskError);
    assert.ok(
      error.hint?.endsWith(`release ${shortDigest(to)} is active; the next run settles what this one left`),
      error.hint,
    );
    return true;
  });
  await run(store);
  assert.deepEqual(recorded(store).slice(0, 3), ["pull", "pull KILLED", "pull DISK"]);
  assert.match(readHistory(store, 2).at(-1)?.error?.message ?? "", /the next run has finished its work$/);
  assert.deepEqual(readPendingReload(store), { digest: to, previous: from });
});

Deno.test("a run announces itself while it works, and a run that cannot announce itself leaves nothing to settle", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const options = { command: "pull", lock: "store", sinks: [] } as const;
  const fail = () => Promise.reject(new FailedError("x", { code: "X" }));
  await recordedRun(testContext(), store, options, ({ runId, command, startedAt }) => {
    assert.deepEqual(readIntent(store), { runId, command, startedAt, phase: "preparing" });
    return Promise.resolve({ outcome: "activated" });
  });
  assert.equal(readIntent(store), undefined);
  const hint = "no release is active";
  await assert.rejects(recordedRun(testContext(), store, options, fail), { code: "X", hint });
  assert.equal(readIntent(store), undefined);
  writeIntent(store, {
    runId: KILLED,
    command: "pull",
    startedAt: "2026-01-01T00:00:00Z",
    phase: "preparing",
  });
  const fs = countingFs((step) => {
    if (step.includes("intent.json") && !step.startsWith("remove")) throw osError("ENOSPC");
  });
  const context = testContext({ fs });
  await assert.rejects(recordedRun(context, { ...store, fs }, options, fail), { code: "X", hint });
  assert.equal(readIntent(store), undefined);
  assert.deepEqual(recorded(store), ["pull X", "pull KILLED", "pull X", "pull"]);
});

Deno.test("a run that asks first announces itself with the step after its query, but not over the announcement of a change", async () => {
  const moving = {
    phase: "activating",
    mode: "symlink",
    from: null,
    to: DIGEST,
    previousBefore: null,
  } as const;
  for (const announced of ["preparing", "activating"] as const) {
    using dir = tempDir();
    const store = storeIn(dir);
    const options = { command: "pull", lock: "store", sinks: [], asksFirst: true } as const;
    await recordedRun(testContext(), store, options, async (run) => {
      await run.step("resolve", () => assert.equal(readIntent(store), undefined));
      if (announced === "activating") writeIntent(store, { ...run, ...moving });
      await run.step("inspect", () => assert.equal(readIntent(store)?.phase, announced));
      await run.step("stage", () => assert.equal(readIntent(store)?.runId, run.runId));
      return { outcome: "activated" };
    });
    assert.equal(readIntent(store), undefined);
  }
});

Deno.test("a run removes what killed runs left, and nothing that a pull continues or a pointer names", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "one" }]);
  const store = storeOf(testContext(), bot);
  const active = (readPointer(store, "current") ?? "").slice("sha256:".length);
  const other = DIGEST.slice("sha256:".length);
  writeFiles(store.root, {
    [`releases/${other}/a.bin`]: "without a manifest",
    [`releases/${"0".repeat(64)}.json`]: "without files",
    "partials/old": "begun",
    "partials/young": "begun",
    "running/old.json.new": "",
    "running/young.json.new": "",
  });
  for (const name of ["partials/old", "running/old.json.new"]) Deno.utimeSync(join(store.root, name), 1, 1);
  Deno.symlinkSync("nowhere", join(store.root, "previous"));
  Deno.removeSync(join(store.releases, `${active}.json`));
  await run(store);
  const names = (folder: string) =>
    Array.from(Deno.readDirSync(join(store.root, folder)), ({ name }) => name).sort();
  assert.deepEqual(names("releases"), [active]);
  assert.deepEqual(names("partials"), ["young"]);
  assert.deepEqual(names("running"), ["young.json.new"]);
  assert.throws(() => Deno.lstatSync(join(store.root, "previous")), Deno.errors.NotFound);
});

Deno.test("a run replaces a pointer that is a file by a link, if the model folder leads through it", async () => {
  for (const activation of ["symlink", "mirror"] as const) {
    using dir = tempDir();
    const { bot } = await pulledReleases(dir.path, [{ "a.bin": "one" }], { activation });
    const store = storeOf(testContext(), bot);
    const current = join(store.root, "current");
    const digest = readPointer(store, "current") ?? "";
    Deno.removeSync(current);
    Deno.writeTextFileSync(current, `releases/${digest.slice("sha256:".length)}\n`);
    const context = testContext();
    await run(store, "prune", "store", context);
    const isLinked = activation === "symlink";
    assert.equal(Deno.lstatSync(current).isSymlink, isLinked);
    assert.equal(readPointer(store, "current"), digest);
    assert.deepEqual(readFiles(bot.modelsDir), { "a.bin": "one" });
    assert.equal(
      context.log.lines.filter((line) => /it is a link again/.test(line)).length,
      isLinked ? 1 : 0,
    );
  }
});

Deno.test("running runs are listed, and not recorded as killed", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const context = testContext();
  const options = { command: "publish", lock: "store", sinks: [] } as const;
  await recordedRun(context, store, options, async (outer) => {
    await outer.step("train", async () => {
      await run(store, "references-sync", "references");
      const [running] = await findRunning(store);
      assert.deepEqual(
        [running?.runId, running?.command, running?.step, running?.pid],
        [outer.runId, "publish", "train", Deno.pid],
      );
    });
    return { outcome: "published" };
  });
  assert.deepEqual(recorded(store), ["publish", "references-sync"]);
  assert.deepEqual(await findRunning(store), []);
});

Deno.test("a killed run that several runs find at the same time is recorded once", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  for (let count = 0; count < 5; count++) leaveKilled(store, "stage", `20260101T00000${count}Z-abcdef`);
  await Promise.all(["references", "redeploy", "control", "store"].map(async (lock) => {
    await run(
      store,
      lock,
      lock === "references" || lock === "redeploy" || lock === "control" ? lock : "store",
    );
  }));
  const ids = readHistory(store, 100).map(({ runId }) => runId);
  assert.equal(ids.length, 9);
  assert.equal(new Set(ids).size, 9);
});

Deno.test("a run with a damaged mark is recorded under the name of the mark", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  Deno.mkdirSync(join(store.root, "running"));
  Deno.writeTextFileSync(join(store.root, "running", `${KILLED}.json`), '{"runId":');
  await run(store);
  assert.deepEqual(recorded(store), ["pull", "unknown KILLED"]);
  const killed = readHistory(store, 5).at(-1);
  assert.deepEqual([killed?.runId, killed?.startedAt], [KILLED, "2026-01-01T00:00:00Z"]);
});

Deno.test("a record has the steps with their durations, and after a failure the last log lines and the hint", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const options = { command: "pull", lock: "references", sinks: [] } as const;
  const clock = new FakeClock("2026-11-21T00:00:00Z");
  const failing = recordedRun(testContext({ clock }), store, options, async (run, { log }) => {
    for (let line = 1; line <= 25; line++) log.info(`line ${line}`);
    log.debug("nobody sees this");
    await run.step("resolve", () => clock.advance(200));
    return await run.step("stage", () => {
      clock.advance(1500);
      log.warn("the disk is slow");
      throw new FailedError("Cannot stage", { code: "X", hint: "look at the disk" });
    });
  });
  await assert.rejects(failing, { code: "X" });
  const [record] = readHistory(store, 1);
  assert.deepEqual(record?.steps, [
    { name: "resolve", startMs: 0, durationMs: 200 },
    { name: "stage", startMs: 200, durationMs: 1500 },
  ]);
  assert.equal(record?.durationMs, 1700);
  assert.deepEqual(record?.error, {
    code: "X",
    message: "Cannot stage",
    hint: "look at the disk",
    exitCode: 1,
  });
  assert.deepEqual([record?.log?.length, record?.log?.[0], record?.log?.at(-1)], [
    20,
    "info: line 7",
    "warn: the disk is slow",
  ]);
});

Deno.test("a record without steps and log lines names neither, and only that of a failure has log lines", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const clock = new FakeClock("2026-11-21T00:00:00Z");
  const options = { command: "pull", lock: "store", sinks: [] } as const;
  const common = { command: "pull", startedAt: "2026-11-21T00:00:00Z", durationMs: 0, host: "test-host" };
  const last = () => {
    const [record] = readHistory(store, 1);
    assert.ok(record !== undefined);
    const { runId, ...rest } = record;
    assert.match(runId, /^20261121T000000Z-/);
    return rest;
  };
  await recordedRun(testContext({ clock }), store, options, (_run, { log }) => {
    log.info("nothing to do");
    return Promise.resolve({ outcome: "unchanged" });
  });
  assert.deepEqual(last(), { ...common, outcome: "unchanged" });
  const activated = { release: DIGEST, sequence: 7, carrier: "git", revision: "abc" } as const;
  const failing = recordedRun(testContext({ clock }), store, options, (run) => {
    run.activated = activated;
    return Promise.reject(new FailedError("x", { code: "X" }));
  });
  await assert.rejects(failing, { code: "X" });
  const error = { code: "X", message: "x", hint: "no release is active", exitCode: 1 };
  assert.deepEqual(last(), { ...common, outcome: "failed", activated, error });
});

Deno.test("a record has at most a hundred steps, the first ones", async () => {
  const run = new CurrentRun(testContext(), "references-sync");
  for (let count = 0; count < 101; count++) await run.step(count === 100 ? "propose" : "read", () => {});
  assert.deepEqual([run.steps.length, run.steps.at(-1)?.name], [100, "read"]);
});

Deno.test("work before the lock is part of the run, and does not make other runs wait", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const context = testContext();
  const prepare = async () => {
    assert.equal(await isLocked(Deno, store.lock), false);
    await run(store, "rollback");
    return undefined;
  };
  const options = { command: "runpod-pull", lock: "store", sinks: [], prepare } as const;
  await recordedRun(context, store, options, () => Promise.resolve({ outcome: "activated" }));
  assert.deepEqual(recorded(store), ["runpod-pull", "rollback"]);
  const failing = () => Promise.reject(new FailedError("no job", { code: "JOB_FAILED" }));
  const work = recordedRun(context, store, { ...options, prepare: failing }, () => {
    throw new Error("the work must not begin");
  });
  await assert.rejects(work, { code: "JOB_FAILED" });
  assert.equal(recorded(store)[0], "runpod-pull JOB_FAILED");
});

/** A sink that notes its calls. */
function recordingSink(store: Store) {
  const calls: string[] = [];
  const unwritten: RunRecord[] = [];
  const sink: RunSink = {
    started: (_context, { command }) => Promise.resolve(void calls.push(`started ${command}`)),
    deliver: async (context, records) => {
      const isFree = !await isLocked(Deno, store.lock);
      calls.push(`deliver ${isFree} ${context.signal.aborted}`);
      unwritten.push(...records);
    },
  };
  return { sink, calls, unwritten };
}

Deno.test("sinks get every run without its lock: one that fails, that finds the lock held, that is interrupted", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const { sink, calls } = recordingSink(store);
  const options = { command: "pull", lock: "store", sinks: [sink] } as const;
  const interrupted = testContext({ signal: AbortSignal.abort(new FailedError("stop", { code: "STOP" })) });
  const fail = () => Promise.reject(new FailedError("x", { code: "X" }));
  await assert.rejects(recordedRun(interrupted, store, options, fail), FailedError);
  assert.deepEqual(calls.splice(0), ["started pull", "deliver true false"]);
  {
    using _lock = await acquireLock(Deno, store.lock, { command: "x", host: "h" }, interrupted.clock);
    await assert.rejects(recordedRun(testContext(), store, options, fail), { code: "LOCKED" });
  }
  assert.equal(calls.length, 2);
  assert.deepEqual(recorded(store), ["pull LOCKED", "pull X"]);
});

Deno.test("an interruption is the result of a run, whatever fails after it, unless the run has rolled back", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const stop = new InterruptedError("Cannot complete pull: SIGTERM", { code: "INTERRUPTED" });
  const failing = new FailedError("git was killed", { code: "GIT_FAILED" });
  const rolledBack = new RolledBackError("Cannot keep the release", {
    code: "RELOAD_FAILED",
    report: { outcome: "rolled-back" },
  });
  for (const lock of ["store", "references"] as const) {
    for (
      const [failure, code, exitCode] of [[failing, "INTERRUPTED", 130], [
        rolledBack,
        "RELOAD_FAILED",
        8,
      ]] as const
    ) {
      const controller = new AbortController();
      const options = { command: "pull", lock, sinks: [] };
      const work = recordedRun(testContext({ signal: controller.signal }), store, options, () => {
        controller.abort(stop);
        throw failure;
      });
      await assert.rejects(work, { code, exitCode });
      assert.equal(readHistory(store, 1)[0]?.error?.code, code);
    }
  }
});

Deno.test("a run that cannot begin names the active release only if no other run may change it", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "one" }]);
  const context = testContext();
  const store = storeOf(context, bot);
  const active = readPointer(store, "current");
  const begin = async (lock: RunLock, prepare?: () => Promise<undefined>) => {
    const options = { command: "pull", lock, sinks: [], ...(prepare && { prepare }) };
    const error = await recordedRun(context, store, options, () => Promise.resolve({ outcome: "unchanged" }))
      .then(() => undefined, (error: unknown) => error);
    assert.ok(error instanceof ModelSyncError, String(error));
    return [error.code, /is active/.test(error.hint ?? ""), readHistory(store, 1)[0]?.release];
  };
  const fail = () => Promise.reject(new FailedError("no job", { code: "JOB_FAILED" }));
  assert.deepEqual(await begin("store", fail), ["JOB_FAILED", true, active]);
  assert.deepEqual(await begin("references", fail), ["JOB_FAILED", false, undefined]);
  using _lock = await acquireLock(Deno, store.lock, { command: "x", host: "h" }, context.clock);
  assert.deepEqual(await begin("store"), ["LOCKED", false, undefined]);
});

Deno.test("a record that a full disk refuses is delivered to the sinks", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const fs = countingFs((step) => {
    if (step.includes("history.jsonl")) throw Object.assign(new Error("full"), { code: "ENOSPC" });
  });
  const { sink, unwritten } = recordingSink(store);
  const options = { command: "pull", lock: "store", sinks: [sink] } as const;
  const full = { ...store, fs };
  const context = testContext({ fs });
  await recordedRun(context, full, options, () => Promise.resolve({ outcome: "unchanged" }));
  const failing = recordedRun(context, full, options, () => {
    throw new DiskError("Cannot write", { code: "DISK_FULL" });
  });
  await assert.rejects(failing, { code: "DISK_FULL" });
  const said = context.log.lines.filter((line) => line.includes("record this run"));
  assert.deepEqual(said, Array(2).fill("warn Cannot record this run: the disk is full"));
  assert.deepEqual(unwritten.map(({ outcome }) => outcome), ["unchanged", "failed"]);
  assert.deepEqual(recorded(store), []);
});

Deno.test("a run whose record the disk refuses succeeds, is delivered once, and is not recorded as killed", async () => {
  for (const code of ["ENOSPC", "EACCES", "EIO"]) {
    using dir = tempDir();
    const store = storeIn(dir);
    const fs = countingFs((step) => {
      if (step.includes("history.jsonl")) throw Object.assign(new Error(`${code}: ${step}`), { code });
    });
    const { sink, unwritten } = recordingSink(store);
    const context = testContext({ fs });
    const options = { command: "pull", lock: "store", sinks: [sink] } as const;
    const report = { outcome: "activated", release: DIGEST } as const;
    await recordedRun(context, { ...store, fs }, options, () => Promise.resolve(report));
    assert.deepEqual(unwritten.map(({ outcome }) => outcome), ["activated"], code);
    assert.match(context.log.lines.join("\n"), /^warn .*record this run/m);
    assert.equal(/ sudo /.test(context.log.lines.join("\n")), code === "EACCES");
    await run(store);
    assert.deepEqual(recorded(store), ["pull"], code);
  }
});

Deno.test("on a full disk, the reserve is used for the record of a run that changed something, and of no other", async () => {
  const error = { code: "X", message: "x", exitCode: 1 } as const;
  for (
    const [report, isUsed] of [
      [{ outcome: "activated" }, true],
      [{ outcome: "unchanged" }, false],
      [{ outcome: "activated", error }, false],
    ] as const
  ) {
    using dir = tempDir();
    const store = storeIn(dir);
    refillReserve(store);
    const hasReserve = () => findEntry(Deno, join(store.root, "reserve", "0")) !== undefined;
    const fs = countingFs((step) => {
      if (step.includes("history.jsonl") && hasReserve()) throw osError("ENOSPC");
    });
    const options = { command: "pull", lock: "store", sinks: [] } as const;
    await recordedRun(testContext({ fs }), { ...store, fs }, options, () => Promise.resolve(report));
    assert.deepEqual(
      [recorded(store), hasReserve()],
      isUsed ? [["pull"], false] : [[], true],
      report.outcome,
    );
  }
});

Deno.test("a run fills the reserve as soon as a release is active, whether it succeeds or fails", async () => {
  using dir = tempDir();
  const empty = storeIn(dir);
  await run(empty);
  assert.equal(findEntry(Deno, join(empty.root, "reserve")), undefined);
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "one" }]);
  const store = storeOf(testContext(), bot);
  const options = { command: "prune", lock: "store", sinks: [] } as const;
  for (const isFailing of [false, true]) {
    Deno.removeSync(join(store.root, "reserve"), { recursive: true });
    const work = isFailing
      ? () => Promise.reject(new FailedError("x", { code: "X" }))
      : () => Promise.resolve({ outcome: "pruned" } as const);
    await recordedRun(testContext(), store, options, work).catch((error) => assert.equal(error.code, "X"));
    assert.equal(findEntry(Deno, join(store.root, "reserve", "0"))?.size, 512 * 1024);
  }
});

Deno.test("a fault of the program ends the run with that fault, and changes no record that is written", async () => {
  for (const [path, outcomes] of [["history.jsonl", []], ["intent.json", ["activated"]]] as const) {
    using dir = tempDir();
    const store = storeIn(dir);
    let isDone = false;
    const fs = countingFs((step) => {
      if (isDone && step.includes(path)) throw new RangeError("a bug");
    });
    const options = { command: "pull", lock: "store", sinks: [] } as const;
    const running = recordedRun(testContext({ fs }), { ...store, fs }, options, () => {
      isDone = true;
      return Promise.resolve({ outcome: "activated" });
    });
    await assert.rejects(running, RangeError, path);
    assert.deepEqual(readHistory(store, 9).map(({ outcome }) => outcome), outcomes);
  }
});

Deno.test("a failed run names the active release in its hint and on record, except a publish and a run beside the store", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "one" }]);
  const store = storeOf(testContext(), bot);
  const digest = readPointer(store, "current");
  assert.ok(digest !== undefined);
  const told = async (command: string, lock: RunLock) => {
    const error = new FailedError("x", { code: "X" });
    const options = { command, lock, sinks: [] };
    const running = recordedRun(testContext(), store, options, () => Promise.reject(error));
    await assert.rejects(running, { code: "X" });
    const [record] = readHistory(store, 1);
    assert.equal(record?.error?.hint, error.hint);
    return [error.hint, record?.release, record?.sequence];
  };
  assert.deepEqual(await told("pull", "store"), [`release ${shortDigest(digest)} is active`, digest, 1]);
  const nothing = [undefined, undefined, undefined];
  assert.deepEqual(await told("publish", "store"), nothing);
  assert.deepEqual(await told("redeploy", "redeploy"), nothing);
});

Deno.test("after a failed run, the active release is named with what keeps consumers from it", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "one" }]);
  const store = storeOf(testContext(), bot);
  const digest = readPointer(store, "current") ?? DIGEST;
  const active = `release ${shortDigest(digest)} is active`;
  assert.deepEqual(readActiveNow(store), { digest, sequence: 1, previous: undefined, text: active });
  Deno.removeSync(bot.modelsDir);
  assert.equal(readActiveNow(store).text, `${active}, but ${bot.modelsDir} is missing`);
  Deno.writeTextFileSync(`${join(store.releases, digest.slice("sha256:".length))}.json`, "{");
  assert.equal(readActiveNow(store).text, active, "without its manifest");
  const pointer = join(store.root, "current");
  Deno.removeSync(pointer);
  assert.deepEqual(readActiveNow(store), { digest: undefined, text: "no release is active" });
  Deno.mkdirSync(pointer);
  assert.match(
    readActiveNow(store).text,
    /^which release is active cannot be read: Cannot read the pointer /,
  );
});

Deno.test("the hint of a failed run says which release is active, once, and whether the next run has to settle it", () => {
  const left = "; the next run settles what this one left";
  const active = "release abababababab is active";
  const told = (error: FailedError | InterruptedError, isSettled: boolean) => {
    addActiveToHint(error, { digest: DIGEST, text: active }, isSettled);
    return error.hint;
  };
  const failed = (hint?: string, message = "Cannot pull") => new FailedError(message, { code: "X", hint });
  const stopped = () => new InterruptedError("stopped", { code: "X", hint: "nothing half-done is left" });
  assert.equal(told(failed(), true), active);
  assert.equal(told(failed(), false), active + left);
  assert.equal(told(failed("free some space"), true), `free some space; ${active}`);
  assert.equal(told(failed("free some space"), false), `free some space; ${active}${left}`);
  assert.equal(told(failed("try again; the active release is untouched"), true), `try again; ${active}`);
  assert.equal(told(failed("try again; the active one is untouched"), false), `try again; ${active}${left}`);
  assert.equal(told(failed(`${active}; wait`), true), `${active}; wait`);
  assert.equal(told(failed("wait", `Cannot pull: ${active}`), true), "wait");
  assert.equal(told(stopped(), true), `nothing half-done is left; ${active}`);
  assert.equal(told(stopped(), false), active + left);
});

Deno.test("runs are delivered to the configured destinations, and to no others", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const names = async (settings: Record<string, unknown>) =>
    (await openSinks(ModelSync.parse(settings), store)).map((sink) => sink.constructor.name);
  assert.deepEqual(await names({}), []);
  const url = "https://example.org/hook";
  for (
    const [settings, name] of [
      [{ alerts: { webhook: { url } } }, "AlertSink"],
      [
        { alerts: { email: { host: "mail.example.org", from: "a@example.org", to: ["b@example.org"] } } },
        "AlertSink",
      ],
      [{ alerts: { chat: [{ type: "slack", url }] } }, "AlertSink"],
      [{ report: { url } }, "ReportSink"],
      [{ report: { ping: { url_env: "PING_URL" } } }, "PingSink"],
      [{ report: { metrics_file: "metrics.prom" } }, "MetricsSink"],
    ] as const
  ) assert.deepEqual(await names(settings), [name]);
});

Deno.test("a run that looks for killed runs does not try its own lock, for which Deno before 2.8 would wait", async () => {
  using dir = tempDir();
  const opened: string[] = [];
  const open: typeof Deno.open = (path, options) => {
    opened.push(basename(String(path)));
    return Deno.open(path, options);
  };
  const store = openStore({ ...Deno, open }, { modelsDir: join(dir.path, "models") });
  leaveKilled(store);
  await run(store);
  assert.deepEqual(recorded(store), ["pull", "runpod-pull KILLED"]);
  assert.deepEqual(opened.filter((name) => /^\d{8}T.*\.json$/.test(name)), [`${KILLED}.json`]);
});
