import assert from "node:assert/strict";
import { join } from "node:path";
import { type FileSystem, findEntry } from "../../lib/core/files.ts";
import { appendHistory, readHistory, type RunRecord } from "../../lib/store/history.ts";
import { createManifest, formatManifest, type Manifest, SEQUENCE_MAX } from "../../lib/release/manifest.ts";
import { planRollback } from "../../lib/pipeline/rollback.ts";
import { readIntent, writeIntent } from "../../lib/store/intent.ts";
import { sweepPartials } from "../../lib/store/partials.ts";
import { setPointers } from "../../lib/store/pointers.ts";
import { learnWithdrawals } from "../../lib/store/withdrawals.ts";
import { nextArchiveSequence, rememberArchiveSequence } from "../../lib/store/published.ts";
import {
  acceptPulled,
  addQuarantine,
  findQuarantine,
  liftQuarantine,
  newestRolledBack,
  type QuarantineEntry,
  readQuarantine,
  restoreQuarantine,
  wasRolledBack,
} from "../../lib/store/quarantine.ts";
import {
  findManifest,
  findRelease,
  installRelease,
  listManifestNames,
  listReleases,
  releaseDir,
  removePartialReleases,
  removeRelease,
  writeManifest,
} from "../../lib/store/releases.ts";
import { sweepMarks } from "../../lib/store/running.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { osError } from "../helpers/fake_fs.ts";
import { type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { recordedLog } from "../helpers/test_context.ts";

const DIGEST = `sha256:${"ab".repeat(32)}` as const;

function storeIn(dir: TempDir): Store {
  return openStore(Deno, { modelsDir: join(dir.path, "models") });
}

/** Puts a release into the store, without its file. */
async function putRelease(
  store: Store,
  name: string,
  sequence: number,
  createdAt: string,
): Promise<Manifest> {
  const files = [{ path: "a.onnx", size: 1, sha256: name.repeat(32) }];
  const manifest = await createManifest(files, { sequence, createdAt, origin: { carrier: "git" } });
  writeManifest(store, manifest.digest, formatManifest(manifest), `signature of ${name}`);
  Deno.mkdirSync(releaseDir(store, manifest.digest));
  return manifest;
}

function run(number: number): RunRecord {
  return {
    runId: `r${number}`,
    command: "pull",
    outcome: "unchanged",
    startedAt: "2026-01-01T00:00:00Z",
    durationMs: number,
    host: "bot",
  };
}

Deno.test("readHistory() returns as many runs as wanted, newest first", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  assert.deepEqual(readHistory(store, 5), []);
  for (let number = 1; number <= 4; number++) appendHistory(store, run(number));
  assert.deepEqual(readHistory(store, 2), [run(4), run(3)]);
  assert.equal(readHistory(store, 10).length, 4);
});

Deno.test("a line that is cut anywhere costs no other run of the history", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  appendHistory(store, run(1));
  const whole = Deno.readFileSync(store.history);
  appendHistory(store, run(2));
  const two = Deno.readFileSync(store.history);
  for (let size = whole.length; size < two.length; size++) {
    Deno.writeFileSync(store.history, two.subarray(0, size));
    appendHistory(store, run(3));
    const ids = readHistory(store, 10).map((record) => record.runId);
    // The last byte is the line end: without it, the line is still whole.
    assert.deepEqual(ids, size === two.length - 1 ? ["r3", "r2", "r1"] : ["r3", "r1"], `cut at ${size}`);
  }
});

Deno.test("the history skips lines of a later version and binary damage", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  appendHistory(store, run(1));
  const damage = new Uint8Array([0x0a, 0x00, 0xff, 0xfe, 0x0a]);
  Deno.writeFileSync(store.history, damage, { append: true });
  Deno.writeTextFileSync(store.history, `{"runId":"r9","outcome":"teleported"}\n`, { append: true });
  appendHistory(store, { ...run(2), outcome: "failed", error: { code: "X", message: "line\nbreak" } });
  assert.deepEqual(readHistory(store, 10).map((record) => record.runId), ["r2", "r1"]);
});

