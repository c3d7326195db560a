import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import type { SyncReport } from "../../lib/references/sync_references.ts";
import { ReferencesWorld, type SyncChanges } from "../helpers/references_world.ts";

/** A category with the models m0, m1, and so on. */
function models(count: number, first = 0): string {
  const names = Array.from({ length: count }, (_, index) => `m${first + index}`);
  return JSON.stringify(
    Object.fromEntries(names.map((name) => [name, { name, version: "1" }])),
    undefined,
    4,
  ) +
    "\n";
}

/** PRIMARY's next answer for clip, with status 200. */
function answer(world: ReferencesWorld, body: unknown): void {
  world.primary.faults.push({ kind: "answer", make: () => Response.json(body) });
}

async function syncClip(world: ReferencesWorld, changes: SyncChanges = {}): Promise<SyncReport> {
  return await world.sync({ categories: ["clip"], ...changes });
}

function errorOf(report: SyncReport, category = "clip"): ModelSyncError | undefined {
  const found = report.categories.find((known) => known.category === category);
  if (found?.status !== "failed") return undefined;
  assert.ok(found.error instanceof ModelSyncError);
  return found.error;
}

for (
  const [what, body] of [
    ["a text", { detail: "Service temporarily unavailable" }],
    ["a list", { detail: [{ loc: ["path"], msg: "invalid" }] }],
    ["a number", { status: 503, error: {} }],
    ["null", { data: null }],
    ["false", { success: false }],
    ["a text", { ...JSON.parse(models(161)), note: "a text beside the models" }],
  ] as const
) {
  Deno.test(`an answer with ${what} in place of a record fails its category: ${JSON.stringify(body).slice(0, 40)}`, async () => {
    await using world = new ReferencesWorld();
    world.commit(world.images, { "clip.json": models(161) });
    answer(world, body);
    const report = await syncClip(world, { allowShrink: true, changesMin: 0 });
    assert.equal(errorOf(report)?.code, "RECORDS_INVALID");
    assert.match(errorOf(report)?.message ?? "", new RegExp(` is ${what}, expected an object`));
    assert.match(errorOf(report)?.hint ?? "", /nothing of this category was changed/);
    assert.deepEqual(world.images.pulls.pulls, []);
  });
}

for (
  const body of [{ error: { code: 503, message: "later" } }, { data: { m0: { name: "m0" } } }, { error: {} }]
) {
  Deno.test(`an error message of objects is no model, whatever is allowed: ${JSON.stringify(body)}`, async () => {
    for (const file of ["{}\n", models(1), models(161)]) {
      await using world = new ReferencesWorld();
      world.commit(world.images, { "clip.json": file });
      answer(world, body);
      const report = await syncClip(world, { allowShrink: true });
      assert.match(errorOf(report)?.message ?? "", /nothing in them is a model/);
      assert.deepEqual(world.images.pulls.pulls, []);
    }
  });
}

Deno.test("an empty file gets all of PRIMARY's models", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": "{}\n" });
  world.primary.records.set("clip", models(161));
  assert.equal(errorOf(await syncClip(world)), undefined);
  assert.equal(world.images.pulls.pulls.length, 1);
});

for (
  const [before, after, isHeldBack] of [[1, 0, true], [2, 1, false], [3, 1, true], [161, 81, false], [
    161,
    80,
    true,
  ]]
) {
  Deno.test(`of ${before} models ${after} are left: ${isHeldBack ? "held back" : "proposed"}`, async () => {
    await using world = new ReferencesWorld();
    world.commit(world.images, { "clip.json": models(Number(before)) });
    const left = JSON.parse(models(Number(after)));
    world.primary.records.set("clip", JSON.stringify({ ...left, new: { name: "new" } }));
    const report = await syncClip(world);
    assert.equal(errorOf(report)?.code, isHeldBack ? "SHRINK" : undefined);
    assert.equal(world.images.pulls.pulls.length, isHeldBack ? 0 : 1);
    assert.doesNotMatch(world.images.pulls.pulls[0]?.title ?? "", /removes/);
  });
}

Deno.test("a refused removal says how many models, which setting applies, and how to continue", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": models(161) });
  world.primary.records.set("clip", models(3));
  const error = errorOf(await syncClip(world));
  assert.equal(
    error?.message,
    "Cannot propose the changes of clip: 158 of its 161 models would be removed, but references.max_shrink allows 50 %",
  );
  assert.match(error?.hint ?? "", /--dry-run --allow-shrink.*run it with --allow-shrink/);
});

