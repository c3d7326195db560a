const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** One or more whole numbers, each with its unit: `90s`, `1h30m`. */
const DURATION = /^(?:\d{1,9}[smhd])+$/;
const PART = /(\d+)([smhd])/g;

/** A century: a longer duration is a typing error, and dates so far ahead cannot be stored. */
const DURATION_MS_MAX = 36_525 * 86_400_000;

/**
 * Returns a duration in milliseconds. It is written as `90s`, `15m`, `2h`, `1d`, or several of these in a row.
 *
 * @throws {RangeError} when the text is not a duration, or the duration is longer than a century
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseDuration } from "./duration.ts";
 * assert.equal(parseDuration("90s"), 90_000);
 * assert.equal(parseDuration("1h30m"), 5_400_000);
 * assert.throws(() => parseDuration("90"), RangeError);
 * ```
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (!DURATION.test(trimmed)) throw new RangeError(durationProblem(text));
  let durationMs = 0;
  for (const [, count, unit = ""] of trimmed.matchAll(PART)) {
    durationMs += Number(count) * (UNIT_MS[unit] ?? 0);
  }
  if (durationMs > DURATION_MS_MAX) throw new RangeError(`"${text}" is longer than a century`);
  return durationMs;
}

/** Returns the complaint about a text that is not a duration. */
export function durationProblem(text: string): string {
  return `"${text}" is not a duration such as 90s, 15m, 2h or 1d`;
}
