import assert from "node:assert/strict";
import fc from "fast-check";
import { UnreachableError } from "../../lib/core/errors.ts";
import type { RoleSchedule } from "../../lib/schedule/agenda.ts";
import { RoleStage, utcSchedule } from "../helpers/role_stage.ts";

const HOUR_MS = 3_600_000;

Deno.test("a machine that was suspended over two or two hundred due times runs once afterwards", async () => {
  for (const schedule of ["06:00", "*/15 * * * *"]) {
    const s = new RoleStage("2026-11-21T05:58:00Z", schedule);
    s.jumps = [["2026-11-21T05:59:00Z", "2026-11-23T07:20:00Z"]];
    await s.runUntil("2026-11-23T07:29:00Z");
    assert.deepEqual(s.shortRuns, ["23T07:20"], schedule);
  }
});

Deno.test("a daemon that was stopped over two or two hundred due times runs once at its start", async () => {
  for (const schedule of ["06:00", "*/15 * * * *"]) {
    const s = new RoleStage("2026-11-21T05:50:00Z", schedule);
    await s.runUntil("2026-11-21T05:58:00Z");
    s.clock.advance(49 * HOUR_MS);
    await s.runUntil("2026-11-23T06:59:00Z");
    assert.deepEqual(s.shortRuns, ["23T06:58"], schedule);
    assert.ok(
      s.log.lines.includes("info the client run of 2026-11-21T06:00:00Z was missed; making up for it now"),
    );
  }
});

Deno.test("without catch_up a missed due time is logged and skipped, and the next one is on time", async () => {
  const s = new RoleStage("2026-11-21T05:58:00Z", utcSchedule("06:00", { catchUpMs: 0 }));
  s.jumps = [["2026-11-21T05:59:00Z", "2026-11-21T06:05:00Z"]];
  await s.runUntil("2026-11-22T05:00:00Z");
  s.clock.advance(26 * HOUR_MS);
  await s.runUntil("2026-11-24T07:00:00Z");
  assert.deepEqual(s.shortRuns, ["24T06:00"]);
  const left = s.log.lines.filter((line) => line.endsWith("was missed; it is not made up for"));
  assert.deepEqual(left.map((line) => line.slice(23, 34)), ["2026-11-21T", "2026-11-22T"]);
});

Deno.test("without catch_up a due time still runs when the daemon restarts within two minutes", async () => {
  const s = new RoleStage("2026-11-21T05:58:00Z", utcSchedule("06:00", { catchUpMs: 0 }));
  await s.runUntil("2026-11-21T05:59:00Z");
  s.clock.advance(2 * 60_000);
  await s.runUntil("2026-11-21T06:05:00Z");
  assert.deepEqual(s.shortRuns, ["21T06:01"]);
});

Deno.test("catch_up_within catches up with the last missed due time within that age, and with none otherwise", async () => {
  for (
    const [back, expected] of [
      ["2026-11-21T08:00:00Z", ["21T08:00"]],
      ["2026-11-21T08:00:01Z", []],
      ["2026-11-24T07:30:00Z", ["24T07:30"]],
      ["2026-11-24T05:00:00Z", []],
    ] as const
  ) {
    const s = new RoleStage("2026-11-21T05:00:00Z", utcSchedule("06:00", { catchUpMs: 2 * HOUR_MS }));
    s.jumps = [["2026-11-21T05:59:00Z", back]];
    await s.runUntil(new Date(Date.parse(back) + 50 * 60_000).toISOString());
    assert.deepEqual(s.shortRuns, expected, back);
  }
});

Deno.test("due times that pass during a pause are one run after it, if catch_up allows it", async () => {
  for (const [catchUpMs, expected] of [[Infinity, ["21T08:00", "21T09:00"]], [0, ["21T09:00"]]] as const) {
    const s = new RoleStage("2026-11-21T05:30:00Z", utcSchedule("0 6,7,9 * * *", { catchUpMs }));
    s.control = {
      pausedUntil: () => s.clock.now() < new Date("2026-11-21T08:00:00Z") ? "resumed" : undefined,
      takeRequest: () => false,
    };
    await s.runUntil("2026-11-21T10:00:00Z");
    assert.deepEqual(s.shortRuns, expected);
  }
});

