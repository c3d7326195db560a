import assert from "node:assert/strict";
import fc from "fast-check";
import { spawnSync } from "node:child_process";
import * as z from "zod";
import { FolderIndex } from "../../lib/git/folder_index.ts";
import { encodeIndex, type IndexEntry } from "../../lib/git/index_file.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { StateFile } from "../../lib/core/state_file.ts";
import {
  findChangedFiles,
  findModelFiles,
  hashModelFiles,
  NO_CACHE,
  readModelSet,
} from "../../lib/release/model_set.ts";
import { isUnchanged } from "../../lib/release/rescan_folder.ts";
import { compareUtf8, portablePathProblem } from "../../lib/core/portable_path.ts";
import { damage } from "../helpers/damage.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { ageFiles, memoryDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { anyCharacter } from "../helpers/any_character.ts";

/** A time long after the test's files were written. */
const LATER = new FakeClock("2100-01-01T00:00:00Z");

// Windows has no folder memory: every publish there checks each file itself.
const HAS_MEMORY = Deno.build.os !== "windows";

/** Returns the digest of an unchanged folder. */
async function findUnchanged(memory: FolderIndex, models: string): Promise<string | undefined> {
  const changes = await memory.findChanges(models);
  return changes !== undefined && isUnchanged(changes) ? changes.remembered.digest : undefined;
}

/** A folder that was scanned and remembered. */
async function remembered(root: string, clock = LATER) {
  const models = `${root}/models`;
  writeFiles(models, { "a.onnx": "one", "b/c.onnx": "two", "empty.json": "" });
  ageFiles(models);
  Deno.mkdirSync(`${root}/state`);
  const context = testContext({ clock });
  const memory = new FolderIndex(context, `${root}/state`);
  const set = await readModelSet(context, models, NO_CACHE, memory);
  return { models, memory, digest: set.digest };
}

Deno.test({
  name: "FolderIndex knows a folder that is as it was, and looks at no byte of it",
  ignore: !HAS_MEMORY,
  async fn() {
    using dir = memoryDir();
    const { models, memory, digest } = await remembered(dir.path);
    // The index has wrong object names on purpose: if git read the files, it would report changes.
    const changes = await memory.findChanges(models);
    assert.deepEqual(changes?.remembered, { digest, files: 3, bytes: 6, sizeMax: 3 });
    assert.ok(isUnchanged(changes));
  },
});

Deno.test({
  name: "after the largest file has become small, its old size bounds the others until all files are listed",
  ignore: !HAS_MEMORY,
  async fn() {
    using dir = memoryDir();
    const { models, memory } = await remembered(dir.path);
    const context = testContext({ clock: LATER });
    const sizeMaxAfter = async (content: string, isListed: boolean) => {
      writeFiles(models, { "a.onnx": content });
      const changes = await memory.findChanges(models);
      const found = changes && await findChangedFiles(context, models, changes);
      assert.ok(found !== undefined);
      const set = await hashModelFiles(context, models, found, NO_CACHE);
      if (isListed) assert.equal(set.files.length, 3);
      await memory.remember(found, set);
      return (await memory.findChanges(models))?.remembered.sizeMax;
    };
    assert.equal(await sizeMaxAfter("the largest", false), 11);
    assert.equal(await sizeMaxAfter("1", false), 11);
    assert.equal(await sizeMaxAfter("22", true), 3);
  },
});

