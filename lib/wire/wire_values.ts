import { cleanLine } from "../core/clean_text.ts";

/** The bound of names in the wire format. */
const NAME_CHARS_MAX = 255;

/** Returns a name within the bounds of the wire format. An empty name is damage: the rest is reported all the same. */
export function wireName(text: string): string {
  return cleanLine(text, { charsMax: NAME_CHARS_MAX }) || "unknown";
}

/** Returns a count within the bounds of the wire format. */
export function wireCount(value: number): number {
  return Math.min(Math.max(0, value), Number.MAX_SAFE_INTEGER);
}

/** The wire format and RFC 3339 have years of four digits. */
const TIME_MS_MAX = Date.UTC(9999, 0);

/** Returns a time in the wire format; `undefined` for an invalid time, which this program does not write. */
export function wireTime(time: string | number): string | undefined {
  const ms = typeof time === "number" ? time : Date.parse(time);
  return ms >= 0 && ms < TIME_MS_MAX ? new Date(ms).toISOString() : undefined;
}
