import assert from "node:assert/strict";

/** The time that clocks show at one minute. */
export interface ShownMinute {
  readonly timeMs: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  /** 0 is Sunday. */
  readonly weekday: number;
  readonly isLastOfMonth: boolean;
}

/** A span of times that clocks skip when they are set forward, and the moment of the change. */
interface Skipped {
  readonly timeMs: number;
  readonly minutes: readonly ShownMinute[];
}

/** Every minute of a year in a zone, with the times that its clocks show and skip. */
export interface ZoneYear {
  readonly minutes: readonly ShownMinute[];
  /** Whether clocks showed the same time before, by the index of the minute. */
  readonly isRepeated: readonly boolean[];
  readonly skipped: readonly Skipped[];
}

const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;

/**
 * Walks a year minute by minute, using the system's calendar for the first and the last minute of each quarter of an hour,
 * because clocks are set only at full quarters. Independent of the program's code.
 */
export function walkYear(timeZone: string, year: number): ZoneYear {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  // 21/11/2026, 06:00
  const read = (timeMs: number): number => {
    const [day = 0, month = 0, ofYear = 0, hour = 0, minute = 0] =
      format.format(timeMs).match(/\d+/g)?.map(Number) ?? [];
    return Date.UTC(ofYear, month - 1, day, hour, minute);
  };
  const minutes: ShownMinute[] = [];
  const isRepeated: boolean[] = [];
  const skipped: Skipped[] = [];
  let highest = read(Date.UTC(year, 0, 1)) - MINUTE_MS;
  for (let quarterMs = Date.UTC(year, 0, 1); quarterMs < Date.UTC(year + 1, 0, 1); quarterMs += QUARTER_MS) {
    const first = read(quarterMs);
    assert.equal(read(quarterMs + QUARTER_MS - MINUTE_MS), first + QUARTER_MS - MINUTE_MS);
    const between: ShownMinute[] = [];
    for (let ms = highest + MINUTE_MS; ms < first; ms += MINUTE_MS) between.push(shown(quarterMs, ms));
    if (between.length > 0) skipped.push({ timeMs: quarterMs, minutes: between });
    for (let ms = 0; ms < QUARTER_MS; ms += MINUTE_MS) {
      minutes.push(shown(quarterMs + ms, first + ms));
      isRepeated.push(first + ms <= highest);
    }
    highest = Math.max(highest, first + QUARTER_MS - MINUTE_MS);
  }
  return { minutes, isRepeated, skipped };
}

type Day = Pick<ShownMinute, "month" | "day" | "weekday" | "isLastOfMonth">;

function dayOf(wallMs: number): Day {
  const wall = new Date(wallMs);
  return {
    month: wall.getUTCMonth() + 1,
    day: wall.getUTCDate(),
    weekday: wall.getUTCDay(),
    isLastOfMonth: new Date(wallMs + DAY_MS).getUTCDate() === 1,
  };
}

/** Days by their number since 1970, for the minutes that show them. */
const days = new Map<number, Day>();

function shown(timeMs: number, wallMs: number): ShownMinute {
  const number = Math.floor(wallMs / DAY_MS);
  const known = days.get(number) ?? dayOf(wallMs);
  days.set(number, known);
  const { month, day, weekday, isLastOfMonth } = known;
  const ofDay = Math.floor((wallMs - number * DAY_MS) / MINUTE_MS);
  return { timeMs, month, day, hour: Math.floor(ofDay / 60), minute: ofDay % 60, weekday, isLastOfMonth };
}
