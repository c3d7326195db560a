import assert from "node:assert/strict";
import { relative } from "node:path";
import type { Category } from "../../lib/config/sections/references.ts";
import { DiskError, ModelSyncError } from "../../lib/core/errors.ts";
import type { RepositoryReport, SyncReport } from "../../lib/references/sync_references.ts";
import { IMAGES, ReferencesWorld } from "../helpers/references_world.ts";
import { writeFiles } from "../helpers/temp_dir.ts";
import { git } from "../helpers/test_git.ts";

const BRANCH = "model-sync/references";
const CLIP =
  '{\r\n\t"ViT-L/14": {\r\n\t\t"name": "ViT-L/14",\r\n\t\t"size": 3.0\r\n\t},\r\n\t"old": {}\r\n}\r\n';
const NEW_CLIP = '{"ViT-L/14": {"size": 4.0, "name": "ViT-L/14"}, "new": {"name": "new"}}';

function outcomes(report: SyncReport): string[] {
  return report.repositories.map((repository: RepositoryReport) =>
    repository.kind === "proposed" ? repository.outcome : repository.kind
  );
}

function statusOf(report: SyncReport, category: string): string | undefined {
  return report.categories.find((known) => known.category === category)?.status;
}

Deno.test("a sync opens one pull request for each repository that differs, with what differs and no more", async () => {
  await using world = new ReferencesWorld();
  const base = world.commit(world.images, {
    "clip.json": CLIP,
    "blip.json": '{"b": {}}\n',
    "README.md": "hello",
  });
  world.commit(world.texts, { "db.json": "{}\n", "models.csv": "" });
  world.primary.records.set("clip", NEW_CLIP).set("blip", '{"b": {}}');
  const report = await world.sync();
  assert.deepEqual(outcomes(report), ["created"]);
  assert.equal(
    world.read(world.images, BRANCH, "clip.json"),
    '{\r\n\t"ViT-L/14": {\r\n\t\t"name": "ViT-L/14",\r\n\t\t"size": 4.0\r\n\t},\r\n\t"new": {\r\n\t\t"name": "new"\r\n\t}\r\n}\r\n',
  );
  assert.equal(world.head(world.images, "main"), base);
  const [pull] = world.images.pulls.pulls;
  assert.match(pull?.title ?? "", /^Auto Sync clip from horde_model_reference service - 2026-11-21$/);
  assert.match(
    pull?.body ?? "",
    /- \*\*Added:\*\* 1 models\n- \*\*Removed:\*\* 1 models\n- \*\*Modified:\*\* 1 models/,
  );
  assert.deepEqual(pull?.labels, ["automated", "sync", "ready-for-review"]);
  assert.equal(world.texts.pulls.pulls.length, 0);
});

Deno.test("a sync fetches a repository's files at once, however many categories it compares", async () => {
  await using world = new ReferencesWorld();
  const categories = ["blip", "clip", "codeformer", "esrgan"] as const;
  const records = '{"m": {"name": "m"}}';
  // Files with different contents are different objects.
  world.commit(
    world.images,
    Object.fromEntries(categories.map((name, index) => [`${name}.json`, records + "\n".repeat(index + 1)])),
  );
  for (const category of categories) world.primary.records.set(category, records);
  const fetchesOf = async (categories: readonly Category[]) => {
    const before = world.git.requests.length;
    const report = await world.sync({ categories, mode: { outputDir: undefined } });
    assert.deepEqual(report.categories.map(({ status }) => status), categories.map(() => "compared"));
    return world.git.requests.slice(before).filter(({ method, path }) =>
      method === "POST" && path.endsWith("git-upload-pack")
    ).length;
  };
  assert.equal(await fetchesOf(categories), await fetchesOf(["blip"]));
});

Deno.test("an entry of a category that is not a plain file fails that category only", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP, "blip.json/inside.txt": "a folder" });
  world.primary.records.set("clip", NEW_CLIP).set("blip", '{"b": {"name": "b"}}');
  const report = await world.sync({ categories: ["clip", "blip"] });
  assert.equal(statusOf(report, "clip"), "compared");
  assert.equal(statusOf(report, "blip"), "failed");
});

Deno.test("a second sync of the same records changes nothing: no push, no writing request", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  await world.sync();
  const head = world.head(world.images, BRANCH);
  const writes = world.github.writes.length;
  world.primary.records.set("clip", '{"new": {"name": "new"}, "ViT-L/14": {"name": "ViT-L/14", "size": 4}}');
  assert.deepEqual(outcomes(await world.sync()), ["unchanged"]);
  assert.equal(world.head(world.images, BRANCH), head);
  assert.equal(world.github.writes.length, writes);
});

