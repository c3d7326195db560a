import assert from "node:assert/strict";
import { join } from "node:path";
import type { SpawnProcess } from "../../lib/core/subprocess.ts";
import { Secret } from "../../lib/core/secret.ts";
import {
  checkPrograms,
  checkRegistry,
  checkTokenScopes,
  compareVersions,
} from "../../lib/doctor/git_checks.ts";
import { startGitServer } from "../../fakes/git_server.ts";
import { InterruptedError } from "../../lib/core/errors.ts";
import { tried } from "../../lib/doctor/check.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { machine } from "../helpers/machines.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../helpers/test_git.ts";
import { writeProgram } from "../helpers/make_program.ts";

const TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

Deno.test("checkTokenScopes() distinguishes a refused token from one without the scope repo", async () => {
  const answers: Record<string, { readonly status: number; readonly scopes?: string }> = {
    refused: { status: 401 },
    "fine-grained": { status: 200 },
    classic: { status: 200, scopes: "repo, workflow" },
    "public only": { status: 200, scopes: "public_repo" },
  };
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const kind = decodeURIComponent(new URL(request.url).pathname.split("/")[1] ?? "");
    const { status = 404, scopes } = answers[kind] ?? {};
    assert.equal(request.headers.get("authorization"), `Bearer ${TOKEN}`);
    return new Response("{}", { status, headers: scopes === undefined ? {} : { "x-oauth-scopes": scopes } });
  });
  const check = async (kind: string) => {
    const url = `http://127.0.0.1:${server.addr.port}/${kind}/`;
    return await checkTokenScopes(testContext(), new Secret(TOKEN), url);
  };
  assert.equal((await check("refused")).status, "fail");
  assert.equal((await check("classic")).status, "pass");
  assert.match((await check("fine-grained")).detail, /its permissions are unknown/);
  const few = await check("public only");
  assert.equal(few.status, "warn");
  assert.match(few.detail, /"public_repo", without repo/);
  for (const kind of Object.keys(answers)) assert.ok(!JSON.stringify(await check(kind)).includes(TOKEN));
});

Deno.test("checkTokenScopes() warns when GitHub does not answer", async () => {
  const check = await checkTokenScopes(testContext(), new Secret(TOKEN), "http://127.0.0.1:2");
  assert.equal(check.status, "warn");
  assert.match(check.detail, /cannot check it at 127\.0\.0\.1/);
});

Deno.test("checkRegistry() suggests safe.directory, and no token, for a repository of another user", async () => {
  using dir = tempDir();
  const bare = bareRepository(join(dir.path, "registry.git"));
  const hand = clone(bare, join(dir.path, "hand"));
  Deno.writeTextFileSync(join(hand, "a.txt"), "a");
  commitAll(hand);
  const { registry } = machine(dir.path, "bot", bare);
  const said = "fatal: detected dubious ownership in repository at '/srv/registry.git'";
  const spawn: SpawnProcess = (request) =>
    isolatedSpawn(
      request.args.includes("push")
        ? { ...request, command: "sh", args: ["-c", `echo "${said}" >&2; exit 128`] }
        : request,
    );
  const checks = await checkRegistry(testContext({ spawn }), registry, dir.path);
  assert.match(
    checks.find(({ name }) => name === "registry writable")?.mend ?? "",
    /^run as the user that owns it; .* git config --global --add safe\.directory \/srv\/registry\.git$/,
  );
});

