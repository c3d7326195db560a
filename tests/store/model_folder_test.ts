import assert from "node:assert/strict";
import { join } from "node:path";
import { type FileSystem, findEntry, removeIfThere } from "../../lib/core/files.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest } from "../../lib/release/manifest.ts";
import { lockHistory } from "../../lib/store/history.ts";
import { chooseMode, planMode } from "../../lib/store/model_folder.ts";
import { problemOfFolder, problemSeenByConsumers, requireSeen } from "../../lib/store/consumer_view.ts";
import { checkMirrorFolder } from "../../lib/store/mirror_scratch.ts";
import { setPointers } from "../../lib/store/pointers.ts";
import { refillReserve } from "../../lib/store/reserve.ts";
import { releaseDir, writeManifest } from "../../lib/store/releases.ts";
import { findStore, openStore, placeOf } from "../../lib/store/store.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { damage } from "../helpers/damage.ts";
import { osError } from "../helpers/fake_fs.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { recordedLog, testContext } from "../helpers/test_context.ts";

/** A place whose folder `path` is on another file system. */
function placeWith(dir: string, path: string) {
  const { fs } = testContext();
  const statSync = (asked: string | URL) => {
    const info = fs.statSync(asked);
    return String(asked).startsWith(`${dir}/${path}`) ? { ...info, dev: info.dev + 1 } : info;
  };
  return placeOf({ ...fs, statSync }, { modelsDir: `${dir}/bot/models`, stateDir: `${dir}/state/store` });
}

Deno.test("planMode() refuses a link to a store on another file system, like a pull", () => {
  using dir = tempDir();
  writeFiles(dir.path, { "bot/bot.py": "", "state/mine": "" });
  const place = placeWith(dir.path, "state");
  assert.throws(() => planMode(place, "symlink"), { code: "OTHER_FILE_SYSTEM", exitCode: 7 });
  assert.throws(() => planMode(place, "auto"), { code: "OTHER_FILE_SYSTEM" });
  assert.equal(planMode(place, "mirror"), "mirror");
  assert.equal(planMode(placeWith(dir.path, "elsewhere"), "symlink"), "symlink");
});

Deno.test("a model folder that the system cannot move, such as one in an image's layer, is replaced file by file", () => {
  using dir = tempDir();
  const modelsDir = join(dir.path, "models");
  writeFiles(modelsDir, { "baked.onnx": "in the image" });
  const { fs } = testContext();
  const withRename = (rename: typeof fs.renameSync) =>
    openStore({ ...fs, renameSync: rename }, { modelsDir });
  const onLayer = withRename((from, to) => {
    if (from === modelsDir) throw osError("EXDEV");
    fs.renameSync(from, to);
  });
  assert.equal(chooseMode(onLayer, "auto").mode, "mirror");
  assert.throws(() => chooseMode(onLayer, "symlink"), { code: "OTHER_FILE_SYSTEM", hint: /to mirror/ });
  const moved: string[] = [];
  const movable = withRename((from, to) => {
    fs.renameSync(from, to);
    moved.push(String(from));
  });
  assert.deepEqual(chooseMode(movable, "auto"), { mode: "symlink", reason: "links work here" });
  assert.deepEqual(moved, [], "consumers would miss the folder for a moment");
  assert.deepEqual(readFiles(modelsDir), { "baked.onnx": "in the image" });
  assert.deepEqual(Array.from(fs.readDirSync(onLayer.staging)), []);
  Deno.removeSync(join(modelsDir, "baked.onnx"));
  assert.deepEqual(chooseMode(onLayer, "symlink"), {
    mode: "symlink",
    reason: "activation.mode is symlink",
  });
});

Deno.test("a mount point is replaced file by file, whether planned or found", () => {
  using dir = tempDir();
  const modelsDir = join(dir.path, "models");
  Deno.mkdirSync(modelsDir);
  const { fs } = testContext();
  const lstatSync = (asked: string | URL) => {
    const info = fs.lstatSync(asked);
    return asked === modelsDir ? { ...info, dev: info.dev + 1 } : info;
  };
  const mounted = openStore({ ...fs, lstatSync }, { modelsDir });
  assert.deepEqual([planMode(mounted, "auto"), chooseMode(mounted, "auto").mode], ["mirror", "mirror"]);
  for (const choose of [planMode, chooseMode]) {
    assert.throws(() => choose(mounted, "symlink"), {
      code: "OTHER_FILE_SYSTEM",
      exitCode: 7,
      message: /a mount point/,
      hint: /to mirror/,
    });
  }
});

