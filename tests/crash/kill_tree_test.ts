import assert from "node:assert/strict";
import { join } from "node:path";
import { findEntry } from "../../lib/core/files.ts";
import { BULK_FILES_MIN } from "../../lib/store/many_files.ts";
import { machine, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { type CliResult, spawnCli } from "../helpers/run_cli.ts";
import { checkpoint, noise, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";
import { bareRepository, git } from "../helpers/test_git.ts";
import { makeProgram } from "../helpers/make_program.ts";

/**
 * Replaces git. At a call of one subcommand, it kills its caller, git and all processes that git started: before git
 * begins, while git works (which a file shows), or after git has ended and before its caller knows.
 */
const DEADLY_GIT = `#!/bin/sh
for arg do [ "$arg" = "$KILL_AT" ] && hit=1; done
[ -z "$hit" ] && exec "$REAL_GIT" "$@"
die() { kill -KILL "$PPID"; kill -KILL 0; }
[ "$KILL_WHEN" = before ] && die
exec 3<&0
"$REAL_GIT" "$@" <&3 &
while [ "$KILL_WHEN" = during ] && kill -0 $! 2>/dev/null; do
  for sign in $KILL_SIGN; do [ -e "$sign" ] && die; done
done
wait $!
code=$?
[ "$KILL_WHEN" = after ] && die
exit $code
`;

interface Moment {
  readonly at: string;
  readonly when: "before" | "during" | "after";
  /** What shows that git is in the middle of it: a pattern below the world's folder. */
  readonly sign?: string;
}

const PUBLISH_MOMENTS: readonly Moment[] = [
  { at: "mktree", when: "after" },
  { at: "update-index", when: "after" },
  { at: "commit-tree", when: "before" },
  { at: "commit-tree", when: "after" },
  { at: "update-ref", when: "before" },
  { at: "update-ref", when: "after" },
  { at: "push", when: "during", sign: "registry.git/objects/*incoming*" },
  { at: "push", when: "after" },
];

const PULL_MOMENTS: readonly Moment[] = [
  { at: "fetch", when: "after" },
  { at: "cat-file", when: "during", sign: "bot/.model-sync/staging/*/files/*" },
  { at: "update-ref", when: "before" },
  { at: "update-ref", when: "after" },
];

const FILES = 6;

/** A model set in which each file shows its version. */
function models(version: number): Record<string, Uint8Array> {
  return Object.fromEntries(
    Array.from({ length: FILES }, (_, index) => [`${index}.bin`, noise(512 * 1024 + version, index)]),
  );
}

/** Returns the version of all files in a folder; fails on a mixture. */
function versionOf(modelsDir: string): number {
  const sizes = Array.from(
    Deno.readDirSync(modelsDir),
    ({ name }) => Deno.statSync(join(modelsDir, name)).size,
  );
  assert.equal(sizes.length, FILES);
  assert.equal(new Set(sizes).size, 1, `a mixture of ${sizes}`);
  return (sizes[0] ?? 0) - 512 * 1024;
}

/** The registry, a trainer and a bot with version 1, and a git that kills. */
async function prepare(root: string): Promise<void> {
  const registry = bareRepository(join(root, "registry.git"));
  const config = `model_sync: {repo_url: ${
    JSON.stringify(registry)
  }, publisher: {train_before_push: false}}\n`;
  for (const name of ["trainer", "bot"]) writeFiles(join(root, name), { "configs/bot.yaml": config });
  writeFiles(join(root, "bin"), { git: DEADLY_GIT });
  makeProgram(join(root, "bin/git"));
  writeFiles(join(root, "trainer/models"), models(1));
  await run(root, "publish");
  await run(root, "pull");
}

async function run(
  root: string,
  command: "publish" | "pull",
  env: Record<string, string> = {},
): Promise<CliResult> {
  const cwd = join(root, command === "publish" ? "trainer" : "bot");
  const result = await spawnCli(command, [], { cwd, entry: "script", env });
  if (env["KILL_AT"] === undefined) assert.equal(result.code, 0, result.stderr);
  return result;
}

/** On a busy machine, git may end before the kill. That does not happen this often in a row. */
const ATTEMPTS_MAX = 10;

/** Runs a command in a fresh copy of a world, and kills it at that moment. */
async function runAndKill(
  root: string,
  command: "publish" | "pull",
  moment: Moment,
  restore: () => void,
): Promise<void> {
  let stderr = "";
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    restore();
    const result = await run(root, command, {
      PATH: `${join(root, "bin")}:${Deno.env.get("PATH")}`,
      REAL_GIT: git(root, "--exec-path") + "/git",
      KILL_AT: moment.at,
      KILL_WHEN: moment.when,
      KILL_SIGN: join(root, moment.sign ?? ""),
    });
    if (result.code === 128 + 9) return;
    stderr = result.stderr;
    assert.equal(result.code, 0, stderr);
  }
  assert.fail(`${JSON.stringify(moment)} never came: ${stderr}`);
}

/** Makes git's locks look a minute old: the next run waits for a fresh lock, which may belong to a running git. */
function ageLocks(folder: string): void {
  for (const entry of Deno.readDirSync(folder)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) ageLocks(path);
    else if (entry.name.endsWith(".lock")) Deno.utimeSync(path, 1, 1);
  }
}

