import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSync } from "../../lib/config/schema.ts";
import { type Context } from "../../lib/core/context.ts";
import { DiskError, FailedError, InterruptedError, ModelSyncError } from "../../lib/core/errors.ts";
import { acquireLock, isLocked } from "../../lib/core/lock.ts";
import { CurrentRun } from "../../lib/pipeline/current_run.ts";
import { addActiveToHint, readActiveNow } from "../../lib/pipeline/active_after_run.ts";
import { openSinks } from "../../lib/pipeline/open_sinks.ts";
import { recordedRun, type RunLock } from "../../lib/pipeline/run.ts";
import { RolledBackError } from "../../lib/pipeline/run_report.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import type { RunSink } from "../../lib/store/run_sink.ts";
import { readHistory, type RunRecord } from "../../lib/store/history.ts";
import { writeIntent } from "../../lib/store/intent.ts";
import { readPointer } from "../../lib/store/pointers.ts";
import { findRunning, markRun } from "../../lib/store/running.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { pulledReleases, storeOf } from "../helpers/machines.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const KILLED = "20260101T000000Z-abcdef";
const DIGEST = `sha256:${"ab".repeat(32)}` as const;

function storeIn(dir: TempDir): Store {
  return openStore(Deno, { modelsDir: join(dir.path, "models") });
}

/** Leaves the store as a process that was killed in a step. */
function leaveKilled(store: Store, step = "train", runId = KILLED): void {
  const path = join(store.root, "running", `${runId}.json`);
  const context = testContext({ host: "gpu-1" });
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
  await recordedRun(testContext({ fs }), full, options, () => Promise.resolve({ outcome: "unchanged" }));
  const failing = recordedRun(testContext({ fs }), full, options, () => {
    throw new DiskError("Cannot write", { code: "DISK_FULL" });
  });
  await assert.rejects(failing, { code: "DISK_FULL" });
  assert.deepEqual(unwritten.map(({ outcome }) => outcome), ["unchanged", "failed"]);
  assert.deepEqual(recorded(store), []);
});

Deno.test("a run whose record the disk refuses succeeds, is delivered once, and is not recorded as killed", async () => {
  for (const code of ["ENOSPC", "EACCES", "EIO"]) {
    using dir = tempDir();
    const store = storeIn(dir);
    const fs = countingFs((step) => {
      if (step.includes("history.jsonl")) throw Object.assign(new Error(code), { code });
    });
    const { sink, unwritten } = recordingSink(store);
    const context = testContext({ fs });
    const options = { command: "pull", lock: "store", sinks: [sink] } as const;
    const report = { outcome: "activated", release: DIGEST } as const;
    await recordedRun(context, { ...store, fs }, options, () => Promise.resolve(report));
    assert.deepEqual(unwritten.map(({ outcome }) => outcome), ["activated"], code);
    assert.match(context.log.lines.join("\n"), /^warn .*record this run/m);
    await run(store);
    assert.deepEqual(recorded(store), ["pull"], code);
  }
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
