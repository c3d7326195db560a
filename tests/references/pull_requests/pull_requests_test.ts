import assert from "node:assert/strict";
import { ModelSyncError } from "../../../lib/core/errors.ts";
import { closeOlder, closeReplaced } from "../../../lib/references/pull_requests/close_older.ts";
import { dress } from "../../../lib/references/pull_requests/dress.ts";
import { lostAnswer } from "../../../fakes/github_pulls_server.ts";
import { problem } from "../../../fakes/github_answers.ts";
import { TOKEN } from "../../../fakes/github_server.ts";
import { PullsWorld, REGISTRY } from "./pulls_world.ts";

const ROUTE = { ...REGISTRY, base: "main", head: "model-sync/references" };
const PROPOSAL = { title: "Sync clip", body: "One model.", content: "sha256:aa", pending: [] };
const MARKED = "One model.\n\n<!-- model-sync: content=sha256:aa -->";

Deno.test("create() opens a pull request that find() recognizes by its content", async () => {
  await using world = new PullsWorld();
  const pulls = await world.open(ROUTE);
  assert.deepEqual(await pulls.find(), []);
  const { pullRequest, outcome } = await pulls.create(PROPOSAL);
  assert.equal(outcome, "created");
  assert.equal(pullRequest.url, "https://github.com/you/registry/pull/1");
  const [stored] = world.repository.pulls;
  assert.deepEqual(
    [stored?.title, stored?.body, stored?.head, stored?.base],
    [PROPOSAL.title, MARKED, ROUTE.head, "main"],
  );
  assert.deepEqual(await pulls.find(), [pullRequest]);
  assert.deepEqual(pullRequest.marker, { content: "sha256:aa", isClosedByUs: false, pending: [] });
});

Deno.test("find() returns only the branch's pull requests, newest first, with their states", async () => {
  await using world = new PullsWorld();
  const { repository } = world;
  repository.add({ ...ROUTE, state: "closed", mergedAt: "2026-11-20T00:00:00Z", body: MARKED });
  repository.add({ ...ROUTE, state: "closed", body: null });
  repository.add({ ...ROUTE, head: "fix" });
  repository.add({ ...ROUTE, base: "next" });
  repository.add({ ...ROUTE, headRepository: { id: 1, owner: "fork" } });
  repository.add({ ...ROUTE, headRepository: { id: 1, owner: "you" } });
  repository.add({ ...ROUTE, headRepository: null });
  repository.add({ ...ROUTE, author: "horde-bot" });
  const found = await (await world.open(ROUTE)).find();
  assert.deepEqual(found.map(({ number, isOpen, isMerged }) => [number, isOpen, isMerged]), [
    [8, true, false],
    [2, false, false],
    [1, false, true],
  ]);
});

Deno.test("find() reads a limited number of pages, and rereads none that is unchanged", async () => {
  await using world = new PullsWorld();
  for (let count = 0; count < 250; count++) world.repository.add({ ...ROUTE, state: "closed" });
  const pulls = await world.open(ROUTE);
  assert.equal((await pulls.find()).length, 200);
  world.github.requests.length = 0;
  assert.equal((await pulls.find()).length, 200);
  assert.deepEqual(world.github.requests.map(({ status }) => status), [304, 304, 304, 304]);
});

Deno.test("find() needs no token for a public repository", async () => {
  await using world = new PullsWorld();
  world.repository.add(ROUTE);
  assert.equal((await (await world.open(ROUTE, false)).find()).length, 1);
  await fails((await world.open(ROUTE, false)).create(PROPOSAL), 3, "HTTP_401", /^Cannot create the pull/);
});

Deno.test("create() updates an existing pull request", async () => {
  await using world = new PullsWorld();
  const there = world.repository.add({ ...ROUTE, body: "by hand" });
  const { pullRequest, outcome } = await (await world.open(ROUTE)).create(PROPOSAL);
  assert.deepEqual([outcome, pullRequest.number], ["updated", there.number]);
  assert.deepEqual([there.title, there.body], [PROPOSAL.title, MARKED]);
});

