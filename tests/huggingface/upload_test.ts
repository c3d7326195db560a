import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { previewUpload } from "../../lib/carriers/huggingface_preview.ts";
import type { HuggingFacePublisherOptions } from "../../lib/carriers/huggingface_publisher.ts";
import { NO_CACHE, readModelSet } from "../../lib/release/model_set.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { Secret } from "../../lib/core/secret.ts";
import { fillModels } from "../contract/carrier_contract.ts";
import {
  hubOf,
  publisherOptions,
  pullTo,
  REPO,
  sourceOptions,
  uploadFrom,
  WHOLE_REPO,
} from "../helpers/hub_machines.ts";
import { CLUTTER } from "../helpers/clutter_files.ts";
import { manifestOf } from "../helpers/manifest_of.ts";
import { testKey } from "../helpers/signing.ts";
import { listing, noise, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { vanishingFs, VANISHINGS } from "../helpers/vanishing_fs.ts";
import { fixedEnvironment, testContext } from "../helpers/test_context.ts";
import { HubBench } from "./hub_bench.ts";
import { assertSomePause } from "../helpers/assert_pause.ts";

const MODELS = { "model.joblib": "one", "scaler.joblib": "two", "config/metadata.json": "{}" };

/** A bench whose trainer has models and uploads them. */
class UploadBench extends HubBench {
  constructor(files: Readonly<Record<string, string | Uint8Array>> = MODELS) {
    super();
    writeFiles(this.trainer, files);
  }

  async upload(changed: Partial<HuggingFacePublisherOptions> = {}, context = this.context) {
    return await uploadFrom(context, this.trainer, publisherOptions(this.server, changed));
  }

  rules(changed: Partial<HuggingFacePublisherOptions["rules"]> = {}) {
    return { rules: { layout: WHOLE_REPO, deleteRemoved: false, allowShrink: false, ...changed } };
  }
}

Deno.test("a first upload creates the repository and one commit with all files and the manifest", async () => {
  await using bench = new UploadBench();
  const report = await bench.upload({ isPrivate: true });
  const { server } = bench;
  const repo = server.repos.get(REPO);
  assert.deepEqual([repo?.isPrivate, repo?.commits.size], [true, 2]);
  const { "model-sync.json": manifest = "", ...files } = server.files(REPO);
  assert.deepEqual(files, readFiles(bench.trainer));
  const { origin, sequence, digest } = z.object({
    origin: z.object({ carrier: z.string(), host: z.string() }),
    sequence: z.number(),
    digest: z.string(),
  }).parse(JSON.parse(manifest));
  assert.deepEqual([origin, sequence, digest], [
    { carrier: "huggingface", host: "test-host" },
    1,
    report.release,
  ]);
  assert.equal(server.head(REPO).message, "chore(models): sync 2026-11-21T00:00:00Z");
  assert.equal(report.publication.commit, server.head(REPO).id);
});

Deno.test("an upload sends no housekeeping files, and can delete those of earlier versions", async () => {
  await using bench = new UploadBench({ ...MODELS, ...CLUTTER });
  const old = { ...MODELS, "__pycache__/old.pyc": "old" };
  bench.server.commit(REPO, {
    ...old,
    "._mine": "not published by us",
    "model-sync.json": await manifestOf(old, { carrier: "huggingface" }),
  });
  await bench.upload(bench.rules({ deleteRemoved: true }));
  assert.deepEqual(
    new Set(Object.keys(bench.server.files(REPO))),
    new Set([...Object.keys(MODELS), "._mine", "model-sync.json"]),
  );
});

Deno.test("only changed files are sent, and an unchanged release costs one request", async () => {
  await using bench = new UploadBench();
  await bench.upload();
  bench.asked();
  assert.equal((await bench.upload()).outcome, "unchanged");
  assert.deepEqual(bench.asked(), [`GET /api/models/${REPO}/revision/main`]);
  writeFiles(bench.trainer, { "scaler.joblib": "three" });
  const report = await bench.upload();
  assert.deepEqual([report.outcome, report.sequence, report.changed], ["published", 2, 1]);
  const sha256 = createHash("sha256").update("three").digest("hex");
  assert.deepEqual(bench.asked().filter((line) => line.startsWith("PUT")), [`PUT /${sha256}`]);
});

Deno.test("equal files of another writer need no upload, only a manifest", async () => {
  await using bench = new UploadBench();
  bench.server.commit(REPO, MODELS);
  const report = await bench.upload();
  assert.deepEqual([report.outcome, report.sequence, report.changed], ["published", 1, 0]);
  assert.ok(bench.asked().every((line) => !line.startsWith("PUT") && !line.includes("objects/batch")));
});

Deno.test("a branch that moves meanwhile is planned again, on top of the other commit", async () => {
  await using bench = new UploadBench();
  await bench.upload();
  writeFiles(bench.trainer, { "model.joblib": "newer" });
  bench.server.fail(/^POST .*\/commit\//, {
    kind: "first",
    act: () => void bench.server.commit(REPO, { "README.md": "# card" }),
  });
  const report = await bench.upload();
  assert.equal(report.sequence, 2);
  assert.deepEqual(
    [bench.server.files(REPO)["README.md"], bench.server.files(REPO)["model.joblib"]],
    ["# card", "newer"],
  );
  assert.match(bench.context.log.lines.join("\n"), /another uploader moved main/);
});