Deno.test("files are never mirrored through the link of symlink mode into a release", () => {
  using dir = tempDir();
  const modelsDir = join(dir.path, "models");
  const store = openStore(Deno, { modelsDir });
  Deno.symlinkSync(join(".model-sync", "current"), modelsDir);
  for (const choose of [planMode, chooseMode]) {
    assert.throws(() => choose(store, "mirror"), { code: "MODELS_DIR_UNFIT", exitCode: 2 });
  }
  assert.deepEqual([planMode(store, "auto"), chooseMode(store, "auto").mode], ["symlink", "symlink"]);
});

Deno.test("a model folder that does not lead to the release is a problem that consumers see", () => {
  using dir = tempDir();
  const modelsDir = join(dir.path, "models");
  const store = openStore(Deno, { modelsDir });
  const [one, two] = [`sha256:${"1".repeat(64)}`, `sha256:${"2".repeat(64)}`] as const;
  for (const digest of [one, two]) Deno.mkdirSync(releaseDir(store, digest));
  assert.equal(problemOfFolder(store, one), "is missing");
  setPointers(store, { current: one }, "symlink");
  Deno.symlinkSync(join(".model-sync", "current"), modelsDir);
  assert.equal(problemOfFolder(store, one), undefined);
  assert.match(problemOfFolder(store, two) ?? "", /^leads to .*1111, not to the release$/);
  assert.throws(() => requireSeen(store, one), {
    code: "MODELS_UNREADABLE",
    exitCode: 7,
    message: /shows a release that the store does not hold whole/,
  });
  Deno.removeSync(modelsDir);
  Deno.writeTextFileSync(modelsDir, "");
  assert.equal(problemOfFolder(store, one), "is not the folder of the release");
});

Deno.test("a mirrored file that is missing or has another size is a problem that consumers see", async () => {
  using dir = tempDir();
  const modelsDir = join(dir.path, "models");
  const store = openStore(Deno, { modelsDir });
  const files = ["a", "b"].map((name) => ({ path: `${name}.onnx`, size: 3, sha256: name.repeat(64) }));
  const manifest = await createManifest(files, {
    sequence: 1,
    createdAt: "2026-01-01T00:00:00Z",
    origin: { carrier: "git" },
  });
  writeManifest(store, manifest.digest, formatManifest(manifest));
  const release = releaseDir(store, manifest.digest);
  writeFiles(release, { "a.onnx": "one", "b.onnx": "one" });
  assert.equal(problemSeenByConsumers(store, manifest), "is missing");
  writeFiles(modelsDir, { "a.onnx": "one", "b.onnx": "one" });
  assert.equal(problemSeenByConsumers(store, manifest), undefined);
  requireSeen(store, manifest.digest);
  writeFiles(modelsDir, { "b.onnx": "longer" });
  assert.equal(problemSeenByConsumers(store, manifest), "shows another b.onnx than the release");
  assert.throws(() => requireSeen(store, manifest.digest), { code: "MODELS_UNREADABLE", exitCode: 7 });
  Deno.removeSync(join(modelsDir, "b.onnx"));
  assert.equal(problemSeenByConsumers(store, manifest), "lacks b.onnx");

  // Behind a link, the release is whole or missing.
  Deno.removeSync(modelsDir, { recursive: true });
  setPointers(store, { current: manifest.digest }, "symlink");
  Deno.symlinkSync(join(".model-sync", "current"), modelsDir);
  const asked: string[] = [];
  const statSync: FileSystem["statSync"] = (path) => {
    asked.push(String(path));
    return Deno.statSync(path);
  };
  const watched = openStore({ ...Deno, statSync }, { modelsDir });
  assert.equal(problemSeenByConsumers(watched, manifest), undefined);
  assert.deepEqual(asked.filter((path) => path.startsWith(`${modelsDir}/`)), [join(modelsDir, "a.onnx")]);
  Deno.removeSync(join(release, "a.onnx"));
  assert.equal(problemSeenByConsumers(store, manifest), "lacks a.onnx");
});

