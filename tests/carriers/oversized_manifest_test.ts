import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSyncError } from "../../lib/core/errors.ts";
import { readSmallBlob } from "../../lib/git/blobs.ts";
import { Git } from "../../lib/git/git.ts";
import { MANIFEST_BYTES_MAX } from "../../lib/release/manifest.ts";
import { SIGNATURE_BYTES_MAX, signatureFile } from "../../lib/release/registry_file.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { ActionsWorld, withManifest } from "../helpers/actions_world.ts";
import { pullTo as pullFromHub, REPO, sourceOptions } from "../helpers/hub_machines.ts";
import { machine, publishFrom, pullTo } from "../helpers/machines.ts";
import { rawTar, tarMember } from "../helpers/raw_tar.ts";
import { rawZip } from "../helpers/raw_zip.ts";
import { RunPodWorld } from "../helpers/runpod_world.ts";
import { readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository, clone, commitAll, git, gitWithInput } from "../helpers/test_git.ts";

/** One byte too many. */
const MANIFEST = { path: "model-sync.json", bytes: MANIFEST_BYTES_MAX + 1, bytesMax: MANIFEST_BYTES_MAX };
const SIGNATURE = { path: "model.sig", bytes: SIGNATURE_BYTES_MAX + 1, bytesMax: SIGNATURE_BYTES_MAX };

/** Writes zeros that use no space on the disk. */
function writeSparse(path: string, bytes: number): void {
  Deno.writeFileSync(path, new Uint8Array());
  Deno.truncateSync(path, bytes);
}

/** Asserts that a pull is refused in one line with the file's name, its size, the limit and what to do. */
async function assertRefused(pull: Promise<unknown>, file: typeof MANIFEST, code: string): Promise<void> {
  await assert.rejects(pull, (error) => {
    assert.ok(error instanceof ModelSyncError, String(error));
    assert.deepEqual([error.exitCode, error.code], [5, code], error.message);
    assert.match(error.message, new RegExp(`^Cannot use ${file.path.replace(".", "\\.")} of [^\n]+$`));
    assert.ok(
      error.message.endsWith(`: it has ${file.bytes} bytes, at most ${file.bytesMax} are read`),
      error.message,
    );
    assert.ok(error.hint !== undefined);
    return true;
  });
}

Deno.test("git: a manifest over its limit is refused by name, and a publish replaces it", async () => {
  using dir = tempDir();
  const registry = bareRepository(join(dir.path, "registry.git"));
  const trainer = machine(dir.path, "trainer", registry);
  writeFiles(trainer.modelsDir, { "a.onnx": "one" });
  await publishFrom(testContext(), trainer);
  const bot = machine(dir.path, "bot", registry);
  await pullTo(testContext(), bot);

  const hand = clone(registry, join(dir.path, "hand"));
  const put = (file: typeof MANIFEST) => {
    writeSparse(join(hand, file.path), file.bytes);
    writeFiles(hand, { "models/a.onnx": "two" });
    commitAll(hand);
    git(hand, "push", "--quiet", "origin", "main");
  };
  put(MANIFEST);
  await assertRefused(pullTo(testContext(), bot), MANIFEST, "MANIFEST_INVALID");
  assert.deepEqual(readFiles(bot.modelsDir), { "a.onnx": "one" });

  writeFiles(trainer.modelsDir, { "a.onnx": "three" });
  const context = testContext();
  await publishFrom(context, trainer);
  assert.match(
    context.log.lines.join("\n"),
    /Cannot use model-sync\.json of commit [0-9a-f]{12}: it has 67108865 bytes, .*; it will be replaced/,
  );
  await pullTo(testContext(), bot);
  assert.deepEqual(readFiles(bot.modelsDir), { "a.onnx": "three" });
});

Deno.test("git: a signature over its limit is refused by name", async () => {
  using dir = tempDir();
  const repository = bareRepository(join(dir.path, "registry.git"));
  const id = await gitWithInput(repository, new Uint8Array(11), "hash-object", "-w", "--stdin");
  const reading = new Git(testContext(), { repoDir: repository, transferTimeoutMs: 60_000 });
  const limits = { ...signatureFile("model.sig of commit 1a2b3c4"), bytesMax: 10 };
  await assert.rejects(readSmallBlob(reading, id, limits), {
    exitCode: 5,
    code: "SIGNATURE_INVALID",
    message: "Cannot use model.sig of commit 1a2b3c4: it has 11 bytes, at most 10 are read",
  });
});

Deno.test("huggingface: a manifest or a signature over its limit is refused by name, and none of it is downloaded", async () => {
  for (const [file, code] of [[MANIFEST, "MANIFEST_INVALID"], [SIGNATURE, "SIGNATURE_INVALID"]] as const) {
    using dir = tempDir();
    const objects = join(dir.path, "objects");
    Deno.mkdirSync(objects);
    await using server = new HubServer(objects);
    server.createRepo(REPO);
    const { "model-sync.json": manifest = "" } = await withManifest({ "a.onnx": "one" }, 1);
    server.commit(REPO, { "a.onnx": "one", "model-sync.json": new TextEncoder().encode(String(manifest)) });
    const sparse = join(dir.path, "sparse");
    writeSparse(sparse, file.bytes);
    server.commitLarge(REPO, file.path, sparse, "5".repeat(64));
    const modelsDir = join(dir.path, "bot/models");
    await assertRefused(pullFromHub(testContext(), modelsDir, sourceOptions(server)), file, code);
  }
});

Deno.test("github-actions: a manifest or a signature over its limit is refused by name", async () => {
  const files = await withManifest({ "a.onnx": "one" }, 1);
  for (const [file, code] of [[MANIFEST, "MANIFEST_INVALID"], [SIGNATURE, "SIGNATURE_INVALID"]] as const) {
    await using world = new ActionsWorld();
    const run = world.github.addRun({});
    const all = { ...files, [file.path]: new Uint8Array(file.bytes) };
    const content = rawZip(Object.entries(all).map(([name, content]) => ({ name, content })));
    await world.github.addArtifact(run, { name: "trained-models-1", content });
    await assertRefused(world.pull(), file, code);
  }
});

Deno.test("runpod: a manifest or a signature over its limit is refused by name", async () => {
  const files = await withManifest({ "a.onnx": "one" }, 1);
  for (const [file, code] of [[MANIFEST, "MANIFEST_INVALID"], [SIGNATURE, "SIGNATURE_INVALID"]] as const) {
    using dir = tempDir();
    await using world = new RunPodWorld(join(dir.path, "registry"));
    const all = { ...files, [file.path]: new Uint8Array(file.bytes) };
    world.files.content = rawTar(
      ...Object.entries(all).map(([name, content]) => tarMember({ name, content })),
    );
    await assertRefused(world.pullTo(join(dir.path, "bot/models")), file, code);
  }
});
