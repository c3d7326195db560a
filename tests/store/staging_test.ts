import assert from "node:assert/strict";
import { join } from "node:path";
import { CHUNKED_FILE_BYTES_MIN } from "../../lib/core/hash.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type Manifest, type ReleaseFile, releaseFile } from "../../lib/release/manifest.ts";
import { restorePointer, setPointers } from "../../lib/store/pointers.ts";
import {
  installRelease,
  listReleases,
  releaseDir,
  releaseDirName,
  removeRelease,
} from "../../lib/store/releases.ts";
import { SPARE_BYTES } from "../../lib/store/require_space.ts";
import { Staging } from "../../lib/store/staging.ts";
import { stampOf, StatCache } from "../../lib/store/stat_cache.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import {
  machine,
  newTrainer,
  publishFrom,
  pulledReleases,
  pullTo,
  registryOf,
  storeOf,
} from "../helpers/machines.ts";
import { WHOLE_DISK_FILES_MIN } from "../../lib/core/sync_files.ts";
import type { SpawnProcess } from "../../lib/core/subprocess.ts";
import { countingFs, countingSpawn } from "../helpers/counting_fs.ts";
import { memoryDir, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { osError } from "../helpers/fake_fs.ts";

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function manifestOf(files: readonly ReleaseFile[]): Promise<Manifest> {
  const origin = { carrier: "local" } as const;
  return await createManifest(files, { sequence: 1, createdAt: "2026-01-01T00:00:00Z", origin });
}

/** Installs a release of one file through staging. */
async function install(store: Store, path: string, text: string): Promise<Manifest> {
  await using staging = new Staging(testContext({ fs: store.fs }), store, "earlier");
  const file = await staging.write(path, [encoded(text)]);
  const manifest = await manifestOf([releaseFile(path, file)]);
  await staging.sync();
  installRelease(store, staging.dir, manifest.digest, formatManifest(manifest));
  return manifest;
}

function modeOf(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o777;
}

Deno.test("a file under a second path is linked, or copied if the disk has no links or is at its limit of links", async () => {
  for (const code of [undefined, "EPERM", "EMLINK", "ENOTSUP"]) {
    using dir = tempDir();
    const fs = countingFs((step) => {
      if (code !== undefined && step.startsWith("link")) throw osError(code);
    });
    const store = openStore(fs, { modelsDir: join(dir.path, "models") });
    await using staging = new Staging(testContext({ fs }), store, "run");
    const first = await staging.write("a.onnx", [new TextEncoder().encode("weights")]);
    await staging.linkStaged("d/b.onnx", first);
    assert.deepEqual(readFiles(staging.dir), { "a.onnx": "weights", "d/b.onnx": "weights" });
    assert.deepEqual(staging.files.map(({ path, sha256 }) => [path, sha256]), [
      ["a.onnx", first.sha256],
      ["d/b.onnx", first.sha256],
    ]);
    const places = ["a.onnx", "d/b.onnx"].map((path) => Deno.statSync(join(staging.dir, path)).ino);
    assert.equal(places[0] === places[1], code === undefined);
  }
});

Deno.test("a file of an installed release is copied where the disk has no links, unless its bytes have changed", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.onnx": "one" }]);
  const sha256 = await sha256Hex("one");
  let isChanged = false;
  const other = join(dir.path, "other");
  Deno.writeTextFileSync(other, "uno");
  const fs: FileSystem = {
    ...Deno,
    linkSync: () => {
      throw osError("EMLINK");
    },
    open: (path, options) => Deno.open(isChanged && options?.write !== true ? other : path, options),
  };
  const context = testContext({ fs });
  await using staging = new Staging(context, storeOf(context, bot), "run");
  assert.equal(await staging.link("b.onnx", sha256), true);
  isChanged = true;
  assert.equal(await staging.link("c.onnx", sha256), false);
  assert.deepEqual(readFiles(staging.dir), { "b.onnx": "one" });
  await assert.rejects(staging.write("b.onnx", []), { code: "DUPLICATE_PATH", exitCode: 5 });
  // The carrier then downloads the file.
  await staging.write("c.onnx", [encoded("two")]);
  assert.deepEqual(staging.files.map(({ path }) => path), ["b.onnx", "c.onnx"]);
});

