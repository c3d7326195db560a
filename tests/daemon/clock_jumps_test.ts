import assert from "node:assert/strict";
import fc from "fast-check";
import { RoleStage } from "../helpers/role_stage.ts";

Deno.test("a due time does not run again when the clock is set back over it, also across a restart", async () => {
  for (const restarts of [false, true]) {
    const s = new RoleStage("2026-11-21T05:00:00Z", "06:00");
    s.jumps = [["2026-11-21T06:30:00Z", "2026-11-21T05:30:00Z"]];
    if (restarts) {
      await s.runUntil("2026-11-21T06:20:00Z");
      s.clock.advance(-50 * 60_000);
      s.jumps = [];
    }
    await s.runUntil("2026-11-22T06:30:00Z");
    assert.deepEqual(s.shortRuns, ["21T06:00", "22T06:00"]);
  }
});

Deno.test("no due time runs again when the clock is set back over many, and the others run on time", async () => {
  const s = new RoleStage("2026-11-21T05:50:00Z", "*/15 * * * *");
  s.jumps = [["2026-11-21T07:05:00Z", "2026-11-21T05:55:00Z"]];
  await s.runUntil("2026-11-21T07:31:00Z");
  assert.deepEqual(s.shortRuns.map((run) => run.slice(3)), [
    "06:00",
    "06:15",
    "06:30",
    "06:45",
    "07:00",
    "07:15",
    "07:30",
  ]);
});

Deno.test("a clock that jumps ahead and is corrected neither doubles a run nor postpones others", async () => {
  const s = new RoleStage("2026-11-21T05:00:00Z", "0 6,7,8 * * *");
  s.jumps = [["2026-11-21T05:30:00Z", "2027-11-21T05:30:00Z"], [
    "2027-11-21T05:40:00Z",
    "2026-11-21T05:40:00Z",
  ]];
  await s.runUntil("2026-11-22T06:30:00Z");
  // The run of 06:00 came early, while the clock showed the next year.
  assert.deepEqual(s.runs.map((run) => run.slice(2, 16)), [
    "27-11-21T05:30",
    "26-11-21T07:00",
    "26-11-21T08:00",
    "26-11-22T06:00",
  ]);
});

Deno.test("a machine that starts with the wrong year follows the right time when the clock is set", async () => {
  for (const wrong of ["2031-03-05T01:00:00Z", "1999-03-05T01:00:00Z"]) {
    const s = new RoleStage(wrong, "06:00");
    s.jumps = [[new Date(Date.parse(wrong) + 60_000).toISOString(), "2026-11-21T05:00:00Z"]];
    await s.runUntil("2026-11-22T05:00:00Z");
    assert.equal(s.shortRuns.at(-1), "21T06:00", wrong);
  }
});

Deno.test("a clock that is set back during a run, or at a request, postpones nothing", async () => {
  const stop = new AbortController();
  const during: RoleStage = new RoleStage("2027-11-21T05:59:00Z", "06:00", (run) => {
    if (run === 1) during.clock.advance(Date.parse("2026-11-21T05:00:00Z") - during.clock.now().getTime());
    return Promise.resolve();
  });
  await during.runUntil("", {
    signal: stop.signal,
    wake: (durationMs) => {
      during.clock.advance(durationMs);
      const now = during.clock.now();
      if (now > new Date("2026-11-21T07:00:00Z") && now < new Date("2027-11-21T05:59:00Z")) stop.abort();
      return Promise.resolve();
    },
  });
  assert.deepEqual(during.runs.map((run) => run.slice(2, 16)), ["27-11-21T06:00", "26-11-21T06:00"]);

  const requested = new RoleStage("2027-11-21T05:00:00Z", "06:00");
  requested.jumps = [["2027-11-21T05:10:00Z", "2026-11-21T05:00:00Z"]];
  let requests = 1;
  requested.control = {
    pausedUntil: () => undefined,
    takeRequest: () => requested.clock.now() < new Date("2027-11-21T00:00:00Z") && requests-- > 0,
  };
  await requested.runUntil("2026-11-21T07:00:00Z");
  assert.deepEqual(requested.runs.map((run) => run.slice(2, 16)), ["26-11-21T05:00", "26-11-21T06:00"]);
});

Deno.test("no due time runs twice, whatever jumps the clock makes", async () => {
  const jump = fc.tuple(fc.integer({ min: 1, max: 600 }), fc.integer({ min: -900, max: 900 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(jump, { maxLength: 4 }),
      fc.constantFrom("*/15 * * * *", "0 6,18 * * *", "06:00"),
      async (jumps, schedule) => {
        const s = new RoleStage("2026-11-21T05:07:00Z", schedule);
        let [passed, nextAt] = [0, jumps[0]?.[0] ?? Infinity];
        const left = [...jumps];
        const stop = new AbortController();
        await s.runUntil("", {
          signal: stop.signal,
          wake: (durationMs) => {
            s.clock.advance(durationMs);
            passed += durationMs / 60_000;
            if (passed >= nextAt) {
              // Never to a full minute: then no run that catches up starts at a due time.
              s.clock.advance((left.shift()?.[1] ?? 0) * 60_000 + 17_000);
              nextAt = passed + (left[0]?.[0] ?? Infinity);
            }
            if (passed > 2_880) stop.abort();
            return Promise.resolve();
          },
        });
        // A run on time serves the due time that the clock shows.
        const due = s.runs.filter((run) => /T\d\d:(00|15|30|45):00\.000/.test(run));
        assert.equal(new Set(due).size, due.length, due.join(" "));
        assert.ok(s.runs.length >= 1);
      },
    ),
    { numRuns: 100, examples: [[[[414, 467], [206, -685], [411, -850], [480, 585]], "*/15 * * * *"]] },
  );
});