Deno.test("a folder in place of the history is reported, and an unreadable disk is an error", () => {
  using dir = tempDir();
  const log = recordedLog();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") }, log);
  Deno.mkdirSync(store.history);
  assert.deepEqual(readHistory(store, 5), []);
  assert.match(log.lines.join("\n"), /history\.jsonl is damaged.*it is a folder, not a file/);
  const statSync = () => {
    throw osError("EIO");
  };
  assert.throws(() => readHistory({ ...store, fs: { ...Deno, statSync } }, 5), { code: "EIO" });
});

Deno.test("a damaged intent is reported, and counts as that of a run that changed nothing", () => {
  using dir = tempDir();
  const log = recordedLog();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") }, log);
  assert.equal(readIntent(store), undefined);
  Deno.writeTextFileSync(store.intent, "{");
  assert.deepEqual([readIntent(store)?.phase, readIntent(store)?.command], ["preparing", "unknown"]);
  assert.match(log.lines[0] ?? "", /intent\.json is damaged \(it is not JSON\)/);
});

Deno.test("on a full disk, only an intent that announces a change uses the reserve", () => {
  using dir = tempDir();
  const reserve = join(dir.path, ".model-sync/reserve/0");
  const openSync: FileSystem["openSync"] = (path, options) => {
    if (String(path).includes("intent.json") && findEntry(Deno, reserve)) throw osError("ENOSPC");
    return Deno.openSync(path, options);
  };
  const store = openStore({ ...Deno, openSync }, { modelsDir: join(dir.path, "models") });
  writeFiles(dir.path, { ".model-sync/reserve/0": "some bytes" });
  const run = { runId: "r", command: "rollback", startedAt: "2026-01-01T00:00:00Z" };
  assert.throws(() => writeIntent(store, { ...run, phase: "preparing" }), /ENOSPC/);
  assert.ok(findEntry(Deno, reserve));
  const moving = {
    phase: "activating",
    mode: "symlink",
    from: null,
    to: DIGEST,
    previousBefore: null,
  } as const;
  writeIntent(store, { ...run, ...moving });
  assert.equal(readIntent(store)?.phase, "activating");
});

Deno.test("partial downloads are kept for a week after their last write, unless a release was pulled", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const now = new Date("2026-11-21T12:00:00Z");
  const hours = { young: 7 * 24 - 1, old: 7 * 24 + 1 };
  const names = () => Array.from(Deno.readDirSync(store.partials), ({ name }) => name).sort();
  const write = () => {
    for (const [name, age] of Object.entries(hours)) {
      Deno.writeTextFileSync(join(store.partials, name), "half");
      Deno.utimeSync(join(store.partials, name), now, new Date(now.getTime() - age * 3_600_000));
    }
  };
  const clock = new FakeClock(now.toISOString());
  write();
  await sweepPartials({ clock }, store, "old");
  assert.deepEqual(names(), ["young"]);
  write();
  await sweepPartials({ clock }, store, "all");
  assert.deepEqual(names(), []);
});

Deno.test("a full history continues in a new file, and the file before is kept", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  appendHistory(store, run(1));
  Deno.truncateSync(store.history, 17 * 1024 * 1024);
  appendHistory(store, run(2));
  assert.deepEqual(readHistory(store, 10), [run(2)]);
  assert.equal(Deno.statSync(join(store.root, "history.1.jsonl")).size, 17 * 1024 * 1024);
});

Deno.test("a quarantine holds for its sequence and older ones, until it is lifted", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  addQuarantine(store, { digest: DIGEST, sequence: 7, reason: "canary", at: "2026-01-01T00:00:00Z" });
  assert.equal(findQuarantine(store, DIGEST, 6)?.reason, "canary");
  assert.equal(findQuarantine(store, DIGEST, 7)?.reason, "canary");
  assert.equal(findQuarantine(store, DIGEST, 8), undefined);
  addQuarantine(store, { digest: DIGEST, sequence: 9, reason: "again", at: "2026-01-02T00:00:00Z" });
  assert.equal(readQuarantine(store).length, 1);
  assert.equal(findQuarantine(store, DIGEST, 8)?.reason, "again");
  assert.equal(liftQuarantine(store, DIGEST), true);
  assert.equal(liftQuarantine(store, DIGEST), false);
  assert.equal(findQuarantine(store, DIGEST, 1), undefined);
});