Deno.test("dry runs, offline renderings and timestamped pull requests refuse large removals as well", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": models(4) });
  world.primary.records.set("clip", models(1));
  const outputDir = join(world.scratch, "preview");
  for (const mode of ["dry-run", { outputDir }, "timestamped"] as const) {
    assert.equal(errorOf(await syncClip(world, { mode }))?.code, "SHRINK", JSON.stringify(mode));
  }
  assert.throws(() => Deno.statSync(outputDir), Deno.errors.NotFound);
  assert.deepEqual(world.images.pulls.pulls, []);
});

for (const mode of ["fixed", "timestamped"] as const) {
  Deno.test(`a large removal that is allowed is in the title of the ${mode} pull request`, async () => {
    await using world = new ReferencesWorld();
    world.commit(world.images, { "clip.json": models(161), "blip.json": models(2) });
    world.primary.records.set("clip", models(3)).set("blip", models(3));
    const style = mode === "fixed" ? {} : { mode };
    await syncClip(world, { allowShrink: true, ...style });
    assert.match(world.images.pulls.pulls.at(-1)?.title ?? "", /2026-11-21 - removes 158 of 161 models$/);
    await world.sync({ categories: ["clip", "blip"], allowShrink: true, ...style });
    assert.match(
      world.images.pulls.pulls.at(-1)?.title ?? "",
      /2026-11-21 - removes 158 of 161 models of clip$/,
    );
  });
}

Deno.test("the share that may be removed is a setting, and a removal above it is in the title", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": models(10) });
  world.primary.records.set("clip", models(8));
  assert.equal(errorOf(await syncClip(world, { maxShrink: 0.1 }))?.code, "SHRINK");
  await syncClip(world, { maxShrink: 0.1, allowShrink: true });
  assert.match(world.images.pulls.pulls[0]?.title ?? "", /removes 2 of 10 models$/);
  world.primary.records.set("clip", models(1));
  assert.equal(errorOf(await syncClip(world, { maxShrink: 1 })), undefined);
  assert.match(world.images.pulls.pulls[0]?.title ?? "", /removes 9 of 10 models$/);
});

Deno.test("while a category is refused, the others are synced, and its open proposal stays unchanged", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": models(4), "blip.json": models(1) });
  world.primary.records.set("clip", models(3)).set("blip", models(1));
  await world.sync();
  world.primary.records.set("clip", models(1)).set("blip", models(2));
  const report = await world.sync();
  assert.equal(errorOf(report)?.code, "SHRINK");
  const read = (path: string) =>
    Object.keys(JSON.parse(world.read(world.images, "model-sync/references", path)));
  assert.deepEqual(read("clip.json"), ["m0", "m1", "m2"]);
  assert.deepEqual(read("blip.json"), ["m0", "m1"]);
});

const COLUMNS =
  "name,parameters_bn,display_name,url,baseline,description,style,tags,instruct_format,settings";

Deno.test("text models are counted by rows, also if db.json does not contain them yet", async () => {
  await using world = new ReferencesWorld();
  const rows = Array.from({ length: 9 }, (_, index) => `org/m${index}-7B,7,,,,,,,,`);
  world.commit(world.texts, { "models.csv": [COLUMNS, ...rows, ""].join("\r\n"), "db.json": "{}\n" });
  const record = (name: string) => [name, { name, parameters: 7_000_000_000 }];
  const records = (count: number) =>
    JSON.stringify(
      Object.fromEntries(Array.from({ length: count }, (_, index) => record(`org/m${index}-7B`))),
    );
  world.primary.records.set("text_generation", records(2));
  const sync = (changes: SyncChanges = {}) => world.sync({ categories: ["text_generation"], ...changes });
  assert.match(errorOf(await sync(), "text_generation")?.message ?? "", /7 of its 9 models/);
  world.primary.records.set("text_generation", records(5));
  assert.equal(errorOf(await sync(), "text_generation"), undefined);
  world.primary.records.set("text_generation", records(2));
  await sync({ allowShrink: true });
  assert.match(world.texts.pulls.pulls[0]?.title ?? "", / - removes 7 of 9 models$/);
  answer(world, { error: { code: 503 } });
  assert.match(errorOf(await sync({ allowShrink: true }), "text_generation")?.message ?? "", /"parameters"/);
});
