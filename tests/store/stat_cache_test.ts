import assert from "node:assert/strict";
import fc from "fast-check";
import { concatenate } from "../../lib/core/concatenate.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { createManifest, type ReleaseFile } from "../../lib/release/manifest.ts";
import { type ModelSet, readModelSet } from "../../lib/release/model_set.ts";
import { type CheckDepth, checkFiles } from "../../lib/store/release_files.ts";
import { PathColumn } from "../../lib/store/path_column.ts";
import { stampOf, StatCache } from "../../lib/store/stat_cache.ts";
import {
  decodeColumns,
  encodeColumns,
  findDigestRow,
  findOtherInodes,
  type StatColumns,
} from "../../lib/store/stat_columns.ts";
import { openStore } from "../../lib/store/store.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { ageFiles, memoryDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { osError } from "../helpers/fake_fs.ts";
import { recordedLog, testContext } from "../helpers/test_context.ts";
import { anyCharacter } from "../helpers/any_character.ts";

/** Long after every file that a test writes. */
const LATER = new FakeClock("2100-01-01T00:00:00Z");

/** Returns the whole file of a cache. */
function encode(columns: StatColumns): Uint8Array {
  return concatenate(Array.from(encodeColumns(columns), (piece) => piece.slice()));
}

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
      sha256s: files.map(({ sha256 }) => sha256),
      isWhole: files.length % 2 === 0,
    };
    const decoded = decodeColumns(encode(columns));
    assert.deepEqual(
      decoded && { ...decoded, paths: decoded.paths.list() },
      { ...columns, sha256s: columns.sha256s.join("") },
    );
  }));
});

Deno.test("a column finds the row of each path, in any order and however often, and of no other path", () => {
  const path = fc.string({ unit: fc.constantFrom("a", "b", "/", "é", "𝕏"), minLength: 1, maxLength: 4 });
  fc.assert(fc.property(fc.uniqueArray(path), fc.array(path, { maxLength: 300 }), (paths, asked) => {
    const column = new PathColumn(paths.join("\0"));
    assert.equal(column.count, paths.length);
    assert.deepEqual(column.list(), paths);
    assert.equal(column.joined, paths.join("\0"));
    for (const one of [...paths, ...asked, ...paths, ...paths.toReversed()]) {
      const row = paths.indexOf(one);
      for (const _twice of [1, 2]) assert.equal(column.find(one), row === -1 ? undefined : row);
      assert.equal(column.find(`${one}\0${paths[row + 1] ?? ""}`), undefined);
    }
  }));
});

Deno.test("findDigestRow() finds the row of a digest without reading the other columns, in a list of any length", () => {
  using dir = memoryDir();
  const path = `${dir.path}/cache.bin`;
  // Neighbours contain each other's digits at odd places.
  const digests = Array.from({ length: 5000 }, (_, row) => String(row).padStart(5, "0").padEnd(64, "12"));
  const zeros = new Float64Array(digests.length);
  const paths = digests.map((_, row) => `models/${row}`);
  const whole = encode({
    paths,
    sizes: zeros,
    mtimesMs: zeros,
    ctimesMs: zeros,
    inodes: zeros,
    sha256s: digests,
    isWhole: true,
  });
  assert.deepEqual(decodeColumns(whole)?.paths.list(), paths);
  const find = (bytes: Uint8Array, sha256: string) => {
    Deno.writeFileSync(path, bytes);
    using file = Deno.openSync(path);
    return findDigestRow(file, sha256);
  };
  for (const row of [0, 1, 4095, 4096, 4999]) assert.equal(find(whole, digests[row] ?? ""), row);
  assert.equal(find(whole, "f".repeat(64)), undefined);
  const across = digests.join("").slice(32, 96);
  assert.equal(find(whole, across), undefined);
  assert.equal(find(whole.subarray(0, 200_000), digests[4999] ?? ""), "damaged");
  assert.equal(find(whole.subarray(0, 20), digests[0] ?? ""), "damaged");
  assert.equal(find(new TextEncoder().encode("not a cache at all, but long enough"), ""), "damaged");
});

