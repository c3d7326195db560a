import assert from "node:assert/strict";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { InterruptedError, LockedError } from "../../lib/core/errors.ts";
import { acquireLock, awaitLock } from "../../lib/core/lock.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { readHistory } from "../../lib/store/history.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { recordedLog, testContext } from "../helpers/test_context.ts";

const OWNER = { command: "pull", runId: "r1", host: "gpu-1" };

/** A context whose pauses end immediately, and a log that shows when a run begins to wait. */
function waitingContext(replaced: Partial<Context> = {}) {
  const waiting = Promise.withResolvers<void>();
  const recorded = recordedLog();
  const log = {
    ...recorded,
    info(message: string) {
      recorded.info(message);
      if (message.startsWith("waiting for another run: ")) waiting.resolve();
    },
  };
  const context = { ...testContext({ clock: new QuickClock("2026-11-21T06:00:00Z"), ...replaced }), log };
  return { context, waits: waiting.promise };
}

async function run(context: Context, store: Store, waitsForLock: boolean) {
  const options = { command: "pull", lock: "store", sinks: [], waitsForLock } as const;
  return await recordedRun(context, store, options, () => Promise.resolve({ outcome: "unchanged" }));
}

Deno.test("a run that waits for the lock succeeds when the other run has ended, and is recorded once", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const { context, waits } = waitingContext();
  const lock = await acquireLock(Deno, store.lock, OWNER, context.clock);
  const running = run(context, store, true);
  await waits;
  assert.deepEqual(readHistory(store, 10), []);
  lock[Symbol.dispose]();
  await running;
  const records = readHistory(store, 10);
  assert.deepEqual(records.map(({ outcome }) => outcome), ["unchanged"]);
  assert.deepEqual(records[0]?.steps?.map(({ name }) => name), ["wait"]);
});

Deno.test("a run that waits for the lock ends when it is stopped, and one that does not wait fails at once", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const stop = new AbortController();
  const { context, waits } = waitingContext({ signal: stop.signal });
  using _lock = await acquireLock(Deno, store.lock, OWNER, context.clock);
  const running = run(context, store, true);
  await waits;
  stop.abort(new InterruptedError("Cannot continue: stopped", { code: "INTERRUPTED" }));
  await assert.rejects(running, InterruptedError);
  await assert.rejects(run(testContext(), store, false), LockedError);
  assert.deepEqual(readHistory(store, 10).map(({ outcome }) => outcome), ["failed", "interrupted"]);
});

Deno.test("a runtime that cannot try a lock waits for it in one attempt, until it is free or the wait is stopped", async () => {
  using dir = tempDir();
  const path = join(dir.path, "lock");
  let [opened, closed] = [0, 0];
  const allClosed = Promise.withResolvers<void>();
  const older = (file: Deno.FsFile): Deno.FsFile =>
    new Proxy(file, {
      get(target, name) {
        if (name === "close" && ++closed === 3) allClosed.resolve();
        const value: unknown = name === "tryLockSync" ? undefined : Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  const fs: Context["fs"] = {
    ...Deno,
    open: async (...args) => {
      opened++;
      return older(await Deno.open(...args));
    },
  };
  const stop = new AbortController();
  const context = testContext({ fs, signal: stop.signal });
  const first = await awaitLock(context, path, OWNER);
  const second = awaitLock(context, path, OWNER);
  first[Symbol.dispose]();
  const held = await second;
  const third = awaitLock(context, path, OWNER);
  stop.abort(new InterruptedError("Cannot continue: stopped", { code: "INTERRUPTED" }));
  await assert.rejects(third, InterruptedError);
  held[Symbol.dispose]();
  assert.equal(opened, 3);
  // The thread of the stopped wait gets the lock, too, and releases it.
  await allClosed.promise;
  using _again = await acquireLock(Deno, path, OWNER, context.clock);
});
