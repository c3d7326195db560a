import assert from "node:assert/strict";
import * as z from "zod";
import type { Context } from "../../lib/core/context.ts";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { Secret } from "../../lib/core/secret.ts";
import { GitHubClient } from "../../lib/github/github_client.ts";
import { githubRequest } from "../../lib/github/github_request.ts";
import { type ApiFault, primaryLimit, problem, secondaryLimit } from "../../fakes/github_answers.ts";
import { type GitHubServer, OWNER, REPOSITORY, startGitHubServer, TOKEN } from "../../fakes/github_server.ts";
import { FakeClock, QuickClock } from "../helpers/fake_clock.ts";
import { githubRequestProblems } from "../../fakes/github_openapi.ts";
import { testContext } from "../helpers/test_context.ts";
import { assertPause } from "../helpers/assert_pause.ts";

const NEVER_MS = 24 * 3_600_000;

const Runs = z.object({ workflow_runs: z.array(z.object({ id: z.number() })) });

const runsOf = (repo: string) =>
  githubRequest((api) => api.actions.listWorkflowRunsForRepo, { owner: OWNER, repo, per_page: 2 }, {
    what: `the runs of ${OWNER}/${repo}`,
    needs: "actions:read",
  });
const RUNS = runsOf(REPOSITORY);

/** Runs a test with a GitHub with three runs, and a function that opens clients for it. */
async function bench(
  work: (bench: {
    github: GitHubServer;
    clock: QuickClock;
    open: (changed?: Partial<Context>, token?: string) => Promise<GitHubClient>;
    context: ReturnType<typeof testContext>;
  }) => Promise<void>,
): Promise<void> {
  const clock = new QuickClock("2026-11-21T00:00:00Z");
  await using github = startGitHubServer(clock);
  for (const _run of [1, 2, 3]) github.addRun();
  const context = testContext({ clock });
  const open = (changed: Partial<Context> = {}, token = TOKEN) =>
    GitHubClient.open({ ...context, ...changed }, {
      apiUrl: github.apiUrl,
      serverUrl: "https://github.com",
      token: new Secret(token),
      timeoutMs: NEVER_MS,
    });
  await work({ github, clock, open, context });
}

Deno.test("GitHubClient sends the headers that GitHub recommends, and reads the needed parts of the answer", () =>
  bench(async ({ github, open }) => {
    const { data, hasNext } = await (await open()).send(RUNS, Runs);
    assert.equal(data.workflow_runs.length, 2);
    assert.equal(hasNext, true);
    const [request] = github.requests;
    assert.equal(request?.headers.get("accept"), "application/vnd.github+json");
    assert.equal(request?.headers.get("x-github-api-version"), "2022-11-28");
    assert.match(request?.headers.get("user-agent") ?? "", /^model-sync /);
  }));

Deno.test("GitHubClient reads a list page by page, up to the given number of pages", () =>
  bench(async ({ open }) => {
    const client = await open();
    const ids = async (pagesMax: number) => {
      const found: number[] = [];
      for await (const page of client.pages(RUNS, Runs, { pagesMax })) {
        found.push(...page.workflow_runs.map(({ id }) => id));
      }
      return found.length;
    };
    assert.equal(await ids(10), 3);
    assert.equal(await ids(1), 2);
  }));

Deno.test("GitHubClient recognises an unchanged answer, which does not count towards the rate limit", () =>
  bench(async ({ github, open }) => {
    const client = await open();
    const { etag = "" } = await client.send(RUNS, Runs);
    const counted = github.counted;
    assert.equal(await client.sendIfChanged(RUNS, etag, Runs), undefined);
    assert.equal(github.counted, counted);
    github.addRun();
    assert.notEqual(await client.sendIfChanged(RUNS, etag, Runs), undefined);
  }));

