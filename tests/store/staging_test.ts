import assert from "node:assert/strict";
import { join } from "node:path";
import { createManifest, formatManifest, releaseFile } from "../../lib/release/manifest.ts";
import { installRelease, listReleases } from "../../lib/store/releases.ts";
import { Staging } from "../../lib/store/staging.ts";
import { openStore } from "../../lib/store/store.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { pulledReleases, storeOf } from "../helpers/machines.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { memoryDir, readFiles, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { osError } from "../helpers/fake_fs.ts";

Deno.test("a file under a second path is linked, or copied if the disk has no links or is at its limit of links", async () => {
  for (const code of [undefined, "EPERM", "EMLINK", "ENOTSUP"]) {
    using dir = tempDir();
    const fs = countingFs((step) => {
      if (code !== undefined && step.startsWith("link")) throw osError(code);
    });
    const store = openStore(fs, { modelsDir: join(dir.path, "models") });
    await using staging = new Staging(testContext({ fs }), store, "run");
    const first = await staging.write("a.onnx", 7, [new TextEncoder().encode("weights")]);
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
  await assert.rejects(staging.write("b.onnx", 1, []), { code: "DUPLICATE_PATH", exitCode: 5 });
});

Deno.test("installed releases are listed newest first: by sequence, then by time", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const releases = [[0, 2], [1, 1], [0, 4], [0, 3]] as const;
  for (const [sequence, day] of releases) {
    await using staging = new Staging(testContext(), store, `run-${day}`);
    const file = await staging.write("a.onnx", 1, [new TextEncoder().encode(String(day))]);
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