Deno.test("decodeColumns() returns undefined for any damaged cache, and never throws", () => {
  const sha256 = "a".repeat(64);
  const numbers = Float64Array.from([1]);
  const whole = encode({
    paths: ["a"],
    sizes: numbers,
    mtimesMs: numbers,
    ctimesMs: numbers,
    inodes: numbers,
    sha256s: [sha256],
    isWhole: false,
  });
  for (let length = 0; length < whole.length; length++) {
    assert.equal(decodeColumns(whole.subarray(0, length)), undefined);
  }
  /** The file with other numbers at its start: the magic number, the format, the files, the bytes of their paths. */
  const withHeader = (header: Readonly<Record<number, number>>, bytes = whole) => {
    const copy = bytes.slice();
    const start = new Float64Array(copy.buffer, 0, 4);
    for (const [index, value] of Object.entries(header)) start[Number(index)] = value;
    return decodeColumns(copy);
  };
  assert.ok(withHeader({}) !== undefined);
  const rowBytes = 4 * Float64Array.BYTES_PER_ELEMENT + sha256.length;
  const headers = [{ 0: 1 }, { 1: 1 }, { 2: NaN }, { 2: -1, 3: 1 + 2 * rowBytes }, { 2: 1.5 }, { 3: 1.5 }];
  for (const header of headers) assert.equal(withHeader(header), undefined, JSON.stringify(header));
  assert.equal(withHeader({ 2: 2, 3: -rowBytes + 1 }), undefined);
  // One path for two files.
  const longer = new Uint8Array(whole.length + rowBytes);
  longer.set(whole);
  assert.equal(withHeader({ 2: 2 }, longer.fill("b".charCodeAt(0), -1)), undefined);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => decodeColumns(bytes) === undefined));
});

/** Reads the models like a publish: with the cache of the last one, which it saves again. */
async function readOnce(models: string, clock: FakeClock, onOpen: () => void = () => {}): Promise<ModelSet> {
  const cache = StatCache.ofPublished(openStore(Deno, { modelsDir: models }));
  const fs = {
    ...Deno,
    openSync: (...args: Parameters<typeof Deno.openSync>) => {
      onOpen();
      return Deno.openSync(...args);
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
    cache.rememberOwn("a.onnx", stampOf(info), digest);
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
      cache.rememberOwn("a.onnx", stampOf(info), "cd".repeat(32));
      const now = new Date(info.mtime.getTime() + age).toISOString();
      cache.remember("a.onnx", info, digest, new FakeClock(now));
      const wanted = Math.abs(age) === settledMs ? digest : undefined;
      assert.equal(cache.find("a.onnx", info), wanted, `${written} ${age}`);
    }
  }
});

Deno.test("a cache that cannot be read or written costs time and a warning, never the run; a removed one is gone", () => {
  using dir = tempDir();
  writeFiles(dir.path, { "a.onnx": "one" });
  const log = recordedLog();
  let failure: Error | undefined;
  const openSync: FileSystem["openSync"] = (path, options) => {
    if (failure !== undefined && options?.write === true) throw failure;
    return Deno.openSync(path, options);
  };
  const store = openStore({ ...Deno, openSync }, { modelsDir: `${dir.path}/models` }, log);
  const info = Deno.lstatSync(`${dir.path}/a.onnx`);
  const digest = `sha256:${"ab".repeat(32)}` as const;
  const open = () => StatCache.ofRelease(store, digest);
  const save = () => {
    const cache = open();
    cache.rememberOwn("a.onnx", stampOf(info), "cd".repeat(32));
    cache.save();
  };
  failure = osError("ENOSPC");
  save();
  assert.deepEqual([open().find("a.onnx", info), log.lines], [undefined, []]);
  failure = new TypeError("a bug");
  assert.throws(save, TypeError);
  failure = undefined;
  const path = `${store.statCache}/${"ab".repeat(32)}.bin`;
  Deno.mkdirSync(`${path}/folder`, { recursive: true });
  save();
  assert.deepEqual(log.lines, [
    `warn ${path} cannot be read and is rebuilt: Cannot read ${path}: it is a folder, not a file`,
  ]);
  assert.equal(open().find("a.onnx", info), "cd".repeat(32));
  StatCache.removeOfRelease(store, digest);
  assert.equal(open().find("a.onnx", info), undefined);
});

/** A release in a folder, and its checks on a clock at which its files have settled. */
async function checkedFolder(
  dir: string,
  files: Readonly<Record<string, string>>,
  openSync: FileSystem["openSync"],
) {
  const store = openStore(Deno, { modelsDir: `${dir}/models` });
  writeFiles(`${dir}/release`, files);
  const listed = await Promise.all(
    Object.entries(files).map(async ([path, text]): Promise<ReleaseFile> => ({
      path,
      size: text.length,
      sha256: await sha256Hex(text),
    })),
  );
  const origin = { carrier: "git" } as const;
  const manifest = await createManifest(listed, { sequence: 1, createdAt: "2026-01-01T00:00:00Z", origin });
  const folder = { dir: `${dir}/release`, cache: StatCache.ofModels(store) };
  const context = testContext({ clock: LATER, fs: { ...Deno, openSync } });
  return (depth: CheckDepth, signal = context.signal) =>
    checkFiles({ ...context, signal }, folder, manifest, depth);
}

