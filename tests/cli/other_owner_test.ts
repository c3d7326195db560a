import assert from "node:assert/strict";
import { join } from "node:path";
import type { FileSystem } from "../../lib/core/files.ts";
import { gitError } from "../../lib/git/git_error.ts";
import { configuredPair } from "../helpers/machines.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { runCli } from "../helpers/run_cli.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** A file system on which root owns a path with its content, which no other user can change. */
function ownedByRoot(fs: FileSystem, owned: string): FileSystem {
  const refuse = (action: string, path: string | URL) => {
    if (!`${path}/`.startsWith(`${owned}/`)) return;
    const text = `Permission denied (os error 13): ${action} '${path}'`;
    throw Object.assign(new Deno.errors.PermissionDenied(text), { code: "EACCES" });
  };
  const writes = ({ write, append, create }: Deno.OpenOptions = {}) =>
    write === true || append === true || create === true;
  return {
    ...fs,
    mkdirSync: (path, options) => {
      refuse("mkdir", path);
      fs.mkdirSync(path, options);
    },
    renameSync: (from, to) => {
      refuse("rename", to);
      fs.renameSync(from, to);
    },
    openSync: (path, options) => {
      if (writes(options)) refuse("open", path);
      return fs.openSync(path, options);
    },
    open: async (path, options) => {
      if (writes(options)) refuse("open", path);
      return await fs.open(path, options);
    },
  };
}

Deno.test("files of the store that a run under sudo left to root are an error that suggests chown of the whole store", async () => {
  using dir = tempDir();
  const { trainer, bot } = configuredPair(dir.path);
  const publish = async (text: string) => {
    writeFiles(join(trainer, "models"), { "rf.bin": text });
    assert.equal((await runCli("publish", ["--skip-training"], { cwd: trainer })).code, 0);
  };
  await publish("one");
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
  const store = join(bot, ".model-sync");
  await publish("two");
  for (const path of ["", "/releases", "/staging", "/lock", "/history.jsonl"]) {
    const fs = ownedByRoot(rootedFs(bot), store + path);
    const { code, stderr } = await runCli("pull", [], { cwd: bot, world: { fs } });
    // A run that cannot be recorded still does its work.
    assert.equal(code, path === "/history.jsonl" ? 0 : 7, `${path}: ${stderr}`);
    assert.ok(stderr.includes(`after a run under sudo: sudo chown -R "$(id -un)" ${store}`), stderr);
    assert.ok(!stderr.includes("UNEXPECTED") && !/^ {4}at /m.test(stderr), stderr);
  }
  assert.equal((await runCli("pull", [], { cwd: bot })).code, 0);
});

Deno.test("gitError() names chown for a clone with files of another user", () => {
  const cases = [
    "error: insufficient permission for adding an object to repository database .git/objects",
    "fatal: detected dubious ownership in repository at '/srv/bot/.model-sync/registry'",
    "error: cannot open '.git/FETCH_HEAD': Permission denied",
  ];
  for (const stderr of cases) {
    const { hint } = gitError("fetch", stderr, "/srv/bot/.model-sync/registry");
    assert.ok(hint?.includes('sudo chown -R "$(id -un)" /srv/bot/.model-sync/registry'), hint);
  }
});

Deno.test("gitError() names the repository with dubious ownership that git names, not the clone", () => {
  const stderr = "fatal: detected dubious ownership in repository at '/srv/my models.git'\n" +
    "To add an exception for this directory, call:\n\n" +
    "\tgit config --global --add safe.directory '/srv/my models.git'\n" +
    "fatal: Could not read from remote repository.\n";
  const { code, hint } = gitError("clone the registry", stderr, "/tmp/model-sync-doctor-1/clone");
  assert.equal(code, "GIT_OWNERSHIP");
  assert.equal(
    hint,
    "run as the user that owns it; after a run under sudo: sudo chown -R \"$(id -un)\" '/srv/my models.git'; " +
      "or allow it: git config --global --add safe.directory '/srv/my models.git'",
  );
});
