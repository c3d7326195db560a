import assert from "node:assert/strict";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { hashFile } from "../../lib/core/hash.ts";
import type { BlobFault } from "../../fakes/blob_server.ts";
import { problem } from "../../fakes/github_answers.ts";
import { ActionsWorld, withManifest } from "../helpers/actions_world.ts";
import { streamedZip } from "../helpers/streamed_zip.ts";
import { noise, readFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

/** The upload of seed 2's workflow: the content of its model folder. */
const MODELS = { "cvar_ppo/cvar_ppo_model.onnx": "ppo", "neural_ucb/neural_ucb_model.onnx": "ucb" };

Deno.test("artifacts: the newest run's models arrive with their folders, and its number orders them", async () => {
  await using world = new ActionsWorld();
  await world.train({ "old.onnx": "old" });
  const run = await world.train(MODELS);
  const context = testContext();
  const report = await world.pull({}, context);
  assert.deepEqual(readFiles(world.store.modelsDir), MODELS);
  assert.deepEqual([report.outcome, report.sequence, report.revision, report.carrier], [
    "activated",
    2,
    `${run}.1`,
    "github-actions",
  ]);
  assert.ok(context.log.lines.includes(`info Downloading new model: trained-models-2 from run ${run}`));
});

Deno.test("artifacts: an unchanged pull is one conditional request, also in another process", async () => {
  await using world = new ActionsWorld();
  await world.train(MODELS);
  await world.pull();
  world.github.requests.length = 0;
  assert.equal((await world.pull()).outcome, "unchanged");
  assert.deepEqual(world.github.requests.map(({ status }) => status), [304]);
  assert.equal(world.github.blobs.requests.length, 1);
});

Deno.test("artifacts: an unchanged pull opens no model and no download", async () => {
  await using world = new ActionsWorld();
  await world.train(MODELS);
  await world.pull();
  const opened: string[] = [];
  const open: typeof Deno.open = (path, options) => {
    opened.push(String(path));
    return Deno.open(path, options);
  };
  const context = testContext({ fs: { ...Deno, open } });
  assert.equal((await world.pull({}, context)).outcome, "unchanged");
  assert.deepEqual(opened.filter((path) => /releases|partials|staging/.test(path)), []);
  await world.train({ "next.onnx": "next" });
  await world.pull({}, context);
  assert.notDeepEqual(opened.filter((path) => /releases|partials|staging/.test(path)), []);
});

Deno.test("artifacts: a remembered response contains no token, and is not used for another token", async () => {
  await using world = new ActionsWorld();
  await world.train(MODELS);
  await world.pull();
  const text = JSON.stringify(readFiles(world.store.root));
  assert.ok(!text.includes(world.github.env["GITHUB_TOKEN"] ?? ""));
  world.github.requests.length = 0;
  await assert.rejects(world.pull({ token: "ghs_rotated" }), { exitCode: 3 });
  assert.equal(world.github.requests[0]?.headers.get("if-none-match"), null);
});

Deno.test("artifacts: a run with another conclusion is ignored, unless it is configured", async () => {
  await using world = new ActionsWorld();
  const good = await world.train(MODELS);
  await world.train({ "bad.onnx": "failed" }, { conclusion: "failure" });
  world.github.addRun({ status: "in_progress", conclusion: null });
  assert.equal((await world.pull()).revision, `${good}.1`);
  const failed = await world.pull({ conclusion: "any" });
  assert.deepEqual(readFiles(world.store.modelsDir), { "bad.onnx": "failed" });
  assert.equal(failed.sequence, 2);
});

Deno.test("artifacts: a second attempt of a run is another revision", async () => {
  await using world = new ActionsWorld();
  const run = await world.train(MODELS, { attempt: 2 });
  await world.github.addArtifact(run, {
    name: "trained-models-1",
    content: streamedZip({ "again.onnx": "2" }),
  });
  assert.equal((await world.pull()).revision, `${run}.2`);
  assert.deepEqual(readFiles(world.store.modelsDir), { "again.onnx": "2" });
});

Deno.test("artifacts: runs of forks, of pull requests and of other branches are never trusted", async () => {
  await using world = new ActionsWorld();
  const good = await world.train(MODELS);
  const evil = { "evil.onnx": "evil" };
  await world.train(evil, { of: "fork" });
  await world.train(evil, { of: "fork", event: "pull_request" });
  await world.train(evil, { of: "deleted fork", event: "pull_request_target" });
  await world.train(evil, { event: "pull_request" });
  await world.train(evil, { branch: "evil" });
  for (const workflow of ["train_models.yml", undefined]) {
    assert.equal(
      (await world.pull({ workflow }, testContext(), { allowDowngrade: true })).revision,
      `${good}.1`,
    );
  }
  world.github.removeRun(good);
  await assert.rejects(world.pull(), (error) => {
    assert.match(
      message(error, 4),
      /a run that ended in success among the runs of train_models\.yml .*; 4 of forks/,
    );
    return true;
  });
});

Deno.test("artifacts: the trusted run is found before any number of newer runs of forks", async () => {
  await using world = new ActionsWorld();
  const good = await world.train(MODELS);
  for (let index = 0; index < 70; index++) world.github.addRun({ of: "fork" });
  assert.equal((await world.pull()).revision, `${good}.1`);
});

Deno.test("artifacts: an artifact that claims to be of a fork is ignored, whatever its run", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun();
  const claims = {
    workflow_run: { id: run, repository_id: 4711, head_repository_id: 815, head_branch: "main" },
  };
  await world.github.addArtifact(run, { name: "models", content: streamedZip(MODELS), claims });
  await assert.rejects(world.pull(), { code: "ARTIFACT_MISSING" });
});

