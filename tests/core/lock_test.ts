import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import { acquireLock, tryLock } from "../../lib/core/lock.ts";
import { readFiles, tempDir } from "../helpers/temp_dir.ts";

const OWNER = { command: "pull", host: "test-host" };

/** Copies what this process has open of a file, as a program that is being started does. */
function copyOpenFiles(path: string): Disposable {
  const libc = Deno.dlopen("libc.so.6", {
    dup: { parameters: ["i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const opened = [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      // Closed by another test meanwhile.
      return false;
    }
  });
  const copies = opened.map(({ name }) => libc.symbols.dup(Number(name)));
  return {
    [Symbol.dispose]() {
      for (const copy of copies) libc.symbols.close(copy);
      libc.close();
    },
  };
}

const onLinux = { ignore: Deno.build.os !== "linux" };

Deno.test("a released lock is free even while a program is being started", onLinux, async () => {
  using dir = tempDir();
  const path = join(Deno.realPathSync(dir.path), "lock");
  const lock = await acquireLock(Deno, path, OWNER, systemClock);
  using _copies = copyOpenFiles(path);
  assert.equal(await tryLock(Deno, path), "locked");
  lock[Symbol.dispose]();
  const tried = await tryLock(Deno, path);
  assert.ok(typeof tried === "object");
  using _triedCopies = copyOpenFiles(path);
  tried[Symbol.dispose]();
  using again = await acquireLock(Deno, path, OWNER, systemClock);
  assert.ok(again);
});

Deno.test("a folder in the place of a lock is an error that names the path to move away", async () => {
  using dir = tempDir();
  const path = join(dir.path, "lock");
  Deno.mkdirSync(path);
  await assert.rejects(acquireLock(Deno, path, OWNER, systemClock), {
    code: "LOCK_UNUSABLE",
    exitCode: 7,
    message: /^Cannot lock .*lock: /,
    hint: `move ${path} away and run again`,
  });
});

Deno.test("a link in the place of a lock is an error, and nothing is written where it leads", async () => {
  using dir = tempDir();
  const path = join(dir.path, "lock");
  for (const target of ["there", "missing"]) {
    Deno.writeTextFileSync(join(dir.path, "there"), "not ours");
    Deno.symlinkSync(target, path);
    await assert.rejects(acquireLock(Deno, path, OWNER, systemClock), {
      code: "LOCK_UNUSABLE",
      message: /: it is a link, not a file$/,
    });
    Deno.removeSync(path);
    assert.deepEqual(readFiles(dir.path), { there: "not ours" });
  }
});

Deno.test("a lock file names its holder alone, also after one with a longer name", async () => {
  using dir = tempDir();
  const path = join(dir.path, "lock");
  for (const command of ["references-sync", "pull", "publish"]) {
    using _lock = await acquireLock(Deno, path, { command, host: "bot" }, systemClock);
    assert.equal(JSON.parse(Deno.readTextFileSync(path)).command, command);
  }
});
