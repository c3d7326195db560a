import { durationProblem, parseDuration } from "../core/duration.ts";
import { WallClock } from "./wall_clock.ts";

/** A point in time as a person types it: an age, an instant, or a time on the wall clock of a zone. */
export type Moment =
  | { readonly kind: "ago"; readonly ageMs: number }
  | { readonly kind: "instant"; readonly timeMs: number }
  | { readonly kind: "wall"; readonly wallMs: number; readonly isDay: boolean };

/** A date, which may have a time to the minute or second and an offset: ISO 8601, with a space or a T. */
const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?)?$/i;

const DAY_MS = 86_400_000;

/**
 * Reads a moment: an age such as `24h`, a date, or a date with a time. Without an offset, the time is one of the
 * configured time zone.
 *
 * @throws {RangeError} for anything else
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { instantOf, parseMoment } from "./moment.ts";
 * const now = new Date("2026-11-30T12:00:00Z");
 * const read = (text: string) => new Date(instantOf(parseMoment(text), now, "Europe/Paris")).toISOString();
 * assert.equal(read("24h"), "2026-11-29T12:00:00.000Z");
 * assert.equal(read("2026-11-29"), "2026-11-28T23:00:00.000Z");
 * assert.equal(read("2026-11-29 06:30"), "2026-11-29T05:30:00.000Z");
 * assert.equal(read("2026-11-29T06:30:15Z"), "2026-11-29T06:30:15.000Z");
 * ```
 */
export function parseMoment(text: string): Moment {
  const [, date, time, offset] = DATE.exec(text.trim()) ?? [];
  if (date === undefined) return { kind: "ago", ageMs: parseAge(text) };
  const timeMs = Date.parse(`${date}T${time ?? "00:00"}${offset ?? "Z"}`);
  // Date.parse() accepts 31 November.
  const isReal = !Number.isNaN(timeMs) && new Date(`${date}T00:00Z`).toISOString().startsWith(date);
  if (!isReal) throw new RangeError(`"${text}" is not a time that exists`);
  return offset === undefined
    ? { kind: "wall", wallMs: timeMs, isDay: time === undefined }
    : { kind: "instant", timeMs };
}

function parseAge(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof RangeError) || error.message !== durationProblem(text)) throw error;
    throw new RangeError(`${error.message}, nor a date such as 2026-11-29 or 2026-11-29T06:00Z`);
  }
}

/**
 * Returns the instant of a moment, in milliseconds since 1970. A day begins at midnight.
 *
 * @param timeZone an IANA name. Default: the machine's time zone
 */
export function instantOf(moment: Moment, now: Date, timeZone: string | undefined): number {
  if (moment.kind === "instant") return moment.timeMs;
  if (moment.kind === "ago") return now.getTime() - moment.ageMs;
  return instantOfWall(moment.wallMs, timeZone);
}

/** As {@link instantOf}, where a day stands for its end: "until Sunday" includes Sunday. */
export function endOf(moment: Moment, now: Date, timeZone: string | undefined): number {
  if (moment.kind !== "wall" || !moment.isDay) return instantOf(moment, now, timeZone);
  return instantOfWall(moment.wallMs + DAY_MS, timeZone) - 1;
}

const MINUTE_MS = 60_000;

/** The wall clock counts minutes. */
function instantOfWall(wallMs: number, timeZone: string | undefined): number {
  const minute = Math.floor(wallMs / MINUTE_MS) * MINUTE_MS;
  return new WallClock(timeZone).firstInstantOf(minute) + (wallMs - minute);
}
