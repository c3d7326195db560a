import assert from "node:assert/strict";
import { join } from "node:path";
import { type FileSystem, findEntry } from "../../lib/core/files.ts";
import { appendHistory, readHistory, type RunRecord } from "../../lib/store/history.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type Manifest, SEQUENCE_MAX } from "../../lib/release/manifest.ts";
import { planRollback } from "../../lib/pipeline/rollback.ts";
import { readIntent, writeIntent } from "../../lib/store/intent.ts";
import { sweepPartials } from "../../lib/store/partials.ts";
import { setPointers } from "../../lib/store/pointers.ts";
import { carryWithdrawals, learnWithdrawals, readWithdrawals } from "../../lib/store/withdrawals.ts";
import { readPendingReload, writePendingReload } from "../../lib/store/pending_reload.ts";
import { findAnswer, rememberAnswer } from "../../lib/store/remembered_answers.ts";
import { refillReserve, withReserve } from "../../lib/store/reserve.ts";
import { findWriterOf, isFromElsewhere, rememberRevision } from "../../lib/store/revisions.ts";
import { signOfTraining } from "../../lib/store/training_signs.ts";
import { Secret } from "../../lib/core/secret.ts";
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
  withoutWithdrawn,
} from "../../lib/store/quarantine.ts";
import {
  findManifest,
  findRelease,
  findSignature,
  installRelease,
  listManifestNames,
  listReleaseNames,
  listReleases,
  releaseDir,
  removePartialReleases,
  removeRelease,
  writeManifest,
} from "../../lib/store/releases.ts";
import { markRun, readMark, readMarks, sweepMarks } from "../../lib/store/running.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { osError } from "../helpers/fake_fs.ts";
import { memoryDir, type TempDir, tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { recordedLog, testContext } from "../helpers/test_context.ts";

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
  restoreQuarantine(store, DIGEST, before);
  assert.deepEqual(readQuarantine(store), [other, before]);
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
  acceptPulled(store, left.digest);
  assert.deepEqual(readQuarantine(store), []);
  addQuarantine(store, { ...left, wasLeft: true });
  acceptPulled(store, DIGEST);
  assert.deepEqual([readQuarantine(store), newestRolledBack(store)], [[left], undefined]);
});

Deno.test("a quarantine that is part of a withdrawal is listed once, as the withdrawal", () => {
  const entries = [
    { digest: DIGEST, isWithdrawn: true },
    { digest: `sha256:${"cd".repeat(32)}`, isWithdrawn: true },
    { digest: DIGEST },
  ] as const;
  assert.deepEqual(withoutWithdrawn(entries, [{ digest: DIGEST }]), entries.slice(1));
  assert.deepEqual(withoutWithdrawn(entries, []), entries);
});

Deno.test("damaged withdrawals block what needs them, and a list without news is not written, which would use up the reserve", () => {
  using dir = tempDir();
  const steps: string[] = [];
  const fs = countingFs((step) => void steps.push(step));
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  const withdrawn = { digest: DIGEST, state: "withdrawn", at: "2026-01-01T00:00:00Z" } as const;
  assert.deepEqual(carryWithdrawals(store, [withdrawn]), [withdrawn]);
  assert.deepEqual(readWithdrawals(store), [withdrawn]);
  steps.length = 0;
  assert.deepEqual([learnWithdrawals(store, [withdrawn]), learnWithdrawals(store, [])], [[], []]);
  acceptPulled(store, DIGEST);
  restoreQuarantine(store, DIGEST, undefined);
  assert.deepEqual(steps, []);
  Deno.writeTextFileSync(store.withdrawals, "[1]");
  assert.throws(() => readWithdrawals(store), {
    code: "WITHDRAWALS_INVALID",
    exitCode: 5,
    hint: /pulls learn again/,
  });
});

