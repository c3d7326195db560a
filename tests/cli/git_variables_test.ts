import assert from "node:assert/strict";
import { join } from "node:path";
import { configuredPair } from "../helpers/machines.ts";
import { spawnCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { git } from "../helpers/test_git.ts";

/** What a hook, or a shell that works on another repository, may have set. */
const LEADING_ASTRAY = {
  GIT_DIR: "/nonexistent",
  GIT_WORK_TREE: "/nonexistent",
  GIT_INDEX_FILE: "/nonexistent/index",
  GIT_OBJECT_DIRECTORY: "/nonexistent/objects",
  GIT_CONFIG: "/nonexistent/config",
  GIT_ATTR_SOURCE: "nobody",
  GIT_SHALLOW_FILE: "/nonexistent/shallow",
  GIT_ICASE_PATHSPECS: "1",
  GIT_NAMESPACE: "elsewhere",
};

Deno.test("publish and pull work in their own repositories, even if git's variables name others", async () => {
  using dir = tempDir();
  const { registry, trainer, bot } = configuredPair(dir.path);
  writeFiles(trainer, { "models/rf.json": "[1]" });
  const run = (cwd: string, command: string) => spawnCli(command, [], { cwd, env: LEADING_ASTRAY });
  const published = await run(trainer, "publish");
  assert.equal(published.code, 0, published.stderr);
  assert.equal(git(registry, "show", "main:models/rf.json"), "[1]");
  const pulled = await run(bot, "pull");
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.equal(Deno.readTextFileSync(join(bot, "models/rf.json")), "[1]");
});
