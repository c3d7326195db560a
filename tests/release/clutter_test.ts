import assert from "node:assert/strict";
import { join } from "node:path";
import { verifyActive } from "../../lib/pipeline/verify.ts";
import { isClutter, reportClutter } from "../../lib/release/clutter.ts";
import { NO_CACHE, readModelSet } from "../../lib/release/model_set.ts";
import { CLUTTER } from "../helpers/clutter_files.ts";
import {
  machine,
  newTrainer,
  publishFrom,
  pulledReleases,
  pullTo,
  registryOf,
  storeOf,
} from "../helpers/machines.ts";
import { manifestOf } from "../helpers/manifest_of.ts";
import { memoryDir, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { recordedLog, testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git } from "../helpers/test_git.ts";
import { run, world } from "../helpers/seed_world.ts";

const MODELS = { "BTC/metadata.json": "{}", "BTC/rf.onnx": "one", "x.bin": "x" };

function namesClutter(lines: readonly string[], count: number): void {
  const line = lines.find((text) => text.startsWith("debug left housekeeping files of "));
  assert.match(line ?? "", /__pycache__/);
  assert.equal(line?.match(/"[^"]*"/g)?.length, count, line);
}

Deno.test("housekeeping files are recognised by their names and folders, in upper or lower case", () => {
  const others = [
    "THUMBS.DB",
    "Desktop.ini",
    "$RECYCLE.BIN/x",
    "System Volume Information/x",
    "lost+found",
    "__MACOSX/models/._rf.onnx",
    "a/@eaDir/x",
    ".nfs00000000016d2a5400000001",
    ".fuse_hidden0000000500000001",
    ".Trash-1000/files/x",
    ".huggingface/download/x",
    "._",
    "Icon\r",
    ".apdisk",
    "BTC/.localized",
    ".vscode/settings.json",
    ".idea/workspace.xml",
    "BTC/.metadata.json.swp",
    ".cache/huggingface",
  ];
  for (const path of [...Object.keys(CLUTTER), ...others]) assert.ok(isClutter(path), path);
  const models = [
    "rf.onnx",
    ".hidden.onnx",
    "rf.swp",
    "idea/rf.onnx",
    "_rf.onnx",
    ".cache/other/x",
    "huggingface/x",
    "cache/huggingface/x",
    "x.cache/huggingface/x",
    ".cache/huggingface2",
    "pycache/x",
    "__pycache__.bin",
    "features.pyc",
    "train.ipynb",
    "my.DS_Store",
    "Thumbs.db.onnx",
    "a._b",
    ".nfs",
    ".trash-box",
  ];
  for (const path of models) assert.ok(!isClutter(path), path);
});

Deno.test("the log names up to twenty files that are left out, and logs nothing if there are none", () => {
  const log = recordedLog();
  reportClutter(log, "the archive", []);
  assert.deepEqual(log.lines, []);
  reportClutter(log, "the archive", [
    "._a\u001b[2J",
    ...Array.from({ length: 30 }, (_, index) => `._${index}`),
  ]);
  const [line = ""] = log.lines;
  assert.match(
    line,
    /^debug left housekeeping files of the archive out of the release: "\._a\\u001b\[2J", "\._0", /,
  );
  assert.match(line, /, "\._18" and 11 more$/);
  reportClutter(log, "the archive", Array.from({ length: 20 }, (_, index) => `._${index}`));
  assert.match(log.lines[1] ?? "", /, "\._19"$/);
});

Deno.test("a model folder is read without its housekeeping files, which the log names", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { ...MODELS, ...CLUTTER });
  const context = testContext();
  const set = await readModelSet(context, dir.path, NO_CACHE);
  assert.deepEqual(set.files.map(({ path }) => path), Object.keys(MODELS));
  namesClutter(context.log.lines, 11);
  // A folder ends with a slash, a file does not.
  assert.match(context.log.lines.join("\n"), /"\.DS_Store", .*"BTC\/Thumbs\.db", "BTC\/__pycache__\/"/);
});

Deno.test("a publish sends no housekeeping files, and removes those of earlier versions", async () => {
  using dir = memoryDir();
  const trainer = newTrainer(dir.path, { ...MODELS, ...CLUTTER });
  const hand = clone(registryOf(trainer), join(dir.path, "hand"));
  // More housekeeping files than models: their removal does not count as a shrink.
  const old = { ...MODELS, ...CLUTTER, "BTC/__pycache__/f.pyc": "old", "._x.bin": "old" };
  writeFiles(join(hand, "models"), old);
  writeFiles(hand, { "model-sync.json": await manifestOf(old, { carrier: "git" }) });
  commitAll(hand);
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "published");
  const listed = git(registryOf(trainer), "ls-tree", "-r", "--name-only", "main", "models").trim().split(
    "\n",
  );
  assert.deepEqual(listed, Object.keys(MODELS).map((path) => `models/${path}`));
  assert.equal((await publishFrom(testContext(), trainer)).outcome, "unchanged");
});

