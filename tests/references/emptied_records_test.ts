import assert from "node:assert/strict";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { planCategory } from "../../lib/references/plan_category.ts";
import { readPrimaryRecords, refuseForeignRecords } from "../../lib/references/read_records.ts";
import { refuseShrink, shrinkNote } from "../../lib/references/shrink.ts";
import type { SyncReport } from "../../lib/references/sync_references.ts";
import { ReferencesWorld, type SyncChanges } from "../helpers/references_world.ts";

type Json = Readonly<Record<string, unknown>>;

/** As the image repository has them: name, type, config and available in every record. */
function model(name: string): Json {
  return {
    name,
    type: "clip",
    description: "text",
    version: "1",
    nsfw: false,
    config: {
      files: [{ path: `${name}.pt` }],
      download: [{ file_name: `${name}.pt`, file_url: "https://h/" }],
    },
    available: true,
  };
}

const NAMES = Array.from({ length: 10 }, (_, index) => `m${index}`);
const MODELS: Json = Object.fromEntries(NAMES.map((name) => [name, model(name)]));

/** The models, with the first `count` changed. */
function changed(make: (name: string) => unknown, count = 10): Json {
  return Object.fromEntries(NAMES.map((name, at) => [name, at < count ? make(name) : MODELS[name]]));
}

function without(name: string, ...fields: readonly string[]): Json {
  return Object.fromEntries(Object.entries(model(name)).filter(([key]) => !fields.includes(key)));
}

/**
 * Returns the result for clip, as in a sync without a repository: its file has `before`, and PRIMARY answers `after`.
 */
function judge(
  before: Json,
  after: Json,
  { allowShrink = false } = {},
): { readonly error?: ModelSyncError; readonly title?: string } {
  const files = new Map([["clip.json", JSON.stringify(before)]]);
  try {
    const records = readPrimaryRecords("clip", JSON.stringify(after));
    const plan = planCategory("clip", records, files, "you/models", { format: "keep", keep: new Set() });
    refuseForeignRecords("clip", records, plan.changes);
    if (!allowShrink) refuseShrink(plan, 0.5);
    return { title: `title${shrinkNote([plan], 0.5)}` };
  } catch (error) {
    assert.ok(error instanceof ModelSyncError);
    return { error };
  }
}

function errorOf(report: SyncReport): ModelSyncError | undefined {
  const [found] = report.categories;
  if (found?.status !== "failed") return undefined;
  assert.ok(found.error instanceof ModelSyncError);
  return found.error;
}

for (
  const [what, make] of [
    ["nothing", () => ({})],
    ["an error", () => ({ error: "unavailable" })],
    ["an error of its own for each", (name: string) => ({ detail: { model: name } })],
    ["no name", (name: string) => without(name, "name")],
    ["null for a name", (name: string) => ({ ...model(name), name: null })],
    ["a list for a name", (name: string) => ({ ...model(name), name: [name] })],
    ["an empty name", (name: string) => ({ ...model(name), name: "" })],
  ] as const
) {
  Deno.test(`a known model whose record holds ${what} fails its category, whatever is allowed`, () => {
    for (const count of [1, 10]) {
      const { error, title } = judge(MODELS, changed(make, count), { allowShrink: true });
      assert.equal(error?.code, "RECORDS_INVALID");
      assert.match(error.message, /the record of "m0" holds no name/);
      assert.match(
        error.message,
        count === 1 ? /1 of 10 records is not a model/ : /nothing in them is a model/,
      );
      assert.equal(title, undefined);
    }
  });
}

for (
  const extra of [
    { detail: { error: "x" } },
    { error: { code: 503 } },
    { error: { name: "ServiceUnavailable", message: "later" } },
    { status: {} },
  ]
) {
  Deno.test(`an entry beside the models that is not a record fails the category: ${JSON.stringify(extra)}`, () => {
    const half = Object.fromEntries(Object.entries(MODELS).slice(5));
    for (const models of [MODELS, half]) {
      const { error, title } = judge(MODELS, { ...models, ...extra }, { allowShrink: true });
      assert.equal(error?.code, "RECORDS_INVALID");
      const count = Object.keys(models).length + 1;
      const [name] = Object.keys(extra);
      assert.match(
        error.message,
        new RegExp(
          `^Cannot use PRIMARY's records of clip: 1 of ${count} records is not a model: the record of "${name}"`,
        ),
      );
      assert.match(error.hint ?? "", /check PRIMARY/);
      assert.equal(title, undefined);
    }
  });
}