Deno.test("a change at PRIMARY updates the pull request in place, with one commit on the base branch", async () => {
  await using world = new ReferencesWorld();
  const base = world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  await world.sync();
  world.primary.records.set("clip", '{"ViT-L/14": {"name": "ViT-L/14", "size": 5}}');
  const report = await world.sync();
  assert.deepEqual(outcomes(report), ["updated"]);
  assert.equal(world.images.pulls.pulls.length, 1);
  assert.match(world.images.pulls.pulls[0]?.body ?? "", /- \*\*Added:\*\* 0 models/);
  assert.match(world.read(world.images, BRANCH, "clip.json"), /"size": 5\r\n/);
  assert.equal(world.head(world.images, `${BRANCH}~1`), base);
});

Deno.test("a pull request that a person closed is not opened again for the same content, only for new content", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  await world.sync();
  const [pull] = world.images.pulls.pulls;
  assert.ok(pull !== undefined);
  pull.state = "closed";
  world.commit(world.images, { "other.txt": "meanwhile" });
  assert.deepEqual(outcomes(await world.sync()), ["declined"]);
  assert.equal(world.images.pulls.pulls.length, 1);
  world.primary.records.set("clip", '{"ViT-L/14": {"name": "ViT-L/14", "size": 5}}');
  assert.deepEqual(outcomes(await world.sync()), ["created"]);
  assert.equal(world.images.pulls.pulls.length, 2);
});

Deno.test("a pull request without remaining changes is closed with a comment, and new changes open another", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  await world.sync();
  world.primary.records.set("clip", CLIP);
  assert.deepEqual(outcomes(await world.sync()), ["closed"]);
  const [pull] = world.images.pulls.pulls;
  assert.equal(pull?.state, "closed");
  assert.match(pull?.comments[0]?.body ?? "", /nothing is left to sync/);
  assert.deepEqual(outcomes(await world.sync()), ["unchanged"]);
  world.primary.records.set("clip", NEW_CLIP);
  assert.deepEqual(outcomes(await world.sync()), ["created"]);
});

Deno.test("commits of people on the branch stay, and models that they edited stay unchanged", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, {
    "clip.json": '{\n    "a": {"v": 1},\n    "b": {"v": 1}\n}\n',
    "README.md": "hello\n",
  });
  world.primary.records.set("clip", '{"a": {"v": 2}, "b": {"v": 1}}');
  await world.sync();
  const theirs = world.edit(world.images, BRANCH, {
    "clip.json": '{\n    "a": {"v": 22},\n    "b": {"v": 1}\n}\n',
    "README.md": "hello, reviewers\n",
  });
  assert.deepEqual(outcomes(await world.sync()), ["unchanged"]);
  assert.equal(world.head(world.images, BRANCH), theirs);
  for (const [value, message] of [[2, "another model changes"], [3, "and once more"]] as const) {
    world.primary.records.set("clip", `{"a": {"v": 2}, "b": {"v": ${value}}}`);
    assert.deepEqual(outcomes(await world.sync()), ["updated"], message);
    assert.equal(
      world.read(world.images, BRANCH, "clip.json"),
      `{\n    "a": {"v": 22},\n    "b": {"v": ${value}}\n}\n`,
    );
  }
  assert.equal(world.read(world.images, BRANCH, "README.md"), "hello, reviewers\n");
  assert.match(world.images.pulls.pulls[0]?.body ?? "", /Left as edited here: `a`/);
});

