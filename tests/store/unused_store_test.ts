import assert from "node:assert/strict";
import { isUnused } from "../../lib/store/unused_store.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

Deno.test("isUnused() is true for an empty folder and for a missing one", () => {
  using dir = tempDir();
  const { fs } = testContext();
  assert.ok(isUnused({ fs }, { modelsDir: `${dir.path}/models`, stateDir: undefined }));
  assert.ok(isUnused({ fs }, { modelsDir: `${dir.path}/missing/models`, stateDir: undefined }));
  writeFiles(dir.path, { "bot.py": "" });
  assert.ok(!isUnused({ fs }, { modelsDir: `${dir.path}/models`, stateDir: undefined }));
});

Deno.test("isUnused() is false for a folder that can be entered but not listed", () => {
  const { fs } = testContext();
  const closed = {
    ...fs,
    readDirSync: (path: string | URL) => {
      throw new Deno.errors.PermissionDenied(`Permission denied (os error 13): readdir '${path}'`);
    },
  };
  assert.ok(!isUnused({ fs: closed }, { modelsDir: "/srv/models", stateDir: "/srv/closed/state" }));
});
