import { formatDuration } from "../../lib/core/format.ts";
import type { IncidentRow } from "../store/rows.ts";

/** Returns how long an incident lasted, or has lasted. */
export function lengthOf({ startedAt, endedAt }: IncidentRow, now: Date): string {
  const endMs = endedAt === null ? now.getTime() : Date.parse(endedAt);
  return formatDuration(Math.max(0, endMs - Date.parse(startedAt)));
}

/** Returns how an incident ended, in a few words; empty where the node works again. */
export function endingWords({ ending }: IncidentRow): string {
  switch (ending) {
    case "paused":
      return "paused by an operator";
    case "forgotten":
      return "removed by an operator";
    default:
      return "";
  }
}
