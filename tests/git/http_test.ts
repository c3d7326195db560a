import assert from "node:assert/strict";
import { join } from "node:path";
import { InterruptedError } from "../../lib/core/errors.ts";
import { Secret } from "../../lib/core/secret.ts";
import { type GitServer, startGitServer } from "../../fakes/git_server.ts";
import { assertPause } from "../helpers/assert_pause.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import {
  type Machine,
  machine,
  planFrom,
  publishFrom,
  pullTo,
  storeOf,
  withdrawFrom,
} from "../helpers/machines.ts";
import { noise, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, git, testWithLfs } from "../helpers/test_git.ts";

const TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
const MODELS = { "BTC/rf.onnx": "one", "BTC/metadata.json": "{}" };

function remoteMachine(
  root: string,
  name: string,
  server: GitServer,
  token: string | undefined = TOKEN,
): Machine {
  const made = machine(root, name, `${server.origin}/registry.git`);
  return {
    ...made,
    registry: {
      ...made.registry,
      token: token === undefined ? undefined : new Secret(token),
      tokenVariable: "REGISTRY_TOKEN",
    },
  };
}

/** A registry behind HTTP, and a trainer with models. */
function world(
  root: string,
): { readonly server: GitServer; readonly trainer: Machine; readonly bot: Machine; readonly bare: string } {
  const bare = bareRepository(join(root, "repositories/registry.git"));
  git(bare, "config", "http.receivepack", "true");
  git(bare, "config", "uploadpack.allowFilter", "true");
  const server = startGitServer({ root: join(root, "repositories"), token: TOKEN });
  const trainer = remoteMachine(root, "trainer", server);
  writeFiles(trainer.modelsDir, MODELS);
  return { server, trainer, bot: remoteMachine(root, "bot", server), bare };
}

Deno.test("publish() and pull() work over HTTP with a token that appears in the requests only", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  const seen: string[] = [];
  const context = testContext({
    spawn: (request) => {
      seen.push(request.args.join(" "));
      return isolatedSpawn(request);
    },
  });
  await publishFrom(context, trainer);
  await pullTo(context, bot);
  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": "two" });
  await publishFrom(context, trainer);
  await pullTo(context, bot);
  assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "BTC/rf.onnx")), "two");
  assert.ok(server.requests.some((request) => request.auth === "right"));
  const written = new Deno.Command("grep", { args: ["-rlF", TOKEN, dir.path] }).outputSync();
  assert.equal(new TextDecoder().decode(written.stdout), "", "the token was written to the disk");
  for (const text of [...seen, ...context.log.lines]) assert.ok(!text.includes(TOKEN), text);
});

Deno.test("a publish over HTTP sends the changed lines of the manifest, unless many bytes of models changed", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  const sent: number[] = [];
  server.intercept = (request, path) => {
    if (request.method === "POST" && path.endsWith("/git-receive-pack")) {
      sent.push(Number(request.headers.get("content-length")));
    }
    return undefined;
  };
  const windows: (string | undefined)[] = [];
  const context = testContext({
    spawn: (request) => {
      const set = request.args.findLast((arg) => arg.startsWith("pack.window="));
      if (request.args.includes("push")) windows.push(set);
      return isolatedSpawn(request);
    },
  });
  const models = Array.from({ length: 300 }, (_, number) => [`m${number}.json`, `{"number": ${number}}`]);
  writeFiles(trainer.modelsDir, Object.fromEntries(models));
  const first = await publishFrom(context, trainer);
  writeFiles(trainer.modelsDir, { "m7.json": "{}" });
  await publishFrom(context, trainer);
  const [whole = 0, changed = 0] = sent;
  assert.ok(whole > 30_000 && changed < 4_000, `${whole} bytes, then ${changed}`);
  await pullTo(context, bot);
  assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "m7.json")), "{}");
  // A first publish has nothing from which it could differ.
  assert.deepEqual(windows, ["pack.window=0", "pack.window=2"]);
  writeFiles(trainer.modelsDir, { "large.bin": new Uint8Array(9 << 20) });
  const last = await publishFrom(context, trainer);
  assert.equal(windows.at(-1), "pack.window=0");
  // A list of withdrawals changes only the manifest. A restored release may have other models than the one before.
  await withdrawFrom(context, trainer, first.release);
  assert.equal(windows.at(-1), "pack.window=2");
  await withdrawFrom(context, trainer, last.release);
  assert.equal(windows.at(-1), "pack.window=0");
});

