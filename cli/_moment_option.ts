import { parseMoment } from "../lib/schedule/moment.ts";

/** Returns an option with a point in time as its value: an age, a date, or a date with a time. */
export function momentOption(brief: string, note: string) {
  return { group: "Options", kind: "value", placeholder: "TIME", brief, note, parse: parseMoment } as const;
}