Deno.test("an entry that cannot become the model folder is refused with what to do, and stays", () => {
  const linked = (modelsDir: string) => Deno.symlinkSync(join(".model-sync", "current"), modelsDir);
  const cases: Record<string, [(modelsDir: string) => void, "auto" | "mirror", RegExp, RegExp]> = {
    "a file": [(path) => Deno.writeTextFileSync(path, "mine"), "auto", /it is not a folder$/, /move it away/],
    "a foreign link": [
      (path) => Deno.symlinkSync("../elsewhere", path),
      "auto",
      /it is a link to \.\.\/elsewhere, which model-sync did not create$/,
      /remove the link/,
    ],
    "our link, in mirror mode": [
      linked,
      "mirror",
      /it is the link that symlink mode made$/,
      /\(rm .*models\)/,
    ],
  };
  for (const [name, [make, setting, message, hint]] of Object.entries(cases)) {
    using dir = tempDir();
    const modelsDir = join(dir.path, "models");
    const store = openStore(Deno, { modelsDir });
    make(modelsDir);
    const before = Deno.lstatSync(modelsDir).ino;
    for (const choose of [chooseMode, planMode]) {
      assert.throws(
        () => choose(store, setting),
        { code: "MODELS_DIR_UNFIT", exitCode: 2, message, hint },
        name,
      );
    }
    assert.equal(Deno.lstatSync(modelsDir).ino, before, name);
  }
});

Deno.test("a store that this program or this model folder cannot use is refused, and stays", () => {
  const identity = (json: object) => ({ ".model-sync/store.json": JSON.stringify(json) });
  const cases: Record<string, [Record<string, string>, string | undefined, object]> = {
    "a file in place of the store": [{ ".model-sync": "mine" }, undefined, {
      code: "NOT_A_FOLDER",
      message: /it is a file, not a folder$/,
    }],
    "a store of a newer program": [identity({ schema: 2, modelsDir: "../models" }), undefined, {
      code: "STORE_FORMAT",
      message: /it has format 2, this program writes format 1$/,
      hint: "update model-sync",
    }],
    "the store of another model folder": [identity({ schema: 1, modelsDir: "../other" }), undefined, {
      code: "STORE_TAKEN",
      message: /models: it belongs to .*other$/,
    }],
    "a store in the model folder": [{}, "models/store", {
      code: "STORE_IN_MODELS",
      message: /is inside the model folder/,
    }],
  };
  for (const [name, [files, stateDir, expected]] of Object.entries(cases)) {
    using dir = tempDir();
    writeFiles(dir.path, files);
    const location = {
      modelsDir: join(dir.path, "models"),
      ...(stateDir === undefined ? {} : { stateDir: join(dir.path, stateDir) }),
    };
    assert.throws(() => openStore(Deno, location), { exitCode: 2, ...expected }, name);
    if (stateDir === undefined) {
      assert.throws(() => findStore(Deno, location), { exitCode: 2, ...expected }, name);
    }
    assert.deepEqual(readFiles(dir.path), files, name);
  }
});

Deno.test("a store that may not be written is refused with the command that gives it back", () => {
  using dir = tempDir();
  const { fs } = testContext();
  const mkdirSync = () => {
    throw new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  };
  assert.throws(() => openStore({ ...fs, mkdirSync }, { modelsDir: join(dir.path, "models") }), {
    code: "STORE_NOT_WRITABLE",
    exitCode: 7,
    message: /^Cannot write the store .*\.model-sync: permission denied$/,
    hint: /sudo chown -R "\$\(id -un\)" \/.*\.model-sync; or set model_sync\.state_dir/,
  });
});

