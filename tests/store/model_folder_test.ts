import assert from "node:assert/strict";
import { join } from "node:path";
import { chooseMode, planMode } from "../../lib/store/model_folder.ts";
import { problemOfFolder, requireSeen } from "../../lib/store/consumer_view.ts";
import { setPointers } from "../../lib/store/pointers.ts";
import { releaseDir } from "../../lib/store/releases.ts";
import { openStore, placeOf } from "../../lib/store/store.ts";
import { osError } from "../helpers/fake_fs.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

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
  const renameSync = (from: string | URL, to: string | URL) => {
    if (from === modelsDir) throw osError("EXDEV");
    fs.renameSync(from, to);
  };
  const onLayer = openStore({ ...fs, renameSync }, { modelsDir });
  assert.equal(chooseMode(onLayer, "auto").mode, "mirror");
  assert.throws(() => chooseMode(onLayer, "symlink"), { code: "OTHER_FILE_SYSTEM", hint: /to mirror/ });
  assert.equal(chooseMode(openStore(fs, { modelsDir }), "auto").mode, "symlink");
  assert.deepEqual(readFiles(modelsDir), { "baked.onnx": "in the image" });
  assert.deepEqual(Array.from(fs.readDirSync(onLayer.staging)), []);
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
