/** Only times of day. Cron expressions have spaces between their fields and commas inside them. */
const TIMES_OF_DAY = /^\s*\d{1,2}:\d{2}\s*(?:,\s*\d{1,2}:\d{2}\s*)+$/;

/**
 * Returns the times in a text: one time or expression, or several separated by semicolons. Times of day may also be
 * separated by commas, which expressions use themselves.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { splitTimes } from "./split_times.ts";
 * assert.deepEqual(splitTimes("06:00, 18:00"), ["06:00", "18:00"]);
 * assert.deepEqual(splitTimes("0 6,18 * * *; 12:00"), ["0 6,18 * * *", "12:00"]);
 * ```
 */
export function splitTimes(text: string): string[] {
  const separator = text.includes(";") ? ";" : TIMES_OF_DAY.test(text) ? "," : undefined;
  return separator === undefined ? [text] : text.split(separator).map((part) => part.trim());
}