Deno.test({
  name: "FolderIndex notices whatever changes: content, names, folders, a file in another's place",
  ignore: !HAS_MEMORY,
  async fn() {
    const changes: Readonly<Record<string, (models: string) => void>> = {
      "content of another size": (models) => writeFiles(models, { "a.onnx": "longer" }),
      "content of the same size": (models) => writeFiles(models, { "a.onnx": "eno" }),
      "content where there was none": (models) => writeFiles(models, { "empty.json": "{}" }),
      "no content where there was some": (models) => Deno.truncateSync(`${models}/a.onnx`),
      "a new file": (models) => writeFiles(models, { "b/new.onnx": "new" }),
      "a new folder": (models) => writeFiles(models, { "d/new.onnx": "new" }),
      "a removed file": (models) => Deno.removeSync(`${models}/b/c.onnx`),
      "a renamed file": (models) => Deno.renameSync(`${models}/a.onnx`, `${models}/z.onnx`),
      "a file that became a link": (models) => {
        Deno.renameSync(`${models}/a.onnx`, `${models}/../a.onnx`);
        Deno.symlinkSync("../a.onnx", `${models}/a.onnx`);
      },
      "a file replaced by one of equal size and time": (models) => {
        const { mtime } = Deno.statSync(`${models}/a.onnx`);
        assert.ok(mtime);
        Deno.writeTextFileSync(`${models}/../new`, "eno");
        Deno.utimeSync(`${models}/../new`, mtime, mtime);
        Deno.renameSync(`${models}/../new`, `${models}/a.onnx`);
      },
      "another folder in its place": (models) => {
        Deno.renameSync(models, `${models}-old`);
        writeFiles(models, { "a.onnx": "one", "b/c.onnx": "two", "empty.json": "" });
      },
      "no folder any more": (models) => Deno.removeSync(models, { recursive: true }),
    };
    for (const [what, change] of Object.entries(changes)) {
      using dir = memoryDir();
      const { models, memory, digest } = await remembered(dir.path);
      assert.equal(await findUnchanged(memory, models), digest, what);
      change(models);
      assert.equal(await findUnchanged(memory, models), undefined, what);
    }
  },
});

Deno.test({
  name:
    "FolderIndex knows nothing if a pipe, for whose writer git would wait, is in the place of a file, and replaces it",
  ignore: !HAS_MEMORY,
  async fn() {
    for (const name of ["HEAD", "index", "folder.json"]) {
      using dir = memoryDir();
      const { models, memory, digest } = await remembered(dir.path);
      damage(`${dir.path}/state/folder_index/${name}`, "a named pipe");
      assert.equal(await findUnchanged(memory, models), undefined, name);
      await readModelSet(testContext({ clock: LATER }), models, NO_CACHE, memory);
      assert.equal(await findUnchanged(memory, models), digest, name);
    }
  },
});

Deno.test({
  name: "FolderIndex counts what was written a moment before as changed",
  ignore: !HAS_MEMORY,
  async fn() {
    using dir = memoryDir();
    const { models, memory } = await remembered(dir.path, new FakeClock(new Date().toISOString()));
    const changes = await memory.findChanges(models);
    // The files' times are old, but not the times at which their attributes changed.
    assert.deepEqual([...changes?.files ?? []].sort(), ["a.onnx", "b/c.onnx", "empty.json"]);
    assert.deepEqual([...changes?.folders ?? []].sort(), ["", "b"]);
  },
});

Deno.test({
  name:
    "FolderIndex finds the files in a folder whose parent was replaced, also if both were made at the same time",
  ignore: !HAS_MEMORY,
  async fn() {
    using dir = memoryDir();
    const models = `${dir.path}/models`;
    writeFiles(models, {
      "v1/weights/a.onnx": "one",
      "v2/weights/a.onnx": "two",
      "v2/weights/b.onnx": "two",
    });
    Deno.mkdirSync(`${dir.path}/state`);
    // An archive is unpacked faster than the clock of most file systems ticks.
    const time = new Date("2026-01-01T00:00:00Z");
    const fs: FileSystem = {
      ...Deno,
      lstatSync: (path) => {
        const info = Deno.lstatSync(path);
        return String(path).endsWith("/weights") ? { ...info, mtime: time, ctime: time } : info;
      },
    };
    const context = testContext({ clock: LATER, fs });
    const memory = new FolderIndex(context, `${dir.path}/state`);
    await readModelSet(context, models, NO_CACHE, memory);
    Deno.renameSync(`${models}/v1`, `${dir.path}/v1`);
    Deno.renameSync(`${models}/v2`, `${models}/v1`);
    const changes = await memory.findChanges(models);
    assert.ok(changes);
    const found = await findChangedFiles(context, models, changes);
    const set = found && await hashModelFiles(context, models, found, NO_CACHE);
    assert.deepEqual(set?.files.map(({ path }) => path), ["v1/weights/a.onnx", "v1/weights/b.onnx"]);
  },
});