Deno.test("GitHubClient's errors name the request and the permission that the token needs", () =>
  bench(async ({ open }) => {
    await rejects(
      (await open()).send(runsOf("other"), Runs),
      4,
      "HTTP_404",
      /the runs of .* answered 404/,
      /actions:read/,
    );
    await rejects(
      (await open({}, "wrong")).send(RUNS, Runs),
      3,
      "HTTP_401",
      /401 \(Bad credentials/,
      /actions:read/,
    );
    const strict = z.object({ nothing: z.string() });
    await rejects((await open()).send(RUNS, strict), 4, "ANSWER_INVALID", /nothing/, /GITHUB_API_URL/);
  }));

Deno.test("GitHubClient distinguishes a missing permission from a rate limit", () =>
  bench(async ({ github, open }) => {
    github.faults.push(() => problem(403, "Resource not accessible by personal access token"));
    await rejects((await open()).send(RUNS, Runs), 3, "HTTP_403", /not accessible/, /actions:read/);
    assert.equal(github.requests.length, 1);
  }));

const LIMITS:
  readonly (readonly [name: string, fault: (clock: QuickClock) => ApiFault, waitedSec: number])[] = [
    ["the primary limit until its reset", (clock) => primaryLimit(clock, 90), 91],
    ["the secondary limit as long as Retry-After says", () => secondaryLimit(403, 17), 18],
    ["the secondary limit by 429", () => secondaryLimit(429, 17), 18],
    ["the secondary limit without Retry-After for a minute", () => secondaryLimit(403), 61],
  ];
for (const [name, fault, waitedSec] of LIMITS) {
  Deno.test(`GitHubClient waits for ${name}`, () =>
    bench(async ({ github, clock, open, context }) => {
      github.faults.push(fault(clock));
      await (await open()).send(RUNS, Runs);
      assert.equal(clock.pausesMs.length, 1);
      assertPause(clock.pausesMs[0], waitedSec * 1000);
      assert.match(
        context.log.lines.join("\n"),
        /warn GitHub's (primary|secondary) rate limit is reached; going on in/,
      );
    }));
}

Deno.test("GitHubClient waits as long as a 403 or 429 asks for that is not a rate limit", () =>
  bench(async ({ github, clock, open }) => {
    const client = await open();
    github.faults.push(() => problem(403, "Slow down", { "retry-after": "40" }));
    github.faults.push(() => problem(429, "Too many requests", { "ratelimit": '"default";r=0;t=9' }));
    await client.send(RUNS, Runs);
    assert.equal(clock.pausesMs.length, 2);
    assertPause(clock.pausesMs[0], 40_000);
    assertPause(clock.pausesMs[1], 10_000);
  }));

Deno.test("GitHubClient requests all pages from the configured address, whatever their links say", () =>
  bench(async ({ github, open }) => {
    const hosts: string[] = [];
    const http = async (input: string | URL | Request, init?: RequestInit) => {
      hosts.push(new URL(String(input)).host);
      const response = await fetch(input, init);
      const link = response.headers.get("link")?.replaceAll(github.apiUrl, "https://api.github.com");
      const headers = new Headers(response.headers);
      if (link !== undefined) headers.set("link", link);
      return new Response(await response.text(), { status: response.status, headers });
    };
    const client = await open({ http });
    let pages = 0;
    for await (const page of client.pages(RUNS, Runs, { pagesMax: 9 })) {
      pages += Number(page !== undefined);
    }
    assert.ok(pages > 1);
    assert.deepEqual(new Set(hosts), new Set([new URL(github.apiUrl).host]));
  }));

Deno.test("GitHubClient does not wait for a rate limit of more than a quarter of an hour, nor more than twice", () =>
  bench(async ({ github, clock, open }) => {
    github.faults.push(primaryLimit(clock, 16 * 60));
    const until = new RegExp("rate limit of .* is used up until 2026-11-21T00:16:00Z");
    await rejects((await open()).send(RUNS, Runs), 4, "RATE_LIMITED", until, /run again/);
    assert.deepEqual(clock.pausesMs, []);
    github.faults.push(...[1, 2, 3, 4].map(() => secondaryLimit(403, 5)));
    await rejects((await open()).send(RUNS, Runs), 4, "RATE_LIMITED", /secondary rate limit/, /run again/);
    assert.equal(clock.pausesMs.length, 2);
    for (const pausedMs of clock.pausesMs) assertPause(pausedMs, 6_000);
  }));

Deno.test("GitHubClient ends a wait for a limit when it is interrupted", async () => {
  const clock = new FakeClock("2026-11-21T00:00:00Z");
  await using github = startGitHubServer(clock);
  github.faults.push(secondaryLimit(403, 60));
  const controller = new AbortController();
  const context = testContext({ clock, signal: controller.signal });
  const stopped = new Error("stopped");
  const warn = context.log.warn;
  context.log.warn = (message) => {
    warn(message);
    queueMicrotask(() => controller.abort(stopped));
  };
  const access = { apiUrl: github.apiUrl, serverUrl: "", token: new Secret(TOKEN), timeoutMs: NEVER_MS };
  const client = await GitHubClient.open(context, access);
  await assert.rejects(client.send(RUNS, Runs), stopped);
  assert.equal(github.requests.length, 1);
});

Deno.test("GitHubClient retries temporary failures, and gives up in the end", () =>
  bench(async ({ github, open }) => {
    const client = await open();
    github.faults.push(
      () => new Response("<html>Unicorn!</html>", { status: 502 }),
      () => problem(503, "down"),
    );
    await client.send(RUNS, Runs);
    assert.equal(github.requests.length, 3);
    const http: typeof fetch = () => Promise.reject(new TypeError("connection refused"));
    const failing = await open({ http });
    await rejects(failing.send(RUNS, Runs), 4, "UNREACHABLE", /did not answer/, /network/);
  }));

Deno.test("GitHubClient retries when an answer breaks off in the middle", () =>
  bench(async ({ github, open }) => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const answered = answerHalf(listener);
    const urls = [`http://127.0.0.1:${listener.addr.port}`];
    const http: typeof fetch = (input, init) => fetch(urls.shift() ?? input, init);
    await (await open({ http })).send(RUNS, Runs);
    await answered;
    assert.equal(github.requests.length, 1);
  }));