Deno.test("the notification of a killed run stays pending when its file is damaged", () => {
  using dir = tempDir();
  const log = recordedLog();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") }, log);
  assert.equal(readPendingReload(store), undefined);
  const pending = { digest: DIGEST, previous: null };
  writePendingReload(store, pending);
  assert.deepEqual([readPendingReload(store), log.lines], [pending, []]);
  const path = join(store.root, "pending_reload.json");
  Deno.writeTextFileSync(path, "{");
  assert.deepEqual(readPendingReload(store), { digest: null, previous: null });
  assert.deepEqual(log.lines, [
    `warn ${path} is damaged (it is not JSON): consumers are notified once more`,
  ]);
});

Deno.test("the manifest of another release counts as missing, a damaged signature as a bad one, and a broken disk as neither", async () => {
  using dir = tempDir();
  let isBroken = false;
  const broken = <Args extends unknown[], Result>(call: (...args: Args) => Result) => (...args: Args) => {
    if (isBroken) throw osError("EIO");
    return call(...args);
  };
  const fs = { ...Deno, openSync: broken(Deno.openSync), readDirSync: broken(Deno.readDirSync) };
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  const one = await putRelease(store, "a1", 1, "2026-01-01T00:00:00Z");
  const two = await putRelease(store, "b2", 2, "2026-01-01T00:00:00Z");
  const path = releaseDir(store, one.digest);
  assert.equal(findSignature(store, one.digest), "signature of a1");
  Deno.copyFileSync(`${releaseDir(store, two.digest)}.json`, `${path}.json`);
  assert.deepEqual([findRelease(store, one.digest), findManifest(store, one.digest)], [undefined, undefined]);
  isBroken = true;
  assert.throws(() => findRelease(store, two.digest), /EIO/);
  assert.throws(() => findSignature(store, two.digest), /EIO/);
  assert.throws(() => listReleaseNames(store), /EIO/);
  isBroken = false;
  Deno.removeSync(`${path}.sig`);
  assert.equal(findSignature(store, one.digest), undefined);
  Deno.mkdirSync(`${path}.sig`);
  assert.equal(findSignature(store, one.digest), "");
});

Deno.test("only a full disk uses the reserve up, and the reserve is filled on the disk, up to its size", () => {
  using dir = tempDir();
  let failure: Error | undefined;
  const steps: string[] = [];
  const fs = countingFs((step) => {
    steps.push(step);
    if (failure !== undefined && step.startsWith("open")) throw failure;
  });
  const log = recordedLog();
  const store = openStore(fs, { modelsDir: join(dir.path, "models") }, log);
  const folder = join(store.root, "reserve");
  /** Fails the first write, and maybe the others. @returns the number of writes */
  const write = (code: string, failures: number) => {
    let writes = 0;
    const fail = () => {
      if (writes++ < failures) throw osError(code);
    };
    if (failures > 1) assert.throws(() => withReserve(store, fail), { code });
    else withReserve(store, fail);
    return writes;
  };
  assert.equal(write("ENOSPC", 2), 1);
  refillReserve(store);
  const names = () => Array.from(Deno.readDirSync(folder), ({ name }) => name).sort().join("");
  assert.deepEqual([names(), Deno.statSync(join(folder, "0")).size], ["01234567", 512 * 1024]);
  // File systems that compress keep no room for zeros.
  assert.ok(new Set(Deno.readFileSync(join(folder, "0"))).size > 200);
  assert.equal(steps.at(-1), `syncSync ${join(folder, "0")}`);
  steps.length = 0;
  refillReserve(store);
  assert.deepEqual([steps, write("EIO", 2), log.lines], [[], 1, []]);
  assert.equal(write("ENOSPC", 1), 2);
  assert.equal(names(), "");
  assert.deepEqual(steps.slice(-2), [`syncSync ${folder}`, `syncSync ${store.root}`]);
  assert.deepEqual(log.lines, ["warn the disk is full: the store's reserve is used"]);
  failure = osError("ENOSPC");
  refillReserve(store);
  failure = new TypeError("a bug");
  assert.throws(() => refillReserve(store), TypeError);
  failure = undefined;
  // A part of it may be left.
  for (const [name, bytes] of [["0", 512 * 1024 - 1], ["1", 0]] as const) {
    Deno.writeFileSync(join(folder, name), new Uint8Array(bytes));
  }
  refillReserve(store);
  assert.equal(names(), "01234567");
  assert.ok(Deno.statSync(join(folder, "0")).size >= 512 * 1024);
  Deno.removeSync(join(folder, "7"));
  refillReserve(store);
  assert.equal(names(), "01234567");
});