Deno.test("a file system without links is mirrored into, and symlink mode refuses it", () => {
  using dir = tempDir();
  const { fs } = testContext();
  const symlinkSync = () => {
    throw osError("EPERM");
  };
  const store = openStore({ ...fs, symlinkSync }, { modelsDir: join(dir.path, "models") });
  assert.equal(chooseMode(store, "auto").mode, "mirror");
  assert.throws(() => chooseMode(store, "symlink"), {
    exitCode: 7,
    message: /the file system or this user cannot make links$/,
    hint: /to mirror/,
  });
});

Deno.test("the check whether a folder can be mirrored into leaves nothing in it, can be stopped, and names a refusal", async () => {
  using dir = tempDir();
  const modelsDir = join(dir.path, "models");
  writeFiles(modelsDir, { "a.onnx": "one" });
  const store = openStore(Deno, { modelsDir });
  const files = [{ path: "b.onnx", size: 3, sha256: undefined }];
  await checkMirrorFolder(testContext(), store, files);
  assert.deepEqual(Array.from(Deno.readDirSync(modelsDir), ({ name }) => name), ["a.onnx"]);
  const stopped = testContext({ signal: AbortSignal.abort(new Error("stopped")) });
  await assert.rejects(checkMirrorFolder(stopped, store, files), /stopped/);
  const mkdirSync = () => {
    throw osError("EACCES");
  };
  await assert.rejects(checkMirrorFolder(testContext(), { ...store, fs: { ...Deno, mkdirSync } }, files), {
    code: "MODELS_DIR_NOT_WRITABLE",
    exitCode: 7,
    hint: /run as the user that owns/,
  });
});

Deno.test("opening a store creates it for one model folder, and writes nothing later, so that a full disk keeps no store closed", () => {
  using dir = tempDir();
  const steps: string[] = [];
  const fs = countingFs((step) => void steps.push(step));
  const location = { modelsDir: join(dir.path, "bot/models"), stateDir: join(dir.path, "state") };
  openStore(fs, location);
  assert.ok(Deno.statSync(join(dir.path, "bot")).isDirectory);
  steps.length = 0;
  const log = recordedLog();
  const store = openStore(fs, location, log);
  assert.deepEqual(steps.filter((step) => !step.startsWith("mkdir ")), []);
  assert.throws(() => openStore(Deno, { ...location, modelsDir: join(dir.path, "other/models") }), {
    code: "STORE_TAKEN",
    exitCode: 2,
  });
  for (let times = 0; times < 2; times++) store.warn("the same");
  assert.deepEqual(log.lines, ["warn the same"]);
});

Deno.test("a damaged store.json is rebuilt with a warning if the model folder is a link into the store", () => {
  using dir = tempDir();
  const modelsDir = join(dir.path, "models");
  const { root } = openStore(Deno, { modelsDir });
  Deno.symlinkSync(".model-sync/current", modelsDir);
  const path = join(root, "store.json");
  Deno.writeTextFileSync(path, "{");
  const log = recordedLog();
  openStore(Deno, { modelsDir }, log);
  assert.deepEqual(log.lines, [`warn ${path} is damaged and is rebuilt: it is not JSON`]);
  assert.equal(Deno.readTextFileSync(path), `{"schema":1,"modelsDir":"../models"}\n`);
});

Deno.test("links in the place of folders whose content runs remove are removed, and nothing to which they lead", () => {
  using dir = tempDir();
  const location = { modelsDir: join(dir.path, "models") };
  const { root } = openStore(Deno, location);
  const names = ["partials", "reserve", "spare", "staging", "stat_cache"];
  for (const name of names) {
    writeFiles(dir.path, { [`foreign/${name}`]: "kept" });
    removeIfThere(Deno, join(root, name));
    Deno.symlinkSync(join(dir.path, "foreign"), join(root, name));
  }
  const log = recordedLog();
  openStore(Deno, location, log);
  for (const name of names) {
    assert.notEqual(findEntry(Deno, join(root, name))?.isSymlink, true, name);
    const warning = `warn ${join(root, name)} was a link, not a folder, and is rebuilt. Lost: `;
    assert.equal(log.lines.filter((line) => line.startsWith(warning)).length, 1, name);
  }
  assert.deepEqual(Object.keys(readFiles(join(dir.path, "foreign"))), names);
});

