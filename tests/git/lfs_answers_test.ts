import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import type { SpawnProcess } from "../../lib/core/subprocess.ts";
import { LfsTrace } from "../../lib/git/lfs_trace.ts";
import { Secret } from "../../lib/core/secret.ts";
import { type GitServer, startGitServer } from "../../fakes/git_server.ts";
import { type Machine, machine, publishFrom, pullTo } from "../helpers/machines.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, git, testWithLfs } from "../helpers/test_git.ts";

const TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

function remoteMachine(root: string, name: string, server: GitServer): Machine {
  const made = machine(root, name, `${server.origin}/registry.git`);
  return { ...made, registry: { ...made.registry, token: new Secret(TOKEN) } };
}

function startServer(root: string): GitServer {
  const bare = bareRepository(join(root, "repositories/registry.git"));
  git(bare, "config", "http.receivepack", "true");
  git(bare, "config", "uploadpack.allowFilter", "true");
  return startGitServer({ root: join(root, "repositories"), token: TOKEN });
}

/** Answers every batch request of git-lfs with a status. */
function answerBatches(server: GitServer, status: number, message?: string): void {
  server.intercept = (_request, path) => {
    if (!path.endsWith("/objects/batch")) return undefined;
    return new Response(message === undefined ? "" : JSON.stringify({ message }), {
      status,
      headers: {
        "content-type": "application/vnd.git-lfs+json",
        ...(status === 401 ? { "www-authenticate": 'Basic realm="git"' } : {}),
      },
    });
  };
}

/** Publishes one file through Git LFS. */
async function publishOne(root: string, server: GitServer): Promise<void> {
  const trainer = remoteMachine(root, "trainer", server);
  writeFiles(trainer.modelsDir, { "a.onnx": "one" });
  await publishFrom(testContext(), trainer, { lfs: "always" });
}

async function failureOf(work: Promise<unknown>): Promise<ModelSyncError> {
  const error = await work.then(() => undefined, (thrown: unknown) => thrown);
  assert.ok(error instanceof ModelSyncError, String(error));
  return error;
}

const ANSWERS = [
  { status: 401, exitCode: 3, code: "GIT_AUTHENTICATION" },
  { status: 403, exitCode: 3, code: "GIT_AUTHENTICATION" },
  { status: 404, exitCode: 4, code: "GIT_REMOTE_MISSING" },
  { status: 429, exitCode: 4, code: "GIT_RATE_LIMITED" },
  { status: 500, exitCode: 4, code: "GIT_UNREACHABLE" },
  { status: 503, exitCode: 4, code: "GIT_UNREACHABLE" },
] as const;

testWithLfs("pull() reports a Git LFS server's status, whatever message it sends", async () => {
  using dir = tempDir();
  await using server = startServer(dir.path);
  await publishOne(dir.path, server);
  const bot = remoteMachine(dir.path, "bot", server);
  for (const { status, exitCode, code } of ANSWERS) {
    for (const message of [undefined, "come back later"]) {
      answerBatches(server, status, message);
      const error = await failureOf(pullTo(testContext(), bot));
      assert.deepEqual([error.exitCode, error.code], [exitCode, code], `${status}: ${error.message}`);
      if (status !== 401) assert.match(error.message, new RegExp(`\\(HTTP ${status}\\)$`));
      if (status !== 401 && message !== undefined) assert.ok(error.message.includes(message));
      assert.ok(!/lfs logs|Errors logged|trace/.test(error.message), error.message);
    }
  }
  answerBatches(server, 403, "This repository exceeded its LFS budget.");
  assert.equal((await failureOf(pullTo(testContext(), bot))).code, "LFS_QUOTA");
  server.intercept = () => undefined;
  server.lfsObjects.clear();
  const gone = await failureOf(pullTo(testContext(), bot));
  assert.deepEqual([gone.exitCode, gone.code], [5, "LFS_POINTER"], gone.message);
});