Deno.test("installed releases are listed newest first: by sequence, then by time", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const releases = [[0, 2], [1, 1], [0, 4], [0, 3]] as const;
  for (const [sequence, day] of releases) {
    await using staging = new Staging(testContext(), store, `run-${day}`);
    const file = await staging.write("a.onnx", [new TextEncoder().encode(String(day))]);
    const manifest = await createManifest([releaseFile("a.onnx", file)], {
      sequence,
      createdAt: `2026-01-0${day}T00:00:00Z`,
      origin: { carrier: "local" },
    });
    installRelease(store, staging.dir, manifest.digest, formatManifest(manifest));
  }
  const listed = listReleases(store).map((
    { manifest: { sequence, createdAt } },
  ) => [sequence, createdAt.at(9)]);
  assert.deepEqual(listed, [[1, "1"], [0, "4"], [0, "3"], [0, "2"]]);
});

Deno.test("a power cut loses nothing that a pointer names: everything is on the disk before it, and gone only after it", async () => {
  using dir = tempDir();
  const steps: string[] = [];
  let hex = "";
  const fs = countingFs((step) => void (/^(sync|rename|remove)/.test(step) && steps.push(step)));
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  /** Returns the new steps, with short paths. */
  const taken = () =>
    steps.splice(0).map((step) =>
      step.replace("syncSync", "sync").replaceAll(hex, "<digest>").replaceAll(`${store.root}/`, "")
        .replace(store.root, "store")
    );
  taken();
  const { digest } = await install(store, "BTC/a.onnx", "weights");
  hex = releaseDirName(digest);
  setPointers(store, { current: digest }, "symlink");
  assert.deepEqual(taken(), [
    "sync staging/earlier/files/BTC/a.onnx",
    "sync staging/earlier/files/BTC",
    "sync staging/earlier/files",
    "remove releases/<digest>.sig",
    "sync releases/<digest>.json.new",
    "rename releases/<digest>.json.new releases/<digest>.json",
    "remove releases/<digest>",
    "rename staging/earlier/files releases/<digest>",
    "sync releases",
    "remove staging/earlier",
    "remove current.new",
    "rename current.new current",
    "sync store",
  ]);
  restorePointer(store, "current", undefined, "symlink");
  await removeRelease(store, digest);
  assert.deepEqual(taken(), [
    "remove current",
    "sync store",
    "remove releases/<digest>.json",
    "remove releases/<digest>.sig",
    "remove releases/<digest>",
    "sync releases",
  ]);
});

Deno.test("content that the store holds becomes a link, or a read-only file on the disk where links do not work", async () => {
  for (const code of [undefined, "EMLINK"]) {
    using dir = tempDir();
    const steps: string[] = [];
    const fs = countingFs((step) => {
      steps.push(step);
      if (code !== undefined && step.startsWith("link")) throw osError(code);
    });
    const store = openStore(fs, { modelsDir: join(dir.path, "models") });
    const held = await install(store, "a.onnx", "weights");
    steps.length = 0;
    {
      await using staging = new Staging(testContext({ fs }), store, "run");
      const path = join(staging.dir, "b.onnx");
      const file = await staging.write("b.onnx", [encoded("weights")]);
      assert.deepEqual(readFiles(staging.dir), { "b.onnx": "weights" });
      const other = join(releaseDir(store, held.digest), "a.onnx");
      const isLinked = Deno.statSync(path).ino === Deno.statSync(other).ino;
      assert.deepEqual([isLinked, file.how], code === undefined ? [true, "linked"] : [false, "written"]);
      assert.ok(isLinked || steps.includes(`sync ${path}`));
      if (Deno.build.os !== "windows") assert.equal(modeOf(path), 0o444);
    }
    assert.deepEqual([...Deno.readDirSync(store.staging)], []);
  }
});

