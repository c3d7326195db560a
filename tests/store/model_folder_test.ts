import assert from "node:assert/strict";
import { planMode } from "../../lib/store/model_folder.ts";
import { placeOf } from "../../lib/store/store.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
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
