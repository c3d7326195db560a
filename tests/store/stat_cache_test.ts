import assert from "node:assert/strict";
import fc from "fast-check";
import { type ModelSet, readModelSet } from "../../lib/release/model_set.ts";
import { StatCache } from "../../lib/store/stat_cache.ts";
import { decodeColumns, encodeColumns } from "../../lib/store/stat_columns.ts";
import { openStore } from "../../lib/store/store.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { ageFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { anyCharacter } from "../helpers/any_character.ts";

/** Long after every file that a test writes. */
const LATER = new FakeClock("2100-01-01T00:00:00Z");

Deno.test("decodeColumns() returns the input of encodeColumns()", () => {
  const row = fc.record({
    path: fc.string({ unit: anyCharacter, minLength: 1 }).filter((path) =>
      !path.includes("\0") && path.isWellFormed()
    ),
    size: fc.maxSafeNat(),
    mtimeMs: fc.maxSafeInteger(),
    inode: fc.maxSafeNat(),
    sha256: fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: 64, maxLength: 64 }),
  });
  fc.assert(fc.property(fc.array(row), (files) => {
    const columns = {
      paths: files.map(({ path }) => path),
      sizes: Float64Array.from(files, ({ size }) => size),
      mtimesMs: Float64Array.from(files, ({ mtimeMs }) => mtimeMs),
      ctimesMs: Float64Array.from(files, ({ mtimeMs }) => mtimeMs),
      inodes: Float64Array.from(files, ({ inode }) => inode),
      sha256s: files.map(({ sha256 }) => sha256).join(""),
    };
    assert.deepEqual(decodeColumns(encodeColumns(columns)), columns);
  }));
});

Deno.test("decodeColumns() returns undefined for any damaged cache, and never throws", () => {
  const sha256 = "a".repeat(64);
  const numbers = Float64Array.from([1]);
  const whole = encodeColumns({
    paths: ["a"],
    sizes: numbers,
    mtimesMs: numbers,
    ctimesMs: numbers,
    inodes: numbers,
    sha256s: sha256,
  });
  for (let length = 0; length < whole.length; length++) {
    assert.equal(decodeColumns(whole.subarray(0, length)), undefined);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => decodeColumns(bytes) === undefined));
});

/** Reads the models like a publish: with the cache of the last one, which it saves again. */
async function readOnce(models: string, clock: FakeClock, onOpen: () => void = () => {}): Promise<ModelSet> {
  const cache = StatCache.ofPublished(openStore(Deno, { modelsDir: models }));
  const fs = {
    ...Deno,
    open: (...args: Parameters<typeof Deno.open>) => {
      onOpen();
      return Deno.open(...args);
    },
  };
  const set = await readModelSet(testContext({ clock, fs }), models, cache);
  cache.save();
  return set;
}

Deno.test("readModelSet() opens no file of an unchanged folder", async () => {
  using dir = tempDir();
  const models = `${dir.path}/models`;
  writeFiles(models, { "a.onnx": "one", "b/c.onnx": "two" });
  const first = await readOnce(models, LATER);
  const second = await readOnce(models, LATER, () => assert.fail("a file was opened"));
  assert.equal(second.digest, first.digest);
  assert.deepEqual(
    second.files.map(({ path, sha256 }) => [path, sha256]),
    first.files.map(({ path, sha256 }) => [path, sha256]),
  );
});

