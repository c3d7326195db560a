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
