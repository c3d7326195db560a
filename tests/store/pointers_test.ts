import assert from "node:assert/strict";
import { join } from "node:path";
import type { FileSystem } from "../../lib/core/files.ts";
import { sha256Hex } from "../../lib/core/hash.ts";
import { appendHistory, type RunRecord } from "../../lib/store/history.ts";
import type { Intent } from "../../lib/store/intent.ts";
import {
  clearDamagedPrevious,
  makeLink,
  readActive,
  readPointer,
  relinkPointers,
  restorePointer,
  setPointers,
  supportsSymlinks,
} from "../../lib/store/pointers.ts";
import { readCurrent, restoreCurrent } from "../../lib/store/restore_current.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import {
  findWithdrawal,
  learnWithdrawals,
  listWithdrawn,
  nextWithdrawals,
  overrideWithdrawal,
  readWithdrawals,
  withdrawalsInForce,
} from "../../lib/store/withdrawals.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type Digest, type Manifest } from "../../lib/release/manifest.ts";
import { releaseDir, writeManifest } from "../../lib/store/releases.ts";
import { osError } from "../helpers/fake_fs.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { recordedLog, testContext } from "../helpers/test_context.ts";

const [ONE, TWO] = [`sha256:${"1".repeat(64)}`, `sha256:${"2".repeat(64)}`] as const;

/** Puts a release of one file into the store. */
async function installed(store: Store): Promise<Manifest> {
  const files = [{ path: "a.onnx", size: 3, sha256: await sha256Hex("one") }];
  const origin = { carrier: "git" } as const;
  const manifest = await createManifest(files, { sequence: 1, createdAt: "2026-01-01T00:00:00Z", origin });
  writeManifest(store, manifest.digest, formatManifest(manifest));
  writeFiles(releaseDir(store, manifest.digest), { "a.onnx": "one" });
  return manifest;
}

function pullOf(release: Digest): RunRecord {
  return {
    runId: "pulled",
    command: "pull",
    outcome: "activated",
    startedAt: "2026-01-01T00:00:00Z",
    durationMs: 1,
    host: "bot",
    release,
  };
}

/** A file system that records renames, and may refuse a link. */
function pointerFs(renamed: string[], refuses: (path: string) => boolean): FileSystem {
  return {
    ...Deno,
    renameSync(from, to) {
      renamed.push(String(to).split("/").at(-1) ?? "");
      Deno.renameSync(from, to);
    },
    symlinkSync(target, path, options) {
      if (refuses(String(path))) throw osError("EPERM");
      Deno.symlinkSync(target, path, options);
    },
  };
}

Deno.test("pointers move in the order previous, current, and none moves if the system refuses one of the links", () => {
  using dir = tempDir();
  const renamed: string[] = [];
  let refused = "none";
  const fs = pointerFs(renamed, (path) => path.includes(`${refused}.new`));
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  const pointers = () => [readPointer(store, "previous"), readPointer(store, "current")];
  setPointers(store, { current: ONE }, "symlink");
  renamed.length = 0;
  refused = "current";
  assert.throws(() => setPointers(store, { previous: ONE, current: TWO }, "symlink"), {
    code: "LINK_REFUSED",
    exitCode: 7,
  });
  assert.deepEqual([renamed, pointers()], [[], [undefined, ONE]]);
  refused = "none";
  setPointers(store, { previous: ONE, current: TWO }, "symlink");
  assert.deepEqual([renamed, pointers()], [["previous", "current"], [ONE, TWO]]);
});

Deno.test("where the system refuses links, a pointer of mirror mode is a file", () => {
  using dir = tempDir();
  const store = openStore(pointerFs([], () => true), { modelsDir: join(dir.path, "models") });
  setPointers(store, { current: ONE }, "mirror");
  setPointers(store, { previous: ONE, current: TWO }, "mirror");
  assert.deepEqual([readPointer(store, "previous"), readPointer(store, "current")], [ONE, TWO]);
  assert.equal(Deno.lstatSync(join(store.root, "current")).isFile, true);
});

