import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { Secret } from "../../lib/core/secret.ts";
import { Hub } from "../../lib/huggingface/hub.ts";
import { nextPage } from "../../lib/huggingface/next_page.ts";
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
import { noise, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { recordedLog, testContext } from "../helpers/test_context.ts";
import { HubBench } from "./hub_bench.ts";
import { assertPause, assertSomePause } from "../helpers/assert_pause.ts";

const MODELS = { "model.joblib": "one", "scaler.joblib": "two", "config/metadata.json": "{}" };

Deno.test("a repository without a manifest gives its models, without other files", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, { ...MODELS, "README.md": "# card", "LICENSE": "MIT", ".gitignore": "*.tmp" });
  const report = await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), {
    "config/metadata.json": "{}",
    "model.joblib": "one",
    "scaler.joblib": "two",
  });
  assert.deepEqual([report.outcome, report.sequence, report.revision], [
    "activated",
    0,
    bench.server.head(REPO).id,
  ]);
});

Deno.test("a pull from the hub skips housekeeping files, unless the manifest lists them", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, { ...MODELS, ...CLUTTER });
  const context = { ...bench.context, log: recordedLog() };
  await pullTo(context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), MODELS);
  assert.ok(context.log.lines.some((line) => /^debug left housekeeping files .*__pycache__/.test(line)));
  const listed = { ...MODELS, "__pycache__/features.cpython-313.pyc": "Python" };
  bench.server.commit(REPO, {
    ...MODELS,
    ...CLUTTER,
    "model-sync.json": await manifestOf(listed, { carrier: "huggingface" }),
  });
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(new Set(Object.keys(readFiles(bench.bot))), new Set(Object.keys(listed)));
});

Deno.test("without a manifest, folder and patterns choose the files", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, {
    "prod/a.joblib": "a",
    "prod/deep/b.joblib": "b",
    "prod/deep/b.log": "no",
    "prod/README.md": "of the models",
    "test/c.joblib": "no",
  });
  const layout = { folder: "prod", include: ["*.joblib", "*.md"], exclude: ["deep/x*"] };
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server, { layout }));
  assert.deepEqual(readFiles(bench.bot), {
    "README.md": "of the models",
    "a.joblib": "a",
    "deep/b.joblib": "b",
  });
});

Deno.test("a pull of a large file requests only what its chunks in installed releases do not have", async () => {
  await using bench = new HubBench();
  const MIB = 1024 ** 2;
  const weights = noise(20 * MIB, 1);
  const publish = async (name: string, bytes: Uint8Array) => {
    Deno.mkdirSync(bench.trainer, { recursive: true });
    Deno.writeFileSync(join(bench.trainer, name), bytes);
    await uploadFrom(bench.context, bench.trainer, publisherOptions(bench.server));
    bench.server.requests.splice(0);
  };
  await publish("model.bin", weights);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  // A header that grew, under a new name.
  const grown = new Uint8Array(21 * MIB);
  grown.set(noise(MIB, 2));
  grown.set(weights, MIB);
  await publish("renamed.bin", grown);
  const log = recordedLog();
  await pullTo({ ...bench.context, log }, bench.bot, sourceOptions(bench.server));
  assert.ok(
    Buffer.from(grown).equals(Deno.readFileSync(join(bench.bot, "renamed.bin"))),
    "other bytes arrived",
  );
  const ranges = bench.server.requests.filter(({ server }) => server === "storage")
    .map(({ headers }) => headers.get("range"));
  assert.equal(ranges.length, 1);
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(ranges[0] ?? "") ?? [];
  assert.ok(start === "0" && Number(end) < 4 * MIB, `${ranges}`);
  assert.match(
    log.lines.join("\n"),
    /info reusing \d\d\.\d MiB of 21\.0 MiB of renamed\.bin of you\/models: this machine has them in other releases/,
  );
});