Deno.test("a broken disk fails a link, and is not worked around by a copy", async () => {
  using dir = tempDir();
  let isBroken = false;
  const fs = countingFs((step) => {
    if (isBroken && step.startsWith("link")) throw osError("EIO");
  });
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  const { files: [held] } = await install(store, "a.onnx", "weights");
  await using staging = new Staging(testContext({ fs }), store, "run");
  const staged = await staging.write("new.onnx", [encoded("new")]);
  isBroken = true;
  const broken = (message: RegExp) => ({ code: "DISK", exitCode: 7, message });
  await assert.rejects(
    staging.link("b.onnx", held?.sha256 ?? ""),
    broken(/^Cannot link b\.onnx in the store/),
  );
  await assert.rejects(staging.linkStaged("c.onnx", staged), broken(/^Cannot link c\.onnx to new\.onnx/));
  await assert.rejects(staging.write("d.onnx", [encoded("weights")]), broken(/^Cannot write d\.onnx/));
  isBroken = false;
  assert.deepEqual(readFiles(staging.dir), { "new.onnx": "new" });
  // The carrier tries again.
  assert.equal((await staging.write("d.onnx", [encoded("weights")])).how, "linked");
});

Deno.test("a download that breaks or is stopped leaves its path free for another attempt", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const stop = new AbortController();
  await using staging = new Staging(testContext({ signal: stop.signal }), store, "run");
  const breaking = function* () {
    yield encoded("wei");
    throw new Error("broken connection");
  };
  await assert.rejects(staging.write("a.onnx", breaking()), /broken connection/);
  await staging.write("a.onnx", [encoded("weights")]);
  const stopped = function* () {
    yield encoded("wei");
    stop.abort(new Error("stopped"));
    yield encoded("ghts");
  };
  await assert.rejects(staging.write("b.onnx", stopped()), /stopped/);
  assert.deepEqual(readFiles(staging.dir), { "a.onnx": "weights" });
});

/** Returns a program's start that reports its title, and that ends with this exit code. */
function ending(code: number, onStart: (title: string | undefined) => void): SpawnProcess {
  return ({ title }) => {
    onStart(title);
    return { stdout: (async function* () {})(), exit: Promise.resolve({ code, stderr: "" }) };
  };
}

Deno.test("small files are synced together before their release is installed: many by one call where the disk can", async () => {
  const syncsOf = async (files: number, exitCode: number) => {
    using dir = memoryDir();
    const steps: string[] = [];
    const fs = countingFs((step) =>
      void (/^(sync|rename)/.test(step) && steps.push(step.split(" ")[0] ?? ""))
    );
    const store = openStore(fs, { modelsDir: join(dir.path, "models") });
    steps.length = 0;
    const spawn = ending(exitCode, (title) => void steps.push(`run ${title}`));
    await using staging = new Staging(testContext({ fs, spawn }), store, "run");
    for (let index = 0; index < files; index++) {
      await staging.writeSmall(`d/${index}.npy`, encoded(`weights ${index}`));
    }
    assert.deepEqual(steps, []);
    await staging.sync();
    const first = steps.splice(0);
    await staging.sync();
    assert.deepEqual(steps, []);
    return first;
  };
  // The files, their folder and the folder above it.
  const each = (files: number) => [...Array(files).fill("sync"), "syncSync", "syncSync"];
  const few = WHOLE_DISK_FILES_MIN - 3;
  assert.deepEqual(await syncsOf(few, 0), each(few));
  const whole = Deno.build.os === "linux" ? ["run sync"] : [];
  if (whole.length > 0) assert.deepEqual(await syncsOf(few + 1, 0), whole);
  assert.deepEqual(await syncsOf(few + 1, 1), [...whole, ...each(few + 1)]);
});

Deno.test("a first pull syncs many files together before its release is in the store", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path);
  const files = Array.from(
    { length: WHOLE_DISK_FILES_MIN },
    (_, index) => [`d${index % 8}/${index}`, `${index}`],
  );
  writeFiles(trainer.modelsDir, Object.fromEntries(files));
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  const steps: string[] = [];
  const onStep = (step: string) => void steps.push(step);
  const spawn: SpawnProcess = (request) =>
    request.title === "sync"
      ? ending(0, () => onStep("whole disk"))(request)
      : countingSpawn(onStep)(request);
  await pullTo(testContext({ fs: countingFs(onStep), spawn }), bot);
  const inStaging = steps.filter((step) => /^(sync|syncSync|chmod) .*\/staging\/[^/]+\/files\b/.test(step));
  assert.deepEqual(inStaging, []);
  const synced = steps.indexOf("whole disk");
  const installed = steps.findIndex((step) => /^rename .*\/files .*\/releases\//.test(step));
  assert.ok(synced > 0 && synced < installed);
  assert.equal(steps.lastIndexOf("whole disk"), synced);
  assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
});