Deno.test("an upload fails after five attempts if the branch moves each time", async () => {
  await using bench = new UploadBench();
  await bench.upload();
  writeFiles(bench.trainer, { "model.joblib": "newer" });
  let moves = 0;
  const move = {
    kind: "first",
    act: () => void bench.server.commit(REPO, { "README.md": `${++moves}` }),
  } as const;
  bench.server.fail(/^POST .*\/commit\//, ...Array(9).fill(move));
  await assert.rejects(bench.upload(), { code: "UPLOAD_LOST", exitCode: 1 });
  assert.equal(moves, 5);
});

Deno.test("a commit whose answer was lost is found, and not created twice", async () => {
  await using bench = new UploadBench();
  bench.server.createRepo(REPO);
  bench.server.fail(/^POST .*\/commit\//, { kind: "lost" });
  const report = await bench.upload();
  assert.deepEqual([report.outcome, report.sequence, report.changed], ["published", 1, 3]);
  assert.equal(bench.server.repos.get(REPO)?.commits.size, 2);
  assert.equal((await bench.upload()).outcome, "unchanged");
});

Deno.test("temporary faults are retried at every step of an upload", async () => {
  await using bench = new UploadBench();
  const answer = (status: number, headers: Record<string, string> = {}) =>
    ({ kind: "answer", make: () => new Response("busy", { status, headers }) }) as const;
  bench.server.fail(/revision/, answer(503));
  bench.server.fail(/repos\/create/, answer(429, { "retry-after": "3" }));
  bench.server.fail(/preupload/, answer(500), { kind: "cut", afterBytes: 3 });
  bench.server.fail(/objects\/batch/, answer(429), answer(502));
  bench.server.fail(/^PUT/, answer(503), { kind: "lost" }, answer(500));
  bench.server.fail(/\/commit\//, answer(429, { "retry-after": "5" }), answer(503));
  await bench.upload();
  const { "model-sync.json": _, ...files } = bench.server.files(REPO);
  assert.deepEqual(files, readFiles(bench.trainer));
  for (const requestedMs of [3_000, 5_000]) assertSomePause(bench.clock.pausesMs, requestedMs);
});

Deno.test("an upload without a sign of life is ended and sent again", async () => {
  await using bench = new UploadBench({ "model.joblib": "one" });
  const released = Promise.withResolvers<void>();
  bench.server.fail(/^PUT/, {
    kind: "first",
    act: () => {
      bench.clock.advance(5 * 60_000);
      return released.promise;
    },
  });
  await bench.upload();
  released.resolve();
  assert.match(bench.context.log.lines.join("\n"), /Cannot upload model\.joblib: no data moved for 240 s/);
  assert.equal(bench.server.files(REPO)["model.joblib"], "one");
});

Deno.test("storage that keeps refusing ends the upload, and the branch stays unchanged", async () => {
  await using bench = new UploadBench();
  bench.server.createRepo(REPO);
  const { id } = bench.server.head(REPO);
  bench.server.fail(/^PUT/, {
    kind: "answer",
    make: () => new Response("<Error>expired</Error>", { status: 403 }),
  });
  await assert.rejects(bench.upload(), { code: "STORAGE_REFUSED", exitCode: 1 });
  assert.equal(bench.server.head(REPO).id, id);
  await bench.upload();
});

Deno.test("large files are sent in parts, equal ones once, and the token to the hub only", async () => {
  const big = noise(900_001, 7);
  await using bench = new UploadBench({ "a/big.bin": big, "b/big.bin": big, "empty.bin": "" });
  bench.server.partBytes = 200_000;
  await bench.upload();
  const puts = bench.server.requests.filter(({ method }) => method === "PUT");
  assert.equal(puts.length, 5);
  assert.ok(puts.every(({ headers }) => headers.get("authorization") === null));
  assert.ok(
    bench.server.requests.filter(({ server }) => server === "hub")
      .every(({ headers }) => headers.get("authorization") === `Bearer ${bench.server.token}`),
  );
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), readFiles(bench.trainer));
});

Deno.test("texts that do not fit into a commit's body go to LFS", async () => {
  const files = Object.fromEntries(
    Array.from(
      { length: 12 },
      (_, index) => [`text_${index}.json`, JSON.stringify("x".repeat(900_000 + index))],
    ),
  );
  await using bench = new UploadBench({ ...files, "long.json": JSON.stringify("y".repeat(2_000_000)) });
  await bench.upload();
  const kinds = [...bench.server.head(REPO).tree].map(([path, { content }]) =>
    [path, content !== undefined] as const
  );
  assert.deepEqual(kinds.filter(([, isInline]) => isInline).length, 2 + 9);
  assert.equal(new Map(kinds).get("long.json"), false);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), readFiles(bench.trainer));
});