Deno.test("artifacts: a workflow is named by its file, its id or its name", async () => {
  await using world = new ActionsWorld();
  world.github.workflows.set("ci.yml", "CI");
  const run = await world.train(MODELS);
  await world.train({ "ci-model.onnx": "ci" }, { workflow: "ci.yml" });
  for (const workflow of ["train_models.yml", ".github/workflows/train_models.yml", "1000", "Train models"]) {
    assert.equal((await world.pull({ workflow })).revision, `${run}.1`, workflow);
  }
  await assert.rejects(world.pull({ workflow: "Trian models" }), (error) => {
    assert.match(
      message(error, 4),
      /Cannot find the workflow "Trian models" .*: it has "Train models", "CI"/,
    );
    return true;
  });
  await assert.rejects(world.pull({ workflow: "gone.yml" }), (error) => {
    assert.match(message(error, 4), /the runs of gone\.yml on main of c-trading-bo\/trading-bot-c-: .* 404/);
    return true;
  });
});

Deno.test("artifacts: without a workflow, the newest run with a matching artifact is used", async () => {
  await using world = new ActionsWorld();
  world.github.workflows.set("ci.yml", "CI");
  const run = await world.train(MODELS);
  for (let index = 0; index < 5; index++) {
    const id = world.github.addRun({ workflow: "ci.yml" });
    await world.github.addArtifact(id, { name: "coverage", content: streamedZip({ "index.html": "" }) });
  }
  const report = await world.pull({ workflow: undefined });
  assert.deepEqual([report.revision, report.sequence], [`${run}.1`, run]);
  world.github.requests.length = 0;
  await world.pull({ workflow: undefined });
  assert.deepEqual(world.github.requests.map(({ status }) => status), [304]);
  for (let index = 0; index < 20; index++) world.github.addRun({ workflow: "ci.yml" });
  await assert.rejects(world.pull({ workflow: undefined }), { code: "ARTIFACT_MISSING", exitCode: 4 });
});

