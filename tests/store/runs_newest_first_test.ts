import assert from "node:assert/strict";
import { join } from "node:path";
import {
  appendHistory,
  hasField,
  historyFiles,
  LINE_BYTES_MAX,
  newestRuns,
  readHistory,
  type RunRecord,
} from "../../lib/store/history.ts";
import { runsNewestFirst } from "../../lib/store/runs_newest_first.ts";
import { openStore } from "../../lib/store/store.ts";
import { osError } from "../helpers/fake_fs.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { recordedLog } from "../helpers/test_context.ts";

function record(runId: string): RunRecord {
  return {
    runId,
    command: "pull",
    outcome: "unchanged",
    startedAt: "2026-11-30T01:00:00Z",
    durationMs: 1,
    host: "bot",
  };
}

Deno.test("the history is read from its end over all files, and damaged lines of any kind are counted", () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const ids = () =>
    Array.from(runsNewestFirst(store), (run) => run === "unreadable" ? "?" : run.runId.slice(0, 5));
  assert.deepEqual(ids(), []);
  appendHistory(store, record("one"));
  assert.deepEqual(ids(), ["one"]);
  const [newest = "", older = "", oldest = ""] = historyFiles(store);
  Deno.renameSync(newest, older);
  const line = (id: string) => `${JSON.stringify(record(id))}\n`;
  // A line longer than a record, one of 300 KB over several reads, a torn one, one of a later version.
  const long = JSON.stringify({ ...record("long"), log: ["x".repeat(300_000)] });
  const damaged = `${"y".repeat(LINE_BYTES_MAX + 300_000)}\n`;
  Deno.writeTextFileSync(
    newest,
    `\n${line("two")}${damaged}${long}\n{"runId": "to\n${line("three")}{"outcome":"new"}\n\n${
      JSON.stringify(record("last"))
    }`,
  );
  Deno.mkdirSync(oldest);
  assert.deepEqual(ids(), ["last", "?", "three", "?", "long", "?", "two", "one"]);
  const some = Array.from(runsNewestFirst(store, (line) => line.includes('"three"')));
  assert.deepEqual(some.map((run) => run === "unreadable" ? "?" : run.runId), ["three", "?"]);
  // A reader that stops early closes the files, and a rename meanwhile changes nothing.
  const [first] = runsNewestFirst(store);
  assert.equal(first === "unreadable" ? "" : first?.runId, "last");
  const reading = runsNewestFirst(store);
  reading.next();
  Deno.renameSync(older, `${older}.gone`);
  assert.equal(Array.from(reading).length, 7);
});

Deno.test("a reader of the history closes its files, names damage, and reports a disk that it cannot read", () => {
  using dir = tempDir();
  const opened: Deno.FsFile[] = [];
  let isBroken = false;
  const openSync: typeof Deno.openSync = (path, options) => {
    const file = Deno.openSync(path, options);
    opened.push(file);
    return file;
  };
  const statSync: typeof Deno.statSync = (path) => {
    if (isBroken) throw osError("EIO");
    return Deno.statSync(path);
  };
  const log = recordedLog();
  const store = openStore({ ...Deno, openSync, statSync }, { modelsDir: join(dir.path, "models") }, log);
  for (const id of ["one", "two"]) appendHistory(store, record(id));
  opened.length = 0;
  const [newest] = runsNewestFirst(store);
  assert.deepEqual([newest, log.lines], [record("two"), []]);
  assert.ok(opened.length > 0);
  for (const file of opened) assert.throws(() => file.statSync(), Deno.errors.BadResource);
  isBroken = true;
  assert.throws(() => [...runsNewestFirst(store)], /EIO/);
  isBroken = false;
  Deno.removeSync(store.history);
  Deno.mkdirSync(store.history);
  assert.deepEqual([...runsNewestFirst(store)], []);
  assert.match(
    log.lines.join(),
    /^warn .*history\.jsonl is damaged and is rebuilt: it is a folder, not a file\. Lost: /,
  );
});

Deno.test("a search in the last runs parses only those that may match, and counts the others", () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  appendHistory(store, { ...record("two"), outcome: "activated" });
  for (const id of ["three", "four"]) appendHistory(store, record(id));
  const [newest = "", older = ""] = historyFiles(store);
  Deno.renameSync(newest, older);
  appendHistory(store, record("five"));
  Deno.writeTextFileSync(newest, '{"outcome":"activa', { append: true });
  const lines: string[] = [];
  const isActivating = (line: string) => {
    lines.push(line);
    return hasField(line, "outcome", "activated");
  };
  const found = (countMax: number) =>
    Array.from(newestRuns(store, countMax, isActivating), ({ runId }) => runId);
  // The torn line looks at no field of its own, and counts as one that is skipped.
  assert.deepEqual([found(4), found(5)], [[], ["two"]]);
  lines.length = 0;
  assert.equal(newestRuns(store, 9, isActivating).next().value?.runId, "two");
  assert.equal(lines.length, 5);
  assert.deepEqual(readHistory(store, 3).map(({ runId }) => runId), ["five", "four", "three"]);
});
