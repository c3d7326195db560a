import assert from "node:assert/strict";
import { join } from "node:path";
import type { World } from "../../cli/_world.ts";
import { type Clock, isoSeconds, systemClock } from "../../lib/core/clock.ts";
import { appendHistory, historyFiles, type RunRecord } from "../../lib/store/history.ts";
import { addQuarantine } from "../../lib/store/quarantine.ts";
import { markRun } from "../../lib/store/running.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { runCli } from "../helpers/run_cli.ts";
import { digestOf } from "../helpers/report_events.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const NOW = "2026-11-30T12:00:00Z";

/** A clock that stands still. Each pause between two looks at the history does the next piece of work. */
function clockOf(...work: readonly (() => void)[]): Clock {
  const left = [...work];
  return {
    ...systemClock,
    now: () => new Date(NOW),
    sleep(durationMs, signal) {
      if (durationMs !== 1_000) return systemClock.sleep(durationMs, signal);
      left.shift()?.();
      return signal.aborted ? Promise.reject(signal.reason) : Promise.resolve();
    },
  };
}

function record(
  hoursAgo: number,
  id: string,
  { ...fields }: Partial<RunRecord> & Pick<RunRecord, "command" | "outcome">,
): RunRecord {
  const startedAt = isoSeconds(new Date(Date.parse(NOW) - hoursAgo * 3_600_000));
  const runId = `${startedAt.replaceAll(/[-:]/g, "")}-${id}`;
  return { runId, startedAt, durationMs: 84, host: "bot", ...fields };
}

const [A, B] = [digestOf("a"), digestOf("b")];

function storeWithRuns(dir: string): Store {
  const store = openStore(Deno, { modelsDir: join(dir, "models") });
  const pulled = { command: "pull", outcome: "activated", carrier: "git", revision: "1".repeat(40) } as const;
  for (
    const run of [
      record(50, "000001", { ...pulled, release: A, sequence: 1 }),
      record(26, "000002", { ...pulled, release: B, previous: A, sequence: 2, durationMs: 3 * 3_600_000 }),
      record(20, "00000a", {
        command: "runpod-pull",
        outcome: "failed",
        release: B,
        error: { code: "JOB_FAILED", message: "Cannot pull: the job failed", hint: "run again", exitCode: 1 },
        log: ["starting", "the job failed"],
        steps: [{ name: "train", startMs: 5, durationMs: 60_000 }],
      }),
      record(2, "00001a", {
        command: "rollback",
        outcome: "rolled-back",
        release: A,
        previous: B,
        sequence: 1,
      }),
    ]
  ) appendHistory(store, run);
  return store;
}