Deno.test({
  name: "FolderIndex knows nothing if a damaged entry of its index would hide a change",
  ignore: !HAS_MEMORY,
  async fn() {
    using dir = memoryDir();
    const { models, memory } = await remembered(dir.path);
    const index = `${dir.path}/state/folder_index/index`;
    const bytes = Deno.readFileSync(index);
    // Git does not examine files with the highest bit of the flags, which are before the name.
    const flags = new TextDecoder("latin1").decode(bytes).indexOf("a.onnx") - 2;
    bytes.set([(bytes[flags] ?? 0) | 0x80], flags);
    Deno.writeFileSync(index, bytes);
    writeFiles(models, { "a.onnx": "a longer text" });
    assert.equal(await memory.findChanges(models), undefined);
  },
});

Deno.test({
  name:
    "FolderIndex counts what was written a moment before the folder was listed as changed, however long reading took",
  ignore: !HAS_MEMORY,
  async fn() {
    using dir = memoryDir();
    const clock = new FakeClock(new Date().toISOString());
    const models = `${dir.path}/models`;
    writeFiles(models, { "a.onnx": "one" });
    Deno.mkdirSync(`${dir.path}/state`);
    const context = testContext({ clock });
    const memory = new FolderIndex(context, `${dir.path}/state`);
    assert.equal(await memory.findChanges(models), undefined);
    const found = findModelFiles(context, models);
    clock.advance(60_000);
    await hashModelFiles(context, models, found, NO_CACHE, { memory });
    // Git reads files that are as new as its index, and may compare whole seconds of others.
    const index = `${dir.path}/state/folder_index/index`;
    const later = Date.now() / 1000 + 60;
    Deno.utimeSync(index, later, later);
    writeFiles(models, { "a.onnx": "eno" });
    const changes = await memory.findChanges(models);
    assert.deepEqual([...changes?.files ?? []], ["a.onnx"]);
    assert.deepEqual([...changes?.folders ?? []], [""]);
  },
});

Deno.test({
  name: "FolderIndex trusts neither an index without its notes, nor notes without their index, nor damage",
  ignore: !HAS_MEMORY,
  async fn() {
    const damages: Readonly<Record<string, (state: string, other: string) => void>> = {
      "the index of another run": (state, other) => Deno.copyFileSync(`${other}/index`, `${state}/index`),
      "the notes of another run": (state, other) =>
        Deno.copyFileSync(`${other}/folder.json`, `${state}/folder.json`),
      "no index": (state) => Deno.removeSync(`${state}/index`),
      "an empty index": (state) => Deno.truncateSync(`${state}/index`),
      "half an index": (state) => Deno.truncateSync(`${state}/index`, 60),
      "torn notes": (state) => Deno.truncateSync(`${state}/folder.json`, 40),
      "the notes of another version, whose rules for names may differ": (state) => {
        const notes = new StateFile(Deno, `${state}/folder.json`, z.looseObject({}), { hasChecksum: true });
        const read = notes.read();
        assert.ok(read.kind === "found");
        notes.replace({ ...read.value, version: "0.0.1" });
      },
      "no HEAD": (state) => Deno.removeSync(`${state}/HEAD`),
    };
    for (const [what, damage] of Object.entries(damages)) {
      using dir = memoryDir();
      using otherDir = memoryDir();
      const { models, memory } = await remembered(dir.path);
      await remembered(otherDir.path);
      damage(`${dir.path}/state/folder_index`, `${otherDir.path}/state/folder_index`);
      assert.equal(await findUnchanged(memory, models), undefined, what);
    }
  },
});

Deno.test({
  name:
    "FolderIndex does not trust notes in which a byte of a folder's path is damaged: its new files would not be found",
  ignore: !HAS_MEMORY,
  async fn() {
    using dir = memoryDir();
    const { models, memory } = await remembered(dir.path);
    const path = `${dir.path}/state/folder_index/folder.json`;
    const notes = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, notes.replace('["b",', '["c",'));
    assert.notEqual(Deno.readTextFileSync(path), notes);
    assert.equal(await memory.findChanges(models), undefined);
  },
});

