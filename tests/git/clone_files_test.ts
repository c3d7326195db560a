import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { spawnInOurGroup } from "../../lib/core/subprocess.ts";
import { damage, DAMAGES, withoutPipes } from "../helpers/damage.ts";
import { rootedFs } from "../helpers/fake_fs.ts";
import { configuredPair } from "../helpers/machines.ts";
import { type CliResult, runCli } from "../helpers/run_cli.ts";
import { checkpoint, memoryDir, readFiles, writeFiles } from "../helpers/temp_dir.ts";
import { git, GIT_ENV } from "../helpers/test_git.ts";

/** Git finishes within milliseconds on a clone this small. One that hangs on a pipe is killed, and the test fails. */
const GIT_TIMEOUT_MS = 20_000;

const KINDS = Object.keys(DAMAGES);

/** Files that git or this program may create in a clone, besides the existing ones. */
const MORE_FILES = [
  "FETCH_HEAD",
  "MERGE_HEAD",
  "ORIG_HEAD",
  "commondir",
  "config.worktree",
  "hooks/pre-commit",
  "hooks/pre-push",
  "index",
  "info/attributes",
  "info/exclude",
  "info/grafts",
  "info/sparse-checkout",
  "lfs/cache/x",
  "logs/HEAD",
  "logs/refs/heads/main",
  "logs/refs/remotes/origin/main",
  "model-sync.journal",
  "model-sync.lock",
  "model-sync.own",
  "objects/info/alternates",
  "objects/info/commit-graph",
  "objects/info/packs",
  "objects/pack/multi-pack-index",
  "packed-refs",
  "refs/stash",
  "shallow",
];

/** The existing and possible files of a clone, with one loose object and one pack of each kind. */
function fileNames(gitDir: string): string[] {
  const names = new Map(MORE_FILES.map((name) => [name, name]));
  for (const { name, parentPath } of walk(gitDir)) {
    const path = join(parentPath, name).slice(gitDir.length + 1);
    names.set(path.replace(/^objects\/..\/.*/, "loose object").replace(/^.*\.(\w+)$/, "pack $1"), path);
  }
  return [...names.values()].sort();
}

function* walk(folder: string): Generator<{ readonly name: string; readonly parentPath: string }> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* walk(join(folder, name));
    else yield { name, parentPath: folder };
  }
}

/** Runs a command in a folder. It must not hang, and print at most one error. */
async function run(cwd: string, command: string, ...args: string[]): Promise<CliResult> {
  const result = await runCli(command, args, {
    cwd,
    world: {
      fs: withoutPipes(rootedFs(cwd)),
      spawn: (request) =>
        spawnInOurGroup({
          ...request,
          timeoutMs: Math.min(request.timeoutMs, GIT_TIMEOUT_MS),
          cwd: request.cwd ?? cwd,
          env: { ...GIT_ENV, NO_COLOR: "1", ...request.env },
        }),
    },
  });
  const shown = `${command} ${args.join(" ")}: ${result.stderr}`;
  assert.doesNotMatch(result.stderr, /unexpected|bug in model-sync|\n {4}at |no end after/, shown);
  const errors = result.stderr.split("\n").filter((line) => line.startsWith("error:"));
  assert.ok(errors.length <= 1, shown);
  return result;
}

async function succeed(cwd: string, ...[command = "", ...args]: readonly string[]): Promise<CliResult> {
  const result = await run(cwd, command, ...args);
  assert.equal(result.code, 0, `${command} ${args.join(" ")}: ${result.stderr}`);
  return result;
}

const dir = memoryDir();
globalThis.addEventListener("unload", () => dir[Symbol.dispose]());
const { registry, trainer: TRAINER, bot: BOT } = configuredPair(dir.path);
for (const content of ["one", "two"]) {
  writeFiles(TRAINER, { "models/a/rf.bin": content });
  await succeed(TRAINER, "publish");
  await succeed(BOT, "pull");
}
writeFiles(TRAINER, { "models/a/rf.bin": "three" });
await succeed(TRAINER, "publish");
const TIP = git(registry, "rev-parse", "main");
writeFiles(TRAINER, { "models/a/rf.bin": "four" });

const CLONE = ".model-sync/registry/.git";
const MACHINES = {
  "a pull": {
    cwd: BOT,
    command: ["pull"],
    offset: 0,
    dryRuns: [["pull", "--dry-run"], ["doctor"]] as const,
    restore: checkpoint(BOT, join(dir.path, "bot-before")),
    check: () => assert.equal(readFiles(join(BOT, "models"))["a/rf.bin"], "three"),
  },
  "a publish": {
    cwd: TRAINER,
    command: ["publish"],
    offset: 5,
    dryRuns: [["doctor"], ["publish", "--dry-run"]] as const,
    restore: checkpoint(TRAINER, join(dir.path, "trainer-before")),
    check: () => assert.equal(git(registry, "show", "main:models/a/rf.bin"), "four"),
  },
};

// Testing every file with every damage would last minutes. Here each file gets two kinds, one in each clone.
for (const [what, { cwd, command, dryRuns, offset, restore, check }] of Object.entries(MACHINES)) {
  Deno.test(`${what} does its work whatever stands in the place of a file of its clone, and so does the next`, async (test) => {
    restore();
    for (const [index, name] of fileNames(join(cwd, CLONE)).entries()) {
      const kind = KINDS[(index + offset) % KINDS.length] ?? "";
      await test.step(`${name} is ${kind}`, async () => {
        restore();
        git(registry, "update-ref", "refs/heads/main", TIP);
        const path = join(cwd, CLONE, name);
        Deno.mkdirSync(dirname(path), { recursive: true });
        damage(path, kind);
        const dryRun = dryRuns[index % 2];
        if (dryRun !== undefined) await succeed(cwd, ...dryRun);
        await succeed(cwd, ...command);
        check();
        const { stderr: after } = await succeed(cwd, ...command);
        assert.doesNotMatch(after, /warn/);
      });
    }
  });
}

for (const kind of KINDS) {
  Deno.test(`commands that need no registry do not care that every file of the clone is ${kind}`, async () => {
    const { restore } = MACHINES["a pull"];
    restore();
    git(registry, "update-ref", "refs/heads/main", TIP);
    const names = fileNames(join(BOT, CLONE));
    for (const name of names) {
      Deno.mkdirSync(dirname(join(BOT, CLONE, name)), { recursive: true });
      damage(join(BOT, CLONE, name), kind);
    }
    for (
      const args of [["status"], ["verify"], ["quarantine", "list"], ["rollback"], ["prune"], ["verify"]]
    ) {
      await succeed(BOT, ...args);
    }
    await succeed(BOT, "pull");
    MACHINES["a pull"].check();
  });
}
