import assert from "node:assert/strict";
import fc from "fast-check";
import { CARRIERS } from "../../lib/release/manifest.ts";
import { OUTCOMES } from "../../lib/store/history.ts";
import {
  type CountedRun,
  countRuns,
  DURATION_BOUNDS_SEC,
  NO_RUNS,
  OTHER_COMMAND,
  RunTotals,
} from "../../lib/metrics/run_totals.ts";

const START_MS = Date.parse("2026-11-29T06:00:00Z");

/** A run that ended without an error, unless something else is said. */
function run(fields: Partial<CountedRun> = {}): CountedRun {
  return {
    command: "pull",
    outcome: "unchanged",
    startedAt: new Date(START_MS).toISOString(),
    durationMs: 200,
    ...fields,
  };
}

const failure = { code: "REFUSED", message: "no" };

const anyRun: fc.Arbitrary<CountedRun> = fc.record({
  command: fc.constantFrom("pull", "publish", "rollback", "references-sync"),
  outcome: fc.constantFrom(...OUTCOMES),
  startedAt: fc.date({ min: new Date("2000-01-01"), max: new Date("2100-01-01"), noInvalidDate: true })
    .map((date) => date.toISOString()),
  durationMs: fc.oneof(
    fc.integer({ min: 0, max: 200_000_000 }),
    fc.constantFrom(...DURATION_BOUNDS_SEC.map((sec) => sec * 1000)),
  ),
  carrier: fc.option(fc.constantFrom(...CARRIERS), { nil: undefined }),
  writtenBytes: fc.option(fc.integer({ min: 0, max: 2 ** 40 }), { nil: undefined }),
  error: fc.option(fc.constantFrom(failure, { code: "KILLED", message: "killed" }), { nil: undefined }),
});

/** What does not depend on which run was the last. */
function counts({ commands, bytes }: RunTotals): unknown {
  return {
    bytes,
    commands: commands
      .map(({ command, outcomes, durations, durationSumMs }) => ({
        command,
        outcomes,
        durations,
        durationSumMs,
      }))
      .sort((a, b) => a.command < b.command ? -1 : 1),
  };
}

Deno.test("totals do not depend on the order of the runs, except for the last ones", () => {
  fc.assert(fc.property(
    fc.array(anyRun).chain((runs) =>
      fc.tuple(fc.constant(runs), fc.shuffledSubarray(runs, { minLength: runs.length }))
    ),
    ([runs, shuffled]) => {
      assert.deepEqual(counts(countRuns(NO_RUNS, runs)), counts(countRuns(NO_RUNS, shuffled)));
    },
  ));
});

Deno.test("totals are the same whether runs are counted at once or in batches, and are read back unchanged", () => {
  fc.assert(fc.property(fc.array(anyRun), fc.nat(20), (runs, at) => {
    const atOnce = countRuns(NO_RUNS, runs);
    const inBatches = countRuns(countRuns(NO_RUNS, runs.slice(0, at)), runs.slice(at));
    assert.deepEqual(inBatches, atOnce);
    assert.deepEqual(RunTotals.parse(JSON.parse(JSON.stringify(atOnce))), atOnce);
  }));
});