Deno.test("a damaged quarantine blocks pulls, and the error says how to fix it", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  for (const damage of ["", "{", "[1]", `[{"digest":"x"}]`, "null"]) {
    Deno.writeTextFileSync(store.quarantine, damage);
    assert.throws(() => findQuarantine(store, DIGEST, 1), {
      code: "QUARANTINE_INVALID",
      exitCode: 5,
      hint: /remove it to lift every quarantine/,
    });
  }
});

Deno.test("an entry of the quarantine is set back to what it was, or to none", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const other = {
    digest: `sha256:${"cd".repeat(32)}`,
    sequence: 1,
    reason: "other",
    at: "2026-01-01",
  } as const;
  const before = { digest: DIGEST, sequence: 3, reason: "before", at: "2026-01-01", wasLeft: true };
  addQuarantine(store, other);
  restoreQuarantine(store, DIGEST, undefined);
  assert.deepEqual(readQuarantine(store), [other]);
  addQuarantine(store, { ...before, sequence: 4, reason: "rolled back" });
  restoreQuarantine(store, DIGEST, before);
  assert.deepEqual(readQuarantine(store), [other, before]);
  restoreQuarantine(store, DIGEST, undefined);
  assert.deepEqual(readQuarantine(store), [other]);
});

Deno.test("a pulled release leaves the quarantine, and earlier rollbacks stop counting, but not their entries", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const entry = (name: string, sequence: number): QuarantineEntry => ({
    digest: `sha256:${name.repeat(32)}`,
    sequence,
    reason: name,
    at: "2026-01-01",
  });
  const [refused, left, newest] = [entry("a1", 12), entry("b2", 9), entry("c3", 10)];
  assert.equal(newestRolledBack(store), undefined);
  addQuarantine(store, refused);
  acceptPulled(store, DIGEST);
  assert.deepEqual([readQuarantine(store), newestRolledBack(store)], [[refused], undefined]);
  for (const one of [newest, left]) addQuarantine(store, { ...one, wasLeft: true });
  // The operator's new reason keeps the mark.
  addQuarantine(store, { ...left, reason: "worse" });
  assert.deepEqual([newestRolledBack(store), wasRolledBack(store, left.digest)], [10, true]);
  assert.equal(wasRolledBack(store, refused.digest), false);
  acceptPulled(store, newest.digest);
  assert.deepEqual(readQuarantine(store), [refused, { ...left, reason: "worse" }]);
  assert.equal(newestRolledBack(store), undefined);
  acceptPulled(store, refused.digest);
  assert.deepEqual(readQuarantine(store), [{ ...left, reason: "worse" }]);
});

Deno.test("releases are listed by sequence, then time, and what an interrupted run left of others is removed unless a pointer names it", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const made = (name: string, sequence: number, createdAt: string) =>
    putRelease(store, name, sequence, createdAt);
  const late = await made("a1", 2, "2026-01-03T00:00:00Z");
  const early = await made("b2", 2, "2026-01-01T00:00:00Z");
  const middle = await made("c3", 2, "2026-01-02T00:00:00Z");
  const newer = await made("d4", 3, "2026-01-01T00:00:00Z");
  const listed = () => listReleases(store).map(({ manifest: { digest } }) => digest);
  assert.deepEqual(listed(), [newer, late, middle, early].map(({ digest }) => digest));
  const twin = await made("e5", 3, "2026-01-01T00:00:00Z");
  assert.deepEqual(listed().slice(0, 2), [newer.digest, twin.digest].sort());
  await removeRelease(store, twin.digest);

  Deno.removeSync(`${releaseDir(store, newer.digest)}.json`);
  Deno.removeSync(releaseDir(store, late.digest));
  Deno.removeSync(releaseDir(store, early.digest));
  writeManifest(store, middle.digest, formatManifest(middle));
  const shown = [findRelease(store, late.digest), findManifest(store, late.digest)?.manifest];
  assert.deepEqual(shown, [undefined, late]);
  assert.equal(findManifest(store, late.digest, () => false), undefined);
  await removePartialReleases(store, (digest) => digest === early.digest);
  const names = () =>
    Array.from(Deno.readDirSync(store.releases), ({ name }) => name.replace(/^.{64}/, "")).sort();
  assert.deepEqual(names(), ["", ".json", ".json", ".sig"]);
  assert.deepEqual(listManifestNames(store).sort(), [early.digest, middle.digest].sort());
  await removeRelease(store, middle.digest);
  assert.deepEqual([names(), listed()], [[".json", ".sig"], []]);

  // Neither a folder at the path of a manifest nor a file at that of the release is in the way of an installation.
  Deno.mkdirSync(join(`${releaseDir(store, newer.digest)}.json`, "folder"), { recursive: true });
  Deno.writeTextFileSync(releaseDir(store, newer.digest), "file");
  const staged = join(store.staging, "staged");
  Deno.mkdirSync(staged);
  installRelease(store, staged, newer.digest, formatManifest(newer));
  assert.deepEqual(listed(), [newer.digest]);
});

