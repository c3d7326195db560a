import assert from "node:assert/strict";
import { reloadConsumers } from "../../lib/reload/reload_consumers.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { hooks, releaseOf, reloadContext } from "../helpers/reload_world.ts";

const REPOSITORY = {
  "btc/config.pbtxt": "name: btc",
  "btc/1/model.onnx": "b",
  "eth usd/1/model.onnx": "e",
  "README.md": "no model",
};

const calls = (host: { readonly requests: readonly { readonly method: string; readonly path: string }[] }) =>
  host.requests.map(({ method, path }) => `${method} ${path}`);

Deno.test("Triton loads every model of the release, reports each as ready, and unloads removed models", async () => {
  using release = releaseOf(REPOSITORY);
  await using host = startRecordingHost(() => new Response("{}"));
  await reloadConsumers(reloadContext(), hooks({ type: "triton", url: `${host.origin}/` }), release.news);
  assert.deepEqual(calls(host), [
    "POST /v2/repository/models/btc/load",
    "GET /v2/models/btc/ready",
    "POST /v2/repository/models/eth%20usd/load",
    "GET /v2/models/eth%20usd/ready",
    "POST /v2/repository/models/old/unload",
  ]);
});

Deno.test("configured models are loaded if the release has them, and unloaded otherwise", async () => {
  using release = releaseOf(REPOSITORY);
  await using host = startRecordingHost(() => new Response("{}"));
  const context = reloadContext();
  await reloadConsumers(
    context,
    hooks({ type: "triton", url: host.origin, models: ["btc", "doge"] }),
    release.news,
  );
  assert.deepEqual(calls(host), [
    "POST /v2/repository/models/btc/load",
    "GET /v2/models/btc/ready",
    "POST /v2/repository/models/doge/unload",
  ]);
  assert.match(
    context.log.lines.join("\n"),
    /warn.*no file of the release is in a folder doge, which activation\.reload names as a model: unloading it/,
  );
});

Deno.test("the folders of a model get a newer time than the loaded model, and its files keep theirs", async () => {
  using release = releaseOf(REPOSITORY);
  const past = new Date("2026-11-01T00:00:00Z");
  const { releaseDir } = release.news;
  for (const path of ["btc/1/model.onnx", "btc/config.pbtxt", "btc/1", "btc"]) {
    Deno.utimeSync(`${releaseDir}/${path}`, past, past);
  }
  await using host = startRecordingHost(() => new Response("{}"));
  await reloadConsumers(reloadContext(), hooks({ type: "triton", url: host.origin }), release.news);
  const timeOf = (path: string) => Deno.statSync(`${releaseDir}/${path}`).mtime?.toISOString();
  assert.equal(timeOf("btc"), "2026-11-21T06:00:00.000Z");
  assert.equal(timeOf("btc/1"), "2026-11-21T06:00:00.000Z");
  assert.equal(timeOf("btc/1/model.onnx"), past.toISOString());
});

Deno.test("a model that Triton cannot load fails the reload, with Triton's reason", async () => {
  using release = releaseOf(REPOSITORY);
  await using host = startRecordingHost(() =>
    Response.json({ error: "failed to load 'btc', failed to poll from model repository" }, { status: 400 })
  );
  await assert.rejects(
    reloadConsumers(reloadContext(), hooks({ type: "triton", url: host.origin }), release.news),
    {
      code: "RELOAD_FAILED",
      message: new RegExp(
        `^Cannot make Triton at ${host.origin} reload release 0123456789ab: v2/repository/models/btc/load: .*` +
          "answered 400: .*failed to poll from model repository",
      ),
    },
  );
  assert.equal(host.requests.length, 1);
});

Deno.test("a model that does not become ready fails the reload after the retries", async () => {
  using release = releaseOf(REPOSITORY);
  await using host = startRecordingHost((path) =>
    new Response(null, { status: path.endsWith("/ready") ? 503 : 200 })
  );
  await assert.rejects(
    reloadConsumers(reloadContext(), hooks({ type: "triton", url: host.origin, retries: 1 }), release.news),
    { code: "RELOAD_FAILED", message: /v2\/models\/btc\/ready: .* answered 503$/ },
  );
  assert.deepEqual(calls(host), [
    "POST /v2/repository/models/btc/load",
    "GET /v2/models/btc/ready",
    "GET /v2/models/btc/ready",
  ]);
});

Deno.test("a Triton server that does not respond in time fails the reload", async () => {
  using release = releaseOf(REPOSITORY);
  const context = reloadContext();
  const { promise, resolve } = Promise.withResolvers<void>();
  await using host = startRecordingHost(async () => {
    context.clock.advance(300_000);
    await promise;
    return new Response("{}");
  });
  await assert.rejects(
    reloadConsumers(context, hooks({ type: "triton", url: host.origin, retries: 0 }), release.news),
    { code: "RELOAD_FAILED", message: /no answer from .* in 300 s/ },
  );
  resolve();
});