/** Answers one request with fewer bytes than the announced length. */
async function answerHalf(listener: Deno.Listener): Promise<void> {
  using connection = await listener.accept();
  await connection.read(new Uint8Array(4096));
  const head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4096\r\n\r\n";
  await connection.write(new TextEncoder().encode(`${head}{"workflow_runs": [`));
}

Deno.test("GitHubClient sends its token to the API's own origin only, and never logs it", () =>
  bench(async ({ github, open, context }) => {
    const seen: Headers[] = [];
    await using other = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      seen.push(request.headers);
      return Response.json({ workflow_runs: [] });
    });
    github.faults.push(() => Response.redirect(`http://127.0.0.1:${other.addr.port}/`, 302));
    await (await open()).send(RUNS, Runs);
    assert.equal(seen.length, 1);
    assert.equal(seen[0]?.get("authorization"), null);
    github.faults.push(() => problem(418, `do not send ${TOKEN}`));
    await rejects(
      (await open()).send(RUNS, Runs),
      4,
      "HTTP_418",
      /do not send \[redacted\]/,
      /GitHub server/,
    );
    assert.ok(!context.log.lines.join("\n").includes(TOKEN));
  }));

Deno.test("an error of GitHubClient names the host that answered, also after a redirect", () =>
  bench(async ({ github, open, clock }) => {
    const answers: (() => Response)[] = [];
    await using other = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => answers.shift()?.() ?? Response.json({ workflow_runs: [] }),
    );
    const host = `127\\.0\\.0\\.1:${other.addr.port}`;
    const fails = async (answer: () => Response, code: string, message: string) => {
      answers.push(answer);
      github.faults.push(() => Response.redirect(`http://127.0.0.1:${other.addr.port}/`, 302));
      await assert.rejects((await open()).send(RUNS, Runs), { code, message: new RegExp(message) });
    };
    await fails(() => problem(404, "not here"), "HTTP_404", `: ${host} answered 404`);
    await fails(() => problem(403, "no"), "HTTP_403", `: ${host} answered 403`);
    await fails(() => Response.json([]), "ANSWER_INVALID", `: ${host} sent an unexpected answer`);
    const limit = primaryLimit(clock, 16 * 60)(new Request("http://127.0.0.1"));
    await fails(() => limit, "RATE_LIMITED", `rate limit of ${host} is used up`);
  }));

Deno.test("the check of requests finds what is not in GitHub's description", () => {
  const problems = (method: string, path: string, body = "") =>
    githubRequestProblems({ method, url: new URL(path, "http://127.0.0.1"), body });
  assert.deepEqual(problems("GET", "/repos/a/b/actions/runs?status=success&per_page=30"), []);
  assert.match(problems("GET", "/repos/a/b/actions/runs?status=succes").join(), /status cannot be "succes"/);
  assert.match(problems("GET", "/repos/a/b/actions/runs?perpage=30").join(), /no parameter perpage/);
  assert.match(problems("GET", "/repos/a/b/actions/artifacts/x/zip").join(), /artifact_id cannot be "x"/);
  assert.match(problems("POST", "/repos/a/b/actions/runs").join(), /no such operation/);
  assert.match(problems("POST", "/repos/a/b/pulls").join(), /its body is missing/);
  assert.match(problems("GET", "/repos/a/b/pulls", "{}").join(), /it takes no body/);
  const post = (body: unknown) => problems("POST", "/repos/a/b/pulls", JSON.stringify(body)).join();
  assert.equal(post({ title: "t", head: "h", base: "b", draft: true }), "");
  assert.match(post({ title: "t", head: "h" }), /the body has no base/);
  assert.match(post({ head: "h", base: 1 }), /base of the body is no string/);
  assert.match(post({ head: "h", base: "b", reviewers: [] }), /there is no reviewers in the body/);
  assert.match(post([]), /the body is no object/);
  const label = (labels: unknown) =>
    problems("POST", "/repos/a/b/issues/1/labels", JSON.stringify({ labels })).join();
  assert.equal(label(["sync"]), "");
  assert.match(label([]), /labels of the body has too few items/);
  assert.match(label([7]), /labels of the body\[0\] is no string/);
  assert.match(
    problems("PATCH", "/repos/a/b/pulls/1", '{"state":"merged"}').join(),
    /state .* cannot be "merged"/,
  );
});

Deno.test("the loopback GitHub reports a wrong request when it is closed", async () => {
  const github = startGitHubServer(new FakeClock("2026-11-21T00:00:00Z"));
  await (await fetch(`${github.apiUrl}/repos/${OWNER}/${REPOSITORY}/actions/run`)).body?.cancel();
  await assert.rejects(async () => await github[Symbol.asyncDispose](), /no such operation/);
});

async function rejects(
  asked: Promise<unknown>,
  exitCode: number,
  code: string,
  message: RegExp,
  hint: RegExp,
): Promise<void> {
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof ModelSyncError, String(error));
    assert.equal(error.code, code, error.message);
    assert.equal(error.exitCode, exitCode);
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
    return !error.message.includes(TOKEN);
  });
}