Deno.test("artifacts: several artifacts of a run make one release, without its other uploads", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun();
  const uploads = {
    "MODELS-eth": { "ETH/rf.onnx": "eth", "shared.json": "{}" },
    "models-btc": { "BTC/rf.onnx": "btc", "shared.json": "{}" },
    "logs": { "train.log": "..." },
  };
  for (const [name, files] of Object.entries(uploads)) {
    await world.github.addArtifact(run, { name, content: streamedZip(files) });
  }
  await world.pull();
  assert.deepEqual(readFiles(world.store.modelsDir), {
    "BTC/rf.onnx": "btc",
    "ETH/rf.onnx": "eth",
    "shared.json": "{}",
  });
  const next = world.github.addRun();
  await world.github.addArtifact(next, { name: "models-a", content: streamedZip({ "a.onnx": "1" }) });
  await world.github.addArtifact(next, { name: "models-b", content: streamedZip({ "a.onnx": "2" }) });
  await assert.rejects(world.pull(), { code: "ARCHIVES_CONFLICT", exitCode: 5 });
});

Deno.test("artifacts: more than a page of them are all read", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun();
  for (let index = 0; index < 120; index++) {
    await world.github.addArtifact(run, { name: `log-${index}`, content: streamedZip({ "x": "x" }) });
  }
  await world.github.addArtifact(run, { name: "models", content: streamedZip(MODELS) });
  await world.pull();
  assert.deepEqual(readFiles(world.store.modelsDir), MODELS);
});

Deno.test("artifacts: when all artifacts have expired, the error says when, and the active release stays", async () => {
  await using world = new ActionsWorld();
  await world.train(MODELS);
  await world.pull();
  const next = world.github.addRun();
  await world.github.addArtifact(next, { name: "models", content: streamedZip(MODELS), expired: true });
  await assert.rejects(world.pull(), (error) => {
    assert.match(message(error, 4), /artifact "models" of run \d+: it expired on 2026-11-20T/);
    return true;
  });
  assert.deepEqual(readFiles(world.store.modelsDir), MODELS);
  await assert.rejects(
    world.pull({ workflow: undefined, artifact: "old-*,models" }),
    /the newest that matches, "models", expired on 2026-11-20T/,
  );
});

Deno.test("artifacts: an artifact that expires between the list and the download is reported as expired", async () => {
  await using world = new ActionsWorld();
  await world.train(MODELS);
  world.github.faults.push(undefined, undefined, () => problem(410, "Artifact has expired"));
  await assert.rejects(world.pull(), { code: "ARTIFACTS_EXPIRED", exitCode: 4 });
});

Deno.test("artifacts: the storage gets no credential, and an expired address is requested again", async () => {
  await using world = new ActionsWorld();
  await world.train({ "model.bin": noise(2_000_000, 1) });
  const { blobs } = world.github;
  blobs.faults.push(
    { kind: "reset", afterBytes: 700_000 },
    { kind: "answer", make: () => new Response("<Error/>", { status: 403 }) },
  );
  await world.pull();
  assert.deepEqual(blobs.requests.map(({ headers }) => headers.get("authorization")), [null, null, null]);
  assert.equal(world.github.requests.filter(({ status }) => status === 302).length, 3);
  assert.match(blobs.requests[2]?.headers.get("range") ?? "", /^bytes=[1-9]/);
});

Deno.test("artifacts: the models arrive after any single fault of the storage", async () => {
  const model = noise(1_000_000, 4);
  const whole = streamedZip({ "model.bin": model });
  const faults: Readonly<Record<string, readonly (BlobFault | undefined)[]>> = {
    "breaks off at once": [{ kind: "reset", afterBytes: 0 }],
    "breaks off again and again": [100_000, 50_000, 70_000].map((afterBytes) => ({
      kind: "reset",
      afterBytes,
    })),
    "is out of order": [{ kind: "answer", make: () => new Response("busy", { status: 503 }) }],
    "sends another part than was asked for": [{ kind: "reset", afterBytes: 100_000 }, {
      kind: "answer",
      make: () =>
        new Response("wrong", {
          status: 206,
          headers: { "content-range": "bytes 7-11/*", "content-length": "5" },
        }),
    }],
    "knows no parts": [{ kind: "reset", afterBytes: 100_000 }, {
      kind: "answer",
      make: () => new Response(whole),
    }],
  };
  for (const [name, sequence] of Object.entries(faults)) {
    await using world = new ActionsWorld();
    await world.train({ "model.bin": model });
    world.github.blobs.faults.push(...sequence);
    await world.pull();
    assert.deepEqual(Deno.readFileSync(`${world.store.modelsDir}/model.bin`), model, name);
    assert.equal(world.github.blobs.faults.length, 0, name);
  }
});