Deno.test("a new model's name may differ from its key, as control_qr_sdxl's does", () => {
  const { error, title } = judge(MODELS, { ...MODELS, control_qr_sdxl: model("control_qr_xl") });
  assert.equal(error, undefined);
  assert.notEqual(title, undefined);
});

Deno.test("records need no names if no record of the category has one", () => {
  const [before, after] = [{ a: { v: 1 }, b: { v: 1 } }, { a: { v: 2 }, b: { v: 1 }, c: { v: 1 } }];
  assert.deepEqual(judge(before, after), { title: "title" });
  assert.equal(judge({ ...before, d: { name: "d" } }, after).error?.code, "RECORDS_INVALID");
  assert.equal(judge(before, { ...after, d: { name: "d" } }).error?.code, "RECORDS_INVALID");
});

for (
  const [what, make] of [
    ["only their names", (name: string) => ({ name })],
    ["most fields as null", (name: string) => ({
      ...Object.fromEntries(Object.keys(model(name)).map((key) => [key, null])),
      name,
      type: "clip",
    })],
    ["an error beside their names", (name: string) => ({ name, error: "unavailable", code: 503 })],
    ["no config", (name: string) => without(name, "config")],
    ["an empty config", (name: string) => ({ ...model(name), config: { files: [], download: [{}] } })],
    ["a text for a config", (name: string) => ({ ...model(name), config: "unavailable" })],
    ["another config altogether", (name: string) => ({ ...model(name), config: { error: "unavailable" } })],
    ["the names of others", (name: string) => ({ ...model(name), name: "m" })],
  ] as const
) {
  Deno.test(`models that keep ${what} count as removed ones do`, () => {
    const held = judge(MODELS, changed(make, 6));
    assert.equal(held.error?.code, "SHRINK");
    assert.equal(
      held.error.message,
      "Cannot propose the changes of clip: 6 of its 10 models would be emptied, but references.max_shrink allows 50 %",
    );
    assert.match(held.error.hint ?? "", /--allow-shrink/);
    assert.equal(held.title, undefined);
    assert.match(
      judge(MODELS, changed(make), { allowShrink: true }).title ?? "",
      / - empties 10 of 10 models$/,
    );
    const few = judge(MODELS, changed(make, 4));
    assert.equal(few.error, undefined);
    assert.doesNotMatch(few.title ?? "", /empties/);
  });
}

Deno.test("removed and emptied models are added up", () => {
  const after = changed((name) => ({ name }), 5);
  const { m9: _gone, ...left } = after;
  const { error } = judge(MODELS, left);
  assert.match(
    error?.message ?? "",
    /: 1 of its 10 models would be removed and 5 emptied, but references\.max_shrink/,
  );
  const { title } = judge(MODELS, left, { allowShrink: true });
  assert.match(title ?? "", / - removes 1 and empties 5 of 10 models$/);
});

for (
  const [what, make] of [
    ["one field less", (name: string) => without(name, "description")],
    ["another", (name: string) => without(name, "available")],
    [
      "a nested field less",
      (name: string) => ({ ...model(name), config: { files: [{ path: `${name}.pt` }] } }),
    ],
    ["one field as null", (name: string) => ({ ...model(name), nsfw: null })],
    ["two of seven less", (name: string) => without(name, "description", "nsfw")],
    [
      "other values",
      (name: string) => ({ ...model(name), version: "2", available: false, description: "new" }),
    ],
    ["a field renamed", (name: string) => ({ ...without(name, "nsfw"), is_nsfw: false })],
  ] as const
) {
  Deno.test(`all models may have ${what}: that is a change like any other`, () => {
    const { error, title } = judge(MODELS, changed(make));
    assert.equal(error, undefined);
    assert.match(title ?? "", /^title$/);
  });
}

Deno.test("one field of two may be removed from all models", () => {
  const small = Object.fromEntries(NAMES.map((name) => [name, { name, version: "1" }]));
  const { error } = judge(small, Object.fromEntries(NAMES.map((name) => [name, { name }])));
  assert.equal(error, undefined);
});

