import assert from "node:assert/strict";
import { join } from "node:path";
import { sha256Hex } from "../../lib/core/hash.ts";
import type { ProcessRequest, SpawnProcess } from "../../lib/core/subprocess.ts";
import { BULK_FILES_MIN } from "../../lib/store/many_files.ts";
import { Staging } from "../../lib/store/staging.ts";
import { stampOf } from "../../lib/store/stat_cache.ts";
import { openStore } from "../../lib/store/store.ts";
import { keepUnfinished } from "../../lib/store/unfinished.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { mountObstacle, tmpfsAt } from "../helpers/small_disk.ts";
import { memoryDir, noise, readFiles, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, type RecordedLog, testContext } from "../helpers/test_context.ts";

const isLinux = Deno.build.os === "linux";

/** Where there is no second process, everything else holds, too. */
const onLinux = isLinux ? "" : " (skipped: not on this system)";

/** Paths of many files in two folders. */
function pathsOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `d${index % 2}/${index}.npy`);
}

function contentOf(path: string): Uint8Array {
  return new TextEncoder().encode(`weights of ${path}`);
}

/** Starts the real tar to ask for its version and for the trial, and this request to write files. */
function writingWith(change: (request: ProcessRequest) => ProcessRequest): SpawnProcess {
  return extractingWith((request) => request.args.some(isTrial) ? request : change(request));
}

/** Starts the real tar to ask for its version, and this request for the trial and to write files. */
function extractingWith(change: (request: ProcessRequest) => ProcessRequest): SpawnProcess {
  return (request) => isolatedSpawn(request.args.includes("--extract") ? change(request) : request);
}

function isTrial(argument: string): boolean {
  return /^--directory=.*\.trial$/.test(argument);
}

/** Runs a shell script in the place of tar. */
const script = (text: string) => writingWith(runScript(text));

function runScript(text: string): (request: ProcessRequest) => ProcessRequest {
  return (request) => ({ ...request, command: "sh", args: ["-c", text, "tar", ...request.args] });
}

/** Stages many files, in a world with these programs. */
async function stageMany(
  root: string,
  { spawn = isolatedSpawn, paths = pathsOf(BULK_FILES_MIN + 9), signal = new AbortController().signal }: {
    readonly spawn?: SpawnProcess;
    readonly paths?: readonly string[];
    readonly signal?: AbortSignal;
  },
  check: (staging: Staging, opened: readonly string[]) => Promise<void>,
): Promise<RecordedLog> {
  const opened: string[] = [];
  const fs = countingFs((step) => void (step.startsWith("open ") && opened.push(step)));
  const store = openStore(fs, { modelsDir: join(root, "models") });
  opened.length = 0;
  const context = testContext({ fs, spawn, signal });
  await using staging = new Staging(context, store, "run");
  for (const path of paths) await staging.writeOfMany(path, contentOf(path));
  await staging.settle();
  await check(staging, opened);
  return context.log;
}

Deno.test(`from the 256th file of many on, tar writes them: whole, read-only, and stamped${onLinux}`, async () => {
  using dir = memoryDir();
  const odd = [
    "-rf",
    "d0/a b",
    "ä/ö.npy",
    "@list",
    "d0/%s",
    "x".repeat(100),
    "y".repeat(101),
    "é".repeat(50),
  ];
  const paths = [...pathsOf(BULK_FILES_MIN), ...odd, "empty"];
  await stageMany(dir.path, { paths }, async (staging, opened) => {
    if (isLinux) assert.equal(opened.length, BULK_FILES_MIN - 1 + 1);
    assert.deepEqual(
      readFiles(staging.dir),
      Object.fromEntries(paths.map((path) => [path, `weights of ${path}`])),
    );
    for (const { path, bytes, sha256, how, stamp } of staging.files) {
      const info = Deno.lstatSync(join(staging.dir, path));
      if (Deno.build.os !== "windows") assert.equal((info.mode ?? 0) & 0o777, 0o444, path);
      assert.deepEqual({ bytes, sha256, how, stamp }, {
        bytes: info.size,
        sha256: await sha256Hex(`weights of ${path}`),
        how: "written",
        stamp: stampOf(info),
      });
    }
    assert.deepEqual(staging.files.map(({ path }) => path).sort(), [...paths].sort());
  });
});

Deno.test("a file that tar writes is known before it is on the disk, cannot be staged twice, and may be empty or large", async () => {
  using dir = memoryDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  await using staging = new Staging(testContext(), store, "run");
  for (const path of pathsOf(BULK_FILES_MIN)) await staging.writeOfMany(path, contentOf(path));
  const large = noise(1024 * 1024, 1);
  await staging.writeOfMany("large", large);
  await staging.writeOfMany("empty", new Uint8Array());
  assert.equal(staging.digestOf("large")?.bytes, large.length);
  if (isLinux) assert.throws(() => staging.files, TypeError);
  assert.equal(staging.openHolds()(await sha256Hex("")), true);
  await assert.rejects(staging.writeOfMany("empty", new Uint8Array()), { code: "DUPLICATE_PATH" });
  await staging.settle();
  assert.deepEqual(Deno.readFileSync(join(staging.dir, "large")), new Uint8Array(large));
  assert.equal(Deno.statSync(join(staging.dir, "empty")).size, 0);
  await staging.writeOfMany("later", contentOf("later"));
  assert.equal(staging.files.length, BULK_FILES_MIN + 3);
});

