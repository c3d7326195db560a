import assert from "node:assert/strict";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { newestFirst } from "../../lib/github/newest_first.ts";
import { ActionsWorld } from "../helpers/actions_world.ts";
import { streamedZip } from "../helpers/streamed_zip.ts";
import { readFiles } from "../helpers/temp_dir.ts";

/** The first hour of a day of the test's month, as GitHub dates a run. */
function day(day: number): string {
  return `2026-11-${String(day).padStart(2, "0")}T00:00:00Z`;
}

const OLD = { "rf.onnx": "old" };

/** Adds a run whose artifact has expired. */
async function expiredRun(world: ActionsWorld, name: string, created: number): Promise<void> {
  const run = world.github.addRun({ claims: { created_at: day(created) } });
  await world.github.addArtifact(run, { name, content: streamedZip({ "rf.onnx": "new" }), expired: true });
}

const UNNAMED = [{ workflow: undefined }, { conclusion: "any" as const }] as const;

for (const changed of [{}, ...UNNAMED]) {
  Deno.test(`artifacts: an older run does not replace the newest one whose artifacts have expired: ${JSON.stringify(changed)}`, async () => {
    await using world = new ActionsWorld();
    await world.train(OLD, { claims: { created_at: day(1) } });
    await expiredRun(world, "trained-models-x", 2);
    await assert.rejects(world.pull(changed), (error) => {
      assert.ok(error instanceof ModelSyncError);
      assert.deepEqual([error.code, error.exitCode], ["ARTIFACTS_EXPIRED", 4]);
      assert.match(error.message, /"trained-models-x".* expired on 2026-11-20T/);
      assert.match(error.hint ?? "", /run the workflow again.*retention-days/);
      return true;
    });
    assert.throws(() => readFiles(world.store.modelsDir), Deno.errors.NotFound);
  });
}

for (const changed of [{}, ...UNNAMED]) {
  Deno.test(`artifacts: a named older run is pulled, and the newest run stays remembered: ${JSON.stringify(changed)}`, async () => {
    await using world = new ActionsWorld();
    const old = await world.train(OLD, { claims: { created_at: day(1) } });
    await expiredRun(world, "trained-models-x", 2);
    await assert.rejects(world.pull(changed), (error) => {
      assert.ok(error instanceof ModelSyncError);
      assert.match(error.hint ?? "", /--run/);
      return true;
    });
    await world.pull({ ...changed, run: old });
    assert.deepEqual(readFiles(world.store.modelsDir), OLD);
    await assert.rejects(world.pull(changed), { code: "ARTIFACTS_EXPIRED" });
    await world.train({ "rf.onnx": "newest" }, { claims: { created_at: day(3) } });
    await world.pull(changed);
    assert.deepEqual(readFiles(world.store.modelsDir), { "rf.onnx": "newest" });
    await assert.rejects(world.pull({ ...changed, run: old }), { exitCode: 5 });
    assert.deepEqual(readFiles(world.store.modelsDir), { "rf.onnx": "newest" });
  });
}

Deno.test("artifacts: a named run must be of the branch, of no fork, and have the wanted conclusion", async () => {
  await using world = new ActionsWorld();
  await world.train(OLD);
  const others = [
    await world.train(OLD, { of: "fork" }),
    await world.train(OLD, { branch: "other" }),
    await world.train(OLD, { event: "pull_request" }),
    await world.train(OLD, { workflow: "lint.yml" }),
    999_999,
  ];
  for (const run of others) {
    await assert.rejects(world.pull({ run }), (error) => {
      assert.ok(error instanceof ModelSyncError);
      assert.equal(error.code, "RUN_MISSING");
      assert.match(
        error.message,
        new RegExp(`^Cannot find run ${run} among the runs of train_models.yml on main`),
      );
      return true;
    });
  }
});

for (const changed of UNNAMED) {
  Deno.test(`artifacts: runs without a matching artifact, and expired artifacts of others, are ignored: ${JSON.stringify(changed)}`, async () => {
    await using world = new ActionsWorld();
    await world.train(OLD, { claims: { created_at: day(1) } });
    await expiredRun(world, "logs", 2);
    world.github.addRun({ claims: { created_at: day(3) } });
    await world.pull(changed);
    assert.deepEqual(readFiles(world.store.modelsDir), OLD);
  });
}

Deno.test("artifacts: a run without a date does not decide which of the others is the newest", async () => {
  await using world = new ActionsWorld();
  await world.train({ "rf.onnx": "undated" }, { claims: { created_at: null } });
  await world.train({ "rf.onnx": "newer" }, { claims: { created_at: day(20) } });
  await world.train({ "rf.onnx": "older" }, { claims: { created_at: day(10) } });
  await world.pull();
  assert.deepEqual(readFiles(world.store.modelsDir), { "rf.onnx": "newer" });
});

Deno.test("newestFirst() sorts dated items by date, and the others after items with a larger id", () => {
  const dates = new Map([[1, day(1)], [2, day(4)], [5, day(2)], [8, day(3)]]);
  const things = Array.from({ length: 10 }, (_, id) => ({ id, created_at: dates.get(id) ?? null }));
  assert.deepEqual(newestFirst(things).map(({ id }) => id), [9, 2, 8, 7, 6, 5, 4, 3, 1, 0]);
});

for (const place of [31, 90, 120]) {
  Deno.test(`artifacts: the newest run is found when GitHub lists it as number ${place}`, async () => {
    for (const changed of [{}, { workflow: undefined }]) {
      await using world = new ActionsWorld();
      await world.train({ "rf.onnx": "newest" }, { claims: { created_at: day(28) } });
      for (let at = 1; at < place; at++) world.github.addRun({ claims: { created_at: day(1 + at % 20) } });
      await world.pull(changed);
      assert.deepEqual(readFiles(world.store.modelsDir), { "rf.onnx": "newest" });
    }
  });
}

for (const [runs, pages] of [[1, 1], [30, 1], [31, 2], [60, 2], [400, 4]] as const) {
  Deno.test(`artifacts: for ${runs} runs, ${pages} pages are read, and none while nothing changes`, async () => {
    await using world = new ActionsWorld();
    for (let at = 1; at < runs; at++) world.github.addRun({ claims: { created_at: day(1) } });
    await world.train(OLD, { claims: { created_at: day(2) } });
    await world.pull();
    const lists = () => world.github.requests.filter(({ url }) => url.pathname.endsWith("/runs"));
    assert.equal(lists().length, pages);
    await world.pull();
    assert.deepEqual(lists().slice(pages).map(({ status }) => status), [304]);
  });
}
