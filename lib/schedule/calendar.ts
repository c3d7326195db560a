import { Cron } from "croner";
import { WallClock } from "./wall_clock.ts";

/**
 * When a job is due: a time of day (`06:00`) or a cron expression (`30 3 * * mon-fri`), in a time zone.
 *
 * Daylight saving time, as Vixie cron has it:
 * - A time of day is due exactly once on every day. A time that a spring day skips is due at the first instant after
 *   the gap. A time that an autumn day has twice is due the first time. The same goes for cron expressions that name
 *   their hours (`30 2 * * *`, `0 1-4 * * *`). Times of one expression that meet after a gap are one.
 * - A cron expression whose hour field begins with an asterisk (`0 * * * *`) keeps its pace: it is due whenever clocks
 *   show a time that it names, so twice in the hour that an autumn day has twice, and never in the hour that a spring
 *   day skips.
 */
export interface Calendar {
  /** As configured. */
  readonly text: string;
  /** The first due time strictly after `time`; `undefined` when there is none any more. */
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
 * @param timeZone an IANA name; `undefined` for the machine's own
 * @throws {RangeError} when it is neither, saying so
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
 * A job that is due again so long after it last ran, whatever the time of day.
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
  return { text: `every ${minutes} minutes`, next: (time) => new Date(time.getTime() + minutes * MINUTE_MS) };
}

/**
 * Returns a calendar that is due whenever one of several is; once where they meet.
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

/** An arbitrary moment to look for due times from; the search ahead covers leap years. */
const PROBE = new Date("2026-01-01T00:00:00Z");

/** Returns what is wrong with a calendar whose expression names no day that there is, such as `0 0 30 2 *`. */
export function neverComes({ text, next }: Calendar): string | undefined {
  return next(PROBE) === undefined ? `"${text}" names no day that ever comes` : undefined;
}

/** Whether the system knows a time zone by this name. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** The first time after `time` that an expression names. Each counts once, however often clocks show it. */
function nextNamed(cron: Cron, clock: WallClock, time: Date): Date | undefined {
  let wall = new Date(clock.shownAt(time.getTime()));
  // More than once only in what clocks show a second time: some sixty minutes at most.
  for (;;) {
    const named = cron.nextRun(wall);
    if (named === null) return undefined;
    const due = clock.firstInstantOf(named.getTime());
    if (due > time.getTime()) return new Date(due);
    wall = named;
  }
}

/** The first time after `time` at which clocks show what an expression names. */
function nextShown(cron: Cron, clock: WallClock, time: Date): Date | undefined {
  const from = (Math.floor(time.getTime() / MINUTE_MS) + 1) * MINUTE_MS;
  const named = namedFrom(cron, clock.shownAt(from));
  // Once clocks have been set back, they show earlier times again: look for that as far ahead as it matters.
  const shift = clock.findShift(from, from + DAY_MS);
  if (shift === undefined) return firstShown(cron, clock, named, from);
  const due = named === undefined ? undefined : named - clock.offsetAt(from);
  if (due !== undefined && due < shift) return new Date(due);
  return firstShown(cron, clock, namedFrom(cron, clock.shownAt(shift)), shift);
}

/** The first time that an expression names, from `named` on, and that clocks show, from an instant on. */
function firstShown(
  cron: Cron,
  clock: WallClock,
  named: number | undefined,
  fromMs: number,
): Date | undefined {
  // More than once only where clocks skip what is named: some sixty minutes at most.
  for (let wall = named; wall !== undefined; wall = namedFrom(cron, wall + MINUTE_MS)) {
    const due = clock.instantsOf(wall).find((instant) => instant >= fromMs);
    if (due !== undefined) return new Date(due);
  }
  return undefined;
}

function namedFrom(cron: Cron, wallMs: number): number | undefined {
  return cron.nextRun(new Date(wallMs - 1))?.getTime();
}

/** The times that an expression names, as what clocks show: of zones, croner knows nothing here. */
function parseCron(text: string, pattern: string): Cron {
  const problem = `"${text}" is neither a time of day such as 06:00 nor a cron expression of five fields`;
  if (pattern.trim().split(/\s+/).length !== 5) throw new RangeError(problem);
  try {
    return new Cron(pattern, { paused: true, utcOffset: 0 });
  } catch (cause) {
    throw new RangeError(problem, { cause });
  }
}