Deno.test("options of the user do not change what tar writes", async () => {
  using dir = memoryDir();
  const spawn: SpawnProcess = (request) =>
    isolatedSpawn({
      ...request,
      env: { ...{ TAR_OPTIONS: "--strip-components=1 --to-stdout" }, ...request.env },
    });
  await stageMany(dir.path, { spawn }, (staging) => {
    assert.equal(Object.keys(readFiles(staging.dir)).length, BULK_FILES_MIN + 9);
    return Promise.resolve();
  });
});

Deno.test("what the system says while tar starts is no failure of tar, and not the reason of one", async () => {
  const noise = "echo 'ERROR: ld.so: object x from LD_PRELOAD cannot be preloaded: ignored.' >&2";
  using dir = memoryDir();
  await stageMany(dir.path, { spawn: script(`${noise}; exec tar "$@"`), paths: pathsOf(1000) }, (staging) => {
    assert.equal(Object.keys(readFiles(staging.dir)).length, 1000);
    return Promise.resolve();
  });
  if (!isLinux) return;
  using other = memoryDir();
  const denied = script(`${noise}; echo '/bin/tar: d0/1: Cannot open: Permission denied' >&2; exit 2`);
  await assert.rejects(stageMany(other.path, { spawn: denied }, () => Promise.resolve()), {
    code: "TAR_FAILED",
    message: "Cannot write files into the store: /bin/tar: d0/1: Cannot open: Permission denied",
  });
});

Deno.test("without GNU tar, the pull writes all files itself", async () => {
  const replies = ["echo 'bsdtar 3.7.2 - libarchive 3.7.2'", "echo 'tar (busybox) 1.36.1'", "exit 1"];
  const spawns: SpawnProcess[] = replies.map((reply) => (request) =>
    isolatedSpawn({ ...request, command: "sh", args: ["-c", reply] })
  );
  spawns.push((request) => isolatedSpawn({ ...request, command: "no-such-program-here" }));
  // The system does not let this user start it, and a file that is no program.
  for (const code of ["EACCES", "ENOEXEC"]) {
    spawns.push(() => {
      throw osError(code);
    });
  }
  for (const spawn of spawns) {
    using dir = memoryDir();
    await stageMany(dir.path, { spawn }, (staging, opened) => {
      assert.equal(opened.length, BULK_FILES_MIN + 9);
      assert.equal(Object.keys(readFiles(staging.dir)).length, BULK_FILES_MIN + 9);
      return Promise.resolve();
    });
  }
});

Deno.test("where GNU tar is installed and never works, the pull writes all files itself, with a warning", async () => {
  const broken = {
    "tar: /x.trial: Cannot open: Permission denied":
      "echo 'tar: /x.trial: Cannot open: Permission denied' >&2; exit 2",
    "tar ended with exit code 159": "kill -31 $$",
    "tar ended with exit code 127": "echo 'error while loading shared libraries' >&2; exit 127",
    "its file is missing or wrong": "exec cat >/dev/null",
  };
  for (const [reason, text] of Object.entries(broken)) {
    using dir = memoryDir();
    const log = await stageMany(dir.path, { spawn: extractingWith(runScript(text)) }, (staging, opened) => {
      assert.equal(opened.length, BULK_FILES_MIN + 9, reason);
      assert.equal(Object.keys(readFiles(staging.dir)).length, BULK_FILES_MIN + 9, reason);
      return Promise.resolve();
    });
    const warning = `warn tar is installed, but does not work: ${reason}. Files are written without it`;
    if (isLinux) assert.deepEqual(log.lines, [warning]);
  }
});

Deno.test({
  name: `a failure of tar fails the staging, and leaves nothing of it${onLinux}`,
  ignore: !isLinux,
  fn: async () => {
    const full = "tar: d0/256.npy: Cannot write: No space left on device";
    const failures = [
      // In the middle of the files, at their end, before the first one.
      [`head -c 1000 >/dev/null; echo '${full}' >&2; exit 2`, {
        code: "DISK",
        exitCode: 7,
        message: /disk is full$/,
      }],
      [`cat >/dev/null; echo '${full}' >&2; exit 2`, { code: "DISK", exitCode: 7, message: /disk is full$/ }],
      ["echo 'tar: d0: Cannot open: Read-only file system' >&2; exec cat >/dev/null", {
        code: "DISK",
        exitCode: 7,
      }],
      ["echo 'tar: d0/1: Wrote only 4096 of 5000 bytes' >&2; exit 2", { code: "DISK", exitCode: 7 }],
      ["echo 'tar: d0: Cannot open: Permission denied' >&2; exit 2", { code: "TAR_FAILED", exitCode: 1 }],
      ["kill -9 $$", { code: "TAR_FAILED", exitCode: 1, message: /tar ended with exit code 137$/ }],
      // It says that it has written what it has not.
      ["exec cat >/dev/null", { code: "DISK", exitCode: 7, message: /255\.npy .* has 0 of its 21 bytes$/ }],
    ] as const;
    for (const [text, expected] of failures) {
      using dir = memoryDir();
      const staged = stageMany(
        dir.path,
        { spawn: script(text), paths: pathsOf(1000) },
        () => Promise.resolve(),
      );
      await assert.rejects(staged, expected, text);
      assert.deepEqual([...Deno.readDirSync(join(dir.path, ".model-sync/staging"))], []);
    }
  },
});