/** Git reads files that are as new as its index. */
function ageNewFiles(folder: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) ageNewFiles(path);
    else if (Date.now() - (Deno.statSync(path).mtime?.getTime() ?? 0) < 60_000) {
      Deno.utimeSync(path, 1_700_000_000, 1_700_000_000);
    }
  }
}

/** Changes of a folder with `a.onnx`, `b/c.onnx` and `empty.json`. */
const CHANGES: Readonly<Record<string, (models: string) => void>> = {
  "no change": () => {},
  "other content": (models) => writeFiles(models, { "a.onnx": "eno" }),
  "a new file": (models) => writeFiles(models, { "b/new.onnx": "new", "b/.DS_Store": "clutter" }),
  "a new file, first of all": (models) => writeFiles(models, { "0.onnx": "new" }),
  "new folders": (models) =>
    writeFiles(models, { "d/e/f/new.onnx": "new", "d/__pycache__/x.pyc": "clutter" }),
  "a removed file": (models) => Deno.removeSync(`${models}/a.onnx`),
  "a removed folder": (models) => Deno.removeSync(`${models}/b`, { recursive: true }),
  "a renamed folder": (models) => Deno.renameSync(`${models}/b`, `${models}/z`),
  "a folder in place of a file": (models) => {
    Deno.removeSync(`${models}/a.onnx`);
    writeFiles(models, { "a.onnx/new.onnx": "new" });
  },
  "a file in place of a folder": (models) => {
    Deno.removeSync(`${models}/b`, { recursive: true });
    writeFiles(models, { "b": "new" });
  },
  "another folder in its place": (models) => {
    Deno.renameSync(models, `${models}-old`);
    writeFiles(models, { "a.onnx": "two", "b/d.onnx": "two" });
  },
};

Deno.test({
  name: "a folder of which FolderIndex knows the rest is read as without it, and remembered as without it",
  ignore: !HAS_MEMORY,
  async fn() {
    for (const [what, change] of Object.entries(CHANGES)) {
      using dir = memoryDir();
      using otherDir = memoryDir();
      const { models, memory } = await remembered(dir.path);
      const context = testContext({ clock: LATER });
      change(models);
      ageNewFiles(models);
      const changes = await memory.findChanges(models);
      assert.ok(changes, what);
      const found = await findChangedFiles(context, models, changes);
      assert.ok(found, what);
      const set = await hashModelFiles(context, models, found, NO_CACHE, { memory });
      Deno.mkdirSync(`${otherDir.path}/state`);
      const whole = await readModelSet(
        context,
        models,
        NO_CACHE,
        new FolderIndex(context, `${otherDir.path}/state`),
      );
      const files = set.files.map(({ path, size, sha256, location }) => ({ path, size, sha256, location }));
      assert.deepEqual([set.digest, files], [whole.digest, whole.files], what);
      for (const name of ["index", "digests"]) {
        assert.deepEqual(
          Deno.readFileSync(`${dir.path}/state/folder_index/${name}`),
          Deno.readFileSync(`${otherDir.path}/state/folder_index/${name}`),
          `${what}: ${name}`,
        );
      }
      assert.equal(await findUnchanged(memory, models), whole.digest, what);
    }
  },
});

Deno.test({
  name: "a publish knows what it needs of the files that did not change without a list of them",
  ignore: !HAS_MEMORY,
  async fn() {
    for (const [what, change] of Object.entries(CHANGES)) {
      using dir = memoryDir();
      const { models, memory } = await remembered(dir.path);
      const context = testContext({ clock: LATER });
      change(models);
      const changes = await memory.findChanges(models);
      assert.ok(changes, what);
      const readFiles = async () => {
        const files = await changes.readFiles();
        assert.ok(files, what);
        return Object.assign(files, { files: () => assert.fail(`${what}: all files are listed`) });
      };
      const found = await findChangedFiles(context, models, { ...changes, readFiles });
      assert.ok(found, what);
      const set = await hashModelFiles(context, models, found, NO_CACHE, { memory });
      const whole = await readModelSet(context, models, NO_CACHE);
      assert.deepEqual(
        [set.digest, set.totals.files, set.totals.bytes],
        [whole.digest, whole.totals.files, whole.totals.bytes],
        what,
      );
      assert.ok(set.totals.sizeMax >= whole.totals.sizeMax, what);
      for (const count of [1, 2, 9]) assert.deepEqual(set.firstFiles(count), whole.firstFiles(count), what);
      for (const end of [".onnx", "b/c.onnx", ".json", "c"]) {
        const ending = set.since?.findEnding([end]).sort((a, b) => compareUtf8(a.path, b.path));
        assert.deepEqual(ending, whole.files.filter(({ path }) => path.endsWith(end)), what);
      }
    }
  },
});

