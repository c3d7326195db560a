import assert from "node:assert/strict";
import { join } from "node:path";
import { SUMMARY_CHARS_MAX } from "../../.github/actions/model-sync/summary.ts";
import { TOKEN } from "../../fakes/github_server.ts";
import {
  HAS_RUNNER_PROGRAMS,
  type JobResult,
  readExample,
  runJob,
  WITHOUT_PROGRAMS,
} from "../helpers/actions_runner.ts";
import { IMAGES, ReferencesWorld } from "../helpers/references_world.ts";
import { startGitServer } from "../../fakes/git_server.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { bareRepository, git, GIT_ENV } from "../helpers/test_git.ts";

Deno.test({
  name:
    `scheduled_publish.yml trains and pushes a release; a refused one fails with its exit code and a hint${WITHOUT_PROGRAMS}`,
  ignore: !HAS_RUNNER_PROGRAMS,
  async fn() {
    using dir = tempDir();
    const registry = bareRepository(join(dir.path, "srv/you/models.git"));
    git(registry, "config", "http.receivepack", "true");
    await using server = startGitServer({ root: join(dir.path, "srv"), token: (token) => token === TOKEN });
    const workspace = join(dir.path, "bot");
    writeFiles(workspace, {
      "configs/bot.yaml": JSON.stringify({
        model_sync: {
          repo_url: `${server.origin}/you/models.git`,
          publisher: { train_command: ["python3", "train.py"] },
        },
      }),
      "train.py": `import os, pathlib
for name in os.environ["SYMBOLS"].split():
    folder = pathlib.Path("models") / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rf.bin").write_text("trained")
print("::error::a line of the training")
`,
    });
    const run = (symbols: string) =>
      runJob(readExample("scheduled_publish.yml"), "publish", {
        workspace,
        temp: join(dir.path, "runner"),
        contexts: { github: { token: "ghs_of-this-job" }, secrets: { MODELS_TOKEN: TOKEN } },
        env: { ...GIT_ENV, SYMBOLS: symbols },
      });
    const first = await run("BTC ETH SOL");
    assert.equal(first.outcome, "success", first.log);
    const { outcome, sequence, changed, release = "" } = first.outputs["Train and publish"] ?? {};
    assert.deepEqual([outcome, sequence, changed], ["published", "1", "3"]);
    assert.match(release, /^sha256:[0-9a-f]{64}$/);
    assert.match(first.summary, /### ✓ model-sync publish: published\n[^]*\| sequence \| 1 \|/);
    assert.match(git(registry, "ls-tree", "-r", "--name-only", "main"), /models\/BTC\/rf\.bin/);
    assertFenced(first, "::error::a line of the training");
    assert.ok(!first.summary.includes(TOKEN) && !JSON.stringify(first.outputs).includes(TOKEN));

    Deno.removeSync(join(workspace, "models"), { recursive: true });
    const refused = await run("BTC");
    assert.deepEqual([refused.outcome, refused.codes.at(-1)], ["failure", 5]);
    const failed = refused.outputs["Train and publish"] ?? {};
    assert.deepEqual([failed["exit-code"], failed["error-code"], failed["outcome"]], [
      "5",
      "SHRINK",
      "refused",
    ]);
    assert.match(
      refused.summary,
      /### ✗ model-sync publish failed: SHRINK \(exit code 5\)[^]*Next:[^]*--allow-shrink/,
    );
    assert.match(refused.log, /^::error title=model-sync publish%3A SHRINK::.*%0ANext: .*--allow-shrink/m);
  },
});

/** Asserts that the runner only shows a line: it stands between `stop-commands` and its token. */
function assertFenced({ log }: JobResult, line: string): void {
  const [before = ""] = log.split(line);
  assert.notEqual(before, log, "the line is shown");
  const [, token = ""] = /^::stop-commands::(.+)$(?![^]*^::stop-commands::)/m.exec(before) ?? [];
  assert.notEqual(token, "");
  assert.ok(!before.includes(`\n::${token}::`) && log.includes(`\n::${token}::`));
}

Deno.test({
  name:
    `references_check.yml keeps one comment with the changes of a sync; a fork's token leaves the summary${WITHOUT_PROGRAMS}`,
  ignore: !HAS_RUNNER_PROGRAMS,
  async fn() {
    await using world = new ReferencesWorld({ dir: tempDir() });
    using dir = tempDir();
    world.commit(world.images, { "clip.json": '{"ViT-L/14": {"version": "1"}, "old": {"name": "old"}}\n' });
    const pull = world.images.pulls.add({ head: "config" });
    const workspace = join(dir.path, "repository");
    writeFiles(workspace, {
      "configs/bot.yaml": JSON.stringify({
        model_sync: { references: { primary_url: world.primary.origin, categories: ["clip"] } },
      }),
      "event.json": JSON.stringify({ pull_request: { number: pull.number } }),
    });
    const { HORDE_GITHUB_SYNC_GITHUB_TOKEN: _token, HORDE_GITHUB_SYNC_PRIMARY_API_URL: _url, ...env } =
      world.env;
    const run = (token: string) =>
      runJob(readExample("references_check.yml"), "references-check", {
        workspace,
        temp: join(dir.path, "runner"),
        contexts: { github: { token } },
        env: {
          ...GIT_ENV,
          ...env,
          GITHUB_REPOSITORY: IMAGES,
          GITHUB_EVENT_PATH: join(workspace, "event.json"),
          GITHUB_WORKFLOW: "references_check",
          GITHUB_JOB: "references-check",
        },
      });
    pull.comments.push({ id: 90, author: "reviewer", body: "looks good" });
    world.primary.records.set(
      "clip",
      '{"ViT-L/14": {"version": "2"}, "old": {"name": "old"}, "new": {"name": "new"}}',
    );
    const first = await run(TOKEN);
    assert.equal(first.outcome, "success", first.log);
    assert.deepEqual(pull.comments.map(({ author }) => author), ["reviewer", "horde-bot"]);
    const [, comment] = pull.comments;
    assert.match(
      comment?.body ?? "",
      /^<!-- model-sync [0-9a-f]{16} -->\n### ✓ model-sync references-sync \(dry run\)\n/,
    );
    assert.match(
      comment?.body ?? "",
      /```diff\n@@ clip @@\n! ViT-L\/14\n! +version: "1" → "2"\n\+ new\n\+ +name: "new"\n```/,
    );
    assert.match(first.log, /The comment on pull request #1 is written\./);
    assert.equal(first.outputs["Show what a sync would change"]?.["changed"], "2");

    world.primary.records.set(
      "clip",
      `{"ViT-L/14": {"version": "1"}, "old": {"name": "old", "note": "${"n".repeat(99)}"}}`,
    );
    assert.match((await run(TOKEN)).log, /The comment on pull request #1 is updated\./);
    assert.equal(pull.comments.length, 2);
    assert.match(pull.comments[1]?.body ?? "", /! old/);
    assert.ok((pull.comments[1]?.body.length ?? 0) <= SUMMARY_CHARS_MAX);

    world.github.callers.set("ghs_of-a-fork", { login: "stranger", canWrite: false, canMakeLabels: false });
    world.primary.records.set("clip", '{"ViT-L/14": {"version": "1"}, "old": {"name": "older"}}');
    const fork = await run("ghs_of-a-fork");
    assert.equal(fork.outcome, "success");
    assert.match(fork.log, /^::notice::No comment was written; the result is in the job summary\..* forks /m);
    assert.match(fork.summary, /! old/);
    assert.equal(pull.comments.length, 2);
  },
});

Deno.test({
  name:
    `references_sync.yml opens a pull request with the token of the secret, and updates it in later runs${WITHOUT_PROGRAMS}`,
  ignore: !HAS_RUNNER_PROGRAMS,
  async fn() {
    await using world = new ReferencesWorld({ dir: tempDir() });
    using dir = tempDir();
    world.commit(world.images, { "clip.json": '{"ViT-L/14": {"version": "1"}}\n' });
    const workspace = join(dir.path, "repository");
    writeFiles(workspace, { "configs/bot.yaml": "model_sync: {references: {categories: [clip]}}\n" });
    const { HORDE_GITHUB_SYNC_GITHUB_TOKEN: _token, HORDE_GITHUB_SYNC_PRIMARY_API_URL: _url, ...env } =
      world.env;
    const run = (secret: string) =>
      runJob(readExample("references_sync.yml"), "references-sync", {
        workspace,
        temp: join(dir.path, "runner"),
        contexts: {
          github: { token: "ghs_of-this-job" },
          vars: { PRIMARY_API_URL: world.primary.origin },
          secrets: { REFERENCES_TOKEN: secret },
        },
        env: { ...GIT_ENV, ...env, GITHUB_REPOSITORY: "you/references-bot" },
      });
    const proposed = () => JSON.parse(world.read(world.images, "model-sync/references", "clip.json"));
    world.primary.records.set("clip", '{"ViT-L/14": {"version": "2"}}');
    const first = await run(TOKEN);
    assert.equal(first.outcome, "success", first.log);
    assert.deepEqual(proposed(), { "ViT-L/14": { version: "2" } });
    assert.match(first.summary, /### ✓ model-sync references-sync/);
    assert.match(first.log, /"outcome": "created"/);
    // The runner hides what a mask names, and the mask itself.
    assert.ok(!first.log.replace(/^::add-mask::.*$/gm, "").includes(TOKEN) && !first.summary.includes(TOKEN));

    world.primary.records.set("clip", '{"ViT-L/14": {"version": "3"}}');
    const second = await run(TOKEN);
    assert.equal(second.outcome, "success", second.log);
    assert.match(second.log, /"outcome": "updated"/);
    assert.deepEqual(proposed(), { "ViT-L/14": { version: "3" } });

    const unset = await run("");
    assert.deepEqual([unset.outcome, unset.codes.at(-1)], ["failure", 3], unset.log);
    assert.match(unset.summary, /### ✗ model-sync references-sync failed: [A-Z_]+ \(exit code 3\)/);
  },
});
