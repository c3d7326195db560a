import assert from "node:assert/strict";
import { Agenda } from "../../lib/schedule/agenda.ts";
import { anyOf, parseCalendar } from "../../lib/schedule/calendar.ts";
import { type ShownMinute, walkYear, type ZoneYear } from "./zone_year.ts";

const ZONES = ["Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"];
const YEAR = 2026;
const MINUTE_MS = 60_000;
/** The walk does not see windows that began in the previous year, or end in the next. */
const FIRST = Date.UTC(YEAR, 0, 3);
const LAST = Date.UTC(YEAR, 11, 29);

/** Times that are due once for each time that they name, written down by hand. */
interface Named {
  readonly text: string;
  readonly names: (minute: ShownMinute) => boolean;
}

const at = (text: string): Named => ({
  text,
  names: ({ hour, minute }) => hour === Number(text.slice(0, 2)) && minute === Number(text.slice(3)),
});
const weekdays = (text: string, hour: number): Named => ({
  text,
  names: (shown) => shown.hour === hour && shown.minute === 0 && shown.weekday % 6 !== 0,
});

const LISTS: readonly (readonly Named[])[] = [
  [at("06:00"), at("18:00"), at("02:30")],
  [at("01:30"), at("02:00"), weekdays("0 3 * * mon-fri", 3), at("23:59")],
];
const WINDOWS: readonly (readonly (Named & { readonly hours: number })[])[] = [
  [],
  [{ ...at("02:00"), hours: 2 }],
  [{ ...weekdays("0 17 * * mon-fri", 17), hours: 14 }, { ...at("01:00"), hours: 1.5 }],
];

/** When times are due by the rule that the calendar states for times of day. */
function dueTimes(named: readonly Named[], year: ZoneYear): number[] {
  const isNamed = (shown: ShownMinute) => named.some(({ names }) => names(shown));
  const due = new Set(
    year.minutes.filter((shown, index) => !year.isRepeated[index] && isNamed(shown)).map(({ timeMs }) =>
      timeMs
    ),
  );
  for (const { timeMs, minutes } of year.skipped) if (minutes.some(isNamed)) due.add(timeMs);
  return [...due].sort((a, b) => a - b);
}

for (const zone of ZONES) {
  Deno.test(`a year's runs in ${zone} are those of a walk over its minutes, for lists of times and denied windows`, () => {
    const year = walkYear(zone, YEAR);
    const due = LISTS.map((list) => dueTimes(list, year).filter((time) => time >= FIRST && time <= LAST));
    for (const windows of WINDOWS) {
      const denied = new Set(
        windows.flatMap((window) =>
          dueTimes([window], year).flatMap((start) =>
            Array.from({ length: window.hours * 60 }, (_, minute) => start + minute * MINUTE_MS)
          )
        ),
      );
      for (const [index, list] of LISTS.entries()) {
        const starts = new Set(
          due[index]?.map((time) => {
            while (denied.has(time)) time += MINUTE_MS;
            return time;
          }),
        );
        assert.deepEqual(runsOfYear(list, windows, zone), [...starts].sort((a, b) => a - b));
      }
    }
  });
}

/** When an agenda starts runs, each of them planned after the one before. */
function runsOfYear(
  list: readonly Named[],
  windows: readonly (Named & { readonly hours: number })[],
  zone: string,
): number[] {
  const agenda = new Agenda({
    times: list.map(({ text }) => text),
    calendar: anyOf(list.map(({ text }) => parseCalendar(text, zone))),
    isInterval: false,
    splayMs: 0,
    catchUpMs: Infinity,
    deny: windows.map(({ text, hours }) => ({
      start: parseCalendar(text, zone),
      durationMs: hours * 60 * MINUTE_MS,
    })),
  }, "bot");
  const first = new Date(FIRST - 1);
  const runs: number[] = [];
  let run = agenda.nextRun(first, first, () => undefined);
  while (run !== undefined && run.due.getTime() <= LAST) {
    runs.push(run.at.getTime());
    run = agenda.nextRun(first, run.at, () => undefined);
  }
  return runs;
}