Deno.test("a response is used for the token it was sent to only, and fifty of them are kept", async () => {
  using dir = memoryDir();
  const store = storeIn(dir);
  const token = new Secret("ghp_0123456789");
  const answer = (index: number) => ({ etag: `"${index}"`, value: index });
  for (let index = 1; index <= 51; index++) {
    await rememberAnswer(store, `runs/${index}`, token, answer(index));
  }
  const found = async (index: number, by = token) => (await findAnswer(store, `runs/${index}`, by))?.value;
  assert.deepEqual([await found(1), await found(2), await found(51)], [undefined, 2, 51]);
  assert.equal(await found(51, new Secret("ghp_other")), undefined);
});

Deno.test("a release is from elsewhere if this place never had it, and another one did or this place had none", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const [one, two] = [DIGEST, `sha256:${"cd".repeat(32)}` as const];
  const isElsewhere = (digest: typeof one) => isFromElsewhere(store, digest, "here");
  assert.equal(isElsewhere(one), false);
  const otherWriter = { revision: "r", author: "a", subject: "s", described: "d" };
  rememberRevision(store, "git there", { revision: "1", digest: one, sequence: 1, otherWriter });
  assert.deepEqual([isElsewhere(one), isElsewhere(two)], [true, true]);
  rememberRevision(store, "git here", { revision: "2", digest: two, sequence: 2 });
  assert.deepEqual([isElsewhere(one), isElsewhere(two)], [true, false]);
  // Adopted models.
  assert.equal(isElsewhere(`sha256:${"ef".repeat(32)}`), false);
  assert.deepEqual([findWriterOf(store, one), findWriterOf(store, two)], [otherWriter, undefined]);
});

Deno.test("records of a training show that this machine trains into its folder, unless the folder is a link into the store", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  assert.equal(signOfTraining(store), undefined);
  appendHistory(store, { ...run(1), command: "publish" });
  assert.equal(signOfTraining(store), "publish of 2026-01-01T00:00:00Z");
  Deno.symlinkSync(join(".model-sync", "current"), store.modelsDir);
  assert.equal(signOfTraining(store), undefined);
});

Deno.test("a mark names its run from its start on, damaged marks and other files name none, and an ended run leaves no file open", async () => {
  using dir = tempDir();
  const opened: Deno.FsFile[] = [];
  let isRefused = false;
  const fs: FileSystem = {
    ...Deno,
    openSync: (path, options) => {
      const file = Deno.openSync(path, options);
      opened.push(file);
      return file;
    },
    renameSync: (from, to) => {
      if (isRefused) throw osError("ENOSPC");
      Deno.renameSync(from, to);
    },
  };
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  const ran = { runId: "20260101T000000Z-abcdef", command: "pull", startedAt: "2026-01-01T00:00:00Z" };
  const running = join(store.root, "running");
  {
    using _mark = markRun(testContext({ fs }), store, ran);
    Deno.mkdirSync(join(running, "folder.json"));
    const others = { "damaged.json": "{", "huge.json": "x".repeat(65 * 1024), "notes": "x" };
    for (const [name, text] of Object.entries(others)) Deno.writeTextFileSync(join(running, name), text);
    const marks = await readMarks(store);
    assert.deepEqual([marks.running.map(({ runId }) => runId), marks.interrupted], [[ran.runId], []]);
    assert.equal(readMark(store, "huge"), undefined);
    assert.throws(() =>
      readMark({
        ...store,
        fs: {
          ...fs,
          openSync: () => {
            throw osError("EIO");
          },
        },
      }, ran.runId), /EIO/);
  }
  isRefused = true;
  {
    using _unmarked = markRun(testContext({ fs }), store, { ...ran, runId: "other" });
  }
  assert.ok(opened.length > 1);
  for (const file of opened) assert.throws(() => file.statSync(), Deno.errors.BadResource);
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
  assert.throws(target, { ...nothing, hint: /publish a good release/ });
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
