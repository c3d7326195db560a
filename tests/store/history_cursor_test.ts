import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import type { FileSystem } from "../../lib/core/files.ts";
import { appendHistory, historyFiles, type RunRecord } from "../../lib/store/history.ts";
import { endOfHistory, type HistoryCursor, readAfter } from "../../lib/store/history_cursor.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { osError } from "../helpers/fake_fs.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";

function storeIn(dir: TempDir): Store {
  return openStore(Deno, { modelsDir: join(dir.path, "models") });
}

function run(number: number, message = ""): RunRecord {
  return {
    runId: `r${number}`,
    command: "pull",
    outcome: "failed",
    startedAt: "2026-01-01T00:00:00Z",
    durationMs: number,
    host: "bot",
    error: { code: "X", message },
  };
}

/** Returns what a reader gets that reads a few records at a time until the end. */
function readAll(store: Store, countMax: number, from?: HistoryCursor) {
  const ids: string[] = [];
  let cursor = from;
  for (let rounds = 0; rounds < 1_000; rounds++) {
    const batch = readAfter(store, cursor, countMax);
    assert.equal(batch.found, true);
    assert.ok(batch.entries.length <= countMax);
    ids.push(...batch.entries.map(({ record }) => record.runId));
    cursor = batch.entries.at(-1)?.cursor ?? cursor;
    if (batch.atEnd) return { ids, cursor };
  }
  throw new Error("the reader never comes to the end");
}

/** Writes a history file with records of about 1 KiB, and no line end after the last one. */
function writeRecords(path: string, first: number, count: number): string[] {
  const records = Array.from({ length: count }, (_, index) => run(first + index, "y".repeat(900)));
  Deno.writeTextFileSync(path, records.map((record) => JSON.stringify(record)).join("\n"));
  return records.map(({ runId }) => runId);
}

/** Fills the history up to its limit, with text that is not a record. */
function fill(store: Store): void {
  using file = Deno.openSync(store.history, { append: true, create: true });
  file.writeSync(new TextEncoder().encode("\n"));
  const line = new TextEncoder().encode(`${"x".repeat(1023)}\n`.repeat(1024));
  for (let mebibytes = 0; mebibytes <= 16; mebibytes++) file.writeSync(line);
}

Deno.test("a reader gets each record once, oldest first, with any batch size", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  assert.deepEqual(readAfter(store, undefined, 10), { found: true, entries: [], atEnd: true });
  assert.equal(endOfHistory(store), undefined);
  for (let number = 1; number <= 7; number++) appendHistory(store, run(number));
  for (const countMax of [1, 2, 3, 7, 100]) {
    assert.deepEqual(readAll(store, countMax).ids, ["r1", "r2", "r3", "r4", "r5", "r6", "r7"]);
  }
  const { cursor } = readAll(store, 3);
  assert.deepEqual(cursor, endOfHistory(store));
  appendHistory(store, run(8));
  assert.deepEqual(readAll(store, 3, cursor).ids, ["r8"]);
});

Deno.test("a reader that was offline while the history was rotated misses no record", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  appendHistory(store, run(1));
  const { cursor } = readAll(store, 1);
  for (let number = 2; number <= 4; number++) {
    appendHistory(store, run(number));
    fill(store);
  }
  appendHistory(store, run(5));
  assert.deepEqual(historyFiles(store).map((path) => Deno.statSync(path).size > 0), [true, true, true, true]);
  assert.deepEqual(readAll(store, 2, cursor).ids, ["r2", "r3", "r4", "r5"]);
  assert.deepEqual(readAll(store, 2).ids, ["r1", "r2", "r3", "r4", "r5"]);
  // A fourth rotation drops the oldest file, and with it the line of the cursor.
  fill(store);
  appendHistory(store, run(6));
  assert.deepEqual(readAfter(store, cursor, 10), { found: false, entries: [], atEnd: true });
  assert.deepEqual(readAll(store, 2).ids, ["r3", "r4", "r5", "r6"]);
});

Deno.test("an interrupted rotation loses no record", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  appendHistory(store, run(1));
  const { cursor } = readAll(store, 1);
  appendHistory(store, run(2));
  const [first = "", second = "", third = ""] = historyFiles(store);
  // The older file was renamed, this one was not yet.
  Deno.renameSync(first, third);
  assert.deepEqual(readAll(store, 2, cursor).ids, ["r2"]);
  appendHistory(store, run(3));
  assert.equal(Deno.statSync(first).isFile, true);
  assert.throws(() => Deno.statSync(second), Deno.errors.NotFound);
  assert.deepEqual(readAll(store, 2, cursor).ids, ["r2", "r3"]);
});

Deno.test("a cursor that points at no line is distinguished from the end", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  for (let number = 1; number <= 3; number++) appendHistory(store, run(number));
  const good = readAfter(store, undefined, 2).entries[1]?.cursor;
  assert.ok(good !== undefined);
  const damaged: HistoryCursor[] = [
    { ...good, runId: "r9" },
    { ...good, start: good.start + 1 },
    { ...good, end: good.end - 1 },
    { ...good, start: good.end, end: good.start },
    { start: 0, end: 2 ** 52, runId: "r1" },
  ];
  for (const cursor of damaged) {
    assert.equal(readAfter(store, cursor, 5).found, false, JSON.stringify(cursor));
  }
  Deno.removeSync(store.history);
  assert.equal(readAfter(store, good, 5).found, false);
});