Deno.test("a change that PRIMARY reverts is reverted on the branch, although people have commits there", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, {
    "clip.json": '{\n    "a": {"v": 1},\n    "b": {"v": 1}\n}\n',
    "blip.json": '{\n    "c": {"v": 1}\n}\n',
  });
  world.primary.records.set("clip", '{"a": {"v": 2}, "b": {"v": 1}}').set("blip", '{"c": {"v": 2}}');
  await world.sync();
  world.edit(world.images, BRANCH, { "clip.json": '{\n    "a": {"v": 2},\n    "b": {"v": 11}\n}\n' });
  const [pull] = world.images.pulls.pulls;
  world.primary.records.set("blip", '{"c": {"v": 1}}');
  assert.deepEqual(outcomes(await world.sync()), ["updated"]);
  assert.equal(world.read(world.images, BRANCH, "blip.json"), '{\n    "c": {"v": 1}\n}\n');
  world.primary.records.set("clip", '{"a": {"v": 1}, "b": {"v": 1}}');
  assert.deepEqual(outcomes(await world.sync()), ["updated"]);
  assert.equal(
    world.read(world.images, BRANCH, "clip.json"),
    '{\n    "a": {"v": 1},\n    "b": {"v": 11}\n}\n',
  );
  assert.equal(pull?.state, "open");
  assert.match(pull?.title ?? "", /^Nothing left to sync from PRIMARY instance/);
  assert.match(pull?.body ?? "", /agree[^]*Left as edited here: `b`/);
  const head = world.head(world.images, BRANCH);
  assert.deepEqual(outcomes(await world.sync()), ["unchanged"]);
  assert.equal(world.head(world.images, BRANCH), head);
  world.primary.records.set("clip", '{"a": {"v": 3}, "b": {"v": 1}}');
  assert.deepEqual(outcomes(await world.sync()), ["updated"]);
  assert.equal(
    world.read(world.images, BRANCH, "clip.json"),
    '{\n    "a": {"v": 3},\n    "b": {"v": 11}\n}\n',
  );
});

Deno.test("a branch that people rebased is still synced: our commit is recognized, and theirs are kept", async () => {
  await using world = new ReferencesWorld();
  const { person } = world.images;
  world.commit(world.images, {
    "clip.json": '{\n    "a": {"v": 1},\n    "b": {"v": 1}\n}\n',
    "README.md": "hello\n",
  });
  world.primary.records.set("clip", '{"a": {"v": 2}, "b": {"v": 1}}');
  await world.sync();
  world.edit(world.images, BRANCH, { "clip.json": '{\n    "a": {"v": 2},\n    "b": {"v": 11}\n}\n' });
  for (const value of [3, 4]) {
    world.commit(world.images, { "README.md": `hello, ${value}\n` });
    git(person, "checkout", "--quiet", "-B", BRANCH, `origin/${BRANCH}`);
    git(person, "rebase", "--quiet", "origin/main");
    git(person, "push", "--quiet", "--force", "origin", BRANCH);
    world.primary.records.set("clip", `{"a": {"v": ${value}}, "b": {"v": ${value}}}`);
    assert.deepEqual(outcomes(await world.sync()), ["updated"], String(value));
    assert.equal(
      world.read(world.images, BRANCH, "clip.json"),
      `{\n    "a": {"v": ${value}},\n    "b": {"v": 11}\n}\n`,
    );
  }
});

Deno.test("a commit of ours that a person amended counts as theirs, and the other models are synced", async () => {
  await using world = new ReferencesWorld();
  const { person } = world.images;
  world.commit(world.images, { "clip.json": '{\n    "a": {"v": 1},\n    "b": {"v": 1}\n}\n' });
  world.primary.records.set("clip", '{"a": {"v": 2}, "b": {"v": 1}}');
  await world.sync();
  git(person, "fetch", "--quiet", "origin");
  git(person, "checkout", "--quiet", "-B", BRANCH, `origin/${BRANCH}`);
  writeFiles(person, { "clip.json": '{\n    "a": {"v": 22},\n    "b": {"v": 1}\n}\n' });
  git(person, "commit", "--quiet", "--all", "--amend", "--no-edit");
  git(person, "push", "--quiet", "--force", "origin", BRANCH);
  for (const value of [2, 3]) {
    world.primary.records.set("clip", `{"a": {"v": 2}, "b": {"v": ${value}}}`);
    assert.deepEqual(outcomes(await world.sync()), ["updated"], String(value));
    assert.equal(
      world.read(world.images, BRANCH, "clip.json"),
      `{\n    "a": {"v": 22},\n    "b": {"v": ${value}}\n}\n`,
    );
  }
  assert.match(world.images.pulls.pulls[0]?.body ?? "", /Left as edited here: `a`/);
});