Deno.test("a publish to a server, which may be one of GitHub's, warns of its limits", async () => {
  using dir = tempDir();
  const { server, trainer } = world(dir.path);
  await using _server = server;
  const context = testContext();
  writeFiles(trainer.modelsDir, { "large.bin": new Uint8Array(51 << 20) });
  await planFrom(context, trainer);
  assert.ok(context.log.lines.some((line) => /large\.bin has 51 MiB: GitHub warns/.test(line)));
});

Deno.test("a publish over HTTP replaces a manifest that the registry has lost, from which no difference can be applied", async () => {
  using dir = tempDir();
  const { server, trainer, bot, bare } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  const manifest = git(bare, "rev-parse", "main:model-sync.json");
  Deno.removeSync(join(bare, "objects", manifest.slice(0, 2), manifest.slice(2)));
  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": "two" });
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  await pullTo(testContext(), bot);
  assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "BTC/rf.onnx")), "two");
});

Deno.test("a pull over HTTP without a token, or with a wrong one, ends with exit code 3 and does not prompt", async () => {
  using dir = tempDir();
  const { server, trainer } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  const general = /^set model_sync\.token_env to the variable that holds a token, or set up git's own access/;
  const wrong = /^the registry refuses the token in REGISTRY_TOKEN: replace it by a valid one/;
  for (
    const [token, hint] of [[undefined, general], ["ghp_wrong_wrong_wrong_wrong_wrong_wrong", wrong]] as const
  ) {
    const stranger = remoteMachine(dir.path, `stranger-${token}`, server, token);
    const plain = token === undefined
      ? { ...stranger, registry: { ...stranger.registry, token: undefined } }
      : stranger;
    await assert.rejects(
      pullTo(testContext(), plain),
      (error: Error & { exitCode?: number; hint?: string }) => {
        assert.equal(error.exitCode, 3, error.message);
        assert.ok(!error.message.includes("ghp_wrong"));
        assert.match(error.hint ?? "", hint);
        return true;
      },
    );
  }
});

Deno.test("a token is sent to its own host only, not to redirects", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  await using thief = startGitServer({ root: join(dir.path, "repositories"), token: "another token" });
  server.intercept = (request, path) => {
    if (!path.endsWith("/info/refs")) return undefined;
    return new Response(null, {
      status: 302,
      headers: { location: request.url.replace(server.origin, thief.origin) },
    });
  };
  await assert.rejects(pullTo(testContext(), bot), { exitCode: 3 });
  assert.ok(thief.requests.length > 0, "the redirect was not even followed");
  assert.deepEqual(thief.requests.filter((request) => request.auth !== "none"), []);
});

const UNCHANGED = ["GET /registry.git/info/refs?service=git-upload-pack"];

function linesOf(server: GitServer): string[] {
  return server.requests.splice(0).map(({ method, path }) => `${method} ${path}`);
}

Deno.test("a pull with nothing new sends one request: with a token, with a login in the address, and without both", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  await using open = startGitServer({ root: join(dir.path, "repositories"), token: TOKEN, isOpen: true });
  const login = server.origin.replace("://", `://me:${TOKEN}@`);
  const bots = [
    [server, bot],
    [server, machine(dir.path, "with-login", `${login}/registry.git`)],
    [open, machine(dir.path, "without", `${open.origin}/registry.git`)],
  ] as const;
  for (const [host, bot] of bots) {
    await pullTo(testContext(), bot);
    host.requests.length = 0;
    assert.equal((await pullTo(testContext(), bot)).outcome, "unchanged");
    assert.deepEqual(linesOf(host), UNCHANGED);
  }
  server.requests.length = 0;
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged");
  assert.deepEqual(linesOf(server), UNCHANGED);
});

Deno.test("a pull of a new release sends seven requests, also with a token", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": "two" });
  await publishFrom(testContext(), trainer);
  server.requests.length = 0;
  assert.equal((await pullTo(testContext(), bot)).outcome, "activated");
  assert.deepEqual(server.requests.map(({ auth }) => auth), Array(7).fill("right"));
});

Deno.test("a registry with many references is queried for the branch only, from the second pull on", async () => {
  using dir = tempDir();
  const { server, trainer, bot, bare } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  const tip = git(bare, "rev-parse", "main");
  const packed = Array.from({ length: 201 }, (_, index) => `${tip} refs/pull/${index + 1}/head\n`);
  Deno.writeTextFileSync(join(bare, "packed-refs"), packed.join(""));
  await pullTo(testContext(), bot);
  server.requests.length = 0;
  assert.equal((await pullTo(testContext(), bot)).outcome, "unchanged");
  assert.deepEqual(linesOf(server), [...UNCHANGED, "POST /registry.git/git-upload-pack"]);
});

