/** Times in words. This file imports nothing, because the server and the page's script share it. */

/**
 * How a time is written: `ago` as the distance from now (`2 h ago`, `in 38 min`), `clock` as day and time
 * (`today 06:00`, `12 Nov 06:00`), `exact` with seconds (`12 Nov 2026 06:00:09`), `date` as the day.
 */
export const TIME_STYLES = ["ago", "clock", "exact", "date"] as const;
export type TimeStyle = (typeof TIME_STYLES)[number];

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** Returns a time in words for a reader in a zone. */
export function timeWords(at: Date, style: TimeStyle, now: Date, zone: string): string {
  if (Number.isNaN(at.getTime())) return "unknown";
  if (style === "ago") return distance(at.getTime() - now.getTime());
  const wall = wallTime(at, zone);
  const today = wallTime(now, zone);
  const day = dayWords(wall, today);
  if (style === "date") return day;
  if (style === "exact") {
    return `${wall.getUTCDate()} ${monthOf(wall)} ${wall.getUTCFullYear()} ${clockOf(wall)}:${
      two(wall.getUTCSeconds())
    }`;
  }
  return `${day} ${clockOf(wall)}`;
}

/** Returns the exact time in UTC: `2026-11-29 06:31:08 UTC`. */
export function exactUtc(at: Date): string {
  return Number.isNaN(at.getTime()) ? "unknown" : `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `just now`, `12 s ago`, `in 38 min`, `2 h ago`, `3 d ago`. */
function distance(ms: number): string {
  const size = Math.abs(ms);
  if (size < 2_000) return "just now";
  const words = size < MINUTE
    ? `${Math.floor(size / 1_000)} s`
    : size < HOUR
    ? `${Math.floor(size / MINUTE)} min`
    : size < 2 * DAY
    ? `${Math.floor(size / HOUR)} h`
    : `${Math.floor(size / DAY)} d`;
  return ms < 0 ? `${words} ago` : `in ${words}`;
}

/**
 * Returns `today`, `tomorrow`, `Mon`, `12 Nov` or `12 Nov 2025`. Weekdays name only the next six days, so that each
 * name means one day.
 */
function dayWords(wall: Date, today: Date): string {
  const days = Math.floor(wall.getTime() / DAY) - Math.floor(today.getTime() / DAY);
  if (days === 0) return "today";
  if (days === 1) return "tomorrow";
  if (days === -1) return "yesterday";
  if (days > 0 && days < 7) return WEEKDAYS[wall.getUTCDay()] ?? "";
  const date = `${wall.getUTCDate()} ${monthOf(wall)}`;
  return wall.getUTCFullYear() === today.getUTCFullYear() ? date : `${date} ${wall.getUTCFullYear()}`;
}

/** Returns `29 Nov`, for axes. */
export function dayOfMonth(wall: Date): string {
  return `${wall.getUTCDate()} ${monthOf(wall)}`;
}

/** Returns `06:00`, of a {@link wallTime}. */
export function clockOf(wall: Date): string {
  return `${two(wall.getUTCHours())}:${two(wall.getUTCMinutes())}`;
}

function monthOf(wall: Date): string {
  return MONTHS[wall.getUTCMonth()] ?? "";
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** Returns the wall time of a zone as the UTC fields of a `Date`. */
export function wallTime(at: Date, zone: string): Date {
  return new Date(at.getTime() + zoneOffset(at.getTime(), zone));
}

/** Offsets of zones change only at full quarters of an hour. */
const OFFSET_GRAIN = 15 * MINUTE;

/**
 * Bounds the cache: a page shows times in a few hundred quarters of an hour. A formatter takes as long as a hundred
 * look-ups.
 */
const OFFSETS_MAX = 20_000;
const offsets = new Map<string, number>();

/** Bounds the cache: each reader has one zone, and a dashboard has few readers at a time. */
const ZONES_MAX = 50;
const formats = new Map<string, Intl.DateTimeFormat>();

/** Returns how far the clocks of a zone are ahead of UTC, in milliseconds. */
export function zoneOffset(at: number, zone: string): number {
  if (zone === "UTC") return 0;
  const quarter = Math.floor(at / OFFSET_GRAIN);
  const key = `${quarter} ${zone}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  const offset = measuredOffset(quarter * OFFSET_GRAIN, zone);
  if (offsets.size >= OFFSETS_MAX) offsets.clear();
  offsets.set(key, offset);
  return offset;
}

function measuredOffset(at: number, zone: string): number {
  const parts = new Map(formatFor(zone).formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
  const wall = Date.UTC(
    part("year"),
    part("month") - 1,
    part("day"),
    part("hour"),
    part("minute"),
    part("second"),
  );
  return wall - at;
}

function formatFor(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  if (formats.size >= ZONES_MAX) formats.clear();
  formats.set(zone, format);
  return format;
}