Deno.test("every run is counted once by outcome, and once by duration unless it was killed", () => {
  fc.assert(fc.property(fc.array(anyRun), (runs) => {
    const { commands } = countRuns(NO_RUNS, runs);
    for (const { command, outcomes, durations, durationSumMs } of commands) {
      const own = runs.filter((one) => one.command === command);
      const timed = own.filter(({ error }) => error?.code !== "KILLED");
      assert.equal(sum(Object.values(outcomes)), own.length);
      assert.equal(sum(durations), timed.length);
      assert.equal(durationSumMs, sum(timed.map(({ durationMs }) => durationMs)));
    }
  }));
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

Deno.test("a duration of exactly a bound counts below that bound, a longer one above it", () => {
  for (const [index, bound] of DURATION_BOUNDS_SEC.entries()) {
    const { commands } = countRuns(NO_RUNS, [
      run({ durationMs: bound * 1000 }),
      run({ durationMs: bound * 1000 + 1 }),
    ]);
    assert.deepEqual([commands[0]?.durations[index], commands[0]?.durations[index + 1]], [1, 1]);
  }
});

Deno.test("the last run in the history is the last one, although the clock was set back since", () => {
  const later = new Date(START_MS + 86_400_000).toISOString();
  const { commands } = countRuns(NO_RUNS, [run({ startedAt: later }), run({ outcome: "activated" })]);
  assert.equal(commands[0]?.lastRunMs, START_MS + 200);
  assert.equal(commands[0]?.lastOutcome, "activated");
});

Deno.test("failed, refused, interrupted and rolled-back runs are not successes; an operator's rollback is", () => {
  const isSuccess = (fields: Partial<CountedRun>) =>
    countRuns(NO_RUNS, [run(fields)]).commands[0]?.lastSuccessMs === START_MS + 200;
  for (const outcome of ["failed", "refused", "interrupted"] as const) {
    assert.equal(isSuccess({ outcome, error: failure }), false, outcome);
    assert.equal(isSuccess({ outcome }), false, outcome);
  }
  assert.equal(isSuccess({ outcome: "rolled-back", error: failure }), false);
  assert.equal(isSuccess({ outcome: "rolled-back" }), true);
  assert.equal(isSuccess({ outcome: "activated", error: { code: "KILLED", message: "" } }), true);
  for (const outcome of ["unchanged", "activated", "published", "pruned"] as const) {
    assert.equal(isSuccess({ outcome }), true, outcome);
  }
});

Deno.test("a failure keeps the time of the last success", () => {
  const failed = run({
    outcome: "failed",
    error: failure,
    startedAt: new Date(START_MS + 1000).toISOString(),
  });
  const { commands } = countRuns(NO_RUNS, [run(), failed]);
  assert.deepEqual(
    [commands[0]?.lastSuccessMs, commands[0]?.lastRunMs, commands[0]?.lastOutcome],
    [START_MS + 200, START_MS + 1200, "failed"],
  );
});

Deno.test("names that are not commands, and commands beyond about thirty, are counted together", () => {
  const hostile = ['a"b', "x\ny", "", "__proto__", "A".repeat(300), "pull ", "ä"];
  const { commands } = countRuns(NO_RUNS, hostile.map((command) => run({ command })));
  assert.deepEqual(commands.map(({ command, outcomes }) => [command, outcomes.unchanged]), [[
    OTHER_COMMAND,
    hostile.length,
  ]]);

  const letters = Array.from({ length: 26 }, (_, index) => String.fromCharCode(97 + index));
  const many = letters.flatMap((one) => letters.map((other) => run({ command: one + other })));
  const totals = countRuns(NO_RUNS, [run({ command: "constructor" }), ...many]);
  assert.equal(totals.commands.length, 33);
  assert.equal(sum(totals.commands.map(({ outcomes }) => outcomes.unchanged ?? 0)), many.length + 1);
  assert.ok(RunTotals.safeParse(totals).success);
});

Deno.test("absurd numbers and times in the history leave totals that can be read back", () => {
  const absurd = [
    run({ durationMs: 1e308, carrier: "git", writtenBytes: 1e308 }),
    run({ durationMs: 1e308, carrier: "git", writtenBytes: 1e308 }),
    run({ durationMs: -5, carrier: "git", writtenBytes: -1 }),
    run({ startedAt: "yesterday" }),
  ];
  const totals = countRuns(NO_RUNS, absurd);
  assert.deepEqual(RunTotals.parse(JSON.parse(JSON.stringify(totals))), totals);
  assert.equal(totals.commands[0]?.outcomes.unchanged, absurd.length);
});

Deno.test("totals with other bounds of durations, or with a command twice, are rejected", () => {
  const totals = countRuns(NO_RUNS, [run()]);
  assert.equal(RunTotals.safeParse({ ...totals, bounds: [1, 2] }).success, false);
  assert.equal(
    RunTotals.safeParse({ ...totals, commands: [...totals.commands, ...totals.commands] }).success,
    false,
  );
  assert.equal(RunTotals.safeParse(totals).success, true);
});
