import assert from "node:assert/strict";
import { endsLike } from "../../lib/core/path_ends.ts";
import { basename, join } from "node:path";
import {
  findPublishedFiles,
  keepPublishedFiles,
  listPublishedFiles,
} from "../../lib/store/published_files.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import { refuseInvalid, refuseInvalidOnce } from "../../lib/pipeline/refuse_invalid.ts";
import { NO_CACHE, readModelSet, type SetChanges } from "../../lib/release/model_set.ts";
import { rememberPassedModels } from "../../lib/store/passed_models.ts";
import { openStore } from "../../lib/store/store.ts";
import { FLOAT, input, model, node, output } from "../helpers/onnx_bytes.ts";
import { memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

function digest(number: number): `sha256:${string}` {
  return `sha256:${String(number).padStart(64, "0")}`;
}

function filesOf(count: number) {
  return Array.from(
    { length: count },
    (_, index) => ({ path: `${index}.bin`, size: 2, sha256: "c".repeat(64) }),
  );
}

Deno.test("the file list of a published release is kept up to a limit, with the totals of all files", () => {
  using dir = memoryDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  assert.equal(findPublishedFiles(store, digest(1)), undefined);
  keepPublishedFiles(store, { digest: digest(1), files: filesOf(2_500) });
  const kept = findPublishedFiles(store, digest(1));
  assert.deepEqual([kept?.files.length, kept?.filesTotal, kept?.bytes], [2_000, 2_500, 5_000]);
  assert.deepEqual(kept?.files[0], { path: "0.bin", size: 2, sha256: "c".repeat(64) });
  Deno.writeTextFileSync(join(store.root, "published_files", "notes.json"), "not a list");
  assert.deepEqual(listPublishedFiles(store), [digest(1)]);
});

Deno.test("only the lists of the last forty releases are kept, and a damaged list counts as missing", () => {
  using dir = memoryDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const folder = join(store.root, "published_files");
  for (let number = 1; number <= 43; number++) {
    keepPublishedFiles(store, { digest: digest(number), files: filesOf(1) });
    const path = join(folder, `${digest(number).slice(7)}.json`);
    Deno.utimeSync(path, number, number);
  }
  keepPublishedFiles(store, { digest: digest(44), files: filesOf(1) });
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
  assert.deepEqual(names.map((name) => parseInt(name)), Array.from({ length: 40 }, (_, index) => index + 5));
  Deno.writeTextFileSync(join(folder, names[0] ?? ""), "{");
  assert.equal(findPublishedFiles(store, digest(5)), undefined);
});

Deno.test("large lists are dropped sooner, but never the newest", () => {
  using dir = memoryDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const folder = join(store.root, "published_files");
  keepPublishedFiles(store, { digest: digest(1), files: filesOf(1) });
  for (const name of ["old.json", "older.json"]) {
    Deno.writeTextFileSync(join(folder, name), "");
    Deno.truncateSync(join(folder, name), 17 * 1024 * 1024);
    Deno.utimeSync(join(folder, name), 1, 1);
  }
  keepPublishedFiles(store, { digest: digest(2), files: filesOf(1) });
  assert.equal(Array.from(Deno.readDirSync(folder)).length, 2);
  assert.ok(
    findPublishedFiles(store, digest(1)) !== undefined && findPublishedFiles(store, digest(2)) !== undefined,
  );
});

Deno.test("a list under another release's name is not used", () => {
  using dir = memoryDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const pathOf = (number: number) =>
    join(store.root, "published_files", `${digest(number).slice("sha256:".length)}.json`);
  keepPublishedFiles(store, { digest: digest(1), files: filesOf(1) });
  Deno.renameSync(pathOf(1), pathOf(3));
  assert.equal(findPublishedFiles(store, digest(3)), undefined);
});

Deno.test("a publish does not check the files again that were in the last release and passed there", async () => {
  using dir = memoryDir();
  const context = testContext();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  writeFiles(store.modelsDir, { "a.json": "not JSON" });
  const set = await readModelSet(context, store.modelsDir, NO_CACHE);
  const { validate } = ModelSync.parse({}).activation;
  const refused = { code: "VALIDATION_FAILED", exitCode: 5 };
  await assert.rejects(refuseInvalid(context, undefined, set, validate), refused);
  await assert.rejects(refuseInvalid(context, store, set, validate), refused);
  rememberPassedModels(store, "other rules", set.files);
  await refuseInvalid(context, store, set, validate);
  rememberPassedModels(store, "other rules", set.files.map((file) => ({ ...file, sha256: "0".repeat(64) })));
  await assert.rejects(refuseInvalid(context, store, set, validate), refused);
});

/** A publisher that notes the names of the files that it opens. */
function watchedPublisher(root: string) {
  const opened: string[] = [];
  const openSync: typeof Deno.openSync = (path, options) => {
    opened.push(basename(String(path)));
    return Deno.openSync(path, options);
  };
  return {
    opened,
    context: testContext({ fs: { ...Deno, openSync } }),
    store: openStore(Deno, { modelsDir: join(root, "models") }),
    validate: ModelSync.parse({}).activation.validate,
    pickle: (number: number) => new Uint8Array([0x80, 2, 0x4b, number, 0x2e]),
  };
}

Deno.test("a publish opens only files that changed since they passed, whatever their number, under the same rules", async () => {
  using dir = memoryDir();
  const { opened, context, store, validate, pickle } = watchedPublisher(dir.path);
  const check = async (settings: typeof validate) => {
    const set = await readModelSet(testContext(), store.modelsDir, NO_CACHE);
    opened.length = 0;
    await refuseInvalidOnce(context, store, set, settings);
    return opened.filter((name) => name.endsWith(".pkl"));
  };
  const names = Array.from({ length: 2_100 }, (_, index) => `m${index}.pkl`);
  writeFiles(store.modelsDir, Object.fromEntries(names.map((name) => [name, pickle(1)])));
  assert.ok((await check(validate)).length >= names.length);
  assert.deepEqual(await check(validate), []);
  writeFiles(store.modelsDir, { "m2099.pkl": pickle(2) });
  assert.deepEqual(new Set(await check(validate)), new Set(["m2099.pkl"]));
  const stricter = { ...validate, pickle: { ...validate.pickle, allow: ["other.module.Name"] } };
  assert.ok((await check(stricter)).length >= names.length);
});

Deno.test("a publish opens only files that changed since a set that passed, without a list of those that passed", async () => {
  using dir = memoryDir();
  const { opened, context, store, validate, pickle } = watchedPublisher(dir.path);
  writeFiles(store.modelsDir, { "a.pkl": pickle(1), "b.pkl": pickle(1), "c.pkl": pickle(1) });
  const read = () => readModelSet(testContext(), store.modelsDir, NO_CACHE);
  const { digest } = await read();
  await refuseInvalidOnce(context, store, await read(), validate);
  Deno.removeSync(join(store.root, "passed_models.json"));
  writeFiles(store.modelsDir, { "b.pkl": pickle(2) });
  const check = async (
    since: SetChanges,
    settings = validate,
  ) => {
    opened.length = 0;
    await refuseInvalid(context, store, { ...await read(), since }, settings);
    return new Set(opened.filter((name) => name.endsWith(".pkl")));
  };
  const seen = (await read()).files.filter(({ path }) => path === "b.pkl");
  const since = { digest, changed: new Set(["b.pkl"]), added: [], removed: [], seen, findEnding: () => [] };
  assert.deepEqual(await check(since), new Set(["b.pkl"]));
  const all = new Set(["a.pkl", "b.pkl", "c.pkl"]);
  const stricter = { ...validate, pickle: { ...validate.pickle, allow: ["other.module.Name"] } };
  assert.deepEqual(await check(since, stricter), all);
  const unknown = `sha256:${"0".repeat(64)}` as const;
  assert.deepEqual(await check({ ...since, digest: unknown }), all);
});

Deno.test("a publish loads a model of which only the structure was checked before, when no setting lists it", async () => {
  using dir = memoryDir();
  const context = testContext();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const foreign = model(node("Unknown", ["x"], ["y"]), input("x", FLOAT, [1]), output("y", FLOAT, [1]));
  writeFiles(store.modelsDir, { "m.onnx": foreign });
  const set = await readModelSet(context, store.modelsDir, NO_CACHE);
  const { validate } = ModelSync.parse({}).activation;
  const lenient = { ...validate, onnx: { ...validate.onnx, structure_only: ["*.onnx"] } };
  await refuseInvalidOnce(context, store, set, lenient);
  const refused = { code: "VALIDATION_FAILED", message: /m\.onnx/ };
  await assert.rejects(refuseInvalid(context, store, set, validate), refused);
  const findEnding = (ends: readonly string[]) => set.files.filter(({ path }) => endsLike(path, ends));
  const since = {
    digest: set.digest,
    changed: new Set<string>(),
    added: [],
    removed: [],
    seen: [],
    findEnding,
  };
  await assert.rejects(refuseInvalid(context, store, { ...set, since }, validate), refused);
});