Deno.test("readModelSet() notices changes of content, names and folders, and swapped files", async () => {
  const changes: Readonly<Record<string, (models: string) => void>> = {
    "content of another size": (models) => writeFiles(models, { "a.onnx": "longer" }),
    "content of the same size": (models) => writeFiles(models, { "a.onnx": "eno" }),
    "a new file": (models) => writeFiles(models, { "b/new.onnx": "new" }),
    "a new folder": (models) => writeFiles(models, { "d/new.onnx": "new" }),
    "a removed file": (models) => Deno.removeSync(`${models}/b/c.onnx`),
    "a renamed file": (models) => Deno.renameSync(`${models}/a.onnx`, `${models}/z.onnx`),
    "two files that changed places": (models) => {
      Deno.renameSync(`${models}/a.onnx`, `${models}/t`);
      Deno.renameSync(`${models}/b/c.onnx`, `${models}/a.onnx`);
      Deno.renameSync(`${models}/t`, `${models}/b/c.onnx`);
    },
    "a file replaced by one of equal size and time": (models) => {
      const { mtime } = Deno.statSync(`${models}/a.onnx`);
      assert.ok(mtime);
      Deno.writeTextFileSync(`${models}/../new`, "eno");
      Deno.utimeSync(`${models}/../new`, mtime, mtime);
      Deno.renameSync(`${models}/../new`, `${models}/a.onnx`);
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    using dir = tempDir();
    const models = `${dir.path}/models`;
    writeFiles(models, { "a.onnx": "one", "b/c.onnx": "two" });
    ageFiles(models);
    const before = await readOnce(models, LATER);
    change(models);
    const after = await readOnce(models, LATER);
    assert.notEqual(after.digest, before.digest, what);
    Deno.removeSync(`${dir.path}/.model-sync/stat_cache`, { recursive: true });
    assert.equal((await readOnce(models, LATER)).digest, after.digest, `${what}: with and without a cache`);
  }
});

Deno.test("readModelSet() hashes a file again that was written a moment before it was hashed", async () => {
  using dir = tempDir();
  const models = `${dir.path}/models`;
  writeFiles(models, { "a.onnx": "one" });
  const written = Deno.statSync(`${models}/a.onnx`).mtime?.toISOString() ?? "";
  await readOnce(models, new FakeClock(written));
  let opened = 0;
  await readOnce(models, LATER, () => opened++);
  assert.equal(opened, 1);
});

Deno.test("readModelSet() forgets files that are gone", async () => {
  using dir = tempDir();
  const models = `${dir.path}/models`;
  writeFiles(models, { "a.onnx": "one", "b.onnx": "two" });
  ageFiles(models);
  const info = Deno.lstatSync(`${models}/b.onnx`);
  const isKnown = () =>
    StatCache.ofPublished(openStore(Deno, { modelsDir: models })).find("b.onnx", info) !== undefined;
  await readOnce(models, LATER);
  assert.ok(isKnown());
  Deno.removeSync(`${models}/b.onnx`);
  await readOnce(models, LATER);
  assert.ok(!isKnown());
});

Deno.test("a digest is found by size, mtime and inode, and that of a mirrored file by ctime, too", () => {
  using dir = tempDir();
  writeFiles(dir.path, { "a.onnx": "one" });
  const store = openStore(Deno, { modelsDir: `${dir.path}/models` });
  const info = Deno.lstatSync(`${dir.path}/a.onnx`);
  const at = (time: Date | null, by: number) => new Date((time?.getTime() ?? 0) + by);
  const digest = "ab".repeat(32);
  const caches = {
    mirrored: () => StatCache.ofModels(store),
    release: () => StatCache.ofRelease(store, `sha256:${digest}`),
  };
  for (const [name, open] of Object.entries(caches)) {
    const cache = open();
    cache.rememberOwn("a.onnx", info, digest);
    assert.equal(open().find("a.onnx", info), undefined);
    cache.save();
    assert.equal(open().find("a.onnx", info), digest);
    const others = [
      { ...info, size: info.size + 1 },
      { ...info, mtime: at(info.mtime, 1) },
      { ...info, ino: (info.ino ?? 0) + 1 },
    ];
    for (const other of others) assert.equal(open().find("a.onnx", other), undefined);
    const linked = open().find("a.onnx", { ...info, ctime: at(info.ctime, 1) });
    assert.equal(linked, name === "release" ? digest : undefined);
    cache.forget("a.onnx");
    cache.save();
    assert.equal(open().find("a.onnx", info), undefined);
  }
});

Deno.test("a digest is remembered from 50 ms after the last change on, and from 2.5 s after one in a whole second", () => {
  using dir = tempDir();
  writeFiles(dir.path, { "a.onnx": "one" });
  const cache = StatCache.ofModels(openStore(Deno, { modelsDir: `${dir.path}/models` }));
  const found = Deno.lstatSync(`${dir.path}/a.onnx`);
  const digest = "ab".repeat(32);
  const cases = [["2026-01-01T00:00:00.123Z", 50], ["2026-01-01T00:00:00.000Z", 2_500]] as const;
  for (const [written, settledMs] of cases) {
    const info = { ...found, mtime: new Date(written) };
    for (const age of [settledMs, settledMs - 1, -settledMs, 1 - settledMs]) {
      // An earlier digest is forgotten.
      cache.rememberOwn("a.onnx", info, "cd".repeat(32));
      const now = new Date(info.mtime.getTime() + age).toISOString();
      cache.remember("a.onnx", info, digest, new FakeClock(now));
      const wanted = Math.abs(age) === settledMs ? digest : undefined;
      assert.equal(cache.find("a.onnx", info), wanted, `${written} ${age}`);
    }
  }
});
