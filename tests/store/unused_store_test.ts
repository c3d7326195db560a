import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { acquireLock, isLocked } from "../../lib/core/lock.ts";
import { markRun } from "../../lib/store/running.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { isUnused, removeUnused } from "../../lib/store/unused_store.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

Deno.test("isUnused() is true for an empty folder and for a missing one", () => {
  using dir = tempDir();
  const { fs } = testContext();
  assert.ok(isUnused({ fs }, { modelsDir: `${dir.path}/models`, stateDir: undefined }));
  assert.ok(isUnused({ fs }, { modelsDir: `${dir.path}/missing/models`, stateDir: undefined }));
  writeFiles(dir.path, { "bot.py": "" });
  assert.ok(!isUnused({ fs }, { modelsDir: `${dir.path}/models`, stateDir: undefined }));
});

Deno.test("isUnused() is false for a folder that can be entered but not listed", () => {
  const { fs } = testContext();
  const closed = {
    ...fs,
    readDirSync: (path: string | URL) => {
      throw new Deno.errors.PermissionDenied(`Permission denied (os error 13): readdir '${path}'`);
    },
  };
  assert.ok(!isUnused({ fs: closed }, { modelsDir: "/srv/models", stateDir: "/srv/closed/state" }));
});

const OWNER = { command: "pull", runId: "20260101T000000Z-abcdef", host: "test-host" };
const RUN = { ...OWNER, startedAt: "2026-01-01T00:00:00Z" };

/** Each use of a store, and whether the store of a failed first pull is then removed. */
const USES: Readonly<Record<string, readonly [(store: Store) => void | Promise<Disposable>, boolean]>> = {
  "none": [() => {}, true],
  "an ended run": [(store) => Deno.writeTextFileSync(store.lock, ""), true],
  "a forgotten job": [(store) => Deno.writeTextFileSync(join(store.root, "runpod_jobs.json"), "{ }\n"), true],
  "a refused release": [(store) => Deno.writeTextFileSync(store.quarantine, "[1]"), false],
  "another run": [(store) => acquireLock(Deno, store.lock, OWNER, systemClock), false],
  "a run with another lock": [(store) => Promise.resolve(markRun(testContext(), store, RUN)), false],
};

for (const [use, [prepare, isRemoved]] of Object.entries(USES)) {
  Deno.test(`the store of a failed first pull is ${isRemoved ? "removed" : "kept"}: ${use}`, async () => {
    using dir = tempDir();
    const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
    using _held = await prepare(store) ?? undefined;
    let wasLocked = false;
    const remove: typeof Deno.remove = async (path, options) => {
      wasLocked = await isLocked(Deno, store.lock);
      await Deno.remove(path, options);
    };
    await removeUnused({ fs: { ...Deno, remove } }, store);
    assert.deepEqual(Array.from(Deno.readDirSync(dir.path)).length, isRemoved ? 0 : 1);
    // No run that begins meanwhile loses its store.
    assert.equal(wasLocked, use === "an ended run");
  });
}
