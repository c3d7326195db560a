import { formatDuration } from "../../lib/core/format.ts";
import type { IncidentRow } from "../store/rows.ts";

/** Returns the duration of an incident so far. */
export function lengthOf({ startedAt, endedAt }: IncidentRow, now: Date): string {
  const endMs = endedAt === null ? now.getTime() : Date.parse(endedAt);
  return formatDuration(Math.max(0, endMs - Date.parse(startedAt)));
}

/** Returns how an incident ended; empty if the node recovered. */
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
