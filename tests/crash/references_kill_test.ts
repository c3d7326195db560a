import assert from "node:assert/strict";
import { TOKEN } from "../../fakes/github_server.ts";
import { ReferencesWorld } from "../helpers/references_world.ts";
import { eachKill, type Killer } from "./each_kill.ts";
import { LABELS, type ReferencesTarget, REVIEW, syncOneCategory } from "./references_victim.ts";

const BRANCH = "model-sync/references";

/** Kills a sync that replaces the original's pull request, and lets the next one finish its work. */
async function killed(kill: Killer): Promise<void> {
  await using world = new ReferencesWorld({ images: { collaborators: ["ann"], teams: ["curators"] } });
  const { images } = world;
  world.commit(images, { "clip.json": '{\n    "a": {"v": 1}\n}\n' });
  world.primary.records.set("clip", '{"a": {"v": 2}}');
  const original = images.pulls.add({ head: "sync/clip/20251025-120000", files: ["clip.json"] });
  const target: ReferencesTarget = {
    env: world.env,
    primaryUrl: world.primary.origin,
    tempDir: world.scratch,
    token: TOKEN,
  };
  await kill({
    work: (context) => syncOneCategory(context, target),
    look: () => JSON.stringify([images.pulls.pulls, world.head(images, BRANCH)]),
    script: "tests/crash/references_victim.ts",
    args: (killAt) => [String(killAt), JSON.stringify(target)],
  });
  const next = () => world.sync({ categories: ["clip"], ...REVIEW });
  await next();
  const [, ours, ...others] = images.pulls.pulls;
  assert.ok(ours !== undefined && others.length === 0, "there is one pull request of ours");
  assert.deepEqual([ours.state, ours.labels, ours.reviewers, ours.teams], ["open", LABELS, ["ann"], [
    "curators",
  ]]);
  assert.doesNotMatch(ours.body ?? "", /pending/);
  assert.equal(world.read(images, BRANCH, "clip.json"), '{\n    "a": {"v": 2}\n}\n');
  assert.deepEqual([original.state, original.comments.length], ["closed", 1]);
  const writes = world.github.writes.length;
  await next();
  assert.equal(world.github.writes.length, writes, "nothing is left to do");
}

Deno.test("a reference sync killed before any of its steps leaves no label, reviewer or older pull request undone by the next", async () => {
  await eachKill("the sync", killed);
});
