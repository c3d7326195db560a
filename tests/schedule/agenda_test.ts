import assert from "node:assert/strict";
import fc from "fast-check";
import { Agenda } from "../../lib/schedule/agenda.ts";
import { deniedSpanAt, firstAllowed } from "../../lib/schedule/deny_windows.ts";
import { utcSchedule, utcWindow } from "../helpers/role_stage.ts";

const MINUTE_MS = 60_000;

const instant = fc.date({ min: new Date("2020-01-01"), max: new Date("2035-01-01"), noInvalidDate: true });
const times = fc.constantFrom("06:00", "*/15 * * * *", "0 6,18 * * *", "30 3 * * mon-fri");
const deny = fc.array(
  fc.record({
    start: fc.constantFrom("0 22 * * *", "0 5 * * mon-fri", "0 * * * *", "30 5 * * *"),
    minutes: fc.integer({ min: 1, max: 600 }),
  }).filter(({ start, minutes }) => start !== "0 * * * *" || minutes < 50),
  { maxLength: 3 },
).map((windows) => windows.map(({ start, minutes }) => utcWindow(start, minutes / 60)));

Deno.test("a planned run is in the future, in no denied window, and no due time between two of them is lost", () => {
  fc.assert(
    fc.property(instant, times, deny, fc.integer({ min: 0, max: 90 }), (now, text, windows, splayMin) => {
      const agenda = new Agenda(utcSchedule(text, { deny: windows, splayMs: splayMin * MINUTE_MS }), "bot");
      const run = agenda.nextRun(now, now, () => undefined);
      assert.ok(run !== undefined && run.due > now && run.at > now && run.at >= run.due);
      assert.equal(firstAllowed(windows, run.at)?.getTime(), run.at.getTime());
      assert.equal(agenda.startOf(run.due)?.getTime(), run.at.getTime());
      const then = agenda.nextRun(now, run.at, () => undefined);
      assert.ok(then !== undefined && then.at > run.at);
      const { calendar } = agenda.schedule;
      for (let due = calendar.next(run.due); due !== undefined && due < then.due; due = calendar.next(due)) {
        // It shares the run of the first.
        assert.ok((agenda.startOf(due) ?? due) <= run.at);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("each machine and role has its own delays, spread over the whole splay, and keeps them", () => {
  const schedule = utcSchedule("06:00", { splayMs: 60 * MINUTE_MS });
  const due = new Date("2026-11-21T06:00:00Z");
  const delaysMin = Array.from({ length: 400 }, (_, machine) => {
    const [once, again] = [1, 2].map(() => new Agenda(schedule, `host-${machine}`).startOf(due));
    assert.equal(once?.getTime(), again?.getTime());
    return ((once ?? due).getTime() - due.getTime()) / MINUTE_MS;
  });
  for (let quarter = 0; quarter < 4; quarter++) {
    const inQuarter = delaysMin.filter((delay) => Math.floor(delay / 15) === quarter).length;
    assert.ok(inQuarter > 60 && inQuarter < 140, `${inQuarter} of 400 in quarter ${quarter}`);
  }
});

Deno.test("deniedSpanAt() joins windows that overlap or touch, and returns no end for endless ones", () => {
  const windows = [utcWindow("22:00", 3), utcWindow("0 1 * * *", 2), utcWindow("02:30", 1)];
  const span = deniedSpanAt(windows, new Date("2026-11-21T02:45:00Z"));
  assert.deepEqual(span, { start: new Date("2026-11-20T22:00:00Z"), end: new Date("2026-11-21T03:30:00Z") });
  assert.equal(deniedSpanAt(windows, new Date("2026-11-21T03:30:00Z")), undefined);
  assert.equal(firstAllowed([utcWindow("* * * * *", 1)], new Date("2026-11-21T02:45:00Z")), undefined);
  assert.equal(firstAllowed([utcWindow("00:00", 24)], new Date("2026-11-21T02:45:00Z")), undefined);
});