Deno.test("with a manifest, the release is exactly its files; a missing one is refused", async () => {
  await using bench = new HubBench();
  writeFiles(bench.trainer, MODELS);
  await uploadFrom(bench.context, bench.trainer, publisherOptions(bench.server));
  bench.server.commit(REPO, { "README.md": "# card", "left/over.bin": "old" });
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot), readFiles(bench.trainer));
  bench.server.commit(REPO, { "model.joblib": undefined });
  await assert.rejects(
    pullTo(bench.context, bench.bot, sourceOptions(bench.server)),
    /it lists model\.joblib, which the commit does not have/,
  );
  assert.deepEqual(readFiles(bench.bot), readFiles(bench.trainer));
});

Deno.test("an unchanged pull is one conditional request, separate for each credential", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, MODELS);
  const options = sourceOptions(bench.server);
  await pullTo(bench.context, bench.bot, options);
  bench.asked();
  assert.equal((await pullTo(bench.context, bench.bot, options)).outcome, "unchanged");
  const [request, ...more] = bench.server.requests;
  assert.deepEqual([request?.path, request?.status, more], [`/api/models/${REPO}/revision/main`, 304, []]);
  bench.asked();
  const anonymous = sourceOptions(bench.server, { hub: hubOf(bench.server, { token: undefined }) });
  await pullTo(bench.context, bench.bot, anonymous);
  const [other] = bench.server.requests;
  assert.deepEqual([other?.headers.get("if-none-match"), other?.headers.get("authorization")], [null, null]);
  assert.equal(bench.server.requests.length, 1);
  const store = readFiles(join(bench.bot, "../.model-sync"));
  assert.doesNotMatch(JSON.stringify(store), new RegExp(bench.server.token));
});

Deno.test("an unchanged pull is one request, too, from a hub without ETags", async () => {
  await using bench = new HubBench();
  bench.server.hasEtags = false;
  bench.server.commit(REPO, MODELS);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  bench.asked();
  assert.equal((await pullTo(bench.context, bench.bot, sourceOptions(bench.server))).outcome, "unchanged");
  assert.deepEqual(bench.asked(), [`GET /api/models/${REPO}/revision/main`]);
});

Deno.test("only files that the store lacks are downloaded, small and large ones", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, MODELS);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  bench.server.commit(REPO, { "scaler.joblib": "three", "more.json": "[]", "copy.json": "{}" });
  bench.asked();
  const report = await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  const { id } = bench.server.head(REPO);
  const fetched = bench.asked().filter((line) => line.includes("/resolve/"));
  assert.deepEqual(fetched.sort(), [
    `GET /${REPO}/resolve/${id}/more.json`,
    `GET /${REPO}/resolve/${id}/scaler.joblib`,
  ]);
  assert.equal(report.writtenBytes, "three".length + "[]".length);
});

Deno.test("every file comes from the commit that was resolved, though the branch moves meanwhile", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, MODELS);
  const { id } = bench.server.head(REPO);
  bench.server.fail(/\/tree\//, {
    kind: "first",
    act: () => void bench.server.commit(REPO, { "model.joblib": "newer" }),
  });
  const report = await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.equal(report.revision, id);
  assert.equal(readFiles(bench.bot)["model.joblib"], "one");
});

Deno.test("a file list of many pages, and names with #, %, spaces and other alphabets, arrive complete", async () => {
  await using bench = new HubBench();
  bench.server.pageSize = 3;
  const files = {
    "a#b.joblib": "1",
    "per%41cent.joblib": "2",
    "with space & more.json": "3",
    "模型/ünï.bin": "4",
    "plus+and=equal.txt": "5",
    "e.txt": "6",
  };
  bench.server.commit(REPO, files);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(
    readFiles(bench.bot),
    Object.fromEntries(Object.entries(files).sort(([a], [b]) => a < b ? -1 : 1)),
  );
});

