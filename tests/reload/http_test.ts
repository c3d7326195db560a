import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { Reload } from "../../lib/config/sections/reload.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { reloadConsumers, requireReloadSecrets } from "../../lib/reload/reload_consumers.ts";
import { excerptChanges } from "../../lib/reload/reload_notification.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { hooks, NEW_DIGEST, OLD_DIGEST, releaseOf, reloadContext } from "../helpers/reload_world.ts";
import { fixedEnvironment } from "../helpers/test_context.ts";
import { assertPause } from "../helpers/assert_pause.ts";

const MODELS = { "btc/model.onnx": "b", "new.onnx": "n" };

Deno.test("an http hook posts which release is active and what changed", async () => {
  using release = releaseOf(MODELS);
  await using host = startRecordingHost(() => new Response("ok"));
  const context = reloadContext();
  const [hook] = hooks({ type: "http", url: `${host.origin}/reload`, headers: { "X-Team": "trading" } });
  assert.ok(hook !== undefined);
  await reloadConsumers(context, [hook], release.news);
  const [request] = host.requests;
  assert.ok(request !== undefined);
  assert.equal(`${request.method} ${request.path}`, "POST /reload");
  assert.equal(request.headers.get("content-type"), "application/json");
  assert.equal(request.headers.get("x-team"), "trading");
  assert.equal(request.headers.get("webhook-signature"), null);
  assert.deepEqual(JSON.parse(request.body), {
    event: "activated",
    digest: NEW_DIGEST,
    previous: OLD_DIGEST,
    sequence: 7,
    modelsDir: release.news.modelsDir,
    releaseDir: release.news.releaseDir,
    files: 2,
    changed: { added: ["new.onnx"], modified: ["btc/model.onnx"], removed: ["old/model.onnx"], omitted: 0 },
    runId: "20261121T060000Z-abc123",
    at: "2026-11-21T06:00:00Z",
  });
  assert.deepEqual(context.log.lines, [
    `info [MODEL-RELOAD] Starting model reload: ${release.news.modelsDir} (${host.origin}/reload)`,
    `info [MODEL-RELOAD] Model reloaded successfully (${host.origin}/reload)`,
  ]);
});

Deno.test("a long list of changes is cut, and the excerpt says by how much", () => {
  const added = Array.from({ length: 5_000 }, (_, index) => `folder/model_${index}.onnx`);
  const excerpt = excerptChanges({ added, modified: [], removed: ["last.onnx"] });
  assert.ok(JSON.stringify(excerpt).length < 20_000);
  assert.ok(excerpt.added.length > 100);
  assert.deepEqual(excerpt.added, added.slice(0, excerpt.added.length));
  assert.equal(excerpt.omitted, 5_001 - excerpt.added.length - excerpt.removed.length);
});

Deno.test("a signed request carries the HMAC over id, timestamp and body, with either kind of secret", async () => {
  using release = releaseOf(MODELS);
  const key = "c29tZSBzZWNyZXQgYnl0ZXMgb2YgdGhpcyB0ZXN0";
  for (
    const [secret, bytes] of [
      [`whsec_${key}`, Buffer.from(key, "base64")],
      ["plain secret ü", Buffer.from("plain secret ü", "utf8")],
    ] as const
  ) {
    await using host = startRecordingHost(() => new Response("ok"));
    const signed = hooks({ type: "http", url: host.origin, secret_env: "RELOAD_SECRET" });
    await reloadConsumers(reloadContext({ RELOAD_SECRET: secret }), signed, release.news);
    const [request] = host.requests;
    assert.ok(request !== undefined);
    const id = request.headers.get("webhook-id");
    assert.equal(id, "20261121T060000Z-abc123-activated-0123456789ab");
    assert.equal(request.headers.get("webhook-timestamp"), String(Date.parse("2026-11-21T06:00:00Z") / 1000));
    const expected = createHmac("sha256", bytes)
      .update(`${id}.${request.headers.get("webhook-timestamp")}.${request.body}`)
      .digest("base64");
    assert.equal(request.headers.get("webhook-signature"), `v1,${expected}`);
  }
});

