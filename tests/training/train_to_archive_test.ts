import assert from "node:assert/strict";
import { join } from "node:path";
import { ArchivedModels } from "../../lib/carriers/archived_models.ts";
import { ARCHIVE_LIMITS } from "../../lib/archive/archive_limits.ts";
import type { Context } from "../../lib/core/context.ts";
import { NO_STEPS } from "../../lib/pipeline/current_run.ts";
import { type TrainRunOptions, trainToArchive } from "../../lib/pipeline/train.ts";
import { verifyFolder } from "../../lib/signing/folder_signature.ts";
import { Staging } from "../../lib/store/staging.ts";
import { openStore } from "../../lib/store/store.ts";
import { CLUTTER } from "../helpers/clutter_files.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { readArchiveFile } from "../helpers/read_archive.ts";
import { testKey } from "../helpers/signing.ts";
import { readFiles, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const START = "2026-11-21T03:00:00Z";
const START_SEC = Date.parse(START) / 1000;

/** A machine that trains with a shell script. */
class Bench implements Disposable {
  readonly #dir: TempDir = tempDir();
  readonly clock = new FakeClock(START);
  readonly modelsDir = join(this.#dir.path, "models");
  readonly archivePath = join(this.#dir.path, "artifacts/exports/models_latest.zip");

  get store() {
    return openStore(Deno, { modelsDir: this.modelsDir });
  }

  train(
    script: string,
    changed: Partial<TrainRunOptions> = {},
    context: Context = testContext({ clock: this.clock }),
  ) {
    return trainToArchive(context, this.store, NO_STEPS, {
      settings: { command: ["sh", "-euc", script, "train"], timeoutMs: 60_000, modelsDir: this.modelsDir },
      options: { paper: false, symbols: [], scope: "default", maxModelAgeHours: undefined },
      skipsTraining: false,
      archivePath: this.archivePath,
      origin: { carrier: "runpod" },
      ...changed,
    }, () => {});
  }

  /** Returns the files that a client extracts from the archive. */
  async extract() {
    const context = testContext();
    await using models = await ArchivedModels.open(
      context,
      [{ path: this.archivePath, name: "the archive" }],
      {
        limits: ARCHIVE_LIMITS,
        subdir: "models",
      },
    );
    await using staging = new Staging(context, this.store, "test");
    const { claim } = models.offer({ id: "1", source: "test" });
    await models.stage(staging);
    return { manifest: claim?.manifest, files: readFiles(staging.dir) };
  }

  [Symbol.dispose]() {
    this.#dir[Symbol.dispose]();
  }
}

const SCRIPT =
  'mkdir -p "$MODEL_SYNC_MODELS_DIR/BTC_USDC"; printf %s "$*" > "$MODEL_SYNC_MODELS_DIR/BTC_USDC/rf.joblib"';

Deno.test("a training's models go into an archive with their manifest, in the layout that clients expect", async () => {
  using bench = new Bench();
  const report = await bench.train(SCRIPT, {
    options: { paper: true, symbols: ["BTC/USDC"], scope: "all", maxModelAgeHours: 24 },
    origin: { carrier: "runpod", revision: "job-1" },
  });
  const { manifest, files } = await bench.extract();
  assert.deepEqual(files, {
    "BTC_USDC/rf.joblib": "--paper --symbol BTC/USDC --train-all --max-model-age-hours 24",
  });
  assert.deepEqual([manifest?.digest, manifest?.sequence], [report.release, START_SEC]);
  assert.deepEqual(manifest?.origin, {
    carrier: "runpod",
    revision: "job-1",
    host: "test-host",
    folder: "models",
  });
  assert.equal(Deno.statSync(bench.archivePath).size, report.archiveBytes);
  assert.deepEqual([report.files, report.bytes], [
    1,
    Deno.statSync(join(bench.modelsDir, "BTC_USDC/rf.joblib")).size,
  ]);
});

Deno.test("housekeeping files stay out of the archive, and the log names them", async () => {
  using bench = new Bench();
  writeFiles(bench.modelsDir, CLUTTER);
  const context = testContext({ clock: bench.clock });
  await bench.train(SCRIPT, {}, context);
  assert.deepEqual([...(await readArchiveFile(bench.archivePath)).keys()], [
    "models/BTC_USDC/rf.joblib",
    "model-sync.json",
  ]);
  assert.ok(context.log.lines.some((line) => /^debug left housekeeping files .*"__pycache__\/"/.test(line)));
});

Deno.test("with a key, the archive is signed, and its extracted folder verifies, too", async () => {
  using bench = new Bench();
  const key = testKey();
  await bench.train(SCRIPT, { seal: key.seal(7) });
  const { manifest } = await bench.extract();
  assert.equal(manifest?.expiresAt, "2026-11-28T03:00:00Z");
  using dir = tempDir();
  writeFiles(dir.path, Object.fromEntries(await readArchiveFile(bench.archivePath)));
  assert.deepEqual(Object.keys(readFiles(dir.path)), [
    "model-sync.json",
    "model.sig",
    "models/BTC_USDC/rf.joblib",
  ]);
  await verifyFolder(testContext(), [key.trusted], dir.path, join(dir.path, "model.sig"));
});

Deno.test("the sequence is the time, and grows even if the clock was set back", async () => {
  using bench = new Bench();
  assert.equal((await bench.train(SCRIPT)).sequence, START_SEC);
  assert.equal((await bench.train(SCRIPT)).sequence, START_SEC + 1);
  bench.clock.advance(-86_400_000);
  assert.equal((await bench.train(SCRIPT)).sequence, START_SEC + 2);
  bench.clock.advance(2 * 86_400_000);
  assert.equal((await bench.train(SCRIPT)).sequence, START_SEC + 86_400);
});

Deno.test("counters come from the last line of JSON that the training prints, if it prints any", async () => {
  using bench = new Bench();
  const none = await bench.train(SCRIPT);
  assert.deepEqual(Object.values(none.counts), [null, null, null, null, null]);
  const counted = await bench.train(
    `${SCRIPT}; echo '{"symbols_trained": 9}'; echo '{"epoch": 3}'; echo '{"symbols_requested": 3, "symbols_trained": 1, "symbols_skipped_errors": "many", "loss": 0.1}'; echo bye`,
  );
  assert.deepEqual(counted.counts, {
    symbols_requested: 3,
    symbols_queued_for_training: null,
    symbols_trained: 1,
    symbols_skipped_up_to_date: null,
    symbols_skipped_errors: null,
  });
  const options = {
    paper: false,
    symbols: ["A", "B"],
    scope: "default",
    maxModelAgeHours: undefined,
  } as const;
  assert.equal((await bench.train(SCRIPT, { options })).counts.symbols_requested, 2);
});

Deno.test("models that a publish refuses get into no archive, and the previous archive stays", async () => {
  using bench = new Bench();
  await assert.rejects(bench.train("true"), { code: "MODELS_MISSING", exitCode: 5 });
  await bench.train(SCRIPT);
  const before = Deno.readFileSync(bench.archivePath);
  await assert.rejects(bench.train('rm -r "$MODEL_SYNC_MODELS_DIR"/*'), {
    code: "MODELS_EMPTY",
    exitCode: 5,
  });
  await assert.rejects(bench.train(`${SCRIPT}; echo x > "$MODEL_SYNC_MODELS_DIR/id_rsa"`), {
    code: "SECRET_FOUND",
  });
  Deno.removeSync(join(bench.modelsDir, "id_rsa"));
  await assert.rejects(bench.train(`${SCRIPT}; ln -s /etc "$MODEL_SYNC_MODELS_DIR/out"`), { exitCode: 5 });
  Deno.removeSync(join(bench.modelsDir, "out"));
  await assert.rejects(bench.train("exit 3"), { code: "TRAINING_FAILED", exitCode: 1 });
  assert.deepEqual(Deno.readFileSync(bench.archivePath), before);
});

Deno.test("a model that changes between its check and its archiving is noticed", async () => {
  using bench = new Bench();
  writeFiles(bench.modelsDir, { "rf.joblib": "one" });
  let reads = 0;
  const beforeOpening = (path: string | URL) => {
    if (String(path).endsWith("rf.joblib") && ++reads === 2) Deno.writeTextFileSync(path, "two");
  };
  const context = testContext({
    clock: bench.clock,
    fs: {
      ...Deno,
      open: (path, options) => {
        beforeOpening(path);
        return Deno.open(path, options);
      },
      openSync: (path, options) => {
        beforeOpening(path);
        return Deno.openSync(path, options);
      },
    },
  });
  await assert.rejects(bench.train("", { skipsTraining: true }, context), {
    code: "MODELS_CHANGING",
    exitCode: 1,
  });
  assert.throws(() => Deno.statSync(bench.archivePath), Deno.errors.NotFound);
});

Deno.test("a ZIP archive does not get the name of another archive", async () => {
  using bench = new Bench();
  for (const name of ["models.tar.gz", "models.rar"]) {
    await assert.rejects(bench.train("exit 1", { archivePath: join(bench.modelsDir, "..", name) }), {
      code: "ARCHIVE_NOT_ZIP",
      exitCode: 2,
    });
  }
});

Deno.test("an archive inside the model folder, and a training into an active release, are refused", async () => {
  using bench = new Bench();
  await assert.rejects(bench.train(SCRIPT, { archivePath: join(bench.modelsDir, "a.zip") }), {
    code: "ARCHIVE_IN_MODELS",
    exitCode: 2,
  });
  writeFiles(bench.store.root, { "releases/x/rf.joblib": "active" });
  Deno.symlinkSync("releases/x", join(bench.store.root, "current"));
  Deno.symlinkSync(".model-sync/current", bench.modelsDir);
  await assert.rejects(bench.train(SCRIPT), { code: "MODELS_ACTIVATED", exitCode: 2 });
});
