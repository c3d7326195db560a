import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { Secret } from "../../lib/core/secret.ts";
import type { SpawnProcess } from "../../lib/core/subprocess.ts";
import { LfsServer } from "../../lib/git/lfs_server.ts";
import { Registry } from "../../lib/git/registry.ts";
import type { Located } from "../../lib/http/download_types.ts";
import { type Fault, startFileServer } from "../../fakes/file_server.ts";
import { type GitServer, startGitServer } from "../../fakes/git_server.ts";
import { HurriedClock } from "../helpers/fake_clock.ts";
import { type Machine, machine, publishFrom, pullTo } from "../helpers/machines.ts";
import { runCli } from "../helpers/run_cli.ts";
import { listing, noise, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, git, testWithLfs } from "../helpers/test_git.ts";

const MIB = 1024 * 1024;
const TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

/** The smallest file of which parts are downloaded has 16 MiB. */
const FIRST = noise(16 * MIB, 1);

/** The same with a longer header and 200 KiB changed in place. */
const SECOND = new Uint8Array(await new Blob([noise(MIB, 2), FIRST]).arrayBuffer());
SECOND.set(noise(200 * 1024, 3), 12 * MIB);

/** A publisher and a bot at a git host with Git LFS. The bot has pulled the first version of a large model. */
class Bench implements AsyncDisposable {
  readonly #dir: TempDir;
  readonly server: GitServer;
  readonly trainer: Machine;
  readonly bot: Machine;
  /** The arguments of git's calls in the last pull. */
  readonly calls: string[] = [];
  context = testContext();