Deno.test("people's edits survive a squash of the branch into a commit with our message", async () => {
  await using world = new ReferencesWorld();
  const { person } = world.images;
  world.commit(world.images, { "clip.json": '{\n    "a": {"v": 1},\n    "b": {"v": 1}\n}\n' });
  world.primary.records.set("clip", '{"a": {"v": 2}, "b": {"v": 1}}');
  await world.sync();
  world.edit(world.images, BRANCH, { "clip.json": '{\n    "a": {"v": 2},\n    "b": {"v": 11}\n}\n' });
  world.primary.records.set("clip", '{"a": {"v": 3}, "b": {"v": 1}}');
  await world.sync();
  git(person, "fetch", "--quiet", "origin");
  git(person, "reset", "--quiet", "--hard", `origin/${BRANCH}`);
  git(person, "reset", "--quiet", "--soft", "origin/main");
  git(person, "commit", "--quiet", "--reuse-message", `origin/${BRANCH}`);
  git(person, "push", "--quiet", "--force", "origin", `HEAD:${BRANCH}`);
  world.primary.records.set("clip", '{"a": {"v": 3}, "b": {"v": 1}, "c": {"v": 1}}');
  assert.deepEqual(outcomes(await world.sync()), ["updated"]);
  assert.match(
    world.read(world.images, BRANCH, "clip.json"),
    /"a": {"v": 3},\n {4}"b": {"v": 11},\n {4}"c": {"v": 1}\n/,
  );
});

Deno.test("a branch that people reset to the base branch gets a new proposal", async () => {
  await using world = new ReferencesWorld();
  const { person, pulls } = world.images;
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  await world.sync();
  git(person, "push", "--quiet", "--force", "origin", `origin/main:refs/heads/${BRANCH}`);
  const [pull] = pulls.pulls;
  assert.ok(pull);
  // As GitHub does in this case.
  pull.state = "closed";
  world.commit(world.images, { "README.md": "moved on" });
  world.primary.records.set("clip", '{"ViT-L/14": {"name": "ViT-L/14", "size": 5}}');
  assert.deepEqual(outcomes(await world.sync()), ["created"]);
  assert.match(world.read(world.images, BRANCH, "clip.json"), /"size": 5\r\n/);
});

Deno.test("a run for one category keeps the others in the pull request", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, {
    "clip.json": '{\n    "c": {"v": 0}\n}\n',
    "blip.json": '{\n    "b": {"v": 0}\n}\n',
  });
  world.primary.records.set("clip", '{"c": {"v": 1}}').set("blip", '{"b": {"v": 1}}');
  await world.sync();
  world.primary.records.set("clip", '{"c": {"v": 2}}').set("blip", '{"b": {"v": 2}}');
  assert.deepEqual(outcomes(await world.sync({ categories: ["clip"] })), ["updated"]);
  assert.equal(world.read(world.images, BRANCH, "clip.json"), '{\n    "c": {"v": 2}\n}\n');
  assert.equal(world.read(world.images, BRANCH, "blip.json"), '{\n    "b": {"v": 1}\n}\n');
  assert.match(world.images.pulls.pulls[0]?.body ?? "", /\*\*Categories:\*\* `blip`, `clip`/);
  assert.deepEqual(outcomes(await world.sync({ categories: ["clip"] })), ["unchanged"]);
  world.primary.records.set("blip", '{"b": {"v": 1}}');
  assert.deepEqual(outcomes(await world.sync()), ["unchanged"], "whichever were looked at");
});

Deno.test("when the base branch changes the same file, the proposal is recreated on top of it", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": '{\n    "a": {"v": 1},\n    "b": {"v": 1}\n}\n' });
  world.primary.records.set("clip", '{"a": {"v": 2}, "b": {"v": 1}}');
  await world.sync();
  const head = world.head(world.images, BRANCH);
  world.commit(world.images, { "other.txt": "unrelated" });
  assert.deepEqual(outcomes(await world.sync()), ["unchanged"]);
  assert.equal(world.head(world.images, BRANCH), head);
  world.commit(world.images, { "clip.json": '{\n    "a": {"v": 1}, "b": {"v": 1}\n}\n' });
  assert.deepEqual(outcomes(await world.sync()), ["updated"]);
  assert.equal(world.read(world.images, BRANCH, "clip.json"), '{\n    "a": {"v": 2}, "b": {"v": 1}\n}\n');
});