Deno.test("create() creates one pull request if the first answer is lost", async () => {
  await using world = new PullsWorld();
  world.github.faults.push(lostAnswer);
  const { outcome } = await (await world.open(ROUTE)).create(PROPOSAL);
  assert.equal(outcome, "created");
  assert.deepEqual(world.github.writes, ["POST /repos/you/registry/pulls"]);
  assert.equal(world.repository.pulls.length, 1);
});

Deno.test("create() retries after a failure", async () => {
  await using world = new PullsWorld();
  world.github.faults.push(() => problem(503, "down"));
  await (await world.open(ROUTE)).create(PROPOSAL);
  assert.equal(world.github.writes.length, 2);
  assert.equal(world.repository.pulls.length, 1);
});

Deno.test("create() reports the problem of the branches", async () => {
  await using world = new PullsWorld();
  const create = async (changed: Partial<typeof ROUTE>) =>
    (await world.open({ ...ROUTE, ...changed })).create(PROPOSAL);
  world.branches.set("same", world.branches.get("main") ?? "");
  const nothing =
    /^Cannot create the pull request from same to main in you\/registry: .*No commits between main/;
  await fails(create({ head: "same" }), 1, "NOTHING_TO_PROPOSE", nothing, /delete the branch/);
  await fails(create({ head: "gone" }), 1, "BRANCH_MISSING", /head invalid/, /has the branch gone$/);
  await fails(create({ base: "gone" }), 1, "BRANCH_MISSING", /base invalid/, /has the branch gone$/);
  await fails(create({ name: "other" }), 4, "HTTP_404", /you\/other/, /pull_requests:write/);
  world.github.callers.set(TOKEN, { login: "reader", canWrite: false, canMakeLabels: false });
  await fails(create({}), 3, "HTTP_403", /not accessible/, /pull_requests:write/);
});

Deno.test("a body that is too long for GitHub is cut, and keeps its marker", async () => {
  await using world = new PullsWorld();
  const body = `${"x".repeat(65_536 - 43)}😀 and more`;
  const { pullRequest } = await (await world.open(ROUTE)).create({ ...PROPOSAL, body });
  assert.equal(pullRequest.marker.content, "sha256:aa");
  assert.ok(pullRequest.body.isWellFormed());
});

Deno.test("close() comments, closes, and records that no person did", async () => {
  await using world = new PullsWorld();
  const pulls = await world.open(ROUTE);
  const { pullRequest } = await pulls.create(PROPOSAL);
  await pulls.close(pullRequest, "Nothing is left to sync.");
  const [stored] = world.repository.pulls;
  assert.equal(stored?.state, "closed");
  assert.deepEqual(stored?.comments.map(({ body }) => body), ["Nothing is left to sync."]);
  const [found] = await pulls.find();
  assert.deepEqual(found?.marker, { content: "sha256:aa", isClosedByUs: true, pending: [] });
});

Deno.test("close() repeats no comment, neither after a lost answer nor after a killed run", async () => {
  await using world = new PullsWorld();
  const pulls = await world.open(ROUTE);
  const { pullRequest } = await pulls.create(PROPOSAL);
  world.github.faults.push(undefined, lostAnswer, undefined, () => problem(403, "locked"));
  await fails(
    pulls.close(pullRequest, "Done."),
    3,
    "HTTP_403",
    /^Cannot close the pull request you\/registry#1/,
  );
  await pulls.close(pullRequest, "Done.");
  const [stored] = world.repository.pulls;
  assert.equal(stored?.state, "closed");
  assert.equal(stored?.comments.length, 1);
});