Deno.test("a check hashes files that may have changed, and every file if asked for the content, until it is stopped", async () => {
  using dir = tempDir();
  let opened = 0;
  const check = await checkedFolder(dir.path, { "a.onnx": "one", "b/c.onnx": "two" }, (path, options) => {
    opened++;
    return Deno.openSync(path, options);
  });
  for (const [depth, hashed] of [["stat", 2], ["stat", 0], ["content", 2], ["stat", 0]] as const) {
    opened = 0;
    assert.deepEqual([await check(depth), opened], [[], hashed]);
  }
  await assert.rejects(check("stat", AbortSignal.abort(new Error("stopped"))), /stopped/);
});

Deno.test("a check of many small files notices an interruption while it hashes them", async () => {
  using dir = memoryDir();
  const names = Array.from({ length: 20 }, (_, index) => `${index}.npy`);
  const stop = new AbortController();
  const checked: string[] = [];
  const check = await checkedFolder(
    dir.path,
    Object.fromEntries(names.map((name) => [name, name])),
    (path, options) => {
      checked.push(String(path));
      setTimeout(() => stop.abort(new Error("stopped")));
      LATER.advance(60);
      return Deno.openSync(path, options);
    },
  );
  await assert.rejects(check("content", stop.signal), /stopped/);
  assert.ok(checked.length < names.length);
});

Deno.test("a check says what is wrong with each file, and an unreadable disk is an error, not a damaged release", async () => {
  using dir = tempDir();
  const names = ["changed", "folder", "gone", "link", "longer", "missing"];
  const files = Object.fromEntries(names.map((name) => [name, "one"]));
  const release = `${dir.path}/release`;
  let isBroken = false;
  const check = await checkedFolder(dir.path, files, (path, options) => {
    if (isBroken) throw osError("EIO");
    if (String(path).endsWith("gone")) Deno.removeSync(path);
    return Deno.openSync(path, options);
  });
  for (const name of ["folder", "link", "missing"]) Deno.removeSync(`${release}/${name}`);
  writeFiles(release, { "changed": "two", "longer": "one more", "x.y": "one" });
  Deno.mkdirSync(`${release}/folder`);
  // A link of the file's size, to a file with its content.
  Deno.symlinkSync("x.y", `${release}/link`);
  assert.deepEqual((await check("stat")).map(({ path, problem }) => `${path} ${problem}`), [
    `changed has SHA-256 ${await sha256Hex("two")}, manifest says ${await sha256Hex("one")}`,
    "folder is not a file any more",
    "gone is missing",
    "link is not a file any more",
    "longer is 8 bytes, manifest says 3",
    "missing is missing",
  ]);
  isBroken = true;
  await assert.rejects(check("content"), { code: "DISK", exitCode: 7, message: /^Cannot read .*changed: / });
});

Deno.test("findOtherInodes() finds what other inodes at the same paths are, and nothing in lists of other paths or damage", () => {
  using dir = memoryDir();
  const find = (own: Uint8Array, other: Uint8Array) => {
    const [one, two] = [`${dir.path}/own.bin`, `${dir.path}/other.bin`];
    Deno.writeFileSync(one, own);
    Deno.writeFileSync(two, other);
    using ownFile = Deno.openSync(one);
    using otherFile = Deno.openSync(two);
    return findOtherInodes(ownFile, otherFile);
  };
  const columns = (inodes: readonly number[], paths = ["a", "b/c", "é"]) => {
    const column = () => new Float64Array(paths.length);
    const sha256s = ["a".repeat(64 * paths.length)];
    return encode({
      paths,
      sizes: column(),
      mtimesMs: column(),
      ctimesMs: column(),
      inodes: Float64Array.from(inodes),
      sha256s,
      isWhole: true,
    });
  };
  const own = columns([1, 2, 3]);
  assert.deepEqual(find(own, columns([1, 2, 3])), { paths: [], count: 3 });
  assert.deepEqual(find(own, columns([1, 9, 9])), { paths: ["b/c", "é"], count: 3 });
  assert.deepEqual(find(columns([0, 2, 3]), columns([0, 2, 3])), { paths: ["a"], count: 3 });
  for (
    const other of [
      columns([1, 2, 3], ["a", "b/d", "é"]),
      columns([1, 2], ["a", "b/c"]),
      own.slice(1),
      own.slice(0, -1),
    ]
  ) {
    assert.equal(find(own, other), undefined);
    assert.equal(find(other, own), undefined);
  }
});
