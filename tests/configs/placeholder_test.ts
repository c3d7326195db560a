import assert from "node:assert/strict";
import { join } from "node:path";
import { Consumer } from "../../configs/docker/placeholder/consumer.ts";
import { signWebhook } from "../../lib/http/post_webhook.ts";
import { Secret } from "../../lib/core/secret.ts";
import { runCli } from "../helpers/run_cli.ts";
import { runJson, world } from "../helpers/seed_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW = Date.parse("2026-11-30T05:00:00Z");

interface Served extends AsyncDisposable {
  readonly origin: string;
  readonly lines: readonly string[];
  version(): Promise<Record<string, unknown>>;
}

async function serve(modelsDir: string, now: () => number): Promise<Served> {
  const lines: string[] = [];
  const log = (line: string) => void lines.push(line);
  const consumer = new Consumer({ name: "bot", modelsDir, secret: SECRET, now, log });
  await consumer.start();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => consumer.answer(request),
  );
  const origin = `http://127.0.0.1:${server.addr.port}`;
  return {
    origin,
    lines,
    version: async () => await (await fetch(`${origin}/version`)).json(),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("the placeholder serves each release that a pull activates, and a pull that cannot sign its request rolls back", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await using served = await serve(join(bot, "models"), Date.now);
  assert.deepEqual(await served.version(), { name: "bot", release: null });
  const config = Deno.readTextFileSync(join(bot, "configs/bot.yaml"));
  writeFiles(bot, {
    "configs/bot.yaml":
      `${config}  activation:\n    reload:\n      - { type: http, url: "${served.origin}/reload", ` +
      `secret_env: RELOAD_SECRET, retries: 0 }\n`,
  });
  const pull = (secret: string) => runCli("pull", ["--json"], { cwd: bot, env: { RELOAD_SECRET: secret } });

  const first = await runJson(trainer, "publish", "--skip-training");
  assert.equal((await pull(SECRET)).code, 0);
  const { release, files, bytes } = await served.version();
  assert.deepEqual([release, files, bytes], [first["release"], 2, 5]);

  writeFiles(trainer, { "models/BTC_USDC/rf.bin": "two" });
  const second = await runJson(trainer, "publish", "--skip-training");
  const refused = await pull("another secret");
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /401/);
  assert.equal((await served.version())["release"], first["release"]);
  assert.match(
    served.lines.join("\n"),
    /refused a request to reload: its signature was made with another secret/,
  );
  assert.notEqual(second["release"], first["release"]);
});

Deno.test("the placeholder refuses unsigned, old, changed, foreign and oversized requests, and a release that it does not find", async () => {
  using dir = tempDir();
  writeFiles(join(dir.path, "models"), { "btc.onnx": "abc" });
  await using served = await serve(join(dir.path, "models"), () => NOW);
  const release = (await served.version())["release"];
  const post = async (body: string, headers: HeadersInit) => {
    const response = await fetch(`${served.origin}/reload`, { method: "POST", body, headers });
    await response.body?.cancel();
    return response.status;
  };
  const signed = (body: string, at = NOW) =>
    signWebhook(new Secret(SECRET), { id: "run-1", at: new Date(at), body });
  const good = JSON.stringify({ digest: release });
  assert.equal(await post(good, await signed(good)), 200);
  assert.equal(
    await post(good, {
      ...await signed(good),
      "webhook-signature": `v1,AAAA ${(await signed(good))["webhook-signature"]}`,
    }),
    200,
  );
  assert.equal(await post(good, {}), 401);
  assert.equal(await post(good, await signed(good, NOW - 600_000)), 401);
  assert.equal(await post(`${good} `, await signed(good)), 401);
  assert.equal(await post("[]", await signed("[]")), 400);
  const other = JSON.stringify({ digest: `sha256:${"0".repeat(64)}` });
  assert.equal(await post(other, await signed(other)), 409);
  const huge = " ".repeat(70_000);
  assert.equal(await post(huge, await signed(huge)), 413);
  // A link needs a right on Windows that tests may lack.
  if (Deno.build.os !== "windows") {
    Deno.symlinkSync("/etc/hostname", join(dir.path, "models/link.onnx"));
    assert.equal(await post(good, await signed(good)), 500);
  }
  assert.equal((await served.version())["release"], release);
  const health = await fetch(`${served.origin}/healthz`);
  assert.deepEqual([health.status, await health.json()], [200, { alive: true, release }]);
  for (const [path, method, status] of [["/other", "GET", 404], ["/version", "PUT", 405]] as const) {
    const response = await fetch(`${served.origin}${path}`, { method });
    await response.body?.cancel();
    assert.equal(response.status, status);
  }
});
