import assert from "node:assert/strict";
import fc from "fast-check";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { type Dated, newestFirst } from "../../lib/github/newest_first.ts";
import { ActionsWorld, type Files } from "../helpers/actions_world.ts";
import { streamedZip } from "../helpers/streamed_zip.ts";
import { readFiles } from "../helpers/temp_dir.ts";

const HOUR_MS = 3_600_000;

/** Returns the time this many hours after the test's clock started. */
function hour(hours: number): string {
  return new Date(Date.parse("2026-11-21T00:00:00Z") + hours * HOUR_MS).toISOString();
}

/** Adds an artifact to a run. @returns its id */
async function upload(
  world: ActionsWorld,
  run: number,
  name: string,
  files: Files,
  details: { readonly expired?: boolean; readonly claims?: Readonly<Record<string, unknown>> } = {},
): Promise<number> {
  return await world.github.addArtifact(run, { name, content: streamedZip(files), ...details });
}

const BTC = { "BTC/rf.onnx": "btc" };
const ETH = { "ETH/rf.onnx": "eth" };

Deno.test("artifacts: a run of which one of two has expired is refused, and the active release stays", async () => {
  for (const expired of ["models-btc", "models-eth"]) {
    for (const changed of [{}, { workflow: undefined }, { conclusion: "any" as const }]) {
      await using world = new ActionsWorld();
      await world.train({ "old.onnx": "old" });
      await world.pull(changed);
      const run = world.github.addRun();
      await upload(world, run, "models-btc", BTC, { expired: expired === "models-btc" });
      await upload(world, run, "models-eth", ETH, { expired: expired === "models-eth" });
      await assert.rejects(world.pull(changed), (error) => {
        assert.ok(error instanceof ModelSyncError);
        assert.deepEqual([error.code, error.exitCode], ["ARTIFACTS_INCOMPLETE", 5]);
        assert.match(
          error.message,
          new RegExp(
            `run ${run}: its artifact "${expired}" expired on 2026-11-20T.*the 1 left .* incomplete release`,
          ),
        );
        assert.match(error.hint ?? "", /run the workflow again.*model_sync\.artifacts\.artifact/);
        return true;
      });
      assert.deepEqual(readFiles(world.store.modelsDir), { "old.onnx": "old" });
    }
  }
});

Deno.test("artifacts: an expired artifact that does not match is not missing", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun();
  await upload(world, run, "models-btc", BTC);
  await upload(world, run, "logs", { "train.log": "..." }, { expired: true });
  await upload(world, run, "models-eth", ETH, { expired: true });
  await world.pull({ artifact: "models-btc" });
  assert.deepEqual(readFiles(world.store.modelsDir), BTC);
});

Deno.test("artifacts: an expired artifact that another attempt replaced is not missing", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun({ attempt: 2 });
  await upload(world, run, "models-btc", { "BTC/rf.onnx": "first" }, {
    expired: true,
    claims: { created_at: hour(1) },
  });
  await upload(world, run, "models-btc", BTC, { claims: { created_at: hour(2) } });
  await upload(world, run, "models-eth", ETH);
  await world.pull();
  assert.deepEqual(readFiles(world.store.modelsDir), { ...BTC, ...ETH });
});

Deno.test("artifacts: an earlier attempt's artifact does not replace an expired one of the last attempt", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun({ attempt: 2 });
  await upload(world, run, "models-btc", BTC, { claims: { created_at: hour(1) } });
  await upload(world, run, "models-btc", BTC, { expired: true, claims: { created_at: hour(2) } });
  await assert.rejects(world.pull(), { code: "ARTIFACTS_EXPIRED", exitCode: 4 });
  await upload(world, run, "models-eth", ETH);
  await assert.rejects(world.pull(), { code: "ARTIFACTS_INCOMPLETE", exitCode: 5 });
});