Deno.test("a requested run starts at once, also in a pause, and replaces no due time", async () => {
  const s = new RoleStage("2026-11-21T05:30:00Z", "06:00", () => {
    s.clock.advance(60_000);
    return Promise.resolve();
  });
  let requests = 1;
  s.control = {
    pausedUntil: () => s.clock.now() < new Date("2026-11-21T05:50:00Z") ? "resumed" : undefined,
    takeRequest: () => s.clock.now() >= new Date("2026-11-21T05:40:00Z") && requests-- > 0,
  };
  await s.runUntil("2026-11-21T07:00:00Z");
  assert.deepEqual(s.shortRuns, ["21T05:40", "21T06:00"]);
});

Deno.test("a daemon that starts in a pause runs only after it", async () => {
  const s = new RoleStage("2026-11-21T05:30:00Z", "06:00");
  s.control = {
    pausedUntil: () => s.clock.now() < new Date("2026-11-21T05:50:00Z") ? "resumed" : undefined,
    takeRequest: () => false,
  };
  await s.runUntil("2026-11-21T07:00:00Z", { runOnStart: true });
  assert.deepEqual(s.shortRuns, ["21T05:50", "21T06:00"]);
});

Deno.test("a due time whose run had a passing fault keeps its retries, and is served when one succeeds", async () => {
  const s = new RoleStage(
    "2026-11-21T05:59:00Z",
    "0 6,7 * * *",
    (run) => run < 4 ? Promise.reject(new UnreachableError("no network", { code: "X" })) : Promise.resolve(),
  );
  await s.runUntil("2026-11-21T07:30:00Z");
  assert.deepEqual(s.shortRuns, ["21T06:00", "21T06:01", "21T06:03", "21T06:07", "21T07:00"]);
  assert.deepEqual(s.remembered?.served, [[
    new Date("2026-11-21T06:00:00Z"),
    new Date("2026-11-21T07:00:00Z"),
  ]]);
});

Deno.test("a daemon that is restarted between two retries continues with the next one", async () => {
  const s = new RoleStage(
    "2026-11-21T05:59:00Z",
    "06:00",
    (run) => run < 4 ? Promise.reject(new UnreachableError("no network", { code: "X" })) : Promise.resolve(),
  );
  await s.runUntil("2026-11-21T06:05:00Z");
  await s.runUntil("2026-11-22T05:00:00Z");
  assert.deepEqual(s.shortRuns, ["21T06:00", "21T06:01", "21T06:03", "21T06:07"]);
  await s.runUntil("2026-11-22T07:00:00Z");
  assert.deepEqual(s.shortRuns.slice(4), ["22T06:00"]);
});

Deno.test("each due time runs on time or once at the next start, whenever the daemon is stopped and started", async () => {
  const spans = fc.array(
    fc.record({ on: fc.integer({ min: 1, max: 400 }), off: fc.integer({ min: 0, max: 3_000 }) }),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  const within = fc.constantFrom(0, 60, 600, Infinity);
  await fc.assert(
    fc.asyncProperty(
      spans,
      fc.constantFrom("06:00", "*/20 * * * *", "0 6,18 * * *"),
      within,
      async (spans, times, withinMin) => {
        const schedule = utcSchedule(times, { catchUpMs: withinMin * 60_000 });
        const s = new RoleStage("2026-11-21T05:07:00Z", schedule);
        const expected: string[] = [];
        let settled = s.clock.now();
        for (const { on, off } of spans) {
          const start = s.clock.now();
          const end = new Date(start.getTime() + on * 60_000);
          // The last due time while it was stopped, unless it is too old. Up to two minutes late counts as on time.
          const missed = lastBetween(schedule, settled, start);
          const isRecent = missed !== undefined &&
            start.getTime() - missed.getTime() <= Math.max(schedule.catchUpMs, 120_000);
          if (isRecent) expected.push(start.toISOString());
          for (let due = schedule.calendar.next(start); due && due < end; due = schedule.calendar.next(due)) {
            expected.push(due.toISOString());
          }
          await s.runUntil(end.toISOString());
          // A due time at which the daemon stops runs at its restart.
          settled = new Date(s.clock.now().getTime() - 1);
          s.clock.advance(off * 60_000);
        }
        assert.deepEqual(s.runs, expected);
      },
    ),
    { numRuns: 200 },
  );
});

function lastBetween(schedule: RoleSchedule, after: Date, until: Date): Date | undefined {
  let last: Date | undefined;
  for (let due = schedule.calendar.next(after); due && due <= until; due = schedule.calendar.next(due)) {
    last = due;
  }
  return last;
}