Deno.test("artifacts: an HTML page instead of the archive is refused, and the next pull downloads the archive", async () => {
  await using world = new ActionsWorld();
  await world.train(MODELS);
  await world.pull();
  await world.train({ "next.onnx": "next" });
  const page = () =>
    new Response("<!doctype html><title>Log in</title>", { headers: { "content-type": "text/html" } });
  world.github.blobs.faults.push({ kind: "answer", make: page });
  await assert.rejects(world.pull(), { exitCode: 5 });
  assert.deepEqual(readFiles(world.store.modelsDir), MODELS);
  await world.pull();
  assert.deepEqual(readFiles(world.store.modelsDir), { "next.onnx": "next" });
});

Deno.test("artifacts: the next run continues a killed download, and does not repeat a complete one", async () => {
  await using world = new ActionsWorld();
  await world.train({ "model.bin": noise(2_000_000, 2), "metadata.json": '{"sha256_checksum": "0"}' });
  const { blobs } = world.github;
  blobs.faults.push(
    { kind: "reset", afterBytes: 900_000 },
    { kind: "answer", make: () => new Response(null, { status: 404 }) },
  );
  const controller = new AbortController();
  const context = testContext({ signal: controller.signal });
  context.log.warn = () => controller.abort(new Error("killed"));
  await assert.rejects(world.pull({}, context), /killed/);
  const before = blobs.requests.length;
  blobs.faults.length = 0;
  await assert.rejects(world.pull(), { code: "CHECKSUM_MISMATCH" });
  assert.equal(blobs.requests.length, before + 1);
  assert.match(blobs.requests.at(-1)?.headers.get("range") ?? "", /^bytes=[1-9]/);
  await assert.rejects(world.pull(), { code: "CHECKSUM_MISMATCH" });
  assert.equal(blobs.requests.length, before + 1);
});

Deno.test("artifacts: bytes that do not match GitHub's digest are refused", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun();
  const claims = { digest: `sha256:${"0".repeat(64)}` };
  await world.github.addArtifact(run, { name: "models", content: streamedZip(MODELS), claims });
  await assert.rejects(world.pull(), { code: "DIGEST_MISMATCH", exitCode: 5 });
});

Deno.test("artifacts: without a digest, as from old servers, the size and the archive are checked", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun();
  const claims = { size_in_bytes: 1_000_000 };
  await world.github.addArtifact(run, {
    name: "models",
    content: streamedZip(MODELS),
    hasDigest: false,
    claims,
  });
  await world.pull();
  assert.deepEqual(readFiles(world.store.modelsDir), MODELS);
  const page = () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } });
  const next = world.github.addRun();
  await world.github.addArtifact(next, { name: "models", content: streamedZip(MODELS), hasDigest: false });
  world.github.blobs.faults.push({ kind: "answer", make: page });
  await assert.rejects(world.pull(), { code: "HTML_PAGE", exitCode: 4 });
});

Deno.test("artifacts: an artifact that is too large is not downloaded", async () => {
  await using world = new ActionsWorld();
  await world.train({ "model.bin": noise(100_000, 3) });
  await assert.rejects(world.pull({ bytesMax: 50_000 }), { code: "DOWNLOAD_TOO_LARGE", exitCode: 5 });
  assert.equal(world.github.blobs.requests.length, 0);
  const context = testContext({ freeBytes: () => Promise.resolve(20 * 1024 * 1024) });
  await world.train({ "model.bin": noise(6 * 1024 * 1024, 3) });
  await assert.rejects(world.pull({}, context), { code: "DISK", exitCode: 7 });
  assert.equal(world.github.blobs.requests.length, 0);
});