for (
  const [what, first, second, wins] of [
    ["newer, with a smaller id", { id: 9, created_at: hour(2) }, { id: 10, created_at: hour(1) }, "first"],
    [
      "newer, in another time zone",
      { created_at: "2026-11-21T03:00:00+02:00" },
      { created_at: hour(0.5) },
      "first",
    ],
    ["older, with a larger id", { id: 10, created_at: hour(1) }, { id: 9, created_at: hour(2) }, "second"],
    ["as old, with a larger id", { id: 10, created_at: hour(1) }, { id: 9, created_at: hour(1) }, "first"],
    ["of a larger id, without a time", { id: 10, created_at: null }, { id: 9, created_at: hour(1) }, "first"],
    [
      "of a larger id, with no time at all",
      { id: 10, created_at: "soon" },
      { id: 9, created_at: hour(1) },
      "first",
    ],
  ] as const
) {
  Deno.test(`artifacts: of two with one name, of which the first is ${what}, the ${wins} counts`, async () => {
    await using world = new ActionsWorld();
    const run = world.github.addRun({ attempt: 2 });
    await upload(world, run, "models", { "rf.onnx": "first" }, { claims: first });
    // More than a page of other artifacts is between them.
    for (let index = 0; index < 100; index++) {
      await upload(world, run, `log-${index}`, { "x": "x" });
    }
    await upload(world, run, "models", { "rf.onnx": "second" }, { claims: second });
    await world.pull();
    assert.deepEqual(readFiles(world.store.modelsDir), { "rf.onnx": wins });
  });
}

for (const changed of [{}, { workflow: undefined }, { conclusion: "any" as const }]) {
  Deno.test(`artifacts: the newest run is the one that was created last, in any order of the list: ${JSON.stringify(changed)}`, async () => {
    await using world = new ActionsWorld();
    for (const [name, created_at] of [["old", hour(1)], ["newest", hour(3)], ["older", hour(2)]] as const) {
      await world.train({ "rf.onnx": name }, { claims: { created_at } });
    }
    await world.pull(changed);
    assert.deepEqual(readFiles(world.store.modelsDir), { "rf.onnx": "newest" });
  });
}

Deno.test("artifacts: of runs created in one second, or without a time, the one with the largest id is the newest", async () => {
  for (const created_at of [hour(1), null, undefined, "never"]) {
    await using world = new ActionsWorld();
    for (const name of ["first", "second"]) {
      await world.train({ "rf.onnx": name }, { claims: { created_at } });
    }
    await world.pull();
    assert.deepEqual(readFiles(world.store.modelsDir), { "rf.onnx": "second" });
  }
});

Deno.test("artifacts: an old run that is run again stays older than the runs after it", async () => {
  await using world = new ActionsWorld();
  await world.train({ "rf.onnx": "of an old commit" }, {
    attempt: 2,
    claims: { created_at: hour(1), run_started_at: hour(9), updated_at: hour(9) },
  });
  await world.train({ "rf.onnx": "new" }, { claims: { created_at: hour(2), run_started_at: hour(2) } });
  await world.pull();
  assert.deepEqual(readFiles(world.store.modelsDir), { "rf.onnx": "new" });
});

Deno.test("artifacts: an artifact that is deleted after it was listed fails the pull, and the active release stays", async () => {
  await using world = new ActionsWorld();
  await world.train(BTC);
  await world.pull();
  const run = world.github.addRun();
  await upload(world, run, "models-btc", BTC);
  const deleted = await upload(world, run, "models-eth", ETH);
  world.github.faults.push(undefined, undefined, (request) => {
    world.github.removeArtifact(deleted);
    return Response.redirect(request.url, 302);
  });
  await assert.rejects(world.pull(), (error) => {
    assert.ok(error instanceof ModelSyncError);
    assert.deepEqual([error.code, error.exitCode], ["ARTIFACT_DELETED", 4]);
    assert.match(error.message, /artifact "models-eth" of run \d+: it was deleted/);
    return true;
  });
  assert.deepEqual(readFiles(world.store.modelsDir), BTC);
});

Deno.test("artifacts: an empty artifact is refused", async () => {
  await using world = new ActionsWorld();
  const run = world.github.addRun();
  await world.github.addArtifact(run, { name: "models", content: new Uint8Array() });
  await assert.rejects(world.pull(), (error) => error instanceof ModelSyncError && error.exitCode === 5);
});

Deno.test("newestFirst() returns the same order for any order of its input", () => {
  const Time = fc.constantFrom(hour(1), hour(2), "2026-11-21T02:00:00+01:00", null, undefined, "never");
  const Things = fc.uniqueArray(fc.record({ id: fc.nat(20), created_at: Time }), {
    selector: ({ id }) => id,
  });
  fc.assert(fc.property(Things, (things: readonly Dated[]) => {
    assert.deepEqual(newestFirst(things.toReversed()), newestFirst(things));
  }));
});