Deno.test("a registry that moved is pulled through the redirect, with git's own credentials for the new host", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  await using moved = startGitServer({ root: join(dir.path, "repositories"), token: TOKEN, isOpen: true });
  server.intercept = (request) => Response.redirect(request.url.replace(server.origin, moved.origin), 301);
  assert.equal((await pullTo(testContext(), bot)).outcome, "activated");
  assert.deepEqual(moved.requests.filter(({ auth }) => auth !== "none"), []);
});

Deno.test("an expired token does not keep a pull from a public registry", async () => {
  using dir = tempDir();
  const { server, trainer } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  await using open = startGitServer({ root: join(dir.path, "repositories"), token: TOKEN, isPublic: true });
  const bot = remoteMachine(dir.path, "expired", open, "ghp_expired_expired_expired_expired_expi");
  assert.equal((await pullTo(testContext(), bot)).outcome, "activated");
  assert.deepEqual(open.requests.map(({ auth }) => auth).slice(0, 2), ["wrong", "none"]);
});

Deno.test("a pull from a server that cannot leave blobs out works, and again for the next release", async () => {
  using dir = tempDir();
  const { server, trainer, bot, bare } = world(dir.path);
  await using _server = server;
  git(bare, "config", "uploadpack.allowFilter", "false");
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  for (const text of ["two", "three"]) {
    writeFiles(trainer.modelsDir, { "BTC/rf.onnx": text });
    await publishFrom(testContext(), trainer);
    await pullTo(testContext(), bot);
    assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "BTC/rf.onnx")), text);
  }
});

Deno.test("a failing server and a missing one are unreachable: exit code 4, the release stays active", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  server.intercept = () => new Response("sorry", { status: 503 });
  const clock = new QuickClock("2026-11-21T06:00:00Z");
  await assert.rejects(pullTo(testContext({ clock }), bot), { exitCode: 4, retryable: true });
  assert.equal(clock.pausesMs.length, 3);
  await server[Symbol.asyncDispose]();
  await assert.rejects(pullTo(testContext(), bot), { exitCode: 4 });
  assert.deepEqual(readFiles(bot.modelsDir), { "BTC/metadata.json": "{}", "BTC/rf.onnx": "one" });
});

Deno.test("a pull waits as long as a git server requests that is busy, and longer each time without a request", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  const answers = [
    new Response("busy", { status: 429, headers: { "retry-after": "40" } }),
    new Response("down", { status: 503 }),
    undefined,
    new Response("busy", { status: 503, headers: { "retry-after": "7" } }),
  ];
  server.intercept = () => answers.shift();
  const clock = new QuickClock("2026-11-21T06:00:00Z");
  assert.equal((await pullTo(testContext({ clock }), bot)).outcome, "activated");
  const [first, second = 0, third] = clock.pausesMs;
  assert.equal(clock.pausesMs.length, 3);
  assertPause(first, 40_000);
  assert.ok(second >= 1_000 && second <= 2_000, String(second));
  assertPause(third, 7_000);
});

Deno.test("a pull holds the store no longer than a minute for a pause that a git server requests", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  server.intercept = () => new Response("busy", { status: 429, headers: { "retry-after": "61" } });
  const clock = new QuickClock("2026-11-21T06:00:00Z");
  // The daemon keeps the pause.
  await assert.rejects(pullTo(testContext({ clock }), bot), { exitCode: 4, retryAfterMs: 61_000 });
  assert.deepEqual(clock.pausesMs, []);
});

Deno.test("a server that breaks off leaves the old release active, and the next pull succeeds", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": noise(2_000_000, 1) });
  await publishFrom(testContext(), trainer);
  server.intercept = (request, path) => {
    if (request.method !== "POST" || !path.endsWith("/git-upload-pack")) return undefined;
    return new Response(new Uint8Array(100), {
      headers: { "content-type": "application/x-git-upload-pack-result" },
    });
  };
  await assert.rejects(pullTo(testContext(), bot));
  assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "BTC/rf.onnx")), "one");
  server.intercept = () => undefined;
  assert.equal((await pullTo(testContext(), bot)).outcome, "activated");
});

