import assert from "node:assert/strict";
import { join } from "node:path";
import { configuredPair } from "../helpers/machines.ts";
import { spawnCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { git } from "../helpers/test_git.ts";

// As processes: a test's own process has every permission, and the runtime lets it in.

Deno.test({
  name: "publish works if the user turns hooks off with /dev/null, under its own permissions",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using dir = tempDir();
    const { registry, trainer } = configuredPair(dir.path);
    writeFiles(trainer, { "models/rf.json": "[1]" });
    writeFiles(dir.path, { gitconfig: "[core]\n\thooksPath = /dev/null\n" });
    const env = { GIT_CONFIG_GLOBAL: join(dir.path, "gitconfig") };
    const { code, stderr } = await spawnCli("publish", [], { cwd: trainer, env, entry: "script" });
    assert.equal(code, 0, stderr);
    assert.equal(git(registry, "show", "main:models/rf.json"), "[1]");
  },
});

Deno.test({
  name: "models in /dev/shm are refused in one line, which suggests other folders",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    using dir = tempDir();
    const { bot } = configuredPair(dir.path);
    const args = ["--models-dir", "/dev/shm/model-sync-test-that-is-never-made/models"];
    const { code, stderr } = await spawnCli("pull", args, { cwd: bot, entry: "script" });
    assert.equal(code, 2, stderr);
    assert.match(
      stderr,
      /^error: Cannot .*\/dev\/shm\/[^\n]*\nnext: {2}use a folder elsewhere[^\n]*mount a tmpfs[^\n]*\n$/,
    );
  },
});
