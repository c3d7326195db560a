import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { systemClock } from "../../lib/core/clock.ts";
import type { FileSystem } from "../../lib/core/files.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { acquireLock } from "../../lib/core/lock.ts";
import { verifyActive } from "../../lib/pipeline/verify.ts";
import { writeIntent } from "../../lib/store/intent.ts";
import { readPointer, setPointers } from "../../lib/store/pointers.ts";
import { releaseDir } from "../../lib/store/releases.ts";
import { findStore, type Store } from "../../lib/store/store.ts";
import { readOnlyFs } from "../helpers/fake_fs.ts";
import { type Machine, machine, pulledReleases, pullTo, rollBack, storeOf } from "../helpers/machines.ts";
import { testKey } from "../helpers/signing.ts";
import { ageFiles, listing, readFiles, tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const ONE = { "a.bin": "one", "b.bin": "both" };
const TWO = { "a.bin": "two", "b.bin": "both" };
const OWNER = { command: "pull", runId: "r1", host: "test-host" };

/** Bit rot does not change the time of a file; writing does. */
function withoutCtime(): FileSystem {
  return { ...Deno, lstatSync: (path) => ({ ...Deno.lstatSync(path), ctime: null }) };
}

function storeToRead(fs: FileSystem, bot: Machine): Store {
  const store = findStore(fs, bot);
  assert.ok(store);
  return store;
}

/** Changes a file like bit rot: its size and times stay. */
function rot(path: string, content: string): void {
  const { mtime } = Deno.statSync(path);
  assert.ok(mtime);
  Deno.chmodSync(path, 0o644);
  Deno.writeTextFileSync(path, content);
  Deno.utimeSync(path, mtime, mtime);
}

for (const activation of ["symlink", "mirror"] as const) {
  Deno.test(`verify in ${activation} mode changes nothing, and needs neither a lock nor a writable file`, async () => {
    using dir = tempDir();
    const { bot } = await pulledReleases(dir.path, [ONE], { activation });
    const context = testContext();
    using _lock = await acquireLock(Deno, storeOf(context, bot).lock, OWNER, systemClock);
    const release = readPointer(storeOf(context, bot), "current");
    // After hashing a file again, the cache would want to save its digest.
    Deno.removeSync(join(storeOf(context, bot).statCache), { recursive: true });
    const before = listing(dir.path);
    const fs = readOnlyFs(Deno);
    for (const depth of ["stat", "content"] as const) {
      const report = await verifyActive(testContext({ fs }), storeToRead(fs, bot), depth);
      const state = { sequence: 1, files: 2, problems: [], extra: [], signature: "unchecked" };
      assert.deepEqual(report, { release, ...state });
    }
    assert.deepEqual(listing(dir.path), before);
  });

  Deno.test(`a pull --force in ${activation} mode repairs damage that only hashing shows`, async () => {
    using dir = tempDir();
    const { bot } = await pulledReleases(dir.path, [ONE, TWO], { activation });
    const context = testContext({ fs: withoutCtime() });
    const store = storeOf(context, bot);
    // The cached digests have times that the write below does not change.
    ageFiles(Deno.realPathSync(bot.modelsDir));
    Deno.removeSync(store.statCache, { recursive: true });
    await pullTo(context, bot, { activation });
    rot(join(bot.modelsDir, "b.bin"), "BOTH");
    assert.equal((await verifyActive(context, store, "stat")).problems.length, 0);
    assert.equal((await verifyActive(context, store, "content")).problems.length, 1);
    assert.equal((await pullTo(context, bot, { activation })).outcome, "unchanged");
    assert.equal((await pullTo(context, bot, { activation, force: true })).outcome, "activated");
    assert.deepEqual(readFiles(bot.modelsDir), TWO);
    assert.equal((await verifyActive(context, store, "content")).problems.length, 0);
    assert.equal((await pullTo(context, bot, { activation, force: true })).outcome, "unchanged");
  });
}

Deno.test("damage that a pull --force finds is also checked for in every release that shares the file", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [ONE, TWO]);
  const context = testContext();
  rot(join(bot.modelsDir, "b.bin"), "BOTH");
  assert.equal((await pullTo(context, bot, { force: true })).outcome, "activated");
  assert.equal(context.log.lines.filter((line) => /b\.bin of the active release/.test(line)).length, 1);
  await assert.rejects(rollBack(context, bot), { code: "RELEASE_DAMAGED", exitCode: 5 });
  assert.deepEqual(readFiles(bot.modelsDir), TWO);
});