Deno.test("dress() adds labels, creates new ones, and requests reviews from people and a team", async () => {
  await using world = new PullsWorld({
    collaborators: ["ann", "bob"],
    teams: ["curators"],
    labels: ["sync"],
  });
  const dressed = await world.dress(ROUTE, {
    labels: ["automated", "sync"],
    reviewers: ["ann", "bob"],
    team: "you-org/curators",
  });
  assert.deepEqual(dressed, { warnings: [], pending: [] });
  const [stored] = world.repository.pulls;
  assert.deepEqual(stored?.labels, ["automated", "sync"]);
  assert.deepEqual([stored?.reviewers, stored?.teams], [["ann", "bob"], ["curators"]]);
  assert.equal(world.github.writes.length, 4);
});

Deno.test("dress() leaves out reviewers that GitHub refuses, and says so", async () => {
  await using world = new PullsWorld({ collaborators: ["ann"] });
  const { warnings, pending } = await world.dress(ROUTE, {
    labels: [],
    reviewers: ["ann", "stranger", "horde-bot"],
    team: "you-org/nobody",
  });
  assert.deepEqual(world.repository.pulls[0]?.reviewers, ["ann"]);
  assert.equal(warnings.length, 3);
  assert.match(
    warnings[0] ?? "",
    /^Cannot request a review of you\/registry#1 from stranger: .*collaborator/,
  );
  assert.match(warnings[1] ?? "", /from horde-bot: .*cannot be requested from pull request author/);
  assert.match(warnings[2] ?? "", /from nobody: .*collaborator/);
  assert.deepEqual(pending, [], "another attempt would be refused as well");
});

Deno.test("dress() adds existing labels if the token cannot create new ones", async () => {
  await using world = new PullsWorld({ labels: ["sync"] });
  world.github.callers.set(TOKEN, { login: "horde-bot", canWrite: true, canMakeLabels: false });
  const { warnings } = await world.dress(ROUTE, {
    labels: ["automated", "sync"],
    reviewers: [],
    team: undefined,
  });
  assert.deepEqual(world.repository.pulls[0]?.labels, ["sync"]);
  assert.match(
    warnings.join("\n"),
    /^Cannot label you\/registry#1 with automated: .*do not have permission to create labels.*issues:write/,
  );
});