Deno.test("the pages of a mirror's file list are requested from the mirror, whatever its links say", async () => {
  await using bench = new HubBench();
  bench.server.pageSize = 2;
  bench.server.commit(REPO, { "a.bin": "1", "b.bin": "2", "c.bin": "3", "d.bin": "4", "e.bin": "5" });
  const listed: string[] = [];
  const http = (input: string | URL | Request, init?: RequestInit) => {
    listed.push(new URL(String(input)).host);
    return fetch(input, init);
  };
  for (const root of ["https://huggingface.co", "http://hub.internal:8080"]) {
    bench.server.linkRoot = root;
    const hub = new Hub({ ...bench.context, http }, hubOf(bench.server));
    const files = await hub.listFiles(bench.server.head(REPO).id);
    assert.deepEqual(files.map(({ path }) => path).filter((path) => path.endsWith(".bin")), [
      "a.bin",
      "b.bin",
      "c.bin",
      "d.bin",
      "e.bin",
    ]);
  }
  assert.deepEqual(new Set(listed), new Set([new URL(bench.server.endpoint).host]));
  // A proxy that removes a prefix from paths returns links without it.
  const from = "https://corp.example/hf/api/models/a/b/tree/c?recursive=true";
  const link = '<https://corp.example/api/models/a/b/tree/c?recursive=true&cursor=7>; rel="next"';
  assert.equal(nextPage(link, from, "https://corp.example/hf"), `${from}&cursor=7`);
});

Deno.test("a file list whose pages lead back to an earlier one ends at once", async () => {
  await using bench = new HubBench();
  bench.server.pageSize = 1;
  bench.server.commit(REPO, { "a.bin": "1", "b.bin": "2" });
  let requests = 0;
  const http = async (input: string | URL | Request, init?: RequestInit) => {
    requests++;
    const response = await fetch(input, init);
    const url = `${new URL(String(input)).origin}${
      new URL(String(input)).pathname
    }?recursive=true&expand=false`;
    return new Response(response.body, { status: 200, headers: { link: `<${url}>; rel="next"` } });
  };
  const hub = new Hub({ ...bench.context, http }, hubOf(bench.server));
  await assert.rejects(hub.listFiles(bench.server.head(REPO).id), {
    code: "ANSWER_INVALID",
    message: /links from a page back to an earlier one$/,
  });
  assert.equal(requests, 1);
});

Deno.test("a pull waits as long as the hub's RateLimit field says", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, MODELS);
  const busy = () =>
    new Response("busy", {
      status: 429,
      headers: { "ratelimit": '"api";r=0;t=5', "ratelimit-policy": '"fixed window";"api";q=500;w=300' },
    });
  bench.server.fail(/revision/, { kind: "answer", make: busy });
  bench.server.fail(/resolve/, { kind: "answer", make: busy });
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.equal(bench.clock.pausesMs.length, 2);
  for (const pausedMs of bench.clock.pausesMs) assertPause(pausedMs, 6_000);
});

Deno.test("a tag, a whole commit and another branch can be pulled", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, MODELS);
  const first = bench.server.head(REPO).id;
  bench.server.repos.get(REPO)?.branches.set("release/v1", first);
  bench.server.commit(REPO, { "model.joblib": "newer" });
  for (const revision of [first, "release/v1"]) {
    const hub = hubOf(bench.server, { revision });
    await pullTo(bench.context, bench.bot, sourceOptions(bench.server, { hub }));
    assert.equal(readFiles(bench.bot)["model.joblib"], "one", revision);
  }
});

Deno.test("the token reaches the hub's own origin, and never the storage that it redirects to", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, MODELS);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  for (const { server, headers } of bench.server.requests) {
    assert.equal(headers.get("authorization"), server === "hub" ? `Bearer ${bench.server.token}` : null);
  }
  assert.ok(bench.server.requests.some(({ server }) => server === "storage"));
});

