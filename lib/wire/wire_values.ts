import { cleanLine } from "../core/clean_text.ts";

/** As long as the wire format lets a name be. */
const NAME_CHARS_MAX = 255;

/** A name within the bounds of the wire format. An empty one is damage, which must not keep the rest from being reported. */
export function wireName(text: string): string {
  return cleanLine(text, { charsMax: NAME_CHARS_MAX }) || "unknown";
}

/** A count within the bounds of the wire format. */
export function wireCount(value: number): number {
  return Math.min(Math.max(0, value), Number.MAX_SAFE_INTEGER);
}

/** Years of four digits, which is all that the wire format and RFC 3339 have. */
const TIME_MS_MAX = Date.UTC(9999, 0);

/** A time as the wire format spells it; `undefined` for what is none, as only another hand can have written. */
export function wireTime(time: string | number): string | undefined {
  const ms = typeof time === "number" ? time : Date.parse(time);
  return ms >= 0 && ms < TIME_MS_MAX ? new Date(ms).toISOString() : undefined;
}
