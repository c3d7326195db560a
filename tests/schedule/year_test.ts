import assert from "node:assert/strict";
import { parseCalendar } from "../../lib/schedule/calendar.ts";
import { type ShownMinute, walkYear, type ZoneYear } from "./zone_year.ts";

const ZONES = ["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"];
const YEAR = 2026;
const LEAP_YEAR = 2028;

/** What a schedule names, written down by hand for each; nothing here reads an expression. */
interface Named {
  readonly text: string;
  readonly names: (minute: ShownMinute) => boolean;
  /** Whether it is due each time that clocks show it, instead of once for each time that it names. */
  readonly keepsPace?: true;
  /** Whether a leap year makes a difference. */
  readonly leaps?: true;
}

const at = (hour: number, minute: number) => (shown: ShownMinute) =>
  shown.hour === hour && shown.minute === minute;

const SCHEDULES: readonly Named[] = [
  ...["00:00", "01:30", "01:45", "02:00", "02:15", "02:30", "03:00", "06:00", "23:59"].map((text) => ({
    text,
    names: at(Number(text.slice(0, 2)), Number(text.slice(3))),
  })),
  { text: "30 2 * * *", names: at(2, 30) },
  { text: "15 2 * * 0", names: (shown) => at(2, 15)(shown) && shown.weekday === 0 },
  { text: "30 3 * * mon-fri", names: (shown) => at(3, 30)(shown) && shown.weekday % 6 !== 0 },
  { text: "0 1-4 * * *", names: ({ hour, minute }) => minute === 0 && hour >= 1 && hour <= 4 },
  { text: "*/20 2 * * *", names: ({ hour, minute }) => minute % 20 === 0 && hour === 2 },
  {
    text: "0,30 1,2 * * sun",
    names: ({ hour, minute, weekday }) => minute % 30 === 0 && (hour === 1 || hour === 2) && weekday === 0,
  },
  { text: "0 6 L * *", names: (shown) => at(6, 0)(shown) && shown.isLastOfMonth, leaps: true },
  { text: "0 6 31 * *", names: (shown) => at(6, 0)(shown) && shown.day === 31 },
  {
    text: "30 2 29 2 *",
    names: (shown) => at(2, 30)(shown) && shown.month === 2 && shown.day === 29,
    leaps: true,
  },
  { text: "0 0 1 1 *", names: (shown) => at(0, 0)(shown) && shown.month === 1 && shown.day === 1 },
  { text: "0 12 13 * fri", names: (shown) => at(12, 0)(shown) && (shown.day === 13 || shown.weekday === 5) },
  { text: "0 * * * *", names: ({ minute }) => minute === 0, keepsPace: true },
  { text: "30 * * * *", names: ({ minute }) => minute === 30, keepsPace: true },
  { text: "0 */2 * * *", names: ({ hour, minute }) => minute === 0 && hour % 2 === 0, keepsPace: true },
  { text: "*/15 * * * *", names: ({ minute }) => minute % 15 === 0, keepsPace: true },
  { text: "45 * * * 0", names: ({ minute, weekday }) => minute === 45 && weekday === 0, keepsPace: true },
];

/** The due times of a year by the rule that the calendar states. */
function expected({ names, keepsPace }: Named, year: ZoneYear): number[] {
  const due = new Set<number>();
  for (const [index, shown] of year.minutes.entries()) {
    if (names(shown) && (keepsPace || !year.isRepeated[index])) due.add(shown.timeMs);
  }
  for (const { timeMs, minutes } of year.skipped) {
    if (!keepsPace && minutes.some(names)) due.add(timeMs);
  }
  return [...due].sort((a, b) => a - b);
}

function computed(text: string, zone: string, year: number): number[] {
  const calendar = parseCalendar(text, zone);
  const end = Date.UTC(year + 1, 0, 1);
  const due: number[] = [];
  for (
    let time = calendar.next(new Date(Date.UTC(year, 0, 1) - 1));
    time !== undefined && time.getTime() < end;
  ) {
    due.push(time.getTime());
    time = calendar.next(time);
  }
  return due;
}

for (const zone of ZONES) {
  Deno.test(`a year's due times in ${zone} are those that a walk over its minutes finds, for every schedule`, () => {
    for (const year of [YEAR, LEAP_YEAR]) {
      const walked = walkYear(zone, year);
      for (const schedule of SCHEDULES) {
        if (year === LEAP_YEAR && !schedule.leaps) continue;
        const [due, wanted] = [computed(schedule.text, zone, year), expected(schedule, walked)];
        if (due.join() === wanted.join()) continue;
        const iso = (times: readonly number[]) => times.map((time) => new Date(time).toISOString());
        assert.deepEqual(
          iso(due),
          iso(wanted),
          `${schedule.text} in ${zone}, ${year}`,
        );
      }
    }
  });
}