const isWindows = Deno.build.os === "windows";
const skipped = isWindows ? " (skipped: no process groups here)" : "";

Deno.test({
  name:
    `a publish that is killed with its gits leaves one whole release, and the next one succeeds${skipped}`,
  ignore: isWindows,
  fn: async () => {
    using dir = tempDir();
    using copy = tempDir();
    await prepare(dir.path);
    writeFiles(join(dir.path, "trainer/models"), models(2));
    const restore = checkpoint(dir.path, join(copy.path, "world"));
    for (const moment of PUBLISH_MOMENTS) {
      await runAndKill(dir.path, "publish", moment, restore);
      const reader = machine(dir.path, "reader", join(dir.path, "registry.git"));
      await pullTo(testContext(), reader);
      assert.ok([1, 2].includes(versionOf(reader.modelsDir)), JSON.stringify(moment));
      ageLocks(join(dir.path, "trainer/.model-sync/registry/.git"));
      await run(dir.path, "publish");
      await pullTo(testContext(), reader);
      assert.equal(versionOf(reader.modelsDir), 2, JSON.stringify(moment));
    }
  },
});

Deno.test({
  name:
    `a pull that is killed with its git processes leaves one whole release, and the next pull succeeds${skipped}`,
  ignore: isWindows,
  fn: async () => {
    using dir = tempDir();
    using copy = tempDir();
    await prepare(dir.path);
    writeFiles(join(dir.path, "trainer/models"), models(2));
    await run(dir.path, "publish");
    const restore = checkpoint(dir.path, join(copy.path, "world"));
    for (const moment of PULL_MOMENTS) {
      await runAndKill(dir.path, "pull", moment, restore);
      assert.ok([1, 2].includes(versionOf(join(dir.path, "bot/models"))), JSON.stringify(moment));
      ageLocks(join(dir.path, "bot/.model-sync/registry/.git"));
      await run(dir.path, "pull");
      assert.equal(versionOf(join(dir.path, "bot/models")), 2, JSON.stringify(moment));
    }
  },
});

/** Replaces tar, and kills its caller: with a part of the files on the disk, or while tar still reads. */
const DEADLY_TAR = `#!/bin/sh
[ "$1" = --version ] && exec "$REAL_TAR" "$@"
[ "$KILL_WHEN" = during ] && head -c 20000 | "$REAL_TAR" "$@"
kill -KILL "$PPID"
exec "$REAL_TAR" "$@"
`;

const isLinux = Deno.build.os === "linux";

Deno.test({
  name:
    `a first pull that is killed while tar writes many files shows none of them, and the next pull succeeds${
      isLinux ? "" : " (skipped: not on this system)"
    }`,
  ignore: !isLinux,
  fn: async () => {
    using dir = tempDir();
    const trainer = machine(dir.path, "trainer", bareRepository(join(dir.path, "registry.git")));
    const files = Object.fromEntries(
      Array.from({ length: BULK_FILES_MIN + 50 }, (_, index) => [`d${index % 3}/${index}`, `${index}`]),
    );
    writeFiles(trainer.modelsDir, files);
    await publishFrom(testContext(), trainer);
    const config = `model_sync: {repo_url: ${JSON.stringify(registryOf(trainer))}}\n`;
    writeFiles(join(dir.path, "bin"), { tar: DEADLY_TAR });
    makeProgram(join(dir.path, "bin/tar"));
    const [realTar] = ["/usr/bin/tar", "/bin/tar"].filter((path) => findEntry(Deno, path) !== undefined);
    for (const when of ["during", "before"]) {
      const cwd = join(dir.path, `bot ${when}`);
      writeFiles(cwd, { "configs/bot.yaml": config });
      const PATH = `${join(dir.path, "bin")}:${Deno.env.get("PATH")}`;
      const env = { PATH, REAL_TAR: realTar ?? "", KILL_WHEN: when };
      const killed = await spawnCli("pull", [], { cwd, entry: "script", env });
      assert.equal(killed.code, 128 + 9, when);
      assert.equal(findEntry(Deno, join(cwd, "models")), undefined, when);
      const next = await spawnCli("pull", [], { cwd, entry: "script" });
      assert.equal(next.code, 0, next.stderr);
      assert.deepEqual(readFiles(join(cwd, "models")), readFiles(trainer.modelsDir));
      assert.deepEqual([...Deno.readDirSync(join(cwd, ".model-sync/staging"))], []);
    }
  },
});
