import assert from "node:assert/strict";
import * as z from "zod";
import type { Context } from "../../lib/core/context.ts";
import { ModelSyncError, TransientError } from "../../lib/core/errors.ts";
import { Secret } from "../../lib/core/secret.ts";
import { GitHubClient } from "../../lib/github/github_client.ts";
import { UnprocessableError } from "../../lib/github/github_error.ts";
import { writeOnce } from "../../lib/github/writes.ts";
import { GitHubPullsServer, lostAnswer } from "../../fakes/github_pulls_server.ts";
import { problem, secondaryLimit } from "../../fakes/github_answers.ts";
import { TOKEN } from "../../fakes/github_server.ts";
import { githubRequest } from "../../lib/github/github_request.ts";
import { FakeClock, QuickClock } from "../helpers/fake_clock.ts";
import { testContext } from "../helpers/test_context.ts";
import { assertPause } from "../helpers/assert_pause.ts";

const NEVER_MS = 24 * 3_600_000;
const Anything = z.unknown();

const commentOf = (repo: string, body: string) =>
  githubRequest((api) => api.issues.createComment, { owner: "you", repo, issue_number: 1, body }, {
    verb: "write",
    what: `a comment on you/${repo}#1`,
    needs: "pull_requests:write",
  });
/** A comment on the first pull request of a repository. */
const COMMENT = commentOf("registry", "hello");

const pullsTo = (base: string | undefined) =>
  githubRequest((api) => api.pulls.list, {
    owner: "you",
    repo: "registry",
    per_page: 1,
    ...(base === undefined ? {} : { base }),
  }, { what: "the pull requests of you/registry", needs: "pull_requests:read" });
const PULLS = pullsTo(undefined);

async function bench(
  work: (bench: {
    github: GitHubPullsServer;
    pull: ReturnType<ReturnType<GitHubPullsServer["addRepository"]>["add"]>;
    clock: QuickClock;
    open: (changed?: Partial<Context>) => Promise<GitHubClient>;
  }) => Promise<void>,
): Promise<void> {
  const clock = new QuickClock("2026-11-21T00:00:00Z");
  await using github = new GitHubPullsServer(clock, () => "1".repeat(40));
  const pull = github.addRepository("you/registry").add({ head: "work" });
  const open = (changed: Partial<Context> = {}) =>
    GitHubClient.open({ ...testContext({ clock }), ...changed }, {
      apiUrl: github.apiUrl,
      serverUrl: "https://github.com",
      token: new Secret(TOKEN),
      timeoutMs: NEVER_MS,
    });
  await work({ github, pull, clock, open });
}

Deno.test("GitHubClient keeps its writes a second apart by our clock, and does not delay reads", () =>
  bench(async ({ pull, clock, open }) => {
    const client = await open();
    const startedMs = performance.now();
    await client.send(COMMENT, Anything);
    await client.send(PULLS, Anything);
    await client.send(COMMENT, Anything);
    clock.advance(400);
    await client.send(COMMENT, Anything);
    clock.advance(5000);
    await client.send(COMMENT, Anything);
    assert.deepEqual(clock.pausesMs, [1000, 600]);
    assert.equal(pull.comments.length, 4);
    // octokit's throttling would pause for three seconds after each comment.
    assert.ok(performance.now() - startedMs < 8000);
  }));

Deno.test("GitHubClient ends the pause before a write when it is interrupted, and does not write", async () => {
  const clock = new FakeClock("2026-11-21T00:00:00Z");
  await using github = new GitHubPullsServer(clock, () => undefined);
  const pull = github.addRepository("you/registry").add({ head: "work" });
  const controller = new AbortController();
  const access = { apiUrl: github.apiUrl, serverUrl: "", token: new Secret(TOKEN), timeoutMs: NEVER_MS };
  const client = await GitHubClient.open(testContext({ clock, signal: controller.signal }), access);
  await client.send(COMMENT, Anything);
  const second = client.send(COMMENT, Anything);
  const stopped = new Error("stopped");
  controller.abort(stopped);
  await assert.rejects(second, stopped);
  assert.equal(pull.comments.length, 1);
});

Deno.test("GitHubClient's errors name the write that failed", () =>
  bench(async ({ github, open }) => {
    const client = await open();
    await fails(
      client.send(commentOf("other", "hello"), Anything),
      "HTTP_404",
      /^Cannot write a comment on you\/other#1: /,
    );
    github.callers.set(TOKEN, { login: "reader", canWrite: false, canMakeLabels: false });
    await fails(client.send(COMMENT, Anything), "HTTP_403", /^Cannot write a comment .*not accessible/);
    github.callers.delete(TOKEN);
    await fails(client.send(COMMENT, Anything), "HTTP_401", /^Cannot write a comment .*Bad credentials/);
    github.faults.push(secondaryLimit(403, 3600));
    await fails(
      client.send(COMMENT, Anything),
      "RATE_LIMITED",
      /^Cannot write a comment .*secondary rate limit/,
    );
    const broken = await open({ http: () => Promise.reject(new TypeError("connection refused")) });
    await fails(broken.send(COMMENT, Anything), "UNREACHABLE", /^Cannot write a comment .* did not answer/);
    github.faults.push(() => Response.json([]));
    await fails(
      client.send(COMMENT, z.object({ id: z.number() })),
      "ANSWER_INVALID",
      /^Cannot write a comment/,
    );
  }));

Deno.test("GitHubClient quotes GitHub's reasons for refusing a request", () =>
  bench(async ({ open }) => {
    await assert.rejects((await open()).send(commentOf("registry", ""), Anything), (error) => {
      assert.ok(error instanceof UnprocessableError);
      assert.deepEqual(error.reasons, ["Validation Failed", "body missing_field"]);
      assert.match(error.message, /answered 422 \(Validation Failed; body missing_field\)$/);
      assert.equal(error.exitCode, 1);
      return true;
    });
  }));