testWithLfs(
  "publish() reports a Git LFS server's error, and pushes no commit without its files",
  async () => {
    using dir = tempDir();
    await using server = startServer(dir.path);
    const trainer = remoteMachine(dir.path, "trainer", server);
    writeFiles(trainer.modelsDir, { "a.onnx": "one" });
    for (const { status, exitCode, code } of ANSWERS) {
      answerBatches(server, status, "come back later");
      const error = await failureOf(publishFrom(testContext(), trainer, { lfs: "always" }));
      assert.deepEqual([error.exitCode, error.code], [exitCode, code], `${status}: ${error.message}`);
    }
    assert.equal(git(join(dir.path, "repositories/registry.git"), "branch", "--list"), "");
    server.intercept = () => undefined;
    assert.equal((await publishFrom(testContext(), trainer, { lfs: "always" })).outcome, "published");
    assert.equal(server.lfsObjects.size, 1);
  },
);

testWithLfs(
  "publish() and pull() without a token work again after a Git LFS server refused them once",
  async () => {
    using dir = tempDir();
    const bare = bareRepository(join(dir.path, "repositories/registry.git"));
    git(bare, "config", "http.receivepack", "true");
    // As a server in a private network that needs no login.
    await using server = startGitServer({
      root: join(dir.path, "repositories"),
      token: () => true,
      isOpen: true,
    });
    const [trainer, bot] = ["trainer", "bot"].map((name) =>
      machine(dir.path, name, `${server.origin}/registry.git`)
    );
    assert.ok(trainer !== undefined && bot !== undefined);
    writeFiles(trainer.modelsDir, { "a.onnx": "one" });
    answerBatches(server, 401);
    const refused = await failureOf(publishFrom(testContext(), trainer, { lfs: "always" }));
    assert.equal(refused.exitCode, 3, refused.message);
    server.intercept = () => undefined;
    assert.equal((await publishFrom(testContext(), trainer, { lfs: "always" })).outcome, "published");
    answerBatches(server, 401);
    assert.equal((await failureOf(pullTo(testContext(), bot))).exitCode, 3);
    server.intercept = () => undefined;
    assert.equal((await pullTo(testContext(), bot)).outcome, "activated");
  },
);

testWithLfs("pull() reports the storage behind a Git LFS server that denies or limits a file", async () => {
  using dir = tempDir();
  await using server = startServer(dir.path);
  await publishOne(dir.path, server);
  const bot = remoteMachine(dir.path, "bot", server);
  const spawn: SpawnProcess = (request) =>
    isolatedSpawn({
      ...request,
      // Otherwise git-lfs retries for half a minute.
      env: {
        ...request.env,
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "lfs.transfer.maxretries",
        GIT_CONFIG_VALUE_0: "1",
      },
    });
  const context = testContext({ spawn });
  for (const [status, exitCode] of [[403, 3], [429, 4], [418, 1]] as const) {
    server.intercept = (request, path) =>
      path.startsWith("/lfs-store/") && request.method === "GET"
        ? new Response("no", { status, headers: { "content-type": "text/plain" } })
        : undefined;
    const error = await failureOf(pullTo(context, bot));
    assert.equal(error.exitCode, exitCode, error.message);
    assert.match(
      error.message,
      new RegExp(`^Cannot fetch a\\.onnx from Git LFS: [^;]*\\(HTTP ${status}\\)$`),
    );
    assert.doesNotMatch(error.message, /goroutine|adapterbase|Smudge error/);
  }
});