Deno.test("a pull reads no file of an unchanged release, and after its digests were lost only once", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [ONE]);
  const opened = async () => {
    const paths: string[] = [];
    const fs: FileSystem = {
      ...Deno,
      openSync: (path, options) => {
        // The first file is also opened as consumers open it.
        if (/[\\/]releases[\\/].*\.bin$/.test(String(path))) paths.push(basename(String(path)));
        return Deno.openSync(path, options);
      },
    };
    assert.equal((await pullTo(testContext({ fs }), bot)).outcome, "unchanged");
    return paths.sort();
  };
  assert.deepEqual(await opened(), []);
  ageFiles(Deno.realPathSync(bot.modelsDir));
  Deno.removeSync(storeOf(testContext(), bot).statCache, { recursive: true });
  assert.deepEqual(await opened(), ["a.bin", "b.bin"]);
  assert.deepEqual(await opened(), []);
});

Deno.test("a damaged digest in the stat cache is no damage of the release: its file is hashed", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [ONE]);
  const context = testContext();
  const store = storeOf(context, bot);
  const path = `${store.statCache}/${readPointer(store, "current")?.slice("sha256:".length)}.bin`;
  const bytes = Deno.readFileSync(path);
  const at = new TextDecoder("latin1").decode(bytes).indexOf(await sha256Hex("both"));
  assert.ok(at > 0);
  Deno.writeFileSync(path, bytes.with(at, (bytes[at] ?? 0) ^ 1));
  assert.deepEqual((await verifyActive(context, store, "stat")).problems, []);
  assert.equal((await pullTo(context, bot)).outcome, "unchanged");
});

const THREE = { "a.bin": "three", "b.bin": "both", "c.bin": "new" };

for (
  const [what, files, prunes] of [
    ["replaces", TWO, false],
    ["replaces and adds to", THREE, false],
    ["replaces and prunes", TWO, true],
  ] as const
) {
  Deno.test(`a release that another run ${what} during verify is reported as changed, not as damaged`, async () => {
    using dir = tempDir();
    const { bot } = await pulledReleases(dir.path, [ONE, files]);
    const others = storeOf(testContext(), bot);
    const next = readPointer(others, "current");
    await rollBack(testContext(), bot);
    const active = readPointer(others, "current");
    assert.ok(active !== undefined && next !== undefined);
    let isChanged = false;
    const fs: FileSystem = {
      ...Deno,
      openSync: (path, options) => {
        const opened = Deno.openSync(path, options);
        if (isChanged || !String(path).endsWith(".bin")) return opened;
        isChanged = true;
        setPointers(others, { previous: active, current: next }, "symlink");
        if (prunes) {
          Deno.removeSync(`${releaseDir(others, active)}.json`);
          Deno.removeSync(releaseDir(others, active), { recursive: true });
        }
        return opened;
      },
    };
    const store = storeToRead(fs, bot);
    await assert.rejects(verifyActive(testContext({ fs }), store, "content"), {
      code: "CHANGED_MEANWHILE",
      exitCode: 6,
      message: /another run changed it/,
    });
    assert.deepEqual((await verifyActive(testContext(), store, "content")).problems, []);
  });
}

Deno.test("a manifest that another run removes during verify is a change, not damage", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [ONE]);
  const active = readPointer(storeOf(testContext(), bot), "current") ?? "";
  const manifest = `${active.slice("sha256:".length)}.json`;
  const fs: FileSystem = {
    ...Deno,
    openSync: (path, options) => {
      if (String(path).endsWith(manifest)) Deno.removeSync(path);
      return Deno.openSync(path, options);
    },
  };
  await assert.rejects(verifyActive(testContext({ fs }), storeToRead(fs, bot), "stat"), {
    code: "CHANGED_MEANWHILE",
    exitCode: 6,
  });
  await assert.rejects(verifyActive(testContext(), storeOf(testContext(), bot), "stat"), {
    code: "RELEASE_DAMAGED",
    exitCode: 5,
  });
});

