import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError } from "../../../lib/core/errors.ts";
import { Secret } from "../../../lib/core/secret.ts";
import { TargetRepository } from "../../../lib/references/git/target_repository.ts";
import { startGitServer } from "../../../fakes/git_server.ts";
import { memoryDir, writeFiles } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../../helpers/test_git.ts";
import { makeProgram } from "../../helpers/make_program.ts";

const NAME = "Haidra-Org/images";
const ADDRESS = { owner: "Haidra-Org", name: "images", branch: "main" };
const BRANCH = "model-sync/references";

/** Pushes a proposal to a repository that refuses it, as set up by `prepare`. */
async function failureOf(
  prepare: (bare: string, server: ReturnType<typeof startGitServer>) => void,
  hasToken = true,
): Promise<ModelSyncError> {
  using dir = memoryDir();
  const bare = bareRepository(join(dir.path, "srv", `${NAME}.git`));
  git(bare, "config", "http.receivepack", "true");
  git(bare, "config", "uploadpack.allowFilter", "true");
  const person = clone(bare, join(dir.path, "person"));
  writeFiles(person, { "clip.json": "{}\n" });
  commitAll(person);
  await using server = startGitServer({
    root: join(dir.path, "srv"),
    token: "ghp_references",
    isPublic: true,
  });
  const place = { kind: "temporary", parent: join(dir.path, "clones") } as const;
  const token = hasToken ? new Secret("ghp_references") : undefined;
  const options = { address: ADDRESS, serverUrl: server.origin, token, place };
  await using repository = await TargetRepository.open(testContext(), options);
  const tree = await repository.treeWith(repository.base, new Map([["clip.json", "new\n"]]));
  const commit = await repository.commit(tree, repository.base, "Sync clip\n");
  prepare(bare, server);
  const error = await repository.push(BRANCH, commit, undefined).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ModelSyncError, String(error));
  assert.ok(error.message.startsWith(`Cannot push ${BRANCH} to ${NAME}: `), error.message);
  assert.ok(!/publish|token_env|published/.test(error.hint ?? ""), error.hint);
  return error;
}

/** Refuses pushes as GitHub does: with a status, and a text that git prints as the remote's. */
function refusePushes(server: ReturnType<typeof startGitServer>, status: number, words: string): void {
  server.intercept = (request) => {
    if (!request.url.includes("git-receive-pack")) return undefined;
    return new Response(words, { status, headers: { "content-type": "text/plain" } });
  };
}

Deno.test("push() with a read-only token names the missing permissions", async () => {
  const error = await failureOf((_bare, server) =>
    refusePushes(server, 403, "Write access to repository not granted.\n")
  );
  assert.deepEqual([error.exitCode, error.code], [3, "GIT_AUTHENTICATION"]);
  assert.match(error.message, /Write access to repository not granted/);
  assert.match(error.hint ?? "", /cannot write to Haidra-Org\/images: .*Contents and Pull requests/);
});

Deno.test("push() without a token names the variables to set", async () => {
  const error = await failureOf(() => {}, false);
  assert.deepEqual([error.exitCode, error.code], [3, "GIT_AUTHENTICATION"]);
  assert.match(error.hint ?? "", /^set GITHUB_TOKEN, .* write to Haidra-Org\/images$/);
});

Deno.test("push() to an archived repository is not reported as a credentials problem", async () => {
  const error = await failureOf((_bare, server) =>
    refusePushes(server, 403, "This repository was archived so it is read-only.\n")
  );
  assert.deepEqual([error.exitCode, error.code], [1, "REPOSITORY_ARCHIVED"]);
  assert.match(error.message, /This repository was archived so it is read-only/);
  assert.match(error.hint ?? "", /^unarchive Haidra-Org\/images on GitHub/);
});

Deno.test("push() of a branch whose name collides with another one names the setting", async () => {
  const error = await failureOf((bare) => void git(bare, "branch", "model-sync", "main"));
  assert.deepEqual([error.exitCode, error.code], [1, "BRANCH_NAME_TAKEN"]);
  assert.match(error.message, /'refs\/heads\/model-sync' exists/);
  assert.match(error.hint ?? "", /model_sync\.references\.pr\.branch/);
});

Deno.test("push() that a rule of the repository refuses quotes the rule", async () => {
  const error = await failureOf((bare) => {
    const hook = join(bare, "hooks/pre-receive");
    Deno.mkdirSync(join(bare, "hooks"), { recursive: true });
    Deno.writeTextFileSync(hook, "#!/bin/sh\necho 'GH013: Repository rule violations found' >&2\nexit 1\n");
    makeProgram(hook);
  });
  assert.deepEqual([error.exitCode, error.code], [1, "PUSH_DECLINED"]);
  assert.match(error.message, /GH013: Repository rule violations found/);
  assert.match(error.hint ?? "", /the rules of Haidra-Org\/images/);
});

Deno.test("push() to a branch that another sync pushes at the same moment says so", async () => {
  const beforeAsking = await failureOf((bare) => void git(bare, "branch", BRANCH, "main"));
  const whilePushing = await failureOf((bare, server) => {
    server.intercept = ({ method, url }) => {
      if (method === "POST" && url.endsWith("git-receive-pack")) git(bare, "branch", BRANCH, "main");
      return undefined;
    };
  });
  for (const error of [beforeAsking, whilePushing]) {
    assert.deepEqual([error.exitCode, error.code], [1, "BRANCH_MOVED"], error.message);
    assert.match(error.hint ?? "", /^run again/);
  }
});