Deno.test({
  name: "FolderIndex reads the files of a folder only from the whole lines of its release",
  ignore: !HAS_MEMORY,
  async fn() {
    const others: Readonly<Record<string, (path: string, text: string) => void>> = {
      "a wrong size": (path, text) => Deno.writeTextFileSync(path, text.replace("  3  ", "  4  ")),
      "a line less": (path, text) => Deno.writeTextFileSync(path, text.slice(text.indexOf("\n") + 1)),
      "a folder": (path) => Deno.mkdirSync(path),
      "a link to itself": (path) => Deno.symlinkSync("digests", path),
      "nothing": () => {},
    };
    for (const [what, put] of Object.entries(others)) {
      using dir = memoryDir();
      const { models, memory } = await remembered(dir.path);
      const path = `${dir.path}/state/folder_index/digests`;
      const text = Deno.readTextFileSync(path);
      Deno.removeSync(path);
      put(path, text);
      const changes = await memory.findChanges(models);
      assert.ok(changes, what);
      assert.equal(await changes.readFiles(), undefined, what);
    }
  },
});

Deno.test("encodeIndex() writes what git reads back: names, modes, sizes, times", async () => {
  const number = fc.maxSafeNat();
  const entry = fc.record({
    path: fc.string({ unit: anyCharacter, minLength: 1 }).filter((path) =>
      portablePathProblem(path) === undefined
    ),
    mtimeMs: fc.nat({ max: 4e12 }),
    ctimeMs: fc.nat({ max: 4e12 }),
    device: fc.nat(),
    inode: number,
    isExecutable: fc.boolean(),
    uid: fc.nat(),
    gid: fc.nat(),
    size: number,
    object: fc.string({ unit: fc.constantFrom(..."123456789abcdef"), minLength: 40, maxLength: 40 }),
  });
  using dir = memoryDir();
  for (const folder of ["objects", "refs"]) Deno.mkdirSync(`${dir.path}/${folder}`);
  Deno.writeTextFileSync(`${dir.path}/HEAD`, "ref: refs/heads/none\n");
  const entries = fc.uniqueArray(entry, {
    maxLength: 20,
    // A file cannot have the name of a folder.
    selector: ({ path }) => path.split("/")[0],
  });
  await fc.assert(
    fc.asyncProperty(entries, async (unsorted) => {
      const sorted = unsorted.toSorted((a, b) => compareUtf8(a.path, b.path));
      Deno.writeFileSync(`${dir.path}/index`, (await encodeIndex(sorted)).bytes);
      const { stdout, stderr, status } = spawnSync(
        "git",
        [`--git-dir=${dir.path}`, "ls-files", "--stage", "--debug", "-z"],
        { encoding: "utf8", env: { PATH: Deno.env.get("PATH") } },
      );
      assert.equal(status, 0, stderr);
      assert.equal(stdout, sorted.map(debugLine).join(""));
    }),
    { numRuns: 40 },
  );
});

/** An entry as `git ls-files --stage --debug -z` prints it. */
function debugLine(entry: IndexEntry): string {
  const { path, isExecutable, size, device, inode, uid, gid } = entry;
  const object = size === 0 ? "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391" : entry.object;
  const time = (timeMs: number) => `${Math.floor(timeMs / 1000)}:${timeMs % 1000 * 1e6}`;
  const low = (value: number) => Number(BigInt.asUintN(32, BigInt(value)));
  return `${isExecutable ? 100755 : 100644} ${object} 0\t${path}\0` +
    `  ctime: ${time(entry.ctimeMs)}\n  mtime: ${time(entry.mtimeMs)}\n` +
    `  dev: ${low(device)}\tino: ${low(inode)}\n  uid: ${uid}\tgid: ${gid}\n  size: ${low(size)}\tflags: 0\n`;
}
