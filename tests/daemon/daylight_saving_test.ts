import assert from "node:assert/strict";
import { parseCalendar } from "../../lib/schedule/calendar.ts";
import { RoleStage, utcSchedule } from "../helpers/role_stage.ts";

const HOUR_MS = 3_600_000;

/** Both days on which clocks are set in 2026, and when a time is due on the day before, on it and after. */
const CASES = [
  ["Europe/Paris", "02:30", "2026-03-28T00:00:00Z", ["28T01:30", "29T01:00", "30T00:30"]],
  ["Europe/Paris", "02:30", "2026-10-24T00:00:00Z", ["24T00:30", "25T00:30", "26T01:30"]],
  ["America/New_York", "01:30", "2026-10-31T00:00:00Z", ["31T05:30", "01T05:30", "02T06:30"]],
  ["Australia/Lord_Howe", "02:15", "2026-10-02T12:00:00Z", ["02T15:45", "03T15:30", "04T15:15"]],
  ["Australia/Lord_Howe", "01:45", "2026-04-03T12:00:00Z", ["03T14:45", "04T14:45", "05T15:15"]],
] as const;

Deno.test("a daemon runs exactly once on each day on which clocks are set, also when it is restarted", async () => {
  for (const [zone, time, start, expected] of CASES) {
    const schedule = utcSchedule(time, { calendar: parseCalendar(time, zone) });
    const end = Date.parse(start) + 3 * 24 * HOUR_MS - 6 * HOUR_MS;
    const steady = new RoleStage(start, schedule);
    await steady.runUntil(new Date(end).toISOString());
    assert.deepEqual(steady.shortRuns, expected, `${time} in ${zone}`);
    const restarted = new RoleStage(start, schedule);
    for (let until = Date.parse(start); until < end; until += 30 * 60_000) {
      await restarted.runUntil(new Date(until).toISOString());
    }
    // A due time at which the daemon stops runs at its restart, at the same time on this clock.
    assert.deepEqual(restarted.shortRuns, expected, `${time} in ${zone}, restarted`);
  }
});

Deno.test("a daemon that is stopped during the skipped or repeated hour catches up once", async () => {
  for (const [zone, time, start] of CASES) {
    const s = new RoleStage(start, utcSchedule(time, { calendar: parseCalendar(time, zone) }));
    await s.runUntil(new Date(Date.parse(start) + 20 * HOUR_MS).toISOString());
    const before = s.runs.length;
    s.clock.advance(14 * HOUR_MS);
    await s.runUntil(new Date(Date.parse(start) + 36 * HOUR_MS).toISOString());
    assert.equal(s.runs.length - before, 1, `${time} in ${zone}`);
  }
});
