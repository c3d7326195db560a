import assert from "node:assert/strict";
import { join } from "node:path";
import { machine, pullTo } from "../helpers/machines.ts";
import { memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git, gitWithInput } from "../helpers/test_git.ts";

const encoder = new TextEncoder();

/** An entry of a git tree, which allows any bytes as a name. */
interface Entry {
  readonly mode: string;
  readonly name: string | Uint8Array;
  readonly object: string;
}

/** Writes a tree in git's format, bypassing the checks of git's commands. */
async function writeTree(repository: string, entries: readonly Entry[]): Promise<string> {
  const parts = entries.map(({ mode, name, object }) => [
    ...encoder.encode(`${mode} `),
    ...(typeof name === "string" ? encoder.encode(name) : name),
    0,
    ...(object.match(/../g) ?? []).map((pair) => parseInt(pair, 16)),
  ]);
  return await gitWithInput(
    repository,
    new Uint8Array(parts.flat()),
    "hash-object",
    "-t",
    "tree",
    "-w",
    "--stdin",
    "--literally",
  );
}

/** A registry whose model folder has these entries, committed without checks. */
async function registryWith(root: string, models: ModelEntries): Promise<string> {
  const registry = bareRepository(join(root, "registry.git"));
  const hand = clone(registry, join(root, "hand"));
  writeFiles(hand, { "models/good.onnx": "good" });
  commitAll(hand);
  const blob = git(hand, "rev-parse", "HEAD:models/good.onnx");
  const known = git(hand, "rev-parse", "HEAD:models");
  const folder = await writeTree(registry, models(blob, known));
  const tree = await writeTree(registry, [{ mode: "40000", name: "models", object: folder }]);
  const commit = git(registry, "commit-tree", tree, "-p", "main", "-m", "hostile");
  git(registry, "update-ref", "refs/heads/main", commit);
  return registry;
}

const file = (name: string | Uint8Array) => (object: string): Entry[] => [{ mode: "100644", name, object }];

/** Returns the entries of the model folder from a blob and a tree that the registry holds. */
type ModelEntries = (blob: string, folder: string) => readonly Entry[];

/** Each with the expected refusal. */
const HOSTILE: Readonly<Record<string, readonly [models: ModelEntries, says: RegExp]>> = {
  "a name that climbs": [file(".."), /\.\./],
  "a name that is this folder": [file("."), /"\."|tree entry|empty/],
  "a git folder": [file(".git"), /belongs to git/],
  "a git folder in capitals": [file(".GIT"), /belongs to git/],
  "a short name of the git folder": [file("git~1"), /belongs to git/],
  "a newline": [file("a\nb.onnx"), /control character/],
  "an escape sequence": [file("a\x1b[2J.onnx"), /control character/],
  "a right-to-left override": [file("a\u202exnno.exe"), /hides/],
  "bytes that are no UTF-8": [file(new Uint8Array([0x61, 0xff, 0xfe])), /not UTF-8/],
  "a backslash": [file("..\\evil.onnx"), /\\/],
  "a drive": [file("C:evil.onnx"), /:/],
  "a Windows device": [file("aux.onnx"), /device name/],
  "a trailing dot": [file("model."), /dot or a space/],
  "a trailing space": [file("model "), /dot or a space/],
  "a name of 256 bytes": [file("n".repeat(256)), /255 bytes/],
  "a case collision": [
    (blob) => [...file("Model.onnx")(blob), ...file("model.onnx")(blob)],
    /differ only by case/,
  ],
  "a Unicode collision": [
    (blob) => [...file("caf\u0065\u0301")(blob), ...file("caf\u00e9")(blob)],
    /Unicode form/,
  ],
  "the same name twice": [(blob) => [...file("a")(blob), ...file("a")(blob)], /twice/],
  "a symbolic link": [(blob) => [{ mode: "120000", name: "link", object: blob }], /symbolic link/],
  "a submodule": [(blob) => [{ mode: "160000", name: "sub", object: blob }], /submodule/],
  "a folder that is listed as a file": [(_, folder) => file("a.onnx")(folder), /is a tree, not a file/],
};

for (const [what, [models, says]] of Object.entries(HOSTILE)) {
  Deno.test(`pull() refuses a registry with ${what}, and writes nothing`, async () => {
    using dir = memoryDir();
    const registry = await registryWith(dir.path, models);
    const bot = machine(dir.path, "bot", registry);
    writeFiles(bot.modelsDir, { "mine.onnx": "from before" });
    await assert.rejects(pullTo(testContext(), bot), (error: Error & { exitCode?: number }) => {
      assert.match(error.message, says);
      assert.ok(
        !/[\n\u202e]/.test(error.message) && !error.message.includes("\x1b"),
        "the message is one clean line",
      );
      assert.equal(error.exitCode, 5);
      return true;
    });
    assert.deepEqual(readFiles(bot.modelsDir), { "mine.onnx": "from before" });
    assert.deepEqual([...Deno.readDirSync(dir.path)].map((entry) => entry.name).sort(), [
      "bot",
      "hand",
      "registry.git",
    ]);
  });
}

Deno.test("pull() refuses a Git LFS pointer whose content the registry does not have", async () => {
  using dir = memoryDir();
  const registry = bareRepository(join(dir.path, "registry.git"));
  const hand = clone(registry, join(dir.path, "hand"));
  const oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize 12345\n`;
  writeFiles(hand, { "models/a.onnx": pointer });
  commitAll(hand);
  const bot = machine(dir.path, "bot", registry);
  writeFiles(bot.modelsDir, { "mine.onnx": "from before" });
  await assert.rejects(pullTo(testContext(), bot), (error: Error & { code?: string }) => {
    assert.ok(
      error.code === "LFS_POINTER" || error.code === "LFS_MISSING",
      `${error.code}: ${error.message}`,
    );
    assert.match(error.message, /a\.onnx/);
    return true;
  });
  assert.deepEqual(readFiles(bot.modelsDir), { "mine.onnx": "from before" });
});

Deno.test("pull() refuses a manifest that is a folder, a link or a submodule", async () => {
  const manifests: Readonly<Record<string, (blob: string, commit: string) => Omit<Entry, "name">>> = {
    "model-sync.json is a folder": (blob) => ({ mode: "40000", object: blob }),
    '"model-sync.json" is a symbolic link': (blob) => ({ mode: "120000", object: blob }),
    '"model-sync.json" is a submodule': (_blob, commit) => ({ mode: "160000", object: commit }),
  };
  for (const [says, manifest] of Object.entries(manifests)) {
    using dir = memoryDir();
    const registry = bareRepository(join(dir.path, "registry.git"));
    const hand = clone(registry, join(dir.path, "hand"));
    writeFiles(hand, { "models/good.onnx": "good" });
    const head = commitAll(hand);
    const models = git(hand, "rev-parse", "HEAD:models");
    const object = says.endsWith("folder") ? models : git(hand, "rev-parse", "HEAD:models/good.onnx");
    const tree = await writeTree(registry, [
      { ...manifest(object, head), name: "model-sync.json" },
      { mode: "40000", name: "models", object: models },
    ]);
    git(
      registry,
      "update-ref",
      "refs/heads/main",
      git(registry, "commit-tree", tree, "-p", "main", "-m", "x"),
    );
    await assert.rejects(pullTo(testContext(), machine(dir.path, "bot", registry)), (error: Error) => {
      assert.ok(error.message.includes(says), error.message);
      return "exitCode" in error && error.exitCode === 5;
    });
  }
});