Deno.test("a pull from git leaves housekeeping files out, unless the manifest lists them", async () => {
  using dir = memoryDir();
  const registry = bareRepository(join(dir.path, "registry.git"));
  const hand = clone(registry, join(dir.path, "hand"));
  writeFiles(join(hand, "models"), { ...MODELS, ...CLUTTER });
  commitAll(hand);
  const bot = machine(dir.path, "bot", registry);
  const context = testContext();
  await pullTo(context, bot);
  assert.deepEqual(readFiles(bot.modelsDir), MODELS);
  namesClutter(context.log.lines, Object.keys(CLUTTER).length);

  const { ".gitkeep": _, ...listed } = CLUTTER;
  writeFiles(hand, { "model-sync.json": await manifestOf({ ...MODELS, ...listed }, { carrier: "git" }) });
  commitAll(hand);
  await pullTo(testContext(), bot);
  assert.deepEqual(
    new Set(Object.keys(readFiles(bot.modelsDir))),
    new Set(Object.keys({ ...MODELS, ...listed })),
  );
  assert.deepEqual((await verifyActive(testContext(), storeOf(testContext(), bot), "content")).problems, []);
});

Deno.test("publish and pull name housekeeping files only with --verbose", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  writeFiles(join(trainer, "models"), CLUTTER);
  const left = /left housekeeping files of .*"__pycache__\/"/;
  assert.doesNotMatch((await run(trainer, "publish", "--dry-run", "--skip-training")).stderr, left);
  assert.match((await run(trainer, "publish", "--verbose", "--skip-training")).stderr, left);
  const hand = clone(join(dir.path, "registry.git"), join(dir.path, "hand"));
  writeFiles(join(hand, "models"), CLUTTER);
  commitAll(hand);
  assert.match(
    (await run(bot, "pull", "--verbose")).stderr,
    /left housekeeping files of commit .*__pycache__/,
  );
});

Deno.test("an adopted folder is a release without housekeeping files, which are kept", async () => {
  using dir = tempDir();
  const trainer = newTrainer(dir.path, { "BTC/rf.onnx": "new" });
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registryOf(trainer));
  writeFiles(bot.modelsDir, { ...MODELS, ...CLUTTER });
  const context = testContext();
  const report = await pullTo(context, bot);
  assert.equal(report.outcome, "activated");
  namesClutter(context.log.lines, 11);
  const store = storeOf(context, bot);
  const adopted = Array.from(Deno.readDirSync(store.releases), ({ name }) => join(store.releases, name))
    .find((path) => !path.endsWith(".json") && "x.bin" in readFiles(path)) ?? "";
  assert.equal(readFiles(adopted)["BTC/__pycache__/deep/features.pyc"], "Python");
  const manifest = Deno.readTextFileSync(`${adopted}.json`);
  assert.ok(!Object.keys(CLUTTER).some((path) => manifest.includes(`"${path}"`)));
});

Deno.test("housekeeping files beside mirrored models are not extra files, and their folders are replaced", async () => {
  using dir = tempDir();
  const { trainer, bot } = await pulledReleases(dir.path, [{ "BTC/rf.onnx": "one", "x.bin": "x" }], {
    activation: "mirror",
  });
  writeFiles(bot.modelsDir, {
    "BTC/__pycache__/f.pyc": "p",
    "BTC/.cache/huggingface/f": "h",
    "BTC/._rf.onnx": "a",
    "desktop.ini": "d",
  });
  const audit = await verifyActive(testContext(), storeOf(testContext(), bot), "stat");
  assert.deepEqual(audit.problems, []);
  Deno.removeSync(join(trainer.modelsDir, "BTC"), { recursive: true });
  writeFiles(trainer.modelsDir, { BTC: "a file now" });
  await publishFrom(testContext(), trainer, { allowShrink: true });
  await pullTo(testContext(), bot, { activation: "mirror" });
  assert.deepEqual(readFiles(bot.modelsDir), { BTC: "a file now", "desktop.ini": "d", "x.bin": "x" });
});