testWithLfs(
  "pull() and publish() do not wait for objects that a Git LFS server's answer does not name",
  async () => {
    using dir = tempDir();
    await using server = startServer(dir.path);
    const [trainer, bot] = ["trainer", "bot"].map((name) => remoteMachine(dir.path, name, server));
    assert.ok(trainer !== undefined && bot !== undefined);
    writeFiles(trainer.modelsDir, { "a.onnx": "one" });
    const answerWith = (answer: string) => {
      server.intercept = (_request, path) =>
        path.endsWith("/objects/batch")
          ? new Response(answer, { headers: { "content-type": "application/vnd.git-lfs+json" } })
          : undefined;
    };
    const answers = [
      '{"transfer":"basic","objects":[]}',
      '{"objects": null}',
      '{\n  "objects": [ ]\n}',
      "{}",
      '{"message": "welcome", "links": {"help": "/"}}',
      "null",
    ];
    const fails = async (work: () => Promise<unknown>, message: RegExp) => {
      for (const answer of answers) {
        answerWith(answer);
        const { code, exitCode, message: said } = await failureOf(work());
        assert.deepEqual([code, exitCode], ["ANSWER_INVALID", 4], said);
        assert.match(said, message, answer);
      }
      server.intercept = () => undefined;
    };
    await fails(
      () => publishFrom(testContext(), trainer, { lfs: "always" }),
      /^Cannot push Git LFS files to .*: the Git LFS server's answer names none of the requested objects$/,
    );
    assert.equal((await publishFrom(testContext(), trainer, { lfs: "always" })).outcome, "published");
    await fails(
      () => pullTo(testContext(), bot),
      /^Cannot fetch a\.onnx from Git LFS: the Git LFS server's answer names none of the requested objects$/,
    );
    assert.equal((await pullTo(testContext(), bot)).outcome, "activated");
  },
);

testWithLfs(
  "pull() and publish() do not wait for a Git LFS server that requires more than two minutes",
  async () => {
    using dir = tempDir();
    await using server = startServer(dir.path);
    const trainer = remoteMachine(dir.path, "trainer", server);
    writeFiles(trainer.modelsDir, { "a.onnx": "one" });
    const limit = () => {
      server.intercept = (_request, path) =>
        path.endsWith("/objects/batch")
          ? new Response("{}", {
            status: 429,
            headers: { "content-type": "application/vnd.git-lfs+json", "retry-after": "3600" },
          })
          : undefined;
    };
    limit();
    const unsent = await failureOf(publishFrom(testContext(), trainer, { lfs: "always" }));
    assert.match(
      unsent.message,
      /^Cannot push Git LFS files to .*: the Git LFS server requires a wait of 3\d{3} s$/,
    );
    server.intercept = () => undefined;
    await publishFrom(testContext(), trainer, { lfs: "always" });
    limit();
    const error = await failureOf(pullTo(testContext(), remoteMachine(dir.path, "bot", server)));
    assert.deepEqual([error.exitCode, error.code], [4, "GIT_RATE_LIMITED"], error.message);
    assert.match(
      error.message,
      /^Cannot fetch a\.onnx from Git LFS: the Git LFS server requires a wait of 3\d{3} s$/,
    );
    assert.match(error.hint ?? "", /run again in 60 min/);
  },
);

Deno.test("git-lfs's trace shows an answer without some objects, however it arrives, and no other answer counts", () => {
  const request = (count: number, path = "objects/batch") =>
    `12:00:00.1 trace git-lfs: api: batch ${count} files\n12:00:00.1 trace git-lfs: HTTP: POST http://h/lfs/${path}\n`;
  const answer = (body: string, status = 200) =>
    `12:00:00.1 trace git-lfs: HTTP: ${status}\n12:00:00.1 trace git-lfs: HTTP: ${body}\n`;
  const one = '{"objects": [\n{"oid":"a"}\n]}';
  const read = (text: string, pieceChars: number) => {
    const trace = new LfsTrace("push");
    const pieces = text.match(new RegExp(`[^]{1,${pieceChars}}`, "g")) ?? [];
    return pieces.map((piece) => trace.read(piece)).find((wait) => wait !== undefined)?.message;
  };
  for (const pieceChars of [1, 7, 1000]) {
    assert.match(
      read(request(2) + answer(one), pieceChars) ?? "",
      /names only 1 of the 2 requested objects$/,
    );
    const harmless = [
      request(1) + answer(one),
      request(1) + answer("{}", 401),
      request(1, "locks/verify") + answer("{}"),
      request(1) + answer('{"objects": {}}'),
    ];
    assert.equal(read(harmless.join(""), pieceChars), undefined);
  }
});
