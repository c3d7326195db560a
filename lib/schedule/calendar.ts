import { Cron } from "croner";
import { plural } from "../core/format.ts";
import { WallClock } from "./wall_clock.ts";

/**
 * The due times of a job: a time of day (`06:00`) or a cron expression (`30 3 * * mon-fri`), in a time zone.
 *
 * The rules for daylight saving time are those of Vixie cron:
 * - A time of day is due exactly once on every day. A time that a spring day skips is due at the first instant after
 *   the gap. A time that an autumn day has twice is due the first time. The same is true of cron expressions that name
 *   their hours (`30 2 * * *`, `0 1-4 * * *`). Times of one expression that coincide after a gap are one.
 * - A cron expression whose hour field begins with an asterisk (`0 * * * *`) keeps its pace: it is due whenever clocks
 *   show a time that it names. That is twice in the hour that an autumn day has twice, and never in the hour that a
 *   spring day skips.
 */
export interface Calendar {
  /** The configured text. */
  readonly text: string;
  /** Returns the first due time strictly after `time`; `undefined` where there is none. */
  next(time: Date): Date | undefined;
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** A day's time as `HH:MM`, 24 hours. */
const TIME_OF_DAY = /^([01]?\d|2[0-3]):([0-5]\d)$/;

/** An expression whose hour field begins with an asterisk, or with its synonym. */
const ANY_HOUR = /^\s*\S+\s+[*?]/;

/**
 * Reads a schedule.
 *
 * @param timeZone an IANA name; `undefined` for the zone of the machine
 * @throws {RangeError} for a text that is neither a time of day nor a cron expression
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseCalendar } from "./calendar.ts";
 * const calendar = parseCalendar("06:00", "Europe/Paris");
 * assert.equal(calendar.next(new Date("2026-11-21T05:00:00Z"))?.toISOString(), "2026-11-22T05:00:00.000Z");
 * ```
 */
export function parseCalendar(text: string, timeZone: string | undefined): Calendar {
  const [, hour, minute] = TIME_OF_DAY.exec(text) ?? [];
  const pattern = hour === undefined || minute === undefined
    ? text
    : `${Number(minute)} ${Number(hour)} * * *`;
  const cron = parseCron(text, pattern);
  const clock = new WallClock(timeZone);
  const next = ANY_HOUR.test(pattern) ? nextShown : nextNamed;
  return { text, next: (time) => next(cron, clock, time) };
}

/**
 * Returns a calendar that is due a number of minutes after the last run, whatever the time of day.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { everyMinutes } from "./calendar.ts";
 * const calendar = everyMinutes(15);
 * assert.equal(calendar.next(new Date("2026-11-21T05:07:00Z"))?.toISOString(), "2026-11-21T05:22:00.000Z");
 * ```
 */
export function everyMinutes(minutes: number): Calendar {
  return {
    text: `every ${plural(minutes, "minute")}`,
    next: (time) => new Date(time.getTime() + minutes * MINUTE_MS),
  };
}

/**
 * Returns a calendar that is due whenever one of several is; once where several are.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { anyOf, parseCalendar } from "./calendar.ts";
 * const calendar = anyOf(["06:00", "18:00"].map((text) => parseCalendar(text, "UTC")));
 * assert.equal(calendar.next(new Date("2026-11-21T12:07:00Z"))?.toISOString(), "2026-11-21T18:00:00.000Z");
 * ```
 */
export function anyOf(calendars: readonly Calendar[]): Calendar {
  return {
    text: calendars.map(({ text }) => text).join(", "),
    next(time) {
      const due = calendars.flatMap((calendar) => calendar.next(time) ?? []);
      return due.length === 0 ? undefined : new Date(Math.min(...due.map(Number)));
    },
  };
}

/** An arbitrary time from which due times are searched. The search covers leap years. */
const PROBE = new Date("2026-01-01T00:00:00Z");

/** Returns the problem of an expression that names no day that exists, such as `0 0 30 2 *`. */
export function neverComes({ text, next }: Calendar): string | undefined {
  return next(PROBE) === undefined ? `"${text}" names no day that ever comes` : undefined;
}

/** Returns the first time after `time` that an expression names. Each counts once, however often clocks show it. */
function nextNamed(cron: Cron, clock: WallClock, time: Date): Date | undefined {
  let wall = new Date(clock.shownAt(time.getTime()));
  // Repeats only in the hour that clocks show twice: about sixty times at most.
  for (;;) {
    const named = cron.nextRun(wall);
    if (named === null) return undefined;
    const due = clock.firstInstantOf(named.getTime());
    if (due > time.getTime()) return new Date(due);
    wall = named;
  }
}

/** Returns the first time after `time` at which clocks show a time that an expression names. */
function nextShown(cron: Cron, clock: WallClock, time: Date): Date | undefined {
  const from = (Math.floor(time.getTime() / MINUTE_MS) + 1) * MINUTE_MS;
  const named = namedFrom(cron, clock.shownAt(from));
  // After clocks are set back, they show earlier times again.
  const shift = clock.findShift(from, from + DAY_MS);
  if (shift === undefined) return firstShown(cron, clock, named, from);
  const due = named === undefined ? undefined : named - clock.offsetAt(from);
  if (due !== undefined && due < shift) return new Date(due);
  return firstShown(cron, clock, namedFrom(cron, clock.shownAt(shift)), shift);
}

/** Returns the first instant from `fromMs` on at which clocks show a time that an expression names from `named` on. */
function firstShown(
  cron: Cron,
  clock: WallClock,
  named: number | undefined,
  fromMs: number,
): Date | undefined {
  // Repeats only in the hour that clocks skip: about sixty times at most.
  for (let wall = named; wall !== undefined; wall = namedFrom(cron, wall + MINUTE_MS)) {
    const due = clock.instantsOf(wall).find((instant) => instant >= fromMs);
    if (due !== undefined) return new Date(due);
  }
  return undefined;
}

function namedFrom(cron: Cron, wallMs: number): number | undefined {
  return cron.nextRun(new Date(wallMs - 1))?.getTime();
}

/** Returns the wall-clock times that an expression names. Croner handles no time zones here. */
function parseCron(text: string, pattern: string): Cron {
  const problem = `"${text}" is neither a time of day such as 06:00 nor a cron expression of five fields`;
  if (pattern.trim().split(/\s+/).length !== 5) throw new RangeError(problem);
  try {
    return new Cron(pattern, { paused: true, utcOffset: 0 });
  } catch (cause) {
    throw new RangeError(problem, { cause });
  }
}

/** Only times of day. Cron expressions have spaces between their fields and commas inside them. */
const TIMES_OF_DAY = /^\s*\d{1,2}:\d{2}\s*(?:,\s*\d{1,2}:\d{2}\s*)+$/;

/**
 * Returns the times in a text: one time or expression, or several separated by semicolons. Times of day may also be
 * separated by commas, which expressions use themselves.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { splitTimes } from "./calendar.ts";
 * assert.deepEqual(splitTimes("06:00, 18:00"), ["06:00", "18:00"]);
 * assert.deepEqual(splitTimes("0 6,18 * * *; 12:00"), ["0 6,18 * * *", "12:00"]);
 * ```
 */
export function splitTimes(text: string): string[] {
  const separator = text.includes(";") ? ";" : TIMES_OF_DAY.test(text) ? "," : undefined;
  return separator === undefined ? [text] : text.split(separator).map((part) => part.trim());
}