Deno.test("wrong bytes of the right size are refused, and the active release stays", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, MODELS);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  bench.server.commit(REPO, { "model.joblib": "uno" });
  const sha256 = createHash("sha256").update("uno").digest("hex");
  bench.server.storage.write(sha256, "UNO");
  await assert.rejects(pullTo(bench.context, bench.bot, sourceOptions(bench.server)), {
    code: "DIGEST_MISMATCH",
    exitCode: 5,
  });
  bench.server.commit(REPO, { "model.joblib": "one", "config/metadata.json": "[]" });
  bench.server.fail(/metadata/, { kind: "corrupt" }, { kind: "corrupt" });
  await assert.rejects(
    pullTo(bench.context, bench.bot, sourceOptions(bench.server)),
    /config\/metadata\.json of you\/models: git names its bytes [0-9a-f]{40}, the hub lists [0-9a-f]{40}/,
  );
  assert.deepEqual(readFiles(bench.bot)["model.joblib"], "one");
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot)["config/metadata.json"], "[]");
});

Deno.test("temporary faults are retried: broken connections, overload, expired addresses", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, { ...MODELS, "large.bin": noise(3 * 1024 * 1024, 1) });
  const sha256 = createHash("sha256").update(noise(3 * 1024 * 1024, 1)).digest("hex");
  const busy = (headers: Record<string, string>) => () => new Response("busy", { status: 429, headers });
  bench.server.fail(
    /\/revision\//,
    { kind: "answer", make: busy({}) },
    { kind: "answer", make: busy({ "retry-after": "5" }) },
    { kind: "answer", make: () => new Response("down", { status: 503 }) },
  );
  bench.server.fail(/\/tree\//, { kind: "cut", afterBytes: 10 });
  bench.server.fail(new RegExp(sha256), { kind: "cut", afterBytes: 1024 * 1024 }, {
    kind: "answer",
    make: () => new Response("<Error>Request has expired</Error>", { status: 403 }),
  });
  bench.server.fail(/scaler/, { kind: "answer", make: () => new Response("oops", { status: 500 }) });
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.ok(Buffer.from(noise(3 * 1024 * 1024, 1)).equals(Deno.readFileSync(join(bench.bot, "large.bin"))));
  assertSomePause(bench.clock.pausesMs, 5_000);
  const ranges = bench.server.requests.filter(({ path }) => path === `/${sha256}`)
    .map(({ headers }) => headers.get("range"));
  // How many bytes arrived depends on the network. The second request is for the rest.
  assert.deepEqual([ranges.length, ranges[0], ranges[1]], [3, null, ranges[2]]);
  assert.match(ranges[1] ?? "", /^bytes=[1-9]\d{3,6}-3145727$/);
});

Deno.test("a connection that hangs is closed and opened again", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, { "large.bin": noise(1024 * 1024, 1) });
  const released = Promise.withResolvers<void>();
  bench.server.fail(/^GET \/[0-9a-f]{64}/, {
    kind: "cut",
    afterBytes: 1000,
    hang: () => {
      // The clock moves only after the sent bytes have arrived.
      setTimeout(() => bench.clock.advance(60_000));
      return released.promise;
    },
  });
  const limits = { stallMs: 30_000, totalMs: 3_600_000 };
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server, { limits }));
  released.resolve();
  assert.match(bench.context.log.lines.join("\n"), /no data for 30 s/);
});

Deno.test("a wrong range and a short body are requested again", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, MODELS);
  bench.server.fail(/^GET \/[0-9a-f]{64}/, {
    kind: "answer",
    make: () => new Response("one", { status: 206, headers: { "content-range": "bytes 3-5/6" } }),
  }, { kind: "cut", afterBytes: 1 });
  bench.server.fail(/metadata/, { kind: "cut", afterBytes: 1 });
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(readFiles(bench.bot)["model.joblib"], "one");
});

Deno.test("a web page is never taken for a model, nor for an answer of the hub", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, MODELS);
  const page = () =>
    new Response("<html>down for maintenance</html>", { headers: { "content-type": "text/html" } });
  bench.server.fail(/metadata/, { kind: "answer", make: page });
  await assert.rejects(pullTo(bench.context, bench.bot, sourceOptions(bench.server)), (error) => {
    assert.ok(error instanceof ModelSyncError);
    return error.exitCode >= 4;
  });
  // Another machine: the first one may have downloaded this file before the other one failed.
  await using other = new HubBench();
  other.server.commit(REPO, MODELS);
  other.server.fail(/model\.joblib/, { kind: "answer", make: page }, { kind: "answer", make: page });
  await assert.rejects(pullTo(other.context, other.bot, sourceOptions(other.server)), /model\.joblib/);
  bench.server.fail(/revision/, { kind: "answer", make: page });
  await assert.rejects(pullTo(bench.context, bench.bot, sourceOptions(bench.server)), {
    code: "ANSWER_INVALID",
    exitCode: 4,
  });
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  assert.deepEqual(Object.keys(readFiles(bench.bot)).length, 3);
});