Deno.test("a secret that is unset or not base64 fails without a request and is not shown", async () => {
  using release = releaseOf(MODELS);
  await using host = startRecordingHost(() => new Response("ok"));
  const signed = hooks({ type: "http", url: host.origin, secret_env: "RELOAD_SECRET" });
  assert.throws(() => requireReloadSecrets(fixedEnvironment({}), signed), {
    code: "SECRET_MISSING",
    exitCode: 3,
    message: /RELOAD_SECRET/,
  });
  requireReloadSecrets(fixedEnvironment({ RELOAD_SECRET: "x" }), signed);
  await assert.rejects(reloadConsumers(reloadContext(), signed, release.news), { code: "RELOAD_FAILED" });
  await assert.rejects(
    reloadConsumers(reloadContext({ RELOAD_SECRET: "whsec_not=base64!" }), signed, release.news),
    (error) => {
      assert.ok(error instanceof ModelSyncError);
      assert.doesNotMatch(error.message, /not=base64/);
      return error.code === "RELOAD_FAILED";
    },
  );
  assert.equal(host.requests.length, 0);
});

Deno.test("a temporary failure of a consumer is retried with the same id and a new time", async () => {
  using release = releaseOf(MODELS);
  await using host = startRecordingHost(
    () => new Response("busy", { status: 503 }),
    () => new Response("starting", { status: 503, headers: { "retry-after": "3" } }),
    () => new Response("ok"),
  );
  const context = reloadContext({ RELOAD_SECRET: "s" });
  await reloadConsumers(
    context,
    hooks({ type: "http", url: host.origin, secret_env: "RELOAD_SECRET" }),
    release.news,
  );
  assert.equal(new Set(host.requests.map(({ headers }) => headers.get("webhook-id"))).size, 1);
  const times = host.requests.map(({ headers }) => Number(headers.get("webhook-timestamp")));
  assert.equal(times.length, 3);
  assert.ok((times[2] ?? 0) >= (times[1] ?? 0) + 3);
  assertPause(context.clock.pausesMs.at(-1), 3_000, 2_000);
  const retry = `Cannot call the reload hook: ${new URL(host.origin).host} answered 503: starting`;
  const isLogged = context.log.lines.some((line) => line.startsWith(`warn ${retry}; trying again in `));
  assert.ok(isLogged, context.log.lines.join("\n"));
});

Deno.test("the error of a failing hook names it and its response, and the hooks after it are not called", async () => {
  using release = releaseOf(MODELS);
  await using broken = startRecordingHost(() => new Response("out of memory\u001b[2J", { status: 500 }));
  await using after = startRecordingHost(() => new Response("ok"));
  await assert.rejects(
    reloadConsumers(
      reloadContext(),
      hooks(
        { type: "http", url: `${broken.origin}/reload?key=s3cret`, retries: 1 },
        { type: "http", url: after.origin },
      ),
      release.news,
    ),
    (error) => {
      assert.ok(error instanceof ModelSyncError);
      assert.equal(error.code, "RELOAD_FAILED");
      assert.equal(error.exitCode, 1);
      const host = new URL(broken.origin).host;
      assert.equal(
        error.message,
        `Cannot make ${broken.origin}/reload reload release 0123456789ab: ${host} answered 500: out of memory`,
      );
      return true;
    },
  );
  assert.equal(broken.requests.length, 2);
  assert.equal(after.requests.length, 0);
});

Deno.test('a refusal is not retried, and the error of a rollback says "roll back"', async () => {
  using release = releaseOf(MODELS);
  await using host = startRecordingHost(() => new Response("no such model", { status: 422 }));
  await assert.rejects(
    reloadConsumers(reloadContext(), hooks({ type: "http", url: host.origin }), {
      ...release.news,
      event: "rolled-back",
    }),
    { code: "RELOAD_FAILED", message: /roll back to release 0123456789ab: .* answered 422: no such model$/ },
  );
  assert.equal(host.requests.length, 1);
});

