import { Cron } from "croner";

/**
 * When a job is due: a time of day (`06:00`) or a cron expression (`30 3 * * mon-fri`), in a time zone.
 *
 * Daylight saving time: a time that a spring day skips is due at the first instant after the gap; one that an autumn
 * day has twice is due the first time only.
 */
export interface Calendar {
  /** As configured. */
  readonly text: string;
  /** The first due time strictly after `time`; `undefined` when there is none any more. */
  next(time: Date): Date | undefined;
}

const MINUTE_MS = 60_000;

/** A day's time as `HH:MM`, 24 hours. */
const TIME_OF_DAY = /^([01]?\d|2[0-3]):([0-5]\d)$/;

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
  const cron = parseCron(text, pattern, timeZone);
  return { text, next: (time) => cron.nextRun(time) ?? undefined };
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

function parseCron(text: string, pattern: string, timeZone: string | undefined): Cron {
  const problem = `"${text}" is neither a time of day such as 06:00 nor a cron expression of five fields`;
  if (pattern.trim().split(/\s+/).length !== 5) throw new RangeError(problem);
  try {
    return new Cron(pattern, { paused: true, ...(timeZone === undefined ? {} : { timezone: timeZone }) });
  } catch (cause) {
    throw new RangeError(problem, { cause });
  }
}
