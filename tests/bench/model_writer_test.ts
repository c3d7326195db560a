import assert from "node:assert/strict";
import { join } from "node:path";
import { Validate } from "../../lib/config/sections/validate.ts";
import { InvalidModelError } from "../../lib/validators/invalid_model.ts";
import { validateRelease } from "../../lib/validators/validate_release.ts";
import { PYTHON, WITHOUT_PYTHON } from "../helpers/scikit_learn.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { SET_FORMATS, writeModel } from "./model_writer.ts";

/** Pulls do not check npy files. */
const CHECKED_FORMATS = [...SET_FORMATS, ".onnx"].filter((extension) => extension !== ".npy");

for (const extension of CHECKED_FORMATS) {
  Deno.test(`a model of the benchmark is a real ${extension} file: validation reads it, and refuses it cut short`, async () => {
    using dir = tempDir();
    const path = `model${extension}`;
    const location = join(dir.path, path);
    const context = testContext();
    await writeModel(location, 100_000, context.signal);
    const validate = async () => {
      const { size } = Deno.statSync(location);
      await validateRelease(context, {
        files: [{ path, location, size, sha256: "1".repeat(64) }],
        dir: dir.path,
        digest: "sha256:1",
        createdAt: new Date().toISOString(),
        active: undefined,
        settings: Validate.parse({}),
      });
    };
    await validate();
    assert.ok(Math.abs(Deno.statSync(location).size - 100_000) < 64);
    Deno.truncateSync(location, 50_000);
    await assert.rejects(validate, InvalidModelError);
  });
}

Deno.test({
  name: `numpy reads an npy file of the benchmark${WITHOUT_PYTHON}`,
  ignore: PYTHON === undefined,
  fn: async () => {
    using dir = tempDir();
    await writeModel(join(dir.path, "model.npy"), 100_000, new AbortController().signal);
    const { stdout } = await new Deno.Command(PYTHON ?? "", {
      args: ["-c", "import numpy; print(numpy.load('model.npy').shape)"],
      cwd: dir.path,
    }).output();
    assert.equal(new TextDecoder().decode(stdout), "(99872,)\n");
  },
});