Deno.test("a small file of a full disk leaves nothing, and is readable by everybody whatever the umask", async () => {
  using dir = memoryDir();
  let code: string | undefined;
  const fs = countingFs((step) => {
    if (code !== undefined && step.startsWith("writeSync")) throw osError(code);
  });
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  const masked: FileSystem = {
    ...fs,
    openSync: (path, options) => fs.openSync(path, { ...options, mode: 0o400 }),
  };
  await using staging = new Staging(testContext({ fs }), { ...store, fs: masked }, "run");
  code = "ENOSPC";
  await assert.rejects(staging.writeSmall("a.npy", encoded("weights")), { code: "DISK", exitCode: 7 });
  assert.deepEqual(readFiles(staging.dir), {});
  code = undefined;
  assert.equal((await staging.writeSmall("a.npy", encoded("weights"))).sha256, await sha256Hex("weights"));
  if (Deno.build.os !== "windows") assert.equal(modeOf(join(staging.dir, "a.npy")), 0o444);
});

Deno.test("a flush that fails while a large file is staged fails the staging", async () => {
  using dir = tempDir();
  const failing = () => Promise.reject(osError("EIO"));
  const open: FileSystem["open"] = async (path, options) =>
    Object.assign(await Deno.open(path, options), { syncData: failing });
  const store = openStore({ ...Deno, open }, { modelsDir: join(dir.path, "models") });
  await using staging = new Staging(testContext({ fs: store.fs }), store, "run");
  const pieces = Array.from({ length: 64 }, () => new Uint8Array(1024 * 1024));
  await assert.rejects(staging.write("a.onnx", pieces), { code: "DISK", exitCode: 7 });
  assert.deepEqual(readFiles(staging.dir), {});
});

Deno.test("a large linked file keeps the list of its chunks", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const size = CHUNKED_FILE_BYTES_MIN;
  const sha256 = "ab".repeat(32);
  const manifest = await manifestOf([{ path: "a.onnx", size, sha256, contentChunks: "x:y" }]);
  const staged = join(store.staging, "sparse");
  Deno.mkdirSync(staged);
  Deno.writeTextFileSync(join(staged, "a.onnx"), "");
  Deno.truncateSync(join(staged, "a.onnx"), size);
  installRelease(store, staged, manifest.digest, formatManifest(manifest));
  const cache = StatCache.ofRelease(store, manifest.digest);
  cache.rememberOwn(
    "a.onnx",
    stampOf(Deno.lstatSync(join(releaseDir(store, manifest.digest), "a.onnx"))),
    sha256,
  );
  cache.save();
  await using staging = new Staging(testContext(), store, "run");
  assert.ok(await staging.link("a.onnx", sha256));
  assert.deepEqual(staging.files.map((file) => releaseFile(file.path, file)), manifest.files);
});

Deno.test("a download may leave 16 MiB of the disk free, and no byte less", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const context = testContext({ freeBytes: () => Promise.resolve(SPARE_BYTES + 7) });
  await using staging = new Staging(context, store, "run");
  await staging.requireSpace(7);
  await assert.rejects(staging.requireSpace(8), { code: "DISK", exitCode: 7 });
});

Deno.test("a file that is replaced by a link to an installed one does not collide with another file of the release", async () => {
  using dir = memoryDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  await install(store, "m.bin", "content");
  await using staging = new Staging(testContext(), store, "run");
  await staging.writeSmall("m.bin.held", encoded("other"));
  assert.equal((await staging.write("m.bin", [encoded("content")])).how, "linked");
  assert.deepEqual(readFiles(staging.dir), { "m.bin": "content", "m.bin.held": "other" });
});