Deno.test("a mixture that a killed run left is damage, but not while the run is still working", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [ONE, TWO], { activation: "mirror" });
  const context = testContext();
  const store = storeOf(context, bot);
  const to = readPointer(store, "current");
  const from = readPointer(store, "previous");
  assert.ok(to !== undefined && from !== undefined);
  const run = { runId: "r1", command: "pull", startedAt: "2026-01-01T00:00:00Z" };
  writeIntent(store, { ...run, phase: "activating", mode: "mirror", from, to, previousBefore: null });
  Deno.removeSync(join(bot.modelsDir, "a.bin"));
  Deno.writeTextFileSync(join(bot.modelsDir, "c.bin"), "of the other release");
  const found = async () => {
    const { problems, extra } = await verifyActive(context, store, "stat");
    return [problems, extra];
  };
  const mixture = [[{ path: "a.bin", problem: "is missing" }], ["c.bin"]];
  {
    using _lock = await acquireLock(Deno, store.lock, OWNER, systemClock);
    await assert.rejects(found(), { code: "CHANGED_MEANWHILE" });
    writeIntent(store, { ...run, phase: "preparing" });
    assert.deepEqual(await found(), mixture, "a run that changes nothing yet");
  }
  assert.deepEqual(await found(), mixture);
});

Deno.test("verify fails if the manifest is written meanwhile, and reports a new file in the folder as extra", async () => {
  using dir = tempDir();
  const { bot } = await pulledReleases(dir.path, [ONE], { activation: "mirror" });
  const store = storeOf(testContext(), bot);
  const active = readPointer(store, "current") ?? "";
  const manifest = join(store.releases, `${active.slice("sha256:".length)}.json`);
  const meanwhile = (change: () => void): FileSystem => ({
    ...Deno,
    openSync: (path, options) => {
      if (String(path).endsWith(".bin")) change();
      return Deno.openSync(path, options);
    },
  });
  const added = meanwhile(() => Deno.writeTextFileSync(join(bot.modelsDir, "c.bin"), "new"));
  const report = await verifyActive(testContext({ fs: added }), storeToRead(added, bot), "content");
  assert.deepEqual([report.problems, report.extra], [[], ["c.bin"]]);
  const written = meanwhile(() => Deno.utimeSync(manifest, 1, 1));
  await assert.rejects(verifyActive(testContext({ fs: written }), storeToRead(written, bot), "content"), {
    code: "CHANGED_MEANWHILE",
  });
});

Deno.test("verify refuses without an active release or a sound manifest, reports a signature that is not trusted, and stops when aborted", async () => {
  using dir = tempDir();
  const context = testContext();
  const empty = storeOf(context, machine(dir.path, "empty", "unused"));
  const nothing = { code: "NOTHING_ACTIVE", exitCode: 2 };
  await assert.rejects(verifyActive(context, empty, "stat"), { ...nothing, hint: /^pull a release first;/ });

  const { trainer, bot } = await pulledReleases(dir.path, [ONE]);
  await assert.rejects(verifyActive(context, storeOf(context, trainer), "stat"), {
    ...nothing,
    hint: /^this machine trains into that folder;/,
  });
  const store = storeOf(context, bot);
  const { problems } = await verifyActive(context, store, "stat", testKey().required);
  assert.deepEqual(problems.map(({ path }) => path), ["model.sig"]);
  const aborted = testContext({ signal: AbortSignal.abort(new Error("stop")) });
  await assert.rejects(verifyActive(aborted, store, "stat"), /stop/);

  const active = readPointer(store, "current") ?? "";
  const manifest = join(store.releases, `${active.slice("sha256:".length)}.json`);
  const text = Deno.readTextFileSync(manifest);
  const damages = { "not JSON": text.slice(1), "of other files": text.replace('"a.bin"', '"c.bin"') };
  for (const [damage, damaged] of Object.entries(damages)) {
    Deno.writeTextFileSync(manifest, damaged);
    await assert.rejects(
      verifyActive(context, store, "stat"),
      { code: "RELEASE_DAMAGED", exitCode: 5 },
      damage,
    );
  }
});