Deno.test("a model that changes during the upload is not sent under its old digest", async () => {
  for (const [path, content] of [["model.joblib", "one"], ["metadata.json", "{}"]] as const) {
    await using bench = new UploadBench({ [path]: content });
    bench.server.createRepo(REPO);
    bench.server.fail(/\/preupload\//, {
      kind: "first",
      act: () => writeFiles(bench.trainer, { [path]: content.replace(/./, "X") }),
    });
    await assert.rejects(bench.upload(), { code: "MODELS_CHANGING", exitCode: 1 });
    assert.deepEqual(bench.server.files(REPO), {});
  }
});

for (const [event, change] of Object.entries(VANISHINGS)) {
  Deno.test(`an upload says that a file changed if it ${event}, whenever that is`, async () => {
    for (const path of ["model.joblib", "metadata.json"]) {
      await using bench = new UploadBench();
      const location = join(Deno.realPathSync(bench.trainer), path);
      let failures = 0;
      for (let at = 1;; at++) {
        Deno.writeTextFileSync(location, `"${at}"`);
        const fs = vanishingFs(location, { at, change });
        try {
          await bench.upload({}, { ...bench.context, fs });
        } catch (error) {
          assert.ok(error instanceof ModelSyncError, String(error));
          const { code, exitCode, message } = error;
          assert.deepEqual([code, exitCode], ["MODELS_CHANGING", 1], message);
          assert.equal(message, `Cannot publish ${path}: it changed while it was being published`);
          failures++;
        }
        if (fs.looks() < at) break;
        rmSync(location, { recursive: true, force: true });
      }
      assert.ok(failures >= 2, `${failures}`);
      assert.deepEqual(bench.clock.pausesMs, []);
    }
  });
}

Deno.test("a model that shrinks or disappears during the upload ends it at once", async () => {
  for (
    const change of [(path: string) => Deno.truncateSync(path, 5), (path: string) => Deno.removeSync(path)]
  ) {
    await using bench = new UploadBench({ "large.bin": noise(2_000_000, 3) });
    bench.server.createRepo(REPO);
    bench.server.fail(/objects\/batch/, {
      kind: "first",
      act: () => change(join(bench.trainer, "large.bin")),
    });
    await assert.rejects(bench.upload(), { code: "MODELS_CHANGING", exitCode: 1 });
    assert.deepEqual(bench.clock.pausesMs, []);
  }
});