Deno.test("GitHubClient repeats a write only if the second one changes nothing", () =>
  bench(async ({ github, pull, open }) => {
    const client = await open();
    github.faults.push(lostAnswer);
    await fails(client.send(COMMENT, Anything), "HTTP_502", /^Cannot write a comment/);
    assert.equal(pull.comments.length, 1);
    github.faults.push(lostAnswer);
    const parameters = { owner: "you", repo: "registry", pull_number: 1, title: "new" };
    const update = githubRequest((api) => api.pulls.update, parameters, {
      verb: "update",
      what: "you/registry#1",
      needs: "pull_requests:write",
      isRepeatable: true,
    });
    await client.send(update, Anything);
    assert.equal(pull.title, "new");
    assert.deepEqual(github.writes.slice(1), Array(2).fill("PATCH /repos/you/registry/pulls/1"));
  }));

Deno.test("GitHubClient waits for a rate limit and then repeats the write, which GitHub had not processed", () =>
  bench(async ({ github, pull, clock, open }) => {
    github.faults.push(secondaryLimit(403, 30));
    await (await open()).send(COMMENT, Anything);
    assert.equal(pull.comments.length, 1);
    assert.equal(clock.pausesMs.length, 1);
    assertPause(clock.pausesMs[0], 31_000);
  }));

for (const status of [403, 429]) {
  Deno.test(`GitHubClient repeats a write that GitHub turned away with ${status} and Retry-After`, () =>
    bench(async ({ github, pull, clock, open }) => {
      github.faults.push(() => problem(status, "Please slow down", { "retry-after": "30" }));
      await (await open()).send(COMMENT, Anything);
      assert.equal(pull.comments.length, 1);
      assertPause(clock.pausesMs[0], 30_000);
    }));
}

Deno.test("a write that GitHub keeps turning away fails in the end, without a search for its result", () =>
  bench(async ({ github, pull, open }) => {
    const client = await open();
    github.faults.push(...Array.from({ length: 6 }, () => () => problem(429, "No", { "retry-after": "2" })));
    let looks = 0;
    const find = () => Promise.resolve(void looks++);
    const write = () => client.send(COMMENT, Anything);
    await fails(writeOnce(testContext(), write, find), "HTTP_429", /^Cannot write a comment/);
    assert.deepEqual([looks, pull.comments.length], [0, 0]);
    github.faults.push(() => problem(403, "No", { "retry-after": "3600" }));
    await fails(client.send(COMMENT, Anything), "HTTP_403", /^Cannot write a comment/);
  }));

Deno.test("sendRemembered() requests unchanged pages at no cost, and notices a change on any page", () =>
  bench(async ({ github, pull, open }) => {
    const client = await open();
    const Pulls = z.array(z.object({ number: z.number(), title: z.string() }));
    const titles = async () => {
      const found: string[] = [];
      for await (const page of client.pages(PULLS, Pulls, { pagesMax: 5, remembered: true })) {
        found.push(...page.map(({ title }) => title));
      }
      return found;
    };
    const statuses = () => github.requests.splice(0).map(({ status }) => status);
    assert.deepEqual(await titles(), ["A pull request"]);
    assert.deepEqual(statuses(), [200]);
    assert.deepEqual(await titles(), ["A pull request"]);
    assert.deepEqual(statuses(), [304]);
    pull.title = "Another";
    assert.deepEqual(await titles(), ["Another"]);
    assert.deepEqual(statuses(), [200]);
  }));

Deno.test("sendRemembered() remembers the 32 most recently used answers, each by its whole address", () =>
  bench(async ({ github, open }) => {
    const client = await open();
    const statusOf = async (base: number) => {
      await client.sendRemembered(pullsTo(`branch-${base}`), Anything);
      return github.requests.splice(0).map(({ status }) => status).join();
    };
    for (let base = 0; base < 32; base++) assert.equal(await statusOf(base), "200");
    assert.equal(await statusOf(0), "304");
    assert.equal(await statusOf(32), "200");
    assert.equal(await statusOf(0), "304");
    assert.equal(await statusOf(1), "200");
  }));

Deno.test("writeOnce() searches for the result before it repeats a write", async () => {
  const context = testContext({ clock: new QuickClock("2026-11-21T00:00:00Z") });
  const passing = new TransientError("no answer", { code: "TIMEOUT" });
  const run = async (answers: readonly (string | Error)[], found: string | undefined) => {
    const left = [...answers];
    const calls: string[] = [];
    const write = () => {
      calls.push("write");
      const answer = left.shift();
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer ?? "");
    };
    const find = () => {
      calls.push("find");
      return Promise.resolve(found);
    };
    const result = await writeOnce(context, write, find).catch((error: unknown) => error);
    return { result, calls };
  };
  assert.deepEqual(await run(["made"], undefined), { result: "made", calls: ["write"] });
  assert.deepEqual(await run([passing], "found"), { result: "found", calls: ["write", "find"] });
  assert.deepEqual(await run([passing, "made"], undefined), {
    result: "made",
    calls: ["write", "find", "write"],
  });
  const { result, calls } = await run(Array(9).fill(passing), undefined);
  assert.equal(result, passing);
  assert.equal(calls.filter((call) => call === "write").length, 4);
  const limited = new TransientError("used up", { code: "RATE_LIMITED" });
  assert.deepEqual(await run([limited], "found"), { result: limited, calls: ["write"] });
  const refused = new UnprocessableError("no", []);
  assert.deepEqual(await run([refused], "found"), { result: refused, calls: ["write"] });
});

async function fails(asked: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof ModelSyncError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}