Deno.test("a rollback without a previous release chooses the newest older one that is allowed: by sequence, then time", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const target = () => planRollback(store, undefined).target.manifest;
  const nothing = { code: "NOTHING_TO_ROLL_BACK_TO" };
  const active = await putRelease(store, "a1", 5, "2026-01-02T00:00:00Z");
  assert.deepEqual(target(), active);
  setPointers(store, { current: active.digest }, "symlink");
  assert.throws(target, { ...nothing, hint: /it holds no other release/ });
  await putRelease(store, "b2", 6, "2026-01-01T00:00:00Z");
  await putRelease(store, "c3", 5, "2026-01-03T00:00:00Z");
  assert.throws(() => planRollback(store, undefined), {
    ...nothing,
    message: /no earlier release$/,
    hint: /model-sync releases lists/,
  });
  const oldest = await putRelease(store, "d4", 4, "2026-01-05T00:00:00Z");
  assert.deepEqual(target(), oldest);
  const early = await putRelease(store, "e5", 5, "2026-01-01T00:00:00Z");
  assert.deepEqual(target(), early);
  const twin = await putRelease(store, "f6", 5, active.createdAt);
  assert.deepEqual(target(), twin);
  addQuarantine(store, { digest: twin.digest, sequence: 5, reason: "bad", at: "2026-01-01" });
  learnWithdrawals(store, [{ digest: early.digest, state: "withdrawn", at: "2026-01-01T00:00:00Z" }]);
  assert.deepEqual(target(), oldest);
  setPointers(store, { previous: early.digest }, "symlink");
  assert.deepEqual(target(), oldest);
  addQuarantine(store, { digest: oldest.digest, sequence: 4, reason: "bad", at: "2026-01-01" });
  assert.throws(target, {
    ...nothing,
    message: /no earlier release that is neither quarantined nor withdrawn$/,
  });
  assert.throws(() => planRollback(store, early.digest), { code: "WITHDRAWN" });
  const forced = planRollback(store, early.digest, true);
  assert.deepEqual([forced.target.manifest, forced.from, forced.fromSequence], [early, active.digest, 5]);
});

Deno.test("scratch files of killed marks are removed after a day, and younger ones stay", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const marks = join(store.root, "running");
  const now = new Date("2026-11-21T12:00:00Z");
  const ages = { "old.new": 25, "young.new": 23, "old": 25 };
  Deno.mkdirSync(marks, { recursive: true });
  for (const [name, hours] of Object.entries(ages)) {
    Deno.writeTextFileSync(join(marks, name), "");
    Deno.utimeSync(join(marks, name), now, new Date(now.getTime() - hours * 3_600_000));
  }
  sweepMarks(store, now);
  assert.deepEqual(Array.from(Deno.readDirSync(marks), ({ name }) => name).sort(), ["old", "young.new"]);
});

Deno.test("the sequence of an archive is the time in seconds, and always grows", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const now = new Date("2026-11-21T12:00:00.900Z");
  const seconds = Date.parse("2026-11-21T12:00:00Z") / 1000;
  assert.equal(nextArchiveSequence(store, now), seconds);
  for (
    const [last, next] of [[seconds - 1, seconds], [seconds, seconds + 1], [
      seconds + 9,
      seconds + 10,
    ]] as const
  ) {
    rememberArchiveSequence(store, last);
    assert.equal(nextArchiveSequence(store, now), next);
  }
  rememberArchiveSequence(store, SEQUENCE_MAX);
  assert.equal(nextArchiveSequence(store, now), SEQUENCE_MAX);
});