Deno.test("messages hide header values and the secret when a response repeats them", async () => {
  using release = releaseOf(MODELS);
  await using host = startRecordingHost(() => new Response("wrong key k3y-1, not t0ken", { status: 401 }));
  const context = reloadContext({ RELOAD_SECRET: "k3y-1" });
  await assert.rejects(
    reloadConsumers(
      context,
      hooks({
        type: "http",
        url: host.origin,
        secret_env: "RELOAD_SECRET",
        headers: { authorization: "Bearer t0ken" },
      }),
      release.news,
    ),
    (error) => {
      assert.ok(error instanceof ModelSyncError);
      assert.match(error.message, /answered 401: wrong key \[redacted\], not \[redacted\]$/);
      return true;
    },
  );
  assert.equal(host.requests[0]?.headers.get("authorization"), "Bearer t0ken");
  assert.doesNotMatch(context.log.lines.join("\n"), /k3y-1|t0ken/);
});

Deno.test("a redirect, as to a login page, is not a success", async () => {
  using release = releaseOf(MODELS);
  await using host = startRecordingHost(
    () => new Response(null, { status: 302, headers: { location: "/login" } }),
    () => new Response("<html>log in</html>"),
  );
  await assert.rejects(
    reloadConsumers(reloadContext(), hooks({ type: "http", url: `${host.origin}/reload` }), release.news),
    { code: "RELOAD_FAILED", message: /redirects to another address/ },
  );
});

Deno.test("a consumer that does not respond in time is retried, and then fails", async () => {
  using release = releaseOf(MODELS);
  const context = reloadContext();
  const { promise, resolve } = Promise.withResolvers<void>();
  await using host = startRecordingHost(async () => {
    context.clock.advance(30_000);
    await promise;
    return new Response("late");
  });
  await assert.rejects(
    reloadConsumers(context, hooks({ type: "http", url: host.origin, retries: 1 }), release.news),
    { code: "RELOAD_FAILED", message: /no answer from 127\.0\.0\.1:\d+ in 30 s/ },
  );
  resolve();
  assert.equal(host.requests.length, 2);
});

Deno.test("an interrupted run ends with its own reason, not with a failed reload", async () => {
  using release = releaseOf(MODELS);
  const stop = new AbortController();
  const reason = new Error("asked to stop");
  await using host = startRecordingHost(() => {
    stop.abort(reason);
    return new Response("ok", { status: 503 });
  });
  const context = { ...reloadContext(), signal: stop.signal };
  await assert.rejects(
    reloadConsumers(context, hooks({ type: "http", url: host.origin }), release.news),
    (error) => error === reason,
  );
});

Deno.test("the configuration of hooks accepts valid hooks and refuses all others", () => {
  const [http, signal, triton, tensorflow] = hooks(
    { type: "http", url: "http://localhost:8000/reload" },
    { type: "signal", pid_file: "/run/bot.pid" },
    { type: "triton", url: "http://localhost:8000", timeout_seconds: 0.5 },
    { type: "tensorflow-serving", model_base_path: "/srv/models/btc" },
  );
  assert.deepEqual(http, {
    type: "http",
    url: "http://localhost:8000/reload",
    headers: {},
    timeout_seconds: 30,
    retries: 2,
  });
  assert.ok(signal?.type === "signal" && signal.signal === "SIGHUP");
  assert.ok(triton?.type === "triton" && triton.timeout_seconds === 0.5 && triton.models === undefined);
  assert.ok(tensorflow?.type === "tensorflow-serving" && tensorflow.keep === 2);
  for (
    const wrong of [
      { type: "http", url: "http://user:pass@localhost/" },
      { type: "http", url: "ftp://localhost/" },
      { type: "http", url: "http://localhost/", retry: 3 },
      { type: "signal", pid_file: "/run/bot.pid", signal: "SIGKILL" },
      { type: "triton", url: "http://localhost", models: [".."] },
      { type: "triton", url: "http://localhost", models: ["a/b"] },
      { type: "tensorflow-serving", model_base_path: "/srv", folder: "../x" },
      { type: "smoke-signal" },
    ]
  ) {
    assert.ok(!Reload.safeParse([wrong]).success, JSON.stringify(wrong));
  }
  assert.ok(!Reload.safeParse(Array(21).fill(http)).success);
});