Deno.test("the error for each refusal of the hub has a hint", async () => {
  await using bench = new HubBench();
  const repo = bench.server.createRepo(REPO);
  const pulls = (changed: Parameters<typeof hubOf>[1]) =>
    pullTo(bench.context, bench.bot, sourceOptions(bench.server, { hub: hubOf(bench.server, changed) }));
  await assert.rejects(pulls({}), { code: "MODELS_MISSING", exitCode: 2 });
  await assert.rejects(pulls({ revision: "nope" }), { code: "REVISION_NOT_FOUND", exitCode: 4 });
  await assert.rejects(pulls({ repoId: "you/other" }), { code: "REPO_NOT_FOUND", exitCode: 4 });
  await assert.rejects(pulls({ repoId: "you/other", token: undefined }), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.match(error.hint ?? "", /set HF_TOKEN/);
    return error.exitCode === 3;
  });
  await assert.rejects(pulls({ token: new Secret("hf_wrong") }), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.doesNotMatch(`${error.message}${error.hint}`, /hf_wrong/);
    return error.exitCode === 3;
  });
  bench.server.commit(REPO, MODELS);
  bench.server.fail(/resolve\/.*metadata/, {
    kind: "answer",
    make: () => new Response(null, { status: 404, headers: { "x-error-code": "EntryNotFound" } }),
  });
  await assert.rejects(pulls({}), {
    code: "ENTRY_NOT_FOUND",
    exitCode: 4,
    message: /has no .*config\/metadata\.json$/,
  });
  // A proxy answers without the hub's reason.
  bench.server.fail(/\/revision\//, { kind: "answer", make: () => new Response("gone", { status: 404 }) });
  await assert.rejects(pulls({}), { code: "HTTP_404", exitCode: 4, message: /answered 404: gone$/ });
  repo.isGated = true;
  await assert.rejects(pulls({}), { code: "REPO_GATED", exitCode: 3 });
});

Deno.test("a manifest with other bytes than the hub lists, and an entry that is no file, are refused", async () => {
  await using bench = new HubBench();
  const manifest = await manifestOf(MODELS, { carrier: "huggingface" });
  bench.server.commit(REPO, { ...MODELS, "model-sync.json": manifest });
  const pull = () => pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  bench.server.fail(/model-sync\.json/, { kind: "corrupt" }, { kind: "corrupt" });
  await assert.rejects(pull(), {
    code: "DIGEST_MISMATCH",
    exitCode: 5,
    message: /its bytes are not those that the hub lists$/,
  });
  const empty = { kind: "answer", make: () => new Response("{}") } as const;
  bench.server.fail(/model-sync\.json/, empty, empty);
  await assert.rejects(pull(), {
    code: "SIZE_MISMATCH",
    exitCode: 5,
    message: /it is 2 bytes, the hub lists \d+$/,
  });
  bench.server.fail(/\/tree\//, {
    kind: "answer",
    make: () => Response.json([{ type: "submodule", path: "vendor", oid: "0".repeat(40), size: 0 }]),
  });
  await assert.rejects(pull(), {
    code: "REGISTRY_UNFIT",
    exitCode: 5,
    message: /"vendor" is neither a file nor a folder$/,
  });
  bench.server.fail(/model-sync\.json/, { kind: "corrupt" });
  assert.equal((await pull()).outcome, "activated");
});