Deno.test("dress() fails neither if GitHub is down nor with a wrong token, and ends when interrupted", async () => {
  await using world = new PullsWorld({ collaborators: ["ann"] });
  const pulls = await world.open(ROUTE);
  const { pullRequest } = await pulls.create(PROPOSAL);
  const wanted = { labels: ["a", "b"], reviewers: ["ann"], team: undefined };
  const down = () => problem(503, "down");
  world.github.faults.push(...Array(6).fill(down));
  const client = await world.client();
  const { warnings, pending } = await dress(world.context, client, ROUTE, pullRequest, wanted);
  assert.equal(warnings.length, 1);
  assert.deepEqual(pending, ["labels"]);
  assert.match(warnings[0] ?? "", /^Cannot label you\/registry#1 with a, b: .*503/);
  assert.deepEqual(world.repository.pulls[0]?.reviewers, ["ann"]);
  world.github.callers.clear();
  const unknown = await dress(world.context, client, ROUTE, pullRequest, wanted);
  assert.deepEqual([unknown.warnings.length, unknown.pending], [2, ["labels", "reviewers"]]);
  const stopped = new Error("stopped");
  const context = { ...world.context, signal: AbortSignal.abort(stopped) };
  await assert.rejects(
    dress(context, await world.client({ signal: context.signal }), ROUTE, pullRequest, wanted),
    stopped,
  );
});

Deno.test("closeOlder() closes open pull requests of earlier runs of the category, and no others", async () => {
  await using world = new PullsWorld();
  const { repository } = world;
  const add = (head: string, details = {}) => repository.add({ head, ...details });
  add("sync/clip/20251025-120000");
  add("sync/multi-category/20251025-120000", { base: "next" });
  add("sync/blip/20251025-120000");
  add("sync/clip/20251024-120000", { state: "closed" });
  add("sync/clip/20251023-120000", { headRepository: { id: 1, owner: "fork" } });
  add("fix/sync/clip/1");
  add("sync/clip/20261121-000000");
  const route = { ...ROUTE, head: "sync/clip/20261121-000000" };
  const closed = await closeOlder(world.context, await world.client(), route, "clip");
  assert.deepEqual(closed.map((url) => url.split("/").at(-1)), ["2", "1"]);
  assert.deepEqual(repository.pulls.filter(({ comments }) => comments.length > 0).map((p) => p.number), [
    1,
    2,
  ]);
  const said = "This PR is being automatically closed because a new sync operation has been initiated.\n\n" +
    "A new PR with updated changes will be created shortly.";
  assert.equal(repository.pulls[0]?.comments[0]?.body, said);
  await closeOlder(world.context, await world.client(), route, undefined);
  assert.deepEqual(repository.pulls.filter(({ state }) => state === "open").map((p) => p.number), [5, 6, 7]);
});

Deno.test("closeOlder() warns if it cannot close or list one, and continues", async () => {
  await using world = new PullsWorld();
  world.repository.add({ head: "sync/clip/1" });
  world.repository.add({ head: "sync/clip/2" });
  world.github.faults.push(undefined, undefined, () => problem(403, "locked"));
  const closed = await closeOlder(world.context, await world.client(), ROUTE, "clip");
  assert.deepEqual(closed, ["https://github.com/you/registry/pull/1"]);
  assert.match(
    world.context.log.lines.join("\n"),
    /warn An older pull request stays open: .*pull\/2 \(.*locked/,
  );
  world.github.callers.clear();
  assert.deepEqual(await closeOlder(world.context, await world.client(), ROUTE, "clip"), []);
  assert.match(
    world.context.log.lines.join("\n"),
    /warn Cannot close older pull requests of you\/registry \(/,
  );
});

Deno.test("closeReplaced() closes the original tool's pull requests for files that the new one covers, and no others", async () => {
  await using world = new PullsWorld();
  const { repository } = world;
  const add = (head: string, files: readonly string[], details = {}) =>
    repository.add({ head, files, ...details });
  add("sync/clip/20251025-120000", ["clip.json"]);
  add("sync/multi-category/20251024-120000", ["clip.json", "blip.json"]);
  add("sync/multi-category/20251023-120000", ["clip.json", "esrgan.json"]);
  add("sync/clip/20251022-120000", ["clip.json", "README.md"]);
  add("sync/clip/20251021-120000", ["clip.json"], { base: "next" });
  add("sync/clip/mine", ["clip.json"]);
  add("sync/clip/20251020-120000", ["clip.json"], { headRepository: { id: 1, owner: "fork" } });
  const ours = add(ROUTE.head, ["clip.json"]);
  const [found] = await (await world.open(ROUTE)).find();
  assert.ok(found?.number === ours.number);
  await closeReplaced(
    world.context,
    await world.client(),
    ROUTE,
    found,
    new Set(["clip.json", "blip.json"]),
  );
  const closed = repository.pulls.filter(({ state }) => state === "closed");
  assert.deepEqual(closed.map(({ number }) => number), [1, 2]);
  for (const { comments } of closed) {
    assert.deepEqual(comments.map(({ body }) => body), [
      "This pull request is closed because #8 replaces it, which is kept up to date with the PRIMARY instance.",
    ]);
  }
});

async function fails(
  work: Promise<unknown>,
  exitCode: number,
  code: string,
  message: RegExp,
  hint = /./,
): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof ModelSyncError, String(error));
    assert.equal(error.code, code, error.message);
    assert.equal(error.exitCode, exitCode);
    assert.match(error.message, message);
    assert.match(error.hint ?? "", hint);
    return true;
  });
}