Deno.test("an unexpected answer, and a file that the hub refuses, are reported", async () => {
  await using bench = new UploadBench();
  bench.server.createRepo(REPO);
  const page = () => new Response("<html>maintenance</html>", { headers: { "content-type": "text/html" } });
  for (const step of [/preupload/, /objects\/batch/, /\/commit\//]) {
    bench.server.fail(step, { kind: "answer", make: page });
    await assert.rejects(bench.upload(), { code: "ANSWER_INVALID", exitCode: 4 }, String(step));
  }
  writeFiles(bench.trainer, { "more.bin": "m" });
  const oid = createHash("sha256").update("m").digest("hex");
  bench.server.fail(/objects\/batch/, {
    kind: "answer",
    make: () =>
      Response.json({ objects: [{ oid, size: 1, error: { code: 403, message: "storage quota reached" } }] }),
  });
  await assert.rejects(bench.upload(), /refuses a file: .*storage quota reached/);
});

Deno.test("deleted files leave the release at once, and the hub with --delete-removed", async () => {
  await using bench = new UploadBench();
  bench.server.commit(REPO, { "README.md": "# card", "notes.txt": "by hand" });
  await bench.upload();
  Deno.removeSync(join(bench.trainer, "scaler.joblib"));
  assert.equal((await bench.upload()).changed, 1);
  assert.ok("scaler.joblib" in bench.server.files(REPO));
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(Object.keys(readFiles(bench.bot)), ["config/metadata.json", "model.joblib"]);
  assert.equal((await bench.upload(bench.rules({ deleteRemoved: true }))).outcome, "published");
  assert.deepEqual(Object.keys(bench.server.files(REPO)), [
    "README.md",
    "config/metadata.json",
    "model-sync.json",
    "model.joblib",
  ]);
  assert.equal((await bench.upload(bench.rules({ deleteRemoved: true }))).outcome, "unchanged");
});

Deno.test("patterns exclude files from the upload and from deletion", async () => {
  await using bench = new UploadBench({ ...MODELS, "log/today.log": "x", "keep.tmp": "t" });
  bench.server.commit(REPO, { "old.tmp": "theirs", "old.joblib": "stale" });
  const layout = { folder: "", include: [], exclude: ["*.log", "*.tmp"] };
  await bench.upload(bench.rules({ layout, deleteRemoved: true, allowShrink: true }));
  assert.deepEqual(Object.keys(bench.server.files(REPO)), [
    "config/metadata.json",
    "model-sync.json",
    "model.joblib",
    "old.tmp",
    "scaler.joblib",
  ]);
  await assert.rejects(
    bench.upload(bench.rules({ layout: { folder: "", include: ["*.none"], exclude: [] } })),
    { code: "MODELS_EMPTY" },
  );
});

Deno.test("an upload refuses what a publish does", async () => {
  await using bench = new UploadBench({ "a.bin": "1", "b.bin": "2", "c.bin": "3" });
  await bench.upload();
  fillModels(bench.trainer, { "a.bin": "1" });
  await assert.rejects(bench.upload(), { code: "SHRINK", exitCode: 5 });
  await bench.upload(bench.rules({ allowShrink: true }));
  writeFiles(bench.trainer, { ".env": "TOKEN=1" });
  await assert.rejects(bench.upload(), { code: "SECRET_FOUND", exitCode: 5 });
  fillModels(bench.trainer, { "a.bin": "1", "model-sync.json": "{}" });
  await assert.rejects(bench.upload(), { code: "MANIFEST_TAKEN", exitCode: 2 });
  fillModels(bench.trainer, {});
  await assert.rejects(bench.upload(), { code: "MODELS_MISSING", exitCode: 5 });
  fillModels(bench.trainer, MODELS);
  const layout = { ...WHOLE_REPO, folder: "other" };
  await assert.rejects(bench.upload(bench.rules({ layout })), { code: "MANIFEST_TAKEN", exitCode: 2 });
});

Deno.test("without a token, with a wrong one, or with a read-only one, an upload ends with exit code 3", async () => {
  await using bench = new UploadBench();
  const upload = (token: Secret | undefined) => bench.upload({ hub: hubOf(bench.server, { token }) });
  await assert.rejects(upload(undefined), { code: "TOKEN_MISSING", exitCode: 3 });
  await assert.rejects(upload(new Secret("hf_wrong")), { exitCode: 3 });
  bench.server.createRepo(REPO);
  const forbidden = () => Response.json({ error: "You need write access" }, { status: 403 });
  bench.server.fail(/preupload/, { kind: "answer", make: forbidden });
  await assert.rejects(bench.upload(), (error) => {
    assert.ok(error instanceof Error && "hint" in error && "exitCode" in error);
    assert.match(String(error.hint), /HF_TOKEN needs a token with write access to you\/models/);
    return error.exitCode === 3;
  });
});

Deno.test("a damaged manifest is replaced, with a sequence above the last one of this machine", async () => {
  await using bench = new UploadBench();
  await bench.upload();
  bench.server.commit(REPO, { "model-sync.json": "{" });
  const report = await bench.upload();
  assert.deepEqual([report.outcome, report.sequence, report.changed], ["published", 2, 0]);
  assert.match(bench.context.log.lines.join("\n"), /it will be replaced/);
});

Deno.test("a pull request proposes the release and does not change the branch; a missing branch is created", async () => {
  await using bench = new UploadBench();
  bench.server.createRepo(REPO);
  const { id } = bench.server.head(REPO);
  const { publication } = await bench.upload({ asPullRequest: true });
  assert.match(publication.pullRequestUrl ?? "", /\/discussions\/1$/);
  assert.equal(bench.server.head(REPO).id, id);
  assert.ok("model.joblib" in bench.server.files(REPO, "refs/pr/1"));
  await bench.upload({ hub: hubOf(bench.server, { revision: "canary/one" }) });
  assert.ok("model.joblib" in bench.server.files(REPO, "canary/one"));
});

Deno.test("in GitHub Actions, the message names the built commit; a given message wins", async () => {
  await using bench = new UploadBench();
  const context = testContext({ env: fixedEnvironment({ GITHUB_SHA: "0123456789abcdef" }) });
  await bench.upload({}, context);
  assert.equal(bench.server.head(REPO).message, "Auto-update models from GitHub Actions 0123456");
  writeFiles(bench.trainer, { "model.joblib": "newer" });
  await bench.upload({ commitMessage: "daily refresh" }, context);
  assert.equal(bench.server.head(REPO).message, "daily refresh");
});

Deno.test("a key signs an unchanged release in one commit of two files, and the preview announces it", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  fillModels(bench.trainer, MODELS);
  await uploadFrom(context, bench.trainer, publisherOptions(server));
  const options = publisherOptions(server, { seal: testKey().seal() });
  const set = await readModelSet(context, bench.trainer, NO_CACHE);
  const preview = await previewUpload(context, options, set);
  assert.deepEqual([preview.outcome, preview.sequence, preview.changes], [
    "published",
    2,
    { added: [], modified: [], removed: [] },
  ]);
  const before = server.head(REPO).tree;
  await uploadFrom(context, bench.trainer, options);
  const after = server.head(REPO).tree;
  const changed = [...after].filter(([path, { blob }]) => before.get(path)?.blob !== blob);
  assert.deepEqual(changed.map(([path]) => path).sort(), ["model-sync.json", "model.sig"]);
  assert.equal((await previewUpload(context, options, set)).outcome, "unchanged");
});

Deno.test("a model with the name of the signature is refused where it would replace it", async () => {
  await using bench = new HubBench();
  fillModels(bench.trainer, { ...MODELS, "model.sig": "mine" });
  await assert.rejects(uploadFrom(bench.context, bench.trainer, publisherOptions(bench.server)), {
    code: "MANIFEST_TAKEN",
    exitCode: 2,
  });
});

Deno.test("a preview lists the upload and changes nothing", async () => {
  await using bench = new UploadBench();
  const set = await readModelSet(bench.context, bench.trainer, NO_CACHE);
  const before = listing(bench.path);
  const preview = await previewUpload(bench.context, publisherOptions(bench.server), set);
  assert.deepEqual([preview.outcome, preview.sequence, preview.missing, preview.changes.added.length], [
    "published",
    1,
    "repository",
    3,
  ]);
  assert.deepEqual([listing(bench.path), bench.server.repos.size], [before, 0]);
});