Deno.test("names that are unsafe on a file system are refused before any download", async () => {
  for (const path of ["../evil.bin", "aux.joblib", "a/../../b.bin", "CON/x.bin"]) {
    await using bench = new HubBench();
    bench.server.commit(REPO, { "good.bin": "1", [path]: "2" });
    await assert.rejects(pullTo(bench.context, bench.bot, sourceOptions(bench.server)), {
      code: "REGISTRY_UNFIT",
      exitCode: 5,
    });
    assert.ok(bench.asked().every((line) => !line.includes("/resolve/")));
  }
});

Deno.test("while the hub is unreachable, an intact active release is enough if the caller allows that", async () => {
  await using bench = new HubBench();
  bench.server.commit(REPO, MODELS);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server));
  const revision = bench.server.head(REPO).id;
  const away = testContext({
    clock: bench.clock,
    http: () => Promise.reject(new TypeError("connection refused")),
  });
  const options = sourceOptions(bench.server, { isHasty: true });
  await assert.rejects(pullTo(away, bench.bot, options), { exitCode: 4 });
  const report = await pullTo(away, bench.bot, options, { isOfflineOk: true });
  assert.deepEqual([report.outcome, report.revision], ["unchanged", revision]);
  assert.match(report.unreached ?? "", /did not answer/);
  assert.match(away.log.lines.join("\n"), /warn .*keeping the active release/);
  // A damaged release is not enough, and no release neither.
  const model = Deno.realPathSync(join(bench.bot, "model.joblib"));
  Deno.removeSync(model);
  await assert.rejects(pullTo(away, bench.bot, options, { isOfflineOk: true }), { exitCode: 4 });
  await assert.rejects(pullTo(away, join(bench.path, "fresh/models"), options, { isOfflineOk: true }), {
    exitCode: 4,
  });
  // The models that this machine trains do not become a release.
  const trained = join(bench.path, "trained/models");
  writeFiles(trained, { "model.joblib": "mine", "../.model-sync/archived.json": "{}" });
  await assert.rejects(pullTo(away, trained, options, { isOfflineOk: true }), { exitCode: 4 });
  assert.deepEqual(readFiles(trained), { "model.joblib": "mine" });
  // A hub that refuses the request is not unreachable.
  const wrong = sourceOptions(bench.server, { hub: hubOf(bench.server, { token: new Secret("hf_wrong") }) });
  await assert.rejects(pullTo(bench.context, bench.bot, wrong, { isOfflineOk: true }), { exitCode: 3 });
});

Deno.test("a release that was uploaded into a folder is pulled from that folder", async () => {
  await using bench = new HubBench();
  writeFiles(bench.trainer, MODELS);
  const layout = { ...WHOLE_REPO, folder: "prod/models" };
  const rules = { layout, deleteRemoved: false, allowShrink: false };
  await uploadFrom(bench.context, bench.trainer, publisherOptions(bench.server, { rules }));
  assert.deepEqual(Object.keys(bench.server.files(REPO)), [
    "model-sync.json",
    "prod/models/config/metadata.json",
    "prod/models/model.joblib",
    "prod/models/scaler.joblib",
  ]);
  await pullTo(bench.context, bench.bot, sourceOptions(bench.server, { layout }));
  assert.deepEqual(readFiles(bench.bot), readFiles(bench.trainer));
});

Deno.test("a pull that can keep its release does not wait as long as an overloaded hub asks for", async () => {
  await using bench = new HubBench();
  const { context, server } = bench;
  server.commit(REPO, { "model.joblib": "one" });
  const options = sourceOptions(server, { isHasty: true });
  await pullTo(context, bench.bot, options);
  bench.clock.pausesMs.length = 0;
  server.fail(/revision/, {
    kind: "answer",
    make: () => new Response("busy", { status: 429, headers: { "retry-after": "8" } }),
  });
  const { outcome, unreached } = await pullTo(context, bench.bot, options, { isOfflineOk: true });
  assert.equal(outcome, "unchanged");
  assert.match(unreached ?? "", /answered 429: busy/);
  assert.deepEqual(bench.clock.pausesMs, []);
});
