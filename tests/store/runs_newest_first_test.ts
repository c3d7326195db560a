import assert from "node:assert/strict";
import { join } from "node:path";
import { appendHistory, historyFiles, LINE_BYTES_MAX, type RunRecord } from "../../lib/store/history.ts";
import { runsNewestFirst } from "../../lib/store/runs_newest_first.ts";
import { openStore } from "../../lib/store/store.ts";
import { tempDir } from "../helpers/temp_dir.ts";

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