  private constructor(dir: TempDir, server: GitServer) {
    this.#dir = dir;
    this.server = server;
    [this.trainer, this.bot] = [this.#machine("trainer"), this.#machine("bot")];
  }

  static async open(): Promise<Bench> {
    const dir = tempDir();
    const bare = bareRepository(join(dir.path, "repositories/registry.git"));
    git(bare, "config", "http.receivepack", "true");
    git(bare, "config", "uploadpack.allowFilter", "true");
    const bench = new Bench(dir, startGitServer({ root: join(dir.path, "repositories"), token: TOKEN }));
    await bench.publish(FIRST);
    await bench.pull();
    await bench.publish(SECOND);
    return bench;
  }

  #machine(name: string): Machine {
    const made = machine(this.#dir.path, name, `${this.server.origin}/registry.git`);
    return { ...made, registry: { ...made.registry, token: new Secret(TOKEN) } };
  }

  async publish(model: Uint8Array): Promise<void> {
    writeFiles(this.trainer.modelsDir, { "a.bin": model });
    await publishFrom(testContext(), this.trainer, { lfs: "always" });
  }

  /** Pulls, and returns the bytes of Git LFS objects that the server sent. */
  async pull(
    bot = this.bot,
    env: Readonly<Record<string, string>> = {},
    http: typeof fetch = fetch,
  ): Promise<number> {
    this.server.lfsSentBytes = 0;
    this.server.requests.length = 0;
    this.calls.length = 0;
    const spawn: SpawnProcess = (request) => {
      this.calls.push(request.args.join(" "));
      return isolatedSpawn({ ...request, env: { ...request.env, ...env } });
    };
    this.context = testContext({ spawn, http, clock: new HurriedClock(10_000) });
    await pullTo(this.context, bot);
    return this.server.lfsSentBytes;
  }

  has(model: Uint8Array): void {
    const bytes = Deno.readFileSync(join(this.bot.modelsDir, "a.bin"));
    assert.ok(bytes.length === model.length && bytes.every((byte, index) => byte === model[index]));
  }

  /** Whether the last pull let git-lfs download the object. */
  get usedGitLfs(): boolean {
    return this.calls.some((call) => call.includes(" lfs smudge -- "));
  }

  /** The reason why it did. */
  get reason(): string | undefined {
    return this.context.log.lines.find((line) => line.endsWith("; git-lfs downloads a.bin"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

testWithLfs(
  "of a Git LFS object that the store holds in parts, a pull requests the others, and git-lfs stores no copy",
  async () => {
    await using bench = await Bench.open();
    const sent = await bench.pull();
    bench.has(SECOND);
    assert.ok(sent > MIB && sent < 4 * MIB, `${sent} bytes were sent`);
    assert.equal(bench.usedGitLfs, false, bench.reason);
    const objects = listing(bench.bot.registry.repoDir).filter((line) =>
      /lfs\/objects\/.*[0-9a-f]{64}/.test(line)
    );
    assert.deepEqual(objects, []);
    assert.ok(bench.server.requests.every(({ auth, path }) => auth !== "wrong" && !path.includes(TOKEN)));
    for (const line of [...bench.calls, ...bench.context.log.lines]) assert.ok(!line.includes(TOKEN), line);
  },
);

testWithLfs(
  "model-sync pull downloads parts of Git LFS objects with the permissions that it keeps",
  async () => {
    await using bench = await Bench.open();
    const { repoDir, repoUrl } = bench.bot.registry;
    const settings = { repo_url: repoUrl, repo_dir: repoDir, token_env: "REGISTRY_TOKEN" };
    const root = dirname(bench.bot.modelsDir);
    writeFiles(root, { "configs/bot.yaml": JSON.stringify({ model_sync: settings }) });
    bench.server.lfsSentBytes = 0;
    const { code, stderr } = await runCli("pull", ["--verbose"], {
      cwd: root,
      env: { REGISTRY_TOKEN: TOKEN },
    });
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /git-lfs downloads/);
    assert.ok(bench.server.lfsSentBytes < 4 * MIB);
    bench.has(SECOND);
  },
);

/** Replaces the answers of the batch API for model-sync's own requests. */
function answerBatch(
  server: GitServer,
  make: (action: Action, request: Request) => unknown,
  status = 200,
): void {
  server.intercept = (request, path) =>
    path.endsWith("/objects/batch") && request.headers.get("user-agent") === "model-sync"
      ? answerWith(request, server, make, status)
      : undefined;
}

async function answerWith(
  request: Request,
  server: GitServer,
  make: (action: Action, request: Request) => unknown,
  status: number,
): Promise<Response> {
  const { objects: [object] } = await request.json();
  const action = { ...object, href: `${server.origin}/lfs-store/${object.oid}` };
  return Response.json(make(action, request), { status });
}

interface Action {
  readonly oid: string;
  readonly size: number;
  readonly href: string;
}

function batch({ oid, size, href }: Action, more: Readonly<Record<string, unknown>> = {}) {
  return { transfer: "basic", objects: [{ oid, size, actions: { download: { href } }, ...more }] };
}

testWithLfs(
  "git-lfs downloads an object that its server does not offer; a storage that lies costs a whole download, and is refused if it goes on",
  async () => {
    await using bench = await Bench.open();
    answerBatch(bench.server, () => ({ message: "not now" }), 422);
    assert.ok(await bench.pull() >= SECOND.length);
    bench.has(SECOND);
    assert.ok(bench.usedGitLfs);
    assert.match(bench.reason ?? "", /^debug Cannot read the address of an object .*answered 422.*not now/);

    const third = SECOND.slice();
    third.set(noise(MIB, 5), 3 * MIB);
    await bench.publish(third);
    const wrong = third.map((byte, index) => index === 3 * MIB + 5 ? byte ^ 1 : byte);
    await using storage = startFileServer(wrong);
    answerBatch(bench.server, (action) => batch(action, { actions: { download: { href: storage.url } } }));
    await assert.rejects(bench.pull(), { code: "DIGEST_MISMATCH", exitCode: 5 });
    bench.has(SECOND);
    storage.content = third;
    const lie: Fault = {
      kind: "answer",
      make: (request) => {
        const [, from, to] = (/bytes=(\d+)-(\d+)/.exec(request.headers.get("range") ?? "") ?? []).map(Number);
        const headers = { "content-range": `bytes ${from}-${to}/${wrong.length}` };
        return new Response(wrong.subarray(from, (to ?? 0) + 1), { status: 206, headers });
      },
    };
    storage.faults.push(lie);
    await bench.pull();
    bench.has(third);
    assert.ok(!bench.usedGitLfs, bench.reason);
  },
);

testWithLfs(
  "after a storage that cannot be reached, the pull leaves further objects to git-lfs, and the next pull continues its download",
  async () => {
    await using bench = await Bench.open();
    const other = SECOND.slice();
    other.set(noise(1_000, 4), 2 * MIB);
    writeFiles(bench.trainer.modelsDir, { "b.bin": other });
    await bench.publish(SECOND);
    await using storage = startFileServer(SECOND);
    const breaks = [100_000, ...Array<number>(40).fill(0)];
    storage.faults.push(...breaks.map((afterBytes): Fault => ({ kind: "reset", afterBytes })));
    const located = new Set<string>();
    answerBatch(bench.server, (action) => {
      located.add(action.oid);
      return batch(action, { actions: { download: { href: storage.url } } });
    });
    const { intercept } = bench.server;
    bench.server.intercept = (request, path) =>
      intercept(request, path) ??
        (path.endsWith("/objects/batch") ? new Response(null, { status: 404 }) : undefined);
    await assert.rejects(bench.pull());
    bench.has(FIRST);
    // Three for each of the two missing spans.
    assert.ok(storage.requests.length <= 6, `${storage.requests.length} requests`);
    bench.server.intercept = intercept;
    located.clear();
    await bench.pull();
    bench.has(SECOND);
    assert.ok(bench.usedGitLfs);
    assert.match(bench.context.log.lines.join("\n"), /continuing [ab]\.bin from Git LFS/);
    assert.equal(located.size, 1);
  },
);

const POINTER = { sha256: "5".repeat(64), bytes: 20 * MIB };

/** A clone of a git host with Git LFS that has no content. */
async function withRegistry(
  work: (
    server: GitServer,
    open: (env?: Readonly<Record<string, string>>) => Promise<LfsServer>,
  ) => Promise<void>,
  hasToken = true,
): Promise<void> {
  using dir = tempDir();
  bareRepository(join(dir.path, "repositories/registry.git"));
  await using server = startGitServer({ root: join(dir.path, "repositories"), token: TOKEN, isPublic: true });
  const made = machine(dir.path, "bot", `${server.origin}/registry.git`);
  const settings = { ...made.registry, token: hasToken ? new Secret(TOKEN) : undefined };
  const owner = { command: "test", runId: "test", host: "test-host" };
  await work(server, async (env = {}) => {
    const spawn: SpawnProcess = (request) => isolatedSpawn({ ...request, env: { ...request.env, ...env } });
    const context = testContext({ spawn });
    using registry = await Registry.open(context, settings, { clone: "blobless", owner });
    return await LfsServer.open(context, registry);
  });
}

function config(key: string, value: string): Record<string, string> {
  return { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: key, GIT_CONFIG_VALUE_0: value };
}

/** The headers that a download would send to an object's address. */
function headersOf({ credentials }: Located): Record<string, string> {
  return Object.fromEntries(
    Object.entries(credentials?.headers ?? {}).map(([name, value]) => [name, value.reveal()]),
  );
}

testWithLfs(
  "credentials reach the Git LFS server when it requires them, and its own addresses only",
  async () => {
    const login = `Basic ${btoa(`x-access-token:${TOKEN}`)}`;
    await withRegistry(async (server, open) => {
      server.lfsObjects.set(POINTER.sha256, new Uint8Array(1));
      const lfs = await open();
      const own = await lfs.locate(POINTER);
      assert.deepEqual([own.url, own.credentials?.origin, headersOf(own)], [
        `${server.origin}/lfs-store/${POINTER.sha256}`,
        server.origin,
        { authorization: login },
      ]);
      const batches = server.requests.filter(({ path }) => path.endsWith("/objects/batch"));
      assert.deepEqual(batches.map(({ auth }) => auth), ["none", "right"]);
      const header = { "X-Key": "k", Range: "bytes=0-1", Host: "evil", "Accept-Encoding": "gzip" };
      answerBatch(
        server,
        (action) => batch(action, { actions: { download: { href: "http://127.0.0.1:2/a", header } } }),
      );
      const other = await lfs.locate(POINTER);
      assert.deepEqual([other.url, other.credentials?.origin, headersOf(other)], [
        "http://127.0.0.1:2/a",
        "http://127.0.0.1:2",
        { "x-key": "k" },
      ]);
      answerBatch(server, (action) => batch(action, { authenticated: true }));
      assert.deepEqual(headersOf(await lfs.locate(POINTER)), {});
    });
  },
);

testWithLfs("a header that git is configured to send to the Git LFS server is its login", async () => {
  const login = `Basic ${btoa(`x-access-token:${TOKEN}`)}`;
  await withRegistry(async (server, open) => {
    server.lfsObjects.set(POINTER.sha256, new Uint8Array(1));
    const setting = (origin: string) => config(`http.${origin}/.extraheader`, `AUTHORIZATION: ${login}`);
    assert.deepEqual(headersOf(await (await open(setting(server.origin))).locate(POINTER)), {
      authorization: login,
    });
    await assert.rejects((await open(setting("http://example.org"))).locate(POINTER), {
      code: "GIT_AUTHENTICATION",
    });
  }, false);
});

testWithLfs(
  "a Git LFS server with another login, transfer or network setting is left to git-lfs",
  async () => {
    await withRegistry(async (server, open) => {
      for (
        const [key, value, reason] of [
          ["lfs.customtransfer.other.path", "/bin/false", /the transfer program other is configured/],
          ["http.proxy", "http://127.0.0.1:2", /git's setting http\.proxy applies/],
          ["http.sslVerify", "false", /git's setting http\.sslverify applies/],
          [`lfs.${server.origin}/registry.git/info/lfs.access`, "ntlm", /requires a login by ntlm/],
          ["lfs.url", "ssh://git@example.org/a.git", /reached by SSH/],
          ["lfs.url", "file:///srv/lfs", /not reached by HTTP/],
        ] as const
      ) {
        await assert.rejects(open(config(key, value)), { code: "LFS_SERVER_UNUSUAL", message: reason });
      }
    });
  },
);

testWithLfs("answers of a Git LFS server without a usable address are errors", async () => {
  await withRegistry(async (server, open) => {
    const lfs = await open();
    for (
      const [answer, code, message] of [
        [() => "no", "ANSWER_INVALID", /sent an unexpected answer/],
        [
          (action) => ({ ...batch(action), transfer: "multipart" }),
          "LFS_SERVER_UNUSUAL",
          /transfers by multipart/,
        ],
        [
          (action) => batch(action, { error: { code: 404, message: "gone" } }),
          "LFS_ABSENT",
          /answered 404 .*gone/,
        ],
        [(action) => batch({ ...action, size: 5 }), "LFS_ABSENT", /has no object/],
        [(action) => batch({ ...action, oid: "0".repeat(64) }), "LFS_ABSENT", /has no object/],
        [(action) => batch(action, { actions: undefined }), "LFS_ABSENT", /has no object/],
        [(action) => batch({ ...action, href: "file:///etc/passwd" }), "LFS_SERVER_UNUSUAL", /is not http/],
      ] satisfies readonly (readonly [(action: Action) => unknown, string, RegExp])[]
    ) {
      answerBatch(server, answer);
      await assert.rejects(lfs.locate(POINTER), { code, message });
    }
    answerBatch(server, () => ({ message: "not now" }), 422);
    await assert.rejects(lfs.locate(POINTER), { code: "HTTP_422", message: /not now/ });
  });
});
