import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSync } from "../../lib/config/schema.ts";
import { AuthenticationError, UnreachableError } from "../../lib/core/errors.ts";
import { recordUnbegun } from "../../lib/daemon/record_unbegun.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { readHistory } from "../../lib/store/history.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const OPTIONS = { command: "pull", settings: () => Promise.resolve(ModelSync.parse({})) };
const NO_TOKEN = new AuthenticationError("Cannot pull: no token is set", { code: "TOKEN_MISSING" });

function storeIn(dir: TempDir): Store {
  return openStore(Deno, { modelsDir: join(dir.path, "models") });
}

function recorded(store: Store): string[] {
  return readHistory(store, 10).map(({ command, outcome, error }) => `${command} ${outcome} ${error?.code}`);
}

Deno.test("each job that fails before its run begins is recorded with its reason", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const context = testContext({ clock: new FakeClock("2026-11-21T06:00:00Z") });
  await assert.rejects(recordUnbegun(context, store, OPTIONS, () => Promise.reject(NO_TOKEN)), NO_TOKEN);
  const later = testContext({ clock: new FakeClock("2026-11-22T06:00:00Z") });
  await assert.rejects(recordUnbegun(later, store, OPTIONS, () => Promise.reject(NO_TOKEN)), NO_TOKEN);
  assert.deepEqual(recorded(store), ["pull failed TOKEN_MISSING", "pull failed TOKEN_MISSING"]);
});

Deno.test("a job whose run is recorded, or that is stopped, gets no second record", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const context = testContext({ clock: new FakeClock("2026-11-21T06:00:00Z") });
  const failing = async () => {
    const options = { command: "pull", lock: "store", sinks: [] } as const;
    await recordedRun(
      context,
      store,
      options,
      () => Promise.reject(new UnreachableError("away", { code: "X" })),
    );
  };
  await assert.rejects(recordUnbegun(context, store, OPTIONS, failing), UnreachableError);
  const stopped = testContext({ signal: AbortSignal.abort() });
  await assert.rejects(recordUnbegun(stopped, store, OPTIONS, () => Promise.reject(NO_TOKEN)), NO_TOKEN);
  await recordUnbegun(context, store, OPTIONS, () => Promise.resolve());
  assert.deepEqual(recorded(store), ["pull failed X"]);
});

Deno.test("a failure is recorded without alerts when the settings cannot be read", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const context = testContext();
  const options = { command: "pull", settings: () => Promise.reject(new TypeError("no settings")) };
  await assert.rejects(recordUnbegun(context, store, options, () => Promise.reject(NO_TOKEN)), NO_TOKEN);
  assert.deepEqual(context.log.lines, ["warn cannot send alerts of the failed pull: no settings"]);
  assert.deepEqual(recorded(store), ["pull failed TOKEN_MISSING"]);
});