Deno.test("exactly half of the models may be removed, and the title says so", () => {
  const half = judge(MODELS, Object.fromEntries(Object.entries(MODELS).slice(5)));
  assert.equal(half.error, undefined);
  assert.match(half.title ?? "", / - removes 5 of 10 models$/);
  assert.equal(judge(MODELS, Object.fromEntries(Object.entries(MODELS).slice(6))).error?.code, "SHRINK");
});

Deno.test("emptied models are refused or in the title of the pull request; entries that are not records fail", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.images, { "clip.json": JSON.stringify(MODELS, undefined, 4) + "\n" });
  const sync = (records: Json, allowShrink = false) => {
    world.primary.records.set("clip", JSON.stringify(records));
    return world.sync({ categories: ["clip"], allowShrink });
  };
  assert.equal(errorOf(await sync(changed(() => ({ error: "unavailable" })), true))?.code, "RECORDS_INVALID");
  assert.equal(errorOf(await sync({ ...MODELS, detail: { error: "x" } }, true))?.code, "RECORDS_INVALID");
  assert.equal(errorOf(await sync(changed((name) => ({ name }))))?.code, "SHRINK");
  assert.equal(world.images.pulls.pulls.length, 0);
  await sync(changed((name) => ({ name })), true);
  assert.match(world.images.pulls.pulls[0]?.title ?? "", /2026-11-21 - empties 10 of 10 models$/);
});

const COLUMNS =
  "name,parameters_bn,display_name,url,baseline,description,style,tags,instruct_format,settings";

Deno.test("text models are emptied by row", async () => {
  await using world = new ReferencesWorld();
  const names = NAMES.map((name) => `org/${name}-7B`);
  const rows = names.map((name) => `${name},7,,https://h/,Llama,A text,chat,fast,,`);
  world.commit(world.texts, { "models.csv": [COLUMNS, ...rows, ""].join("\r\n"), "db.json": "{}\n" });
  const records = (fields: Json) =>
    JSON.stringify(
      Object.fromEntries(names.map((name) => [name, { name, parameters: 7_000_000_000, ...fields }])),
    );
  const sync = (changes: SyncChanges = {}) => world.sync({ categories: ["text_generation"], ...changes });
  world.primary.records.set("text_generation", records({}));
  assert.match(errorOf(await sync())?.message ?? "", /10 of its 10 models would be emptied/);
  world.primary.records.set(
    "text_generation",
    records({ baseline: "Llama", description: "A text", style: "chat", tags: ["fast", "chat", "7B"] }),
  );
  assert.equal(errorOf(await sync()), undefined);
  world.primary.records.set("text_generation", records({}));
  await sync({ allowShrink: true });
  assert.match(world.texts.pulls.pulls[0]?.title ?? "", / - empties 10 of 10 models$/);
});

Deno.test("a text record that models.csv cannot hold is skipped; an error message beside the models fails the category", async () => {
  await using world = new ReferencesWorld();
  world.commit(world.texts, {
    "models.csv": `${COLUMNS}\r\na/One,3,,,,first,,,,\r\n`,
    "db.json": "{}\n",
  });
  const good = { name: "a/One", model_name: "One", parameters: 3e9, description: "second" };
  const sync = async (beside: Json) => {
    world.primary.records.set("text_generation", JSON.stringify({ "a/One": good, ...beside }));
    return await world.sync({ categories: ["text_generation"], allowShrink: true });
  };
  for (const beside of [{ error: { code: 503 } }, { error: { name: "ServiceUnavailable" } }]) {
    const [report] = (await sync(beside)).categories;
    assert.ok(report?.status === "failed" && report.error instanceof ModelSyncError);
    assert.equal(report.error.code, "RECORDS_INVALID");
  }
  const [report] = (await sync({ "b/Two": { name: "b/Two", parameters: null } })).categories;
  assert.ok(report?.status === "compared");
  assert.match(report.plan.warnings.join("\n"), /"parameters" of "b\/Two" is missing/);
  assert.match(world.context.log.lines.join("\n"), /^warn text_generation: skipped a record, .*"b\/Two"/m);
  assert.equal(
    world.read(world.texts, "model-sync/references", "models.csv"),
    `${COLUMNS}\r\na/One,3,,,,second,,,,\r\n`,
  );
});