Deno.test("artifacts: a single file that was uploaded without an archive stays that file, also when its format is a ZIP", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun();
  const torch = streamedZip({ "archive/data.pkl": "tensors", "archive/version": "3" });
  const packed = streamedZip({ "packed.pt": "weights" });
  const onnx = new TextEncoder().encode("onnx");
  const uploads = { "model.onnx": onnx, "torch-model.pt": torch, "packed.pt": packed };
  for (const [name, content] of Object.entries(uploads)) {
    await world.github.addArtifact(run, { name, content });
  }
  await world.pull({ artifact: "*.onnx,*.pt" });
  assert.deepEqual(Object.keys(readFiles(world.store.modelsDir)), [
    "model.onnx",
    "packed.pt",
    "torch-model.pt",
  ]);
  assert.deepEqual(Deno.readFileSync(`${world.store.modelsDir}/torch-model.pt`), torch);
  assert.equal(Deno.readTextFileSync(`${world.store.modelsDir}/packed.pt`), "weights");
});

Deno.test("artifacts: a file that is not an archive and has no extension is refused", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun();
  await world.github.addArtifact(run, { name: "models", content: new TextEncoder().encode("not a ZIP") });
  await assert.rejects(world.pull(), { code: "ARCHIVE_FORMAT", exitCode: 5 });
});

Deno.test("artifacts: a metadata.json must have the checksum of the model beside it", async () => {
  await using world = new ActionsWorld();
  const model = "a model";
  const sha256 = await digestOf(model);
  const metadata = (checksum: string) => JSON.stringify({ model_type: "HMM", sha256_checksum: checksum });
  const right = {
    "hmm/model.pkl": model,
    "hmm/metadata.json": metadata(sha256),
    "other/metadata.json": "{}",
  };
  await world.train(right);
  await world.pull();
  await world.train({ ...right, "hmm/model.pkl": "another model" });
  await assert.rejects(world.pull(), (error) => {
    assert.match(
      message(error, 5),
      new RegExp(
        `hmm/metadata\\.json: its sha256_checksum is ${sha256}, but hmm/model\\.pkl has SHA-256 [0-9a-f]{64}`,
      ),
    );
    return true;
  });
  assert.equal(readFiles(world.store.modelsDir)["hmm/model.pkl"], model);
});

Deno.test("artifacts: a manifest in the archive determines its files and the order of releases", async () => {
  await using world = new ActionsWorld();
  await world.train(await withManifest(MODELS, 7));
  assert.equal((await world.pull()).sequence, 7);
  await world.train(await withManifest({ "x.onnx": "older" }, 6));
  await assert.rejects(world.pull(), { code: "DOWNGRADE", exitCode: 5 });
});

Deno.test("artifacts: after a run was deleted, the next pull searches again instead of using the remembered one", async () => {
  await using world = new ActionsWorld();
  await world.train(MODELS);
  await world.pull();
  const run = await world.train({ "next.onnx": "next" });
  world.github.faults.push(undefined, () => problem(404, "Not Found"));
  await assert.rejects(world.pull(), { exitCode: 4 });
  world.github.requests.length = 0;
  assert.equal((await world.pull()).revision, `${run}.1`);
  assert.equal(world.github.requests[0]?.headers.get("if-none-match"), null);
});

function message(error: unknown, exitCode: number): string {
  assert.ok(error instanceof ModelSyncError, String(error));
  assert.equal(error.exitCode, exitCode);
  return error.message;
}

async function digestOf(text: string): Promise<string> {
  const path = Deno.makeTempFileSync();
  Deno.writeTextFileSync(path, text);
  const { sha256 } = await hashFile(Deno, path, { signal: new AbortController().signal });
  Deno.removeSync(path);
  return sha256;
}