Deno.test("a failed category is in the report and unchanged in the pull request, and the others are synced", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, {
    "clip.json": '{\n    "c": {"v": 0}\n}\n',
    "blip.json": '{\n    "b": {"v": 0}\n}\n',
  });
  world.primary.records.set("clip", '{"c": {"v": 1}}').set("blip", '{"b": {"v": 1}}');
  await world.sync();
  world.primary.records.set("clip", '{"c": {"v": 1e400}}').set("blip", '{"b": {"v": 2}}');
  const report = await world.sync();
  assert.equal(statusOf(report, "clip"), "failed");
  assert.deepEqual(outcomes(report), ["updated"]);
  assert.equal(world.read(world.images, BRANCH, "clip.json"), '{\n    "c": {"v": 1}\n}\n');
  assert.equal(world.read(world.images, BRANCH, "blip.json"), '{\n    "b": {"v": 2}\n}\n');
});

Deno.test("an answer without records fails its category and removes no model", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.faults.push({ kind: "answer", make: () => Response.json({}) });
  const report = await world.sync({ categories: ["clip"] });
  assert.equal(statusOf(report, "clip"), "failed");
  assert.deepEqual(outcomes(report), []);
});

Deno.test("categories without a reference file are not a failure unless they were named", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": '{"c": {"v": 0}}\n' });
  world.primary.records.set("clip", '{"c": {"v": 1}}');
  const report = await world.sync();
  for (
    const category of ["lora", "ti", "video_generation", "audio_generation", "controlnet_annotator", "blip"]
  ) {
    assert.equal(statusOf(report, category), "no-reference-file", category);
  }
  const named = await world.sync({ categories: ["clip", "lora"] });
  assert.equal(statusOf(named, "lora"), "failed");
  assert.equal(statusOf(named, "clip"), "compared");
});

Deno.test("text models go into models.csv and db.json, in one pull request of their repository", async () => {
  await using world = new ReferencesWorld();
  const csv =
    "name,parameters_bn,display_name,url,baseline,description,style,tags,instruct_format,settings\r\n" +
    "a/One-3B,3,,,,first,,,alpaca,\r\n";
  world.commit(world.texts, { "models.csv": csv, "db.json": "{}\n", ".gitattributes": "db.json -diff\n" });
  world.commit(world.images, { "README.md": "none" });
  const record = (name: string, parameters: number) => ({
    name,
    model_name: name.split("/")[1],
    parameters,
    description: "first",
  });
  world.primary.records.set(
    "text_generation",
    JSON.stringify({ "a/One-3B": record("a/One-3B", 3e9), "b/Two-7B": record("b/Two-7B", 7e9) }),
  );
  assert.deepEqual(outcomes(await world.sync()), ["created"]);
  assert.equal(world.read(world.texts, BRANCH, "models.csv"), `${csv}b/Two-7B,7,,,,first,,,,\r\n`);
  const db = JSON.parse(world.read(world.texts, BRANCH, "db.json"));
  assert.deepEqual(Object.keys(db).slice(0, 4), [
    "a/One-3B",
    "aphrodite/a/One-3B",
    "koboldcpp/One-3B",
    "b/Two-7B",
  ]);
  assert.equal(db["a/One-3B"].instruct_format, "alpaca");
  assert.deepEqual(outcomes(await world.sync()), ["unchanged"]);
});

Deno.test("a models.csv without a header, or with a row without a model, does not block the sync", async () => {
  await using world = new ReferencesWorld();
  const header =
    "name,parameters_bn,display_name,url,baseline,description,style,tags,instruct_format,settings\n";
  world.primary.records.set(
    "text_generation",
    '{"a": {"name": "a", "model_name": "a", "parameters": 3000000000}}',
  );
  for (const [csv, outcome] of [["", "created"], [`${header},7,,,,,,,,\n`, "updated"]] as const) {
    world.commit(world.texts, { "models.csv": csv, "db.json": "{}\n" });
    assert.deepEqual(outcomes(await world.sync()), [outcome]);
    assert.equal(world.read(world.texts, BRANCH, "models.csv"), `${header}a,3,,,,,,,,\n`);
  }
});

Deno.test("a dry run shows the changes without a token, and leaves no trace", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  const report = await world.sync({ mode: "dry-run", targetDir: `${world.scratch}/kept` });
  assert.deepEqual(outcomes(report), ["shown"]);
  assert.deepEqual([...Deno.readDirSync(world.scratch)], []);
  assert.deepEqual(world.github.requests, []);
  assert.ok(world.git.requests.every(({ auth }) => auth === "none"));
});

