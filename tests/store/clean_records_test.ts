import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../lib/config/config_error.ts";
import { loadConfig } from "../../lib/config/load.ts";
import { FailedError, UsageError } from "../../lib/core/errors.ts";
import { fail } from "../../lib/doctor/check.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { readHistory } from "../../lib/store/history.ts";
import { addQuarantine, readQuarantine } from "../../lib/store/quarantine.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";

const TOKEN = "s3cret-of-the-registry";
const DIRTY = `\u001b[31mfatal\u001b]0;x\u0007: https://me:${TOKEN}@host/x \u009b2J\u202egnp.exe\nnext`;
const CLEAN = "fatal: https://[redacted]@host/x gnp.exe next";
const DIGEST = `sha256:${"ab".repeat(32)}` as const;

function storeIn(dir: TempDir): Store {
  return openStore(Deno, { modelsDir: join(dir.path, "models") });
}

Deno.test("an error has a clean message and hint when it is created", () => {
  const error = new FailedError(DIRTY, { code: "X", hint: DIRTY });
  assert.deepEqual([error.message, error.hint], [CLEAN, CLEAN]);
});

Deno.test("the record, the alert and the quarantine of a failed run contain no secrets and escapes", async () => {
  for (const thrown of [new FailedError(DIRTY, { code: "X" }), new TypeError(DIRTY)]) {
    using dir = tempDir();
    const store = storeIn(dir);
    const run = recordedRun(
      testContext({ host: `bot\u001b[2J` }),
      store,
      { command: "pull", lock: "store", sinks: [] },
      () => Promise.reject(thrown),
    );
    await assert.rejects(run);
    const [told] = readHistory(store, 1);
    assert.equal(told?.error?.message, CLEAN);
    assert.equal(told?.host, "bot");
    const kept = Deno.readTextFileSync(store.history);
    assert.ok(!kept.includes(TOKEN) && !kept.includes("u001b"), kept);
  }
});

Deno.test("the history of an earlier version is cleaned when it is read", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const old = {
    runId: "r1",
    command: "pull\u001b[2J",
    outcome: "failed",
    startedAt: "2026-01-01T00:00:00Z",
    durationMs: 1,
    host: "bot",
    error: { code: "X", message: DIRTY },
  };
  Deno.writeTextFileSync(store.history, `${JSON.stringify(old)}\n`);
  assert.deepEqual(readHistory(store, 1), [{
    ...old,
    command: "pull",
    error: { code: "X", message: CLEAN },
  }]);
});

Deno.test("a quarantine's reason is clean on the disk, and cleaned when an earlier version wrote it", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const entry = { digest: DIGEST, sequence: 1, reason: DIRTY, at: "2026-01-01T00:00:00Z" };
  Deno.writeTextFileSync(store.quarantine, JSON.stringify([entry]));
  assert.equal(readQuarantine(store)[0]?.reason, CLEAN);
  addQuarantine(store, entry);
  assert.ok(!Deno.readTextFileSync(store.quarantine).includes(TOKEN));
});

Deno.test("a check of doctor and a complaint about the configuration show no escapes and no secrets", async () => {
  assert.deepEqual(fail("x", DIRTY, DIRTY), { name: "x", status: "fail", detail: CLEAN, mend: CLEAN });
  const load = loadConfig({
    file: "bot.yaml",
    isFileRequired: true,
    flags: [],
    env: fixedEnvironment({}),
    readText: () => 'model_sync:\n  "br\\e[31manch": x\n  "https://me:pass-word-1@host": 1\n',
  });
  await assert.rejects(load, (error) => {
    assert.ok(error instanceof ConfigError);
    assert.doesNotMatch([...error.complaints, error.message].join(), /\p{Cc}|pass-word-1/u);
    return true;
  });
});

Deno.test("secrets of the environment and the configuration in a program's output are hidden", async () => {
  const env = fixedEnvironment({
    MY_REGISTRY: "value-of-my-registry",
    TRAINING_API_KEY: "value-of-the-training",
    MY_SECRET_2: "value-two",
    DATABASE_URL: "postgres://me:pass-of-the-database@db/x",
    TOKEN_URL: "auth.example.com",
  });
  await loadConfig({
    file: "bot.yaml",
    isFileRequired: true,
    flags: [],
    env,
    readText: () =>
      "model_sync:\n  token_env: MY_REGISTRY\n  repo_url: https://me:p%40ss-of-the-url@host/x\n",
  });
  const said =
    "value-of-my-registry value-of-the-training p@ss-of-the-url value-two pass-of-the-database auth.example.com";
  assert.equal(
    new UsageError(said, { code: "X" }).message,
    "[redacted] [redacted] [redacted] [redacted] [redacted] auth.example.com",
  );
});