Deno.test("a damaged previous is set aside, and a good one or none is left alone", () => {
  using dir = tempDir();
  const log = recordedLog();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") }, log);
  clearDamagedPrevious(store);
  setPointers(store, { previous: ONE, current: TWO }, "symlink");
  clearDamagedPrevious(store);
  assert.deepEqual([readPointer(store, "previous"), readPointer(store, "current")], [ONE, TWO]);
  Deno.removeSync(join(store.root, "previous"));
  Deno.writeTextFileSync(join(store.root, "previous"), "random");
  clearDamagedPrevious(store);
  const left = Array.from(Deno.readDirSync(store.root), ({ name }) => name);
  assert.deepEqual(left.filter((name) => name.startsWith("previous")), ["previous.damaged"]);
  assert.match(
    log.lines.join(),
    /^warn .*previous is damaged and is rebuilt: it says "random"\. Lost: a rollback/,
  );
});

Deno.test("a link that fails for another reason than a refusal leaves a pointer unchanged, also in mirror mode", () => {
  using dir = tempDir();
  let isBroken = false;
  const symlinkSync: FileSystem["symlinkSync"] = (target, path, options) => {
    if (isBroken) throw osError("EIO");
    Deno.symlinkSync(target, path, options);
  };
  const store = openStore({ ...Deno, symlinkSync }, { modelsDir: join(dir.path, "models") });
  setPointers(store, { current: ONE }, "mirror");
  isBroken = true;
  assert.throws(() => setPointers(store, { current: TWO }, "mirror"), { code: "DISK", exitCode: 7 });
  assert.equal(readPointer(store, "current"), ONE);
  // Nothing is written for a value that the pointer has already.
  restorePointer(store, "current", ONE, "mirror");
});

Deno.test("a pointer is set back to the value before, also to none, and only pointers that are files become links", () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  setPointers(store, { previous: ONE, current: TWO }, "symlink");
  assert.equal(relinkPointers(store), false);
  restorePointer(store, "current", ONE, "symlink");
  restorePointer(store, "previous", undefined, "symlink");
  assert.deepEqual([readPointer(store, "previous"), readPointer(store, "current")], [undefined, ONE]);
  Deno.removeSync(join(store.root, "current"));
  Deno.writeTextFileSync(join(store.root, "current"), `releases/${ONE.slice("sha256:".length)}\n`);
  assert.equal(relinkPointers(store), true);
  assert.equal(Deno.lstatSync(join(store.root, "current")).isSymlink, true);
  assert.equal(readPointer(store, "current"), ONE);
});

Deno.test("a refused link is distinguished from other errors of the disk, and a check for links leaves none behind", () => {
  using dir = tempDir();
  let error = new Error("none");
  const refusing = openStore({
    ...Deno,
    symlinkSync() {
      throw error;
    },
  }, { modelsDir: join(dir.path, "models") });
  const path = join(refusing.root, "link");
  for (
    const refusal of [
      osError("EACCES", (text) => new Deno.errors.PermissionDenied(text)),
      new Deno.errors.NotSupported("not supported"),
      osError("EPERM"),
    ]
  ) {
    error = refusal;
    assert.throws(() => makeLink(refusing, "target", path), { code: "LINK_REFUSED" });
    assert.equal(supportsSymlinks(refusing), false);
  }
  error = osError("ENOSPC");
  assert.throws(() => makeLink(refusing, "target", path), { code: "DISK" });
  assert.throws(() => supportsSymlinks(refusing), /ENOSPC/);

  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  Deno.symlinkSync("target", join(store.staging, ".symlink-probe"));
  assert.equal(supportsSymlinks(store), true);
  assert.deepEqual([...Deno.readDirSync(store.staging)], []);
});

Deno.test("a pointer that the disk cannot read is an error, and does not count as damaged", async () => {
  using dir = tempDir();
  let isBroken = false;
  const readLinkSync: FileSystem["readLinkSync"] = (path) => {
    if (isBroken) throw osError("EIO");
    return Deno.readLinkSync(path);
  };
  const store = openStore({ ...Deno, readLinkSync }, { modelsDir: join(dir.path, "models") });
  const { digest } = await installed(store);
  appendHistory(store, pullOf(digest));
  setPointers(store, { current: ONE }, "symlink");
  isBroken = true;
  assert.throws(() => readActive(store), /EIO/);
  assert.throws(() => readCurrent(store), /EIO/);
  await assert.rejects(restoreCurrent(testContext(), store, undefined, true), /EIO/);
  isBroken = false;
  assert.equal(readPointer(store, "current"), ONE);
});

