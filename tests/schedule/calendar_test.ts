import assert from "node:assert/strict";
import fc from "fast-check";
import { parseCalendar } from "../../lib/schedule/calendar.ts";

const ZONES = [
  "UTC",
  "Europe/Paris",
  "America/New_York",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "Pacific/Apia",
];

/** The wall-clock time that an instant shows in a zone. */
function wallTime(time: Date, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeZone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
    .format(time);
}

const instant = fc.date({ min: new Date("2020-01-01"), max: new Date("2035-01-01"), noInvalidDate: true });
const timeOfDay = fc.record({ hour: fc.nat({ max: 23 }), minute: fc.nat({ max: 59 }) })
  .map(({ hour, minute }) => `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`);

Deno.test("a time of day is due strictly later, within 25 hours of any instant, and clocks show it except after a gap", () => {
  fc.assert(
    fc.property(instant, timeOfDay, fc.constantFrom(...ZONES), (now, text, zone) => {
      const next = parseCalendar(text, zone).next(now);
      assert.ok(next !== undefined && next > now);
      const shown = wallTime(next, zone);
      if (shown === text) {
        // Pacific/Apia left out 2011-12-30; no zone skips a day in these years, so one day and a shift of clocks bound it.
        assert.ok(
          next.getTime() - now.getTime() <= 25 * 3_600_000,
          `${now.toISOString()} → ${next.toISOString()}`,
        );
        return;
      }
      // Daylight saving skipped the time that day: the minute before shows a time before it, the due time one after it.
      const before = wallTime(new Date(next.getTime() - 60_000), zone);
      assert.ok(before < text && shown > text, `${text} in ${zone}: ${next.toISOString()} shows ${shown}`);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("consecutive due times are one each local day, also across both changes of the clock", () => {
  for (
    const [zone, from] of [["Europe/Paris", "2026-03-27T12:00:00Z"], [
      "Europe/Paris",
      "2026-10-23T12:00:00Z",
    ]] as const
  ) {
    for (const text of ["02:30", "00:00", "03:00"]) {
      const calendar = parseCalendar(text, zone);
      let time = new Date(from);
      const days = new Set<string>();
      for (let count = 0; count < 5; count++) {
        const next = calendar.next(time);
        assert.ok(next);
        days.add(new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(next));
        time = next;
      }
      assert.equal(days.size, 5, `${text} from ${from}`);
    }
  }
});

const cronField = (max: number) =>
  fc.oneof(
    fc.constant("*"),
    fc.integer({ min: 2, max: 20 }).map((step) => `*/${step}`),
    fc.nat({ max }).map(String),
    fc.tuple(fc.nat({ max }), fc.nat({ max })).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
  );
const expression = fc.tuple(cronField(59), cronField(23), fc.constantFrom("*", "0", "mon-fri", "sat,sun"))
  .map(([minute, hour, weekday]) => `${minute} ${hour} * * ${weekday}`);

Deno.test("no due time of an expression is skipped or doubled", () => {
  fc.assert(
    fc.property(
      instant,
      expression,
      fc.constantFrom(...ZONES),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (now, text, zone, share) => {
        const calendar = parseCalendar(text, zone);
        const first = calendar.next(now);
        const second = first && calendar.next(first);
        assert.ok(first !== undefined && second !== undefined && now < first && first < second);
        for (const [from, to] of [[now, first], [first, second]] as const) {
          const between = new Date(from.getTime() + Math.floor(share * (to.getTime() - 1 - from.getTime())));
          assert.equal(calendar.next(between)?.getTime(), to.getTime(), `${text} in ${zone}`);
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("a time that equals now is due tomorrow, as in the original", () => {
  const calendar = parseCalendar("06:00", "UTC");
  assert.equal(calendar.next(new Date("2026-11-21T06:00:00Z"))?.toISOString(), "2026-11-22T06:00:00.000Z");
});

Deno.test("a cron expression is due at the times that it names", () => {
  const quarter = parseCalendar("*/15 * * * *", "UTC");
  assert.equal(quarter.next(new Date("2026-11-21T06:01:30Z"))?.toISOString(), "2026-11-21T06:15:00.000Z");
  const monday = parseCalendar("0 3 * * mon", "UTC");
  assert.equal(monday.next(new Date("2026-11-21T00:00:00Z"))?.toISOString(), "2026-11-23T03:00:00.000Z");
  assert.equal(parseCalendar("0 0 30 2 *", "UTC").next(new Date()), undefined);
});

Deno.test("parseCalendar() refuses other texts, and never hangs or crashes on nonsense", () => {
  for (
    const text of ["", "24:00", "6:60", "06:00:00", "noon", "* * * *", "* * * * * *", "60 * * * *", "@daily"]
  ) {
    assert.throws(() => parseCalendar(text, "UTC"), RangeError, text);
  }
  fc.assert(fc.property(fc.string(), (text) => {
    try {
      parseCalendar(text, "UTC");
    } catch (error) {
      assert.ok(error instanceof RangeError);
    }
  }));
});
