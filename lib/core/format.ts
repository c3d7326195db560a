import { wallTime, zoneName } from "./time_zone.ts";

/** Binary units, as file managers and `du -h` show them. */
const BYTE_UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/**
 * Returns a size in a binary unit.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { formatBytes } from "./format.ts";
 * assert.equal(formatBytes(1), "1 byte");
 * assert.equal(formatBytes(512), "512 bytes");
 * assert.equal(formatBytes(1536), "1.5 KiB");
 * assert.equal(formatBytes(2 * 1024 ** 3), "2.0 GiB");
 * ```
 */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return plural(bytes, "byte");
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/**
 * Returns a duration in its two largest units.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { formatDuration } from "./format.ts";
 * assert.equal(formatDuration(84), "84 ms");
 * assert.equal(formatDuration(4_120), "4.1 s");
 * assert.equal(formatDuration(3_725_000), "1 h 2 min");
 * ```
 */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  const seconds = durationMs / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return joined(`${minutes} min`, Math.floor(seconds % 60), "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return joined(`${hours} h`, minutes % 60, "min");
  return `${Math.floor(hours / 24)} days`;
}

function joined(whole: string, rest: number, unit: string): string {
  return rest === 0 ? whole : `${whole} ${rest} ${unit}`;
}

/** Clocks of machines that are kept in time differ by less. */
const CLOCK_SKEW_MS = 60_000;

/**
 * Returns an age: `12 s ago`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { formatAge } from "./format.ts";
 * assert.equal(formatAge(840), "just now");
 * assert.equal(formatAge(12_900), "12 s ago");
 * assert.equal(formatAge(3_725_000), "1 h 2 min ago");
 * // Clocks of machines differ by seconds.
 * assert.equal(formatAge(-5_000), "just now");
 * // A clock was set back.
 * assert.equal(formatAge(-3_725_000), "1 h 2 min in the future");
 * ```
 */
export function formatAge(ageMs: number): string {
  if (ageMs < -CLOCK_SKEW_MS) return `${formatDuration(-ageMs)} in the future`;
  if (ageMs < 2000) return "just now";
  if (ageMs < 60_000) return `${Math.floor(ageMs / 1000)} s ago`;
  return `${formatDuration(ageMs)} ago`;
}

/**
 * Returns a time in a schedule's time zone: `2026-11-23 06:00 Europe/Paris`.
 *
 * @param timeZone an IANA name. Default: the machine's time zone
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { formatLocalTime } from "./format.ts";
 * assert.equal(
 *   formatLocalTime(new Date("2026-11-23T05:00:00Z"), "Europe/Paris"),
 *   "2026-11-23 06:00 Europe/Paris",
 * );
 * ```
 */
export function formatLocalTime(time: Date, timeZone: string | undefined): string {
  return `${wallTime(time, timeZone).slice(0, "2026-11-23 06:00".length)} ${zoneName(timeZone)}`;
}

/** Returns a count with its noun: `1 file`, `12 files`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