Deno.test("log lists runs newest first as a table that fits 80 columns, and as one JSON object a line", async () => {
  using dir = tempDir();
  const log = async (args: readonly string[], world: Partial<World> = {}) => {
    const { code, stdout, stderr } = await runCli("log", args, {
      cwd: dir.path,
      world: { clock: clockOf(), ...world },
    });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const ids = async (...args: string[]) =>
    (await log([...args, "--json"])).split("\n").filter((line) => line !== "")
      .map((line) => JSON.parse(line).runId.slice(-2));
  assert.deepEqual([await log([]), await log(["--json"])], ["no run is on record yet\n", ""]);
  assert.deepEqual([...Deno.readDirSync(dir.path)], []);
  const store = storeWithRuns(dir.path);
  assert.deepEqual(await ids(), ["1a", "0a", "02", "01"]);
  assert.deepEqual(await ids("-n", "2"), ["1a", "0a"]);
  assert.deepEqual(await ids("--limit", "0"), ["1a", "0a", "02", "01"]);
  // The run of 26 hours ago took three hours, so it ended within the last 24.
  assert.deepEqual(await ids("--since", "24h"), ["1a", "0a", "02"]);
  assert.deepEqual(await ids("--until", "2026-11-28T12:00Z"), ["01"]);
  assert.deepEqual(await ids("--role", "client,runpod_client", "--until", "3h"), ["0a", "02", "01"]);
  assert.deepEqual(await ids("--command", "rollback"), ["1a"]);
  assert.deepEqual(await ids("--failed"), ["0a"]);
  assert.deepEqual(await ids("--outcome", "activated", "--outcome", "failed"), ["0a", "02", "01"]);
  assert.deepEqual(await ids("--release", "2"), ["02"]);
  assert.deepEqual(await ids("--release", A.slice(7, 12)), ["1a", "02", "01"]);
  assert.equal(await log(["--since", "1h"]), "no run on record matches\n");
  const wide = (await log(["--limit", "3"])).split("\n");
  assert.match(wide[0] ?? "", /^RUN {5}STARTED {15}COMMAND {6}OUTCOME {6}RELEASE {7,}TOOK$/);
  assert.equal(wide[3], "    JOB_FAILED: Cannot pull: the job failed");
  assert.match(wide[5] ?? "", /older runs are not shown: --limit 15, or --limit 0 for all/);
  Deno.writeTextFileSync(historyFiles(store)[0] ?? "", '{"torn\n', { append: true });
  const { stderr } = await runCli("log", [], { cwd: dir.path });
  assert.match(stderr, /warn {2}1 line of the history skipped: damaged, or written by a later version/);
  for (const columns of [40, 60, 80]) {
    const shown = await onTerminal("log", dir.path, columns);
    const rows = rowsOf(shown);
    assert.ok(rows.every((row) => row.length <= columns), rows.join("\n"));
    assert.ok(shown.includes("\x1b[31mfail"), shown);
  }
});

/** Returns what a command writes to a terminal. */
async function onTerminal(command: string, cwd: string, columns: number): Promise<string> {
  let shown = "";
  const stdout = {
    isTerminal: () => true,
    writeSync: (bytes: Uint8Array) => {
      shown += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  };
  await runCli(command, [], {
    cwd,
    world: { clock: clockOf(), columns: () => columns, stdout, noColor: false },
  });
  return shown;
}

function rowsOf(shown: string): string[] {
  return shown.split("\x1b[").map((part, index) => index === 0 ? part : part.replace(/^\d+m/, "")).join("")
    .split("\n");
}

Deno.test("the runs, quarantine and withdrawals of status fit 80 columns, each reason below its line", async () => {
  using dir = tempDir();
  const store = storeWithRuns(dir.path);
  const reason = "the canary of the release degraded: profit_factor fell from 1.4 to 0.2 within four hours";
  addQuarantine(store, { digest: digestOf("c"), sequence: 4_711, reason, at: NOW });
  const rows = rowsOf(await onTerminal("status", dir.path, 80));
  const from = rows.indexOf("last runs");
  assert.ok(from > 0, rows.join("\n"));
  assert.deepEqual(rows.slice(from).filter((row) => row.length > 80), []);
  const at = rows.indexOf("    JOB_FAILED: Cannot pull: the job failed");
  assert.match(rows[at - 1] ?? "", /^ {2}\S+ {2}runpod-pull {2}failed {7}[0-9a-f]{12} {2}\(20 h ago\)$/);
  const quarantined = rows.findIndex((row) => row.includes("sequence 4711 since 2026-11-30T12:00:00Z"));
  assert.match(rows.slice(quarantined + 1, quarantined + 3).join(""), /^ {4}the canary .* {4}\S.*hours$/);
});

Deno.test("log RUN shows one run with its steps, error and last log lines, also while it runs", async () => {
  using dir = tempDir();
  const store = storeWithRuns(dir.path);
  const log = (...args: string[]) => runCli("log", args, { cwd: dir.path, world: { clock: clockOf() } });
  const failed = await log("00000a");
  assert.match(failed.stdout, /^run +20261129T160000Z-00000a\ncommand +runpod-pull on bot\n/);
  for (
    const says of [
      /^started +2026-11-29T16:00:00Z {2}\(20 h ago\)$/m,
      /^outcome +failed\nerror +JOB_FAILED: Cannot pull: the job failed\nnext +run again$/m,
      /^steps\n {2}train {2}1 min, after 5 ms\nlast log lines\n {2}starting\n {2}the job failed$/m,
    ]
  ) assert.match(failed.stdout, says);
  assert.equal(JSON.parse((await log("20261129T16", "--json")).stdout).error.code, "JOB_FAILED");
  const running = { runId: "20261130T115900Z-0000ff", command: "pull", startedAt: "2026-11-30T11:59:00Z" };
  {
    using mark = markRun(testContext(), store, running);
    mark.note("stage", []);
    assert.match((await log("0000ff")).stdout, /^outcome +running now: stage$/m);
  }
  for (
    const [args, code, says] of [
      [["0000ff"], 5, /no run on record has this id\nnext: {2}model-sync log lists the runs/],
      [["2026"], 2, /several runs have this id\nnext: {2}it is one of: 20261130T100000Z-00001a, /],
      [["00000a", "--failed"], 2, /a filter was given, too/],
      [["--since", "2026-11-31"], 2, /"2026-11-31" is not a time that exists/],
      [["--since", "yesterday"], 2, /not a duration such as 90s, 15m, 2h or 1d, nor a date/],
      [["--since", "1h", "--until", "2h"], 2, /--until is before --since/],
      [["--outcome", "fail"], 2, /must be one of activated/],
    ] as const
  ) {
    const result = await log(...args);
    assert.deepEqual([result.code, result.stdout], [code, ""], result.stderr);
    assert.match(result.stderr, says);
  }
  const [models, more] = [{ repository: "you/models", changes: 1 }, { repository: "you/more", changes: 2 }];
  appendHistory(
    store,
    record(1, "00002c", {
      command: "references-sync",
      outcome: "published",
      pullRequests: [
        { ...models, outcome: "created", number: 7, url: "https://github.com/you/models/pull/7" },
        { ...more, outcome: "updated", number: 8 },
        { ...more, outcome: "closed" },
      ],
    }),
  );
  assert.match(
    (await log("00002c")).stdout,
    /^pull requests\n {2}https:\S+\/7 {2}created, 1 change\n {2}you\/more#8 {2}updated, 2 changes\n {2}you\/more {2}closed, /m,
  );
});

Deno.test("log --follow prints the last runs and each new one, oldest first, and ends with exit code 0", async () => {
  using dir = tempDir();
  const stop = new AbortController();
  let store: Store | undefined;
  const add = (id: string, outcome: "unchanged" | "activated") => () => {
    if (store !== undefined) appendHistory(store, record(1, id, { command: "pull", outcome }));
  };
  const clock = clockOf(
    () => {
      store = storeWithRuns(dir.path);
    },
    add("0000b1", "activated"),
    () => {
      add("0000b2", "unchanged")();
      add("0000b3", "activated")();
      Deno.removeSync(historyFiles(store ?? { history: "" })[0] ?? "");
    },
    add("0000b4", "activated"),
    () => stop.abort(),
  );
  const args = ["--follow", "--limit", "1", "--outcome", "activated", "-o", "json"];
  const world = { clock };
  const { code, stdout, stderr } = await runCli("log", args, { cwd: dir.path, stop: stop.signal, world });
  assert.deepEqual([code, stderr], [0, ""]);
  const lines = stdout.trim().split("\n").map((line) => JSON.parse(line).runId.slice(-2));
  // The history that replaced the deleted one is followed as well.
  assert.deepEqual(lines, ["01", "02", "b1", "b4"]);
});