Deno.test({
  name: `a program that disappears after its trial fails the staging${onLinux}`,
  ignore: !isLinux,
  fn: async () => {
    using dir = memoryDir();
    const spawn = writingWith((request) => ({ ...request, command: "no-such-program-here" }));
    await assert.rejects(stageMany(dir.path, { spawn }, () => Promise.resolve()), {
      code: "PROGRAM_MISSING",
    });
  },
});

Deno.test({
  name:
    `a staging that is left early, or interrupted, waits for the end of tar before its folder is removed${onLinux}`,
  ignore: !isLinux,
  fn: async () => {
    for (const isInterrupted of [false, true]) {
      using dir = memoryDir();
      const interrupt = new AbortController();
      const reason = new Error("stopped");
      const signs = join(dir.path, "ended");
      // It ends only a moment after it was told to. Once it reads, it can be told.
      const spawn = script(
        `trap 'sleep 0.05; echo > ${signs}; exit 1' TERM; head -c 300000 >/dev/null; while :; do sleep 0.01; done`,
      );
      const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
      const context = testContext({ spawn, signal: interrupt.signal });
      const work = async () => {
        await using staging = new Staging(context, store, "run");
        for (const path of pathsOf(BULK_FILES_MIN)) await staging.writeOfMany(path, contentOf(path));
        await staging.writeOfMany("large", new Uint8Array(700_000));
        if (!isInterrupted) throw reason;
        interrupt.abort(reason);
        await staging.settle();
      };
      await assert.rejects(work(), (error) => error === reason);
      assert.ok(Deno.statSync(signs).isFile);
      assert.deepEqual([...Deno.readDirSync(store.staging)], []);
    }
  },
});

Deno.test("what a program of a killed run still writes into its file does not get into the next release", async () => {
  using dir = memoryDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const killed = join(store.staging, "killed/files");
  writeFiles(killed, { "d0/begun.npy": "begun" });
  using orphan = Deno.openSync(join(killed, "d0/begun.npy"), { append: true });
  keepUnfinished(store, killed);
  await using staging = new Staging(testContext(), store, "run");
  assert.equal(await staging.link("d0/begun.npy", await sha256Hex("begun")), true);
  orphan.writeSync(new TextEncoder().encode(", and more"));
  assert.deepEqual(readFiles(staging.dir), { "d0/begun.npy": "begun" });
  assert.deepEqual(readFiles(store.partials), {});
});

Deno.test({
  name:
    `a pull whose disk is full while tar writes leaves the active release, and the next one succeeds${onLinux}`,
  ignore: !isLinux,
  fn: async () => {
    using dir = memoryDir();
    const trainer = newTrainer(dir.path);
    const bot = machine(dir.path, "bot", registryOf(trainer));
    await publishFrom(testContext(), trainer);
    await pullTo(testContext(), bot);
    const before = readFiles(bot.modelsDir);
    const files = Object.fromEntries(pathsOf(BULK_FILES_MIN + 9).map((path) => [path, path]));
    writeFiles(trainer.modelsDir, files);
    await publishFrom(testContext(), trainer);
    const full = script(
      "head -c 3000 | tar \"$@\" 2>/dev/null; echo 'tar: d: Cannot write: No space left on device' >&2; exit 2",
    );
    await assert.rejects(pullTo(testContext({ spawn: full }), bot), { code: "DISK", exitCode: 7 });
    assert.deepEqual(readFiles(bot.modelsDir), before);
    await pullTo(testContext(), bot);
    assert.deepEqual(readFiles(bot.modelsDir), readFiles(trainer.modelsDir));
  },
});

const obstacle = isLinux ? mountObstacle("tmpfs") : "not on this system";

Deno.test({
  name: `where the disk is full while tar writes, the staging says so${
    obstacle === undefined ? "" : ` (skipped: ${obstacle})`
  }`,
  ignore: obstacle !== undefined,
  fn: async () => {
    // At the beginning of a file, and in the middle of one.
    for (const bytes of [4096, 5000]) {
      using dir = tempDir();
      using disk = tmpfsAt(join(dir.path, "disk"), "size=4m");
      const store = openStore(Deno, { modelsDir: join(disk.path, "models") });
      const work = async () => {
        await using staging = new Staging(testContext(), store, "run");
        for (const path of pathsOf(1500)) await staging.writeOfMany(path, new Uint8Array(bytes));
        await staging.settle();
      };
      await assert.rejects(work(), { code: "DISK", exitCode: 7, message: /the disk is full$/ });
      assert.deepEqual([...Deno.readDirSync(store.staging)], []);
    }
  },
});
