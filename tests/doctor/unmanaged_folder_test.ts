import assert from "node:assert/strict";
import { join } from "node:path";
import { checkStore } from "../../lib/doctor/store_checks.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

Deno.test("doctor names the files that keep a first pull from keeping the model folder as a release", async () => {
  using dir = tempDir();
  const location = { modelsDir: join(dir.path, "models"), stateDir: undefined };
  const found = async () =>
    (await checkStore(testContext(), location, "auto")).find(({ name }) => name === "models folder");
  writeFiles(location.modelsDir, { "mine.json": "{}", "sub/x.json": "{}" });
  assert.equal((await found())?.status, "pass");
  Deno.symlinkSync("sub", join(location.modelsDir, "latest"));
  const check = await found();
  assert.equal(check?.status, "warn");
  assert.match(check?.detail ?? "", /latest is a symbolic link$/);
});

Deno.test("doctor fails for a store inside the model folder, as every pull does", async () => {
  using dir = tempDir();
  const modelsDir = join(dir.path, "models");
  for (const stateDir of [modelsDir, join(modelsDir, ".model-sync")]) {
    const checks = await checkStore(testContext(), { modelsDir, stateDir }, "auto");
    const failed = checks.filter(({ status }) => status === "fail").map(({ detail }) => detail);
    assert.deepEqual(failed, [
      `Cannot keep the store in ${stateDir}: that is inside the model folder ${modelsDir}`,
    ]);
  }
  const beside = { modelsDir, stateDir: `${modelsDir}-store` };
  assert.ok((await checkStore(testContext(), beside, "auto")).every(({ status }) => status !== "fail"));
});
