import assert from "node:assert/strict";
import type { RepositoryReport, SyncReport } from "../../lib/references/sync_references.ts";
import { lostAnswer } from "../../fakes/github_pulls_server.ts";
import { problem } from "../../fakes/github_answers.ts";
import { ReferencesWorld } from "../helpers/references_world.ts";

const BRANCH = "model-sync/references";
const LABELS = ["automated", "sync", "ready-for-review"];

/** Two images that differ in one model of clip. */
function differing(): ReferencesWorld {
  const world = new ReferencesWorld({ images: { collaborators: ["ann"], teams: ["curators"] } });
  world.commit(world.images, {
    "clip.json": '{\n    "a": {"v": 1},\n    "b": {"v": 1}\n}\n',
    "blip.json": '{\n    "c": {"v": 1}\n}\n',
  });
  world.primary.records.set("clip", '{"a": {"v": 2}, "b": {"v": 1}}').set("blip", '{"c": {"v": 1}}');
  return world;
}

/** The report on the only repository that differs. */
function only({ repositories: [report] }: SyncReport): Extract<RepositoryReport, { kind: "proposed" }> {
  assert.ok(report?.kind === "proposed", JSON.stringify(report));
  return report;
}

Deno.test("labels and reviewers that GitHub could not add are added by the next sync, and by no later one", async () => {
  await using world = differing();
  const [down, good] = [() => problem(502, "Server Error"), undefined];
  // The lists of the branch's pull requests, and the new one; then every attempt to label.
  world.github.faults.push(good, good, ...Array(6).fill(down));
  const wanted = { reviewers: ["ann"], team: "org/curators" };
  const first = only(await world.sync(wanted));
  assert.deepEqual([first.outcome, first.pending], ["created", ["labels"]]);
  const [pull] = world.images.pulls.pulls;
  assert.ok(pull);
  assert.deepEqual([pull.labels, pull.reviewers, pull.teams], [[], ["ann"], ["curators"]]);
  assert.match(pull.body ?? "", / pending=labels -->$/);
  assert.match(
    world.context.log.lines.join("\n"),
    /^warn the next sync adds what https:\S+\/pull\/1 lacks: labels$/m,
  );
  pull.reviewers.length = 0;
  const second = only(await world.sync(wanted));
  assert.deepEqual([second.outcome, second.pending], ["unchanged", undefined]);
  assert.deepEqual(pull.labels, LABELS);
  assert.deepEqual(pull.reviewers, [], "a reviewer who was asked once is left to people");
  assert.doesNotMatch(pull.body ?? "", /pending/);
  pull.labels.length = 0;
  const writes = world.github.writes.length;
  await world.sync(wanted);
  assert.deepEqual(pull.labels, [], "a label that a person removed stays away");
  assert.equal(world.github.writes.length, writes);
});

Deno.test("pending labels survive an update of the pull request, and a lost answer to it", async () => {
  await using world = differing();
  const down = () => problem(502, "Server Error");
  world.github.faults.push(undefined, undefined, ...Array(6).fill(down));
  await world.sync();
  const [pull] = world.images.pulls.pulls;
  world.primary.records.set("clip", '{"a": {"v": 3}, "b": {"v": 1}}');
  // List, update, label; the note that they are set is never taken.
  world.github.faults.push(undefined, undefined, undefined, ...Array(6).fill(lostAnswer));
  assert.equal(only(await world.sync()).outcome, "updated");
  assert.deepEqual(pull?.labels, LABELS);
  assert.match(world.context.log.lines.join("\n"), /^warn The next sync adds the labels .* again/m);
  assert.equal(only(await world.sync()).outcome, "unchanged");
});

Deno.test("labels that GitHub refuses cause one warning, and are not sent again", async () => {
  await using world = differing();
  await world.sync({ labels: [], reviewers: ["stranger"] });
  const [pull] = world.images.pulls.pulls;
  assert.match(world.context.log.lines.join("\n"), /^warn Cannot request a review of .* from stranger/m);
  assert.doesNotMatch(pull?.body ?? "", /pending/);
  const writes = world.github.writes.length;
  await world.sync({ labels: [], reviewers: ["stranger"] });
  assert.equal(world.github.writes.length, writes);
});

Deno.test("the report says which commits and models of people are kept on the branch", async () => {
  await using world = differing();
  assert.equal(only(await world.sync()).kept, undefined);
  world.edit(world.images, BRANCH, { "clip.json": '{\n    "a": {"v": 22},\n    "b": {"v": 1}\n}\n' });
  assert.deepEqual(only(await world.sync()).kept, { commits: 1, models: ["a"] });
  world.primary.records.set("clip", '{"a": {"v": 2}, "b": {"v": 2}}');
  const report = only(await world.sync());
  assert.deepEqual([report.outcome, report.kept], ["updated", { commits: 1, models: ["a"] }]);
  world.primary.records.set("clip", '{"a": {"v": 1}, "b": {"v": 1}}');
  assert.deepEqual(only(await world.sync()).kept, { commits: 1, models: ["a"] });
});

Deno.test("a text model that people edited is listed once, not for each backend", async () => {
  await using world = new ReferencesWorld();
  const row = (description: string) =>
    "name,parameters_bn,display_name,url,baseline,description,style,tags,instruct_format,settings\n" +
    `org/One,3,,,,${description},,,,\n`;
  world.commit(world.texts, { "models.csv": row("first"), "db.json": "{}\n" });
  const record = { name: "org/One", parameters: 3e9, description: "second" };
  world.primary.records.set("text_generation", JSON.stringify({ "org/One": record }));
  await world.sync();
  world.edit(world.texts, BRANCH, { "models.csv": row("edited") });
  assert.deepEqual(only(await world.sync()).kept, { commits: 1, models: ["org/One"] });
});

Deno.test("an open pull request of the original tool is closed with a comment once ours is open, also by a later sync", async () => {
  await using world = differing();
  const { pulls } = world.images;
  const clip = pulls.add({ head: "sync/clip/20251025-120000", files: ["clip.json"] });
  const several = pulls.add({
    head: "sync/multi-category/20251025-130000",
    files: ["blip.json", "clip.json"],
  });
  await world.sync({ categories: ["clip"] });
  assert.deepEqual([clip.state, several.state], ["closed", "open"], "blip was not looked at");
  assert.match(clip.comments[0]?.body ?? "", /^This pull request is closed because #3 replaces it/);
  assert.equal(only(await world.sync()).outcome, "unchanged");
  assert.equal(several.state, "closed");
  assert.equal(several.comments.length, 1);
});

Deno.test("without a pull request of ours, the original tool's stays open", async () => {
  await using world = differing();
  const theirs = world.images.pulls.add({ head: "sync/clip/20251025-120000", files: ["clip.json"] });
  await world.sync({ changesMin: 5 });
  assert.equal(theirs.state, "open");
});