Deno.test("readers skip torn, damaged and very long lines between records", () => {
  const piece = fc.oneof(
    fc.integer({ min: 0, max: 400_000 }).map((chars) => ({ kind: "record", chars }) as const),
    fc.integer({ min: 1, max: 2_000_000 }).map((chars) => ({ kind: "damage", chars }) as const),
    fc.constant({ kind: "torn", chars: 40 } as const),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.integer({ min: 1, max: 4 }), (pieces, countMax) => {
      using dir = tempDir();
      const store = storeIn(dir);
      const written: string[] = [];
      pieces.forEach(({ kind, chars }, index) => {
        if (kind === "record") {
          appendHistory(store, run(index, "y".repeat(Math.min(chars, 900))));
          written.push(`r${index}`);
        } else {
          const end = kind === "torn" ? "" : "\n";
          Deno.writeTextFileSync(store.history, `${"{".repeat(chars)}${end}`, { append: true });
        }
      });
      const { ids, cursor } = readAll(store, countMax);
      assert.deepEqual(ids, written);
      appendHistory(store, run(99));
      assert.deepEqual(readAll(store, countMax, cursor).ids, ["r99"]);
    }),
    // Longer than a line may be.
    { numRuns: 40, examples: [[[{ kind: "damage", chars: 2_000_000 }, { kind: "record", chars: 9 }], 1]] },
  );
});

Deno.test("records across the pieces that are read at a time are returned, and a last one without its line end", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const [newest = "", older = ""] = historyFiles(store);
  const ids = [...writeRecords(older, 1, 2), ...writeRecords(newest, 3, 2_500)];
  assert.ok(Deno.statSync(newest).size > 2 * 1024 * 1024);
  const { ids: read, cursor } = readAll(store, 1_000);
  assert.deepEqual(read, ids);
  assert.deepEqual(readAll(store, 3).ids, ids);
  assert.deepEqual(endOfHistory(store), cursor);
  assert.deepEqual(readAfter(store, cursor, 1), { found: true, entries: [], atEnd: true });
  appendHistory(store, run(9_999));
  assert.deepEqual(readAll(store, 2, cursor).ids, ["r9999"]);
});

Deno.test("a folder among the history files costs no record, and one that the disk cannot read is an error", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  appendHistory(store, run(1));
  Deno.mkdirSync(historyFiles(store)[1] ?? assert.fail());
  assert.deepEqual(readAll(store, 2).ids, ["r1"]);
  const statSync: FileSystem["statSync"] = (path) => {
    if (path === store.history) throw osError("EIO");
    return Deno.statSync(path);
  };
  assert.throws(() => readAfter({ ...store, fs: { ...Deno, statSync } }, undefined, 2), { code: "EIO" });
});

Deno.test("a run on record is on the disk, in one line, and so is the name of a new file", () => {
  using dir = tempDir();
  const synced: string[] = [];
  const fs = countingFs((step) => {
    if (step.startsWith("sync")) synced.push(step.slice(step.indexOf(" ") + 1));
  });
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  const syncedBy = (number: number) => {
    synced.length = 0;
    appendHistory(store, run(number));
    return [...synced];
  };
  assert.deepEqual(syncedBy(1), [store.history, store.root]);
  assert.deepEqual(syncedBy(2), [store.history]);
  assert.equal(Deno.readTextFileSync(store.history).split("\n").length, 3);
  Deno.truncateSync(store.history, 17 * 1024 * 1024);
  assert.deepEqual(syncedBy(3), [store.history, store.root]);
});

Deno.test("a run that writes the history locks it for itself, and readers share the lock", () => {
  using dir = tempDir();
  const locks: (boolean | undefined)[] = [];
  const store = openStore(lockingFs((exclusive) => void locks.push(exclusive)), {
    modelsDir: join(dir.path, "models"),
  });
  locks.length = 0;
  readAfter(store, undefined, 1);
  assert.deepEqual(locks, [], "a reader creates no lock file");
  appendHistory(store, run(1));
  readAfter(store, undefined, 1);
  assert.deepEqual(locks, [true, false]);
});

Deno.test("a disk that takes no lock keeps the history, and costs no open file", () => {
  using dir = tempDir();
  let open = 0;
  const fs = lockingFs(() => {
    throw osError("ENOLCK");
  }, (change) => void (open += change));
  const store = openStore(fs, { modelsDir: join(dir.path, "models") });
  open = 0;
  appendHistory(store, run(1));
  assert.deepEqual(readAll(store, 1).ids, ["r1"]);
  assert.equal(open, 0);
});

/** The real file system, on which locks do what a test wants, and whose open lock files are counted. */
function lockingFs(
  lock: (exclusive: boolean | undefined) => void,
  count: (change: 1 | -1) => void = () => {},
): FileSystem {
  return {
    ...Deno,
    openSync(path, options) {
      const file = Deno.openSync(path, options);
      if (!String(path).endsWith("history.lock")) return file;
      count(1);
      const close = () => {
        count(-1);
        Deno.FsFile.prototype.close.call(file);
      };
      return Object.assign(file, { lockSync: lock, close });
    },
  };
}
