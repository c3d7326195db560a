import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { readTrainJob } from "../../lib/training/train_job.ts";
import type { TrainingOptions } from "../../lib/training/train.ts";
import { uploadPresigned } from "../../lib/training/upload_archive.ts";
import { startStorage } from "../../fakes/storage_server.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { noise, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const DEFAULTS: TrainingOptions = {
  paper: true,
  symbols: ["ETH/USDC"],
  scope: "default",
  maxModelAgeHours: 12,
};
const TARGET = { upload_url: "https://b.example/m.zip?sig=1", download_url: "https://b.example/m.zip?sig=2" };

const toHub = () => () => Promise.resolve("https://hub.example/archive");
const read = (input: unknown) =>
  readTrainJob(input, { options: DEFAULTS, upload: undefined, uploadToHub: toHub });

Deno.test("a job's training options override those of the worker", () => {
  assert.deepEqual(read({ ...TARGET, prompt: "Train models only" }).options, DEFAULTS);
  assert.deepEqual(
    read({
      ...TARGET,
      symbols: ["BTC/USDC", "XAU:USD"],
      paper: false,
      train_all: true,
      max_model_age_hours: 0,
    }).options,
    { symbols: ["BTC/USDC", "XAU:USD"], paper: false, scope: "all", maxModelAgeHours: 0 },
  );
  assert.equal(read({ ...TARGET, train_missing_only: true }).options.scope, "missing-only");
});

Deno.test("no part of a job's input can become an option, a path or a program", () => {
  for (
    const symbols of [
      ["--config=/etc/passwd"],
      ["-x"],
      ["a b"],
      ["$(id)"],
      ["a;b"],
      ["../x"],
      ["a/../b"],
      [""],
      [
        "x".repeat(65),
      ],
      "BTC/USDC",
      [7],
    ]
  ) {
    assert.throws(() => read({ ...TARGET, symbols }), { code: "JOB_INPUT_INVALID" }, JSON.stringify(symbols));
  }
  const job = read({
    ...TARGET,
    train_command: ["sh"],
    command: "sh",
    archive_path: "/etc/x",
    models_dir: "/",
  });
  assert.deepEqual(job.options, DEFAULTS);
});

Deno.test("a job with contradicting options, or without a target for its archive, is refused", () => {
  for (
    const input of [
      null,
      [],
      "text",
      { ...TARGET, train_all: true, train_missing_only: true },
      {
        upload_url: TARGET.upload_url,
      },
      { ...TARGET, upload_url: "file:///etc/passwd" },
      { ...TARGET, max_model_age_hours: -1 },
    ]
  ) assert.throws(() => read(input), { code: "JOB_INPUT_INVALID", exitCode: 2 }, JSON.stringify(input));
  assert.throws(() => read({}), { code: "UPLOAD_TARGET_MISSING", hint: /upload_url and download_url/ });
});

Deno.test("an archive is streamed with its length and signed headers, and again if storage is busy", async () => {
  using dir = tempDir();
  await using storage = startStorage();
  const path = join(dir.path, "models.zip");
  const content = noise(5 * 1024 * 1024 + 3, 1);
  Deno.writeFileSync(path, content);
  const upload = uploadPresigned({
    upload_url: storage.uploadUrl,
    download_url: storage.downloadUrl,
    upload_headers: { "x-ms-blob-type": "BlockBlob" },
  });
  storage.faults.push(503, 500);
  const context = testContext({ clock: new QuickClock("2026-11-21T00:00:00Z") });
  assert.equal(await upload(context, { path, bytes: content.length }), storage.downloadUrl);
  assert.ok(Buffer.from(content).equals(storage.files.content));
  const [put] = storage.uploads;
  assert.equal(put?.headers.get("content-length"), String(content.length));
  assert.equal(put?.headers.get("content-type"), "application/zip");
  assert.equal(put?.headers.get("x-ms-blob-type"), "BlockBlob");
  storage.faults.push(403);
  await assert.rejects(upload(context, { path, bytes: content.length }), (error: Error) => {
    assert.match(error.message, /answered 403/);
    assert.doesNotMatch(error.message, /upload-secret/);
    return true;
  });
});