Deno.test("an offline rendering writes the files and changes.diff, and pushes nothing", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  const outputDir = `${world.scratch}/preview`;
  assert.deepEqual(outcomes(await world.sync({ mode: { outputDir } })), ["written"]);
  assert.match(Deno.readTextFileSync(`${outputDir}/clip.json`), /"size": 4\.0\r\n/);
  assert.match(
    Deno.readTextFileSync(`${outputDir}/changes.diff`),
    /^-\t\t"size": 3\.0\r\n\+\t\t"size": 4\.0\r$/m,
  );
  assert.equal(world.head(world.images, BRANCH), undefined);
});

Deno.test("a folder for kept clones may be a relative path", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  const targetDir = relative(Deno.cwd(), `${world.scratch}/kept`);
  assert.deepEqual(outcomes(await world.sync({ targetDir, mode: { outputDir: undefined } })), ["written"]);
});

Deno.test("a file in the place of the output folder is reported, not shown as a bug", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  const outputDir = `${world.scratch}/preview`;
  Deno.mkdirSync(world.scratch, { recursive: true });
  Deno.writeTextFileSync(outputDir, "");
  const [report] = (await world.sync({ mode: { outputDir } })).repositories;
  assert.ok(report?.kind === "failed" && report.error instanceof DiskError);
  assert.match(report.error.message, /^Cannot write to \S+preview: a file is in the place of the folder$/);
});

Deno.test("the timestamped style creates a branch for each run, closes older pull requests, and avoids collisions", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  await world.sync({ mode: "timestamped" });
  world.clock.advance(60_000);
  assert.deepEqual(outcomes(await world.sync({ mode: "timestamped" })), ["created"]);
  const [first, second] = world.images.pulls.pulls;
  assert.match(second?.head ?? "", /^sync\/clip\/20261121-\d{6}$/);
  assert.deepEqual([first?.state, second?.state], ["closed", "open"]);
  assert.deepEqual(outcomes(await world.sync()), ["created"], "and the fixed branch beside them");
});

Deno.test("fewer changes than the threshold open no pull request", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  assert.deepEqual(outcomes(await world.sync({ changesMin: 4, mode: "dry-run" })), ["below-threshold"]);
  assert.deepEqual(outcomes(await world.sync({ changesMin: 4 })), ["below-threshold"]);
  assert.deepEqual(outcomes(await world.sync({ changesMin: 3 })), ["created"]);
});

Deno.test("an open pull request is updated, however few changes remain", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  assert.deepEqual(outcomes(await world.sync({ changesMin: 3 })), ["created"]);
  world.primary.records.set("clip", '{"ViT-L/14": {"name": "ViT-L/14", "size": 3}}');
  assert.deepEqual(outcomes(await world.sync({ changesMin: 3 })), ["updated"]);
  assert.doesNotMatch(world.read(world.images, BRANCH, "clip.json"), /new/);
});

Deno.test("a repository that cannot be cloned fails its categories, and the other repository is synced", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": '{"c": {"v": 0}}\n' });
  world.primary.records.set("clip", '{"c": {"v": 1}}').set(
    "text_generation",
    '{"a": {"parameters": 1000000000}}',
  );
  const report = await world.sync();
  assert.equal(statusOf(report, "text_generation"), "failed");
  assert.deepEqual(report.repositories.map(({ repository }) => repository), [IMAGES]);
  assert.deepEqual(outcomes(report), ["created"]);
});

Deno.test("a branch without commits of ours is not changed", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  const { person } = world.images;
  git(person, "commit", "--quiet", "--allow-empty", "--message", "theirs");
  git(person, "push", "--quiet", "origin", `HEAD:refs/heads/${BRANCH}`);
  const theirs = git(person, "rev-parse", "HEAD");
  world.primary.records.set("clip", NEW_CLIP);
  const [report] = (await world.sync()).repositories;
  assert.ok(report?.kind === "failed" && report.error instanceof ModelSyncError);
  assert.match(report.error.message, /no commit of this program is on it/);
  assert.match(report.error.hint ?? "", /^set another branch in model_sync/);
  assert.equal(world.head(world.images, BRANCH), theirs);
});

Deno.test("an interrupted sync ends at once with the reason, and leaves no clone", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": CLIP });
  world.primary.records.set("clip", NEW_CLIP);
  world.primary.faults.push({ kind: "hang" });
  const stop = new AbortController();
  const arrived = world.primary.nextRequest();
  const sync = world.sync({ signal: stop.signal });
  await arrived;
  stop.abort(new Error("stopped"));
  await assert.rejects(sync, /stopped/);
  assert.deepEqual([...Deno.readDirSync(world.scratch)], []);
});
