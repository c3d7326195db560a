import assert from "node:assert/strict";
import { join } from "node:path";
import type { World } from "../../cli/_world.ts";
import { Redraw } from "../../cli/_redraw.ts";
import { type Clock, systemClock } from "../../lib/core/clock.ts";
import { appendHistory } from "../../lib/store/history.ts";
import { addQuarantine } from "../../lib/store/quarantine.ts";
import { openStore } from "../../lib/store/store.ts";
import { digestOf } from "../helpers/report_events.ts";
import { type CliResult, runCli } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { FakeTerminal } from "./terminal.ts";

/** Runs `status --watch` in a folder. Each pause does the next piece of work, and the last one stops the command. */
async function watch(
  cwd: string,
  args: readonly string[],
  work: readonly (() => void)[],
  world: Partial<World> = {},
): Promise<CliResult & { readonly pausesMs: readonly number[] }> {
  const stop = new AbortController();
  const left = [...work];
  const pausesMs: number[] = [];
  const clock: Clock = {
    ...systemClock,
    now: () => new Date("2026-11-30T12:00:00Z"),
    monotonicMs: () => 0,
    sleep(durationMs, signal) {
      // The time limit of a command that is stopped.
      if (durationMs === 60_000) return systemClock.sleep(durationMs, signal);
      pausesMs.push(durationMs);
      const next = left.shift();
      if (next === undefined) stop.abort();
      else next();
      return signal.aborted ? Promise.reject(signal.reason) : Promise.resolve();
    },
  };
  const result = await runCli("status", ["--watch", ...args], {
    cwd,
    world: { clock, ...world },
    stop: stop.signal,
  });
  return { ...result, pausesMs };
}

const nothing = () => {};

Deno.test("status --watch prints a block, or a line of JSON, each time the state changes, and ends with exit code 0", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const ran = () =>
    appendHistory(store, {
      runId: "20261130T115900Z-00000a",
      command: "pull",
      outcome: "unchanged",
      startedAt: "2026-11-30T11:59:00Z",
      durationMs: 84,
      host: "bot",
    });
  const quarantined = () =>
    addQuarantine(store, { digest: digestOf("a"), sequence: 1, reason: "bad", at: "2026-11-30T11:59:30Z" });
  const json = await watch(dir.path, ["5", "--json"], [nothing, ran, nothing, quarantined, nothing]);
  assert.deepEqual([json.code, json.stderr], [0, ""]);
  const states = json.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(states.map(({ runs, quarantine }) => [runs.length, quarantine.length]), [[0, 0], [1, 0], [
    1,
    1,
  ]]);
  assert.deepEqual(json.pausesMs, Array(6).fill(5_000));
  const text = await watch(dir.path, [], [nothing, ran]);
  assert.deepEqual([text.code, text.stderr, text.pausesMs], [0, "", [2_000, 2_000, 2_000]]);
  assert.equal(text.stdout.split("no release is active").length - 1, 2);
  for (
    const [args, says] of [
      [
        ["--watch", "0"],
        /Cannot use the argument "0": with --watch, the command takes a number of seconds from 1 to 86400/,
      ],
      [["--watch", "1", "2"], /Cannot use the argument "2"/],
      [["5"], /it is for --watch, which is missing\nnext: {2}model-sync status --watch 5/],
    ] as const
  ) {
    const { code, stderr } = await runCli("status", args, { cwd: dir.path });
    assert.equal(code, 2, stderr);
    assert.match(stderr, says);
  }
  // The reader ends, as `head -1` does.
  const stdout = {
    isTerminal: () => false,
    writeSync: () => {
      throw new Deno.errors.BrokenPipe("closed");
    },
  };
  assert.equal((await watch(dir.path, [], [nothing], { stdout })).pausesMs.length, 1);
});

Deno.test("status --watch draws in place on a terminal of any size, keeps what was above, and its last state stays", async () => {
  using dir = tempDir();
  const store = openStore(Deno, { modelsDir: join(dir.path, "models") });
  const terminal = new FakeTerminal(80);
  terminal.write("$ model-sync status --watch\n");
  let [rows, writes] = [24, 0];
  const stdout = {
    isTerminal: () => true,
    writeSync(bytes: Uint8Array) {
      writes++;
      terminal.write(new TextDecoder().decode(bytes));
      return bytes.length;
    },
  };
  const add = (count: number) => {
    for (let index = 0; index < count; index++) {
      appendHistory(store, {
        runId: `20261130T115900Z-00000${index}`,
        command: "pull",
        outcome: "refused",
        startedAt: "2026-11-30T11:59:00Z",
        durationMs: 84,
        host: "bot",
        error: { code: "QUARANTINED", message: "Cannot activate the release: ".padEnd(200, "it is bad ") },
      });
    }
  };
  const check = () => {
    const shown = terminal.rows;
    assert.equal(shown.filter((row) => row.startsWith("$")).length, 1, shown.join("\n"));
    assert.equal(shown.filter((row) => row.startsWith("configuration")).length, 1, shown.join("\n"));
    assert.ok(shown.every((row) => row.length < terminal.columns), shown.join("\n"));
  };
  const { code, stderr } = await watch(dir.path, ["--runs", "20"], [
    check,
    () => {
      add(2);
    },
    check,
    () => {
      terminal.resize(50);
    },
    check,
    () => {
      terminal.resize(100);
      add(10);
    },
    () => {
      check();
      assert.ok(terminal.rows.length <= rows + 1);
      assert.match(terminal.rows.at(-1) ?? "", /^… \d+ more lines$/);
      rows = 100;
    },
    check,
  ], { stdout, columns: () => terminal.columns, rows: () => rows, noColor: false });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(writes, 9);
  assert.match(terminal.rows.at(-1) ?? "", /^every 2\.0 s; end it with Ctrl-C$/);
});

Deno.test("lines are cut at the width of the screen outside of their colours", () => {
  const drawn = new Redraw().draw(["\x1b[31mred\x1b[0m and plain", "模型模型"], { columns: 8, rows: 5 });
  assert.equal(drawn, "\r\x1b[31mred\x1b[0m an…\x1b[K\n模型模…\x1b[K\n\x1b[J");
});