Deno.test("a damaged current is restored as a link if consumers follow it, and as a file where only a mirror needs it", async () => {
  for (const mode of ["mirror", "symlink"] as const) {
    using dir = tempDir();
    const modelsDir = join(dir.path, "models");
    const store = openStore(pointerFs([], () => true), { modelsDir });
    const { digest } = await installed(store);
    appendHistory(store, pullOf(digest));
    if (mode === "symlink") Deno.symlinkSync(".model-sync/current", modelsDir);
    else writeFiles(modelsDir, { "a.onnx": "one" });
    const current = join(store.root, "current");
    Deno.writeTextFileSync(current, "random");
    const restoring = restoreCurrent(testContext(), store, undefined, false);
    if (mode === "mirror") {
      await restoring;
      assert.deepEqual([readPointer(store, "current"), Deno.lstatSync(current).isFile], [digest, true]);
    } else {
      // A file would hide every release from consumers until an operator notices.
      await assert.rejects(restoring, { code: "LINK_REFUSED", exitCode: 7 });
      assert.equal(Deno.readTextFileSync(current), "random");
    }
    assert.deepEqual(
      Array.from(Deno.readDirSync(store.root), ({ name }) => name).filter((name) => /damaged/.test(name)),
      [],
    );
  }
});

Deno.test("a current that a first activation damaged is removed, and one that an earlier release had stays for a rollback", async () => {
  using dir = tempDir();
  const log = recordedLog();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") }, log);
  const current = join(store.root, "current");
  // The store holds a part of a release, so that a release may have been active.
  Deno.mkdirSync(join(store.releases, ONE.slice("sha256:".length)));
  const run = { runId: "killed", command: "pull", startedAt: "2026-01-01T00:00:00Z" };
  const activating = (from: typeof ONE | null): Intent => ({
    ...run,
    phase: "activating",
    mode: "symlink",
    from,
    to: TWO,
    previousBefore: null,
  });
  const adopting = (from: typeof ONE | null): Intent => ({ ...run, phase: "adopting", digest: TWO, from });
  for (const intent of [activating(ONE), adopting(ONE), undefined, activating(null), adopting(null)]) {
    Deno.writeTextFileSync(current, "random");
    await restoreCurrent(testContext(), store, intent, false);
    if (intent?.phase !== "preparing" && intent?.from === null) {
      assert.deepEqual(readActive(store), { kind: "none" });
    } else {
      const active = readActive(store);
      assert.equal(active.kind, "damaged");
      assert.equal(active.kind === "damaged" && active.error.code, "POINTER_INVALID");
      assert.throws(() => readCurrent(store), { code: "POINTER_INVALID" });
    }
  }
  const removed = `warn ${current} was damaged and is removed: no release is active`;
  assert.deepEqual(log.lines, [`${removed}; its former content is kept in ${current}.damaged`]);
  // A named pipe, an empty folder or a link to elsewhere has no content to keep.
  Deno.mkdirSync(current);
  await restoreCurrent(testContext(), store, activating(null), false);
  assert.equal(log.lines.at(-1), removed);
});

Deno.test("a withdrawal that an operator overrides counts again after the publisher's next change", () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const withdrawn = { digest: ONE, state: "withdrawn", at: "2026-01-01T00:00:00Z" };
  assert.deepEqual(learnWithdrawals(store, [withdrawn]), [withdrawn]);
  overrideWithdrawal(store, ONE);
  assert.deepEqual([learnWithdrawals(store, [withdrawn]), findWithdrawal(store, ONE)], [[], undefined]);
  const again = { ...withdrawn, at: "2026-01-02T00:00:00Z" };
  assert.deepEqual(learnWithdrawals(store, [again]), [again]);
  assert.deepEqual([learnWithdrawals(store, [again]), learnWithdrawals(store, [withdrawn])], [[], []]);
  assert.deepEqual(findWithdrawal(store, ONE), again);
  const undone = { digest: TWO, state: "reinstated", at: "2026-01-02T00:00:00Z" } as const;
  // No news: this machine never knew the withdrawal.
  assert.deepEqual(learnWithdrawals(store, [undone]), []);
  assert.deepEqual([findWithdrawal(store, TWO), listWithdrawn(store)], [undefined, [again]]);
  const known = readWithdrawals(store);
  overrideWithdrawal(store, TWO);
  assert.deepEqual(readWithdrawals(store), known);
  // Of two changes at the same time, the withdrawal counts.
  const both = { ...undone, state: "withdrawn" } as const;
  assert.deepEqual(learnWithdrawals(store, [both]), [both]);
  overrideWithdrawal(store, TWO);
  assert.deepEqual(withdrawalsInForce(store), [again]);
  // The next manifest of a publisher has no mark of what an operator does on one machine.
  assert.deepEqual(nextWithdrawals(store), [again, both]);
});
