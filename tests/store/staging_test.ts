import assert from "node:assert/strict";
import { join } from "node:path";
import { Staging } from "../../lib/store/staging.ts";
import { openStore } from "../../lib/store/store.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { readFiles, tempDir } from "../helpers/temp_dir.ts";
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