Deno.test("a pack that is damaged on its way is a failure of the network, which a daemon retries: exit code 4", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  await pullTo(testContext(), bot);
  writeFiles(trainer.modelsDir, { "BTC/rf.onnx": noise(4_000, 1) });
  await publishFrom(testContext(), trainer);
  await using sound = startGitServer({ root: join(dir.path, "repositories"), token: TOKEN });
  // In its version, and in an object.
  for (const offset of [7, 2_000]) {
    server.intercept = async (request, path) => {
      const { method, headers } = request;
      const body = method === "POST" ? await request.arrayBuffer() : null;
      const answer = await fetch(`${sound.origin}${path}${new URL(request.url).search}`, {
        method,
        headers,
        body,
      });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      const pack = new TextDecoder("latin1").decode(bytes).indexOf("PACK");
      const isOfModel = pack !== -1 && bytes.length > 4_000;
      const sent = isOfModel ? bytes.with(pack + offset, (bytes[pack + offset] ?? 0) ^ 1) : bytes;
      return new Response(sent, { status: answer.status, headers: answer.headers });
    };
    await assert.rejects(pullTo(testContext(), bot), {
      exitCode: 4,
      code: "GIT_UNREACHABLE",
      retryable: true,
    });
    assert.equal(Deno.readTextFileSync(join(bot.modelsDir, "BTC/rf.onnx")), "one");
  }
  server.intercept = () => undefined;
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
});

Deno.test("a pull from a server that never answers stops as soon as it is asked to", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  await publishFrom(testContext(), trainer);
  const controller = new AbortController();
  const released = Promise.withResolvers<Response>();
  server.intercept = () => {
    controller.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
    return released.promise;
  };
  await assert.rejects(pullTo(testContext({ signal: controller.signal }), bot), {
    code: "INTERRUPTED",
    exitCode: 130,
  });
  released.resolve(new Response());
  assert.deepEqual([...Deno.readDirSync(storeOf(testContext(), bot).staging)], []);
});

testWithLfs("Git LFS goes both ways over HTTP with the token", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  const model = noise(300_000, 5);
  writeFiles(trainer.modelsDir, { "big.onnx": model });
  await publishFrom(testContext(), trainer, { lfs: "always" });
  assert.equal(server.lfsObjects.size, 3);
  await pullTo(testContext(), bot);
  assert.deepEqual(Deno.readFileSync(join(bot.modelsDir, "big.onnx")), model);
  // Wrong content from the storage is detected.
  const [oid] = [...server.lfsObjects].find(([, bytes]) => bytes.length === model.length) ?? [];
  server.lfsObjects.set(oid ?? "", noise(300_000, 6));
  await assert.rejects(pullTo(testContext(), remoteMachine(dir.path, "late", server)), {
    code: "DIGEST_MISMATCH",
    exitCode: 5,
  });
});

Deno.test("git waits ten minutes for a server that prepares or unpacks a pack, and one for an answer", async () => {
  using dir = tempDir();
  const { server, trainer, bot } = world(dir.path);
  await using _server = server;
  const waits = new Map<string, Set<string>>();
  const context = testContext({
    spawn: (request) => {
      const command = request.args.find((arg) => ["fetch", "push", "ls-remote"].includes(arg));
      const seconds = request.args.findLast((arg) => arg.startsWith("http.lowSpeedTime=")) ?? "none";
      if (command !== undefined) waits.set(command, (waits.get(command) ?? new Set()).add(seconds));
      return isolatedSpawn(request);
    },
  });
  await publishFrom(context, trainer);
  await pullTo(context, bot);
  assert.deepEqual(Object.fromEntries(waits), {
    "ls-remote": new Set(["http.lowSpeedTime=60"]),
    push: new Set(["http.lowSpeedTime=600"]),
    fetch: new Set(["http.lowSpeedTime=600"]),
  });
});

Deno.test("a client that goes away in the middle of its request does not end the git server", async () => {
  using dir = tempDir();
  const { server } = world(dir.path);
  await using _server = server;
  const { hostname, port } = new URL(server.origin);
  const authorization = `Basic ${btoa(`x:${TOKEN}`)}`;
  for (const service of ["git-upload-pack", "git-receive-pack"]) {
    const arrived = Promise.withResolvers<void>();
    server.intercept = () => void arrived.resolve();
    using connection = await Deno.connect({ hostname, port: Number(port) });
    await connection.write(new TextEncoder().encode(
      `POST /registry.git/${service} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n` +
        `Content-Type: application/x-${service}-request\r\nContent-Length: 100000\r\n\r\n0032`,
    ));
    await arrived.promise;
  }
  const url = `${server.origin}/registry.git/info/refs?service=git-upload-pack`;
  const answer = await fetch(url, { headers: { authorization } });
  assert.equal(answer.status, 200);
  await answer.body?.cancel();
});