Deno.test("checkRegistry() over HTTP checks read and write access and the clock, and changes nothing", async () => {
  using dir = tempDir();
  const bare = bareRepository(join(dir.path, "repositories/registry.git"));
  const hand = clone(bare, join(dir.path, "hand"));
  Deno.writeTextFileSync(join(hand, "a.txt"), "a");
  commitAll(hand);
  await using server = startGitServer({ root: join(dir.path, "repositories"), token: TOKEN });
  const { registry } = machine(dir.path, "bot", `${server.origin}/registry.git`);
  git(bare, "config", "http.receivepack", "false");
  const before = git(bare, "for-each-ref");
  const statuses = async (token: string, ageMs = 0) => {
    const clock = new FakeClock(new Date(Date.now() + ageMs).toISOString());
    const settings = { ...registry, token: new Secret(token) };
    const scratch = Deno.makeTempDirSync({ dir: dir.path });
    const checks = await checkRegistry(testContext({ clock }), settings, scratch);
    return Object.fromEntries(checks.map(({ name, status, detail }) => [name, `${status} ${detail}`]));
  };
  // A bot usually has no write access.
  const bot = await statuses(TOKEN);
  assert.match(bot["registry readable"] ?? "", /^pass .*main is at [0-9a-f]{12}$/);
  assert.match(bot["registry writable"] ?? "", /^warn /);
  assert.match(bot["registry clock"] ?? "", /^pass the clocks differ by \d+ s$/);
  git(bare, "config", "http.receivepack", "true");
  assert.match((await statuses(TOKEN))["registry writable"] ?? "", /^pass /);
  assert.match(
    (await statuses(TOKEN, 3_600_000))["registry clock"] ?? "",
    /^fail our clock is 3\d{3} s ahead of the server's$/,
  );
  assert.match(
    (await statuses(TOKEN, -3_600_000))["registry clock"] ?? "",
    /^fail our clock is 3\d{3} s behind the server's$/,
  );
  assert.match((await statuses("wrong"))["registry readable"] ?? "", /^fail .*Authentication failed/i);
  const refused = { ...registry, token: new Secret("wrong"), tokenVariable: "REGISTRY_TOKEN" };
  const checks = await checkRegistry(testContext(), refused, Deno.makeTempDirSync({ dir: dir.path }));
  const readable = checks.find(({ name }) => name === "registry readable");
  assert.match(readable?.mend ?? "", /^the registry refuses the token in REGISTRY_TOKEN:/);
  assert.equal(git(bare, "for-each-ref"), before);
});

Deno.test("checkRegistry() gives up a server that does not answer, and asks it once", async () => {
  using dir = tempDir();
  const bare = bareRepository(join(dir.path, "registry.git"));
  const repoDir = clone(bare, join(dir.path, "clone"));
  Deno.writeTextFileSync(join(repoDir, "a.txt"), "a");
  commitAll(repoDir);
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  git(repoDir, "remote", "set-url", "origin", `http://127.0.0.1:${silent.addr.port}/registry.git`);
  const { registry } = machine(dir.path, "bot", bare);
  const scratch = Deno.makeTempDirSync({ dir: dir.path });
  const settings = { ...registry, repoDir, repoUrl: undefined };
  const checks = await checkRegistry(testContext(), settings, scratch, 100);
  assert.deepEqual(checks.map(({ name, status }) => `${status} ${name}`), [
    "pass clone",
    "pass worktree",
    "fail registry readable",
  ]);
});

Deno.test("a diagnosis that is stopped ends with the interruption, and not with a failed check", async () => {
  const stop = new InterruptedError("Cannot continue: stopped by SIGTERM", { code: "INTERRUPTED" });
  await assert.rejects(tried("clone", () => Promise.reject(stop)), InterruptedError);
});

Deno.test("checkPrograms() says why an installed git does not run, instead of calling it missing", async () => {
  const spawn: SpawnProcess = (request) =>
    isolatedSpawn({ ...request, env: { ...request.env, GIT_CONFIG_COUNT: "many" } });
  const checks = await checkPrograms(testContext({ spawn }));
  assert.deepEqual(checks.map(({ name, status }) => [name, status]), [["git", "fail"]]);
  assert.match(checks[0]?.detail ?? "", /^Cannot run git .*version: .*GIT_CONFIG_COUNT/);
  const [git, lfs] = await checkPrograms(testContext());
  assert.deepEqual([git?.status, lfs?.name], ["pass", "git-lfs"]);
});

Deno.test({
  name: "checkPrograms() fails for a missing and for an old git, and warns of a missing git-lfs",
  ignore: Deno.build.os === "windows",
  async fn() {
    using dir = tempDir();
    const spawn: SpawnProcess = (request) =>
      isolatedSpawn({ ...request, env: { ...request.env, PATH: dir.path } });
    const lines = async () =>
      (await checkPrograms(testContext({ spawn }))).map(({ name, status, detail }) =>
        `${status} ${name}: ${detail}`
      );
    assert.deepEqual(await lines(), [
      "fail git: not found on the PATH",
      "warn git-lfs: not installed; needed for files over 100 MiB",
    ]);
    const script = `#!/bin/sh\n[ "$1" != lfs ] || { echo "git: 'lfs' is not a git command." >&2; exit 1; }\n`;
    writeProgram(join(dir.path, "git"), `${script}echo git version 2.20.1\n`);
    assert.deepEqual(await lines(), [
      "fail git: version 2.20.1, at least 2.31 is needed",
      "warn git-lfs: not installed; needed for files over 100 MiB",
    ]);
  },
});

Deno.test("compareVersions() orders by numbers, not by letters", () => {
  assert.ok(compareVersions("2.9", "2.31") < 0);
  assert.ok(compareVersions("2.39.5", "2.39") > 0);
  assert.equal(compareVersions("2.31", "2.31.0"), 0);
});