Deno.test("pipes, links and folders in the place of the reserve's files are replaced, and no file to which a link leads is written", () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  refillReserve(store);
  const at = (name: string) => join(store.root, "reserve", name);
  for (const name of ["0", "1", "2"]) Deno.removeSync(at(name));
  writeFiles(dir.path, { "foreign": "kept" });
  Deno.symlinkSync(join(dir.path, "foreign"), at("0"));
  damage(at("1"), "a named pipe");
  Deno.mkdirSync(join(at("2"), "folder"), { recursive: true });
  refillReserve(store);
  assert.equal(Deno.readTextFileSync(join(dir.path, "foreign")), "kept");
  assert.ok([...Deno.readDirSync(join(store.root, "reserve"))].every(({ isFile }) => isFile));
  assert.equal(Deno.statSync(at("0")).size, 512 * 1024);
});

Deno.test("a pipe in the place of the history's lock does not stop a reader", () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  damage(join(store.root, "history.lock"), "a named pipe");
  assert.equal(lockHistory(store, "to read"), undefined);
});

Deno.test("entries of a wrong kind are set aside with a warning that names the loss; links to the right kind and other entries stay", () => {
  using dir = tempDir();
  const location = { modelsDir: join(dir.path, "models") };
  const { root } = openStore(Deno, location);
  const at = (name: string) => join(root, name);
  for (const name of ["releases", "partials"]) Deno.removeSync(at(name));
  writeFiles(dir.path, { "disk/releases/kept": "", "disk/archived.json": "kept" });
  writeFiles(root, {
    "metrics.json/folder": "",
    "alerts.json.new/folder": "",
    "partials": "a file",
    "notes.new/of another program": "kept",
  });
  Deno.mkdirSync(at("revisions.json"));
  for (const name of ["releases", "archived.json"]) Deno.symlinkSync(join(dir.path, "disk", name), at(name));
  Deno.symlinkSync("nowhere", at("folder_index"));
  Deno.symlinkSync("daemons", at("daemons"));
  Deno.symlinkSync("nowhere", at("previous"));
  const log = recordedLog();
  let isFree = true;
  const renameSync: typeof Deno.renameSync = (from, to) => {
    using folder = Deno.openSync(root, { read: true });
    if (String(to).endsWith(".damaged")) isFree = Deno.build.os !== "windows" && folder.tryLockSync(false);
    Deno.renameSync(from, to);
  };
  const readDirSync: typeof Deno.readDirSync = function* (path) {
    yield* Deno.readDirSync(path);
    // Another run that was opened at the same time has cleared this one.
    if (path === root) yield { name: "starts.json", isFile: false, isDirectory: true, isSymlink: false };
  };
  openStore({ ...Deno, renameSync, readDirSync }, location, log);
  const kept = (name: string) => `; its former content is kept in ${at(`${name}.damaged`)}`;
  assert.deepEqual(log.lines.toSorted(), [
    `warn ${at("alerts.json.new")} was a folder, not a file, and is rebuilt${
      kept("alerts.json.new")
    }. Lost: nothing`,
    `warn ${at("daemons")} was a link that leads to nothing of the kind, not a folder, and is rebuilt. ` +
    "Lost: nothing: a daemon announces itself again when it starts",
    `warn ${
      at("folder_index")
    } was a link that leads to nothing of the kind, not a folder, and is rebuilt. ` +
    "Lost: the next publish checks every file",
    `warn ${at("metrics.json")} was a folder, not a file, and is rebuilt${kept("metrics.json")}. ` +
    "Lost: the counters of the metrics start over with the oldest run on record",
    `warn ${at("partials")} was a file, not a folder, and is rebuilt${kept("partials")}. ` +
    "Lost: downloads that broke start over",
    `warn ${at("revisions.json")} was a folder, not a file, and is rebuilt. ` +
    "Lost: the newest release is staged again from what the store holds",
  ]);
  // Runs that are opened at once do not move each other's new entries away.
  assert.ok(!isFree);
  assert.deepEqual(
    ["releases/kept", "archived.json", "notes.new/of another program"].map((name) =>
      Deno.readTextFileSync(at(name))
    ),
    ["", "kept", "kept"],
  );
  assert.equal(Deno.readLinkSync(at("previous")), "nowhere");
});
