import { formatDuration } from "../core/format.ts";

/** The error code of a run that was killed. A later run records it. */
export const KILLED = "KILLED";

/** The fields of a record that tell the duration. */
interface RecordedTime {
  readonly outcome: string;
  readonly durationMs: number;
  readonly error?: { readonly code: string } | undefined;
}

/** Returns the duration of a run in words. Of a killed run, only the time up to its last known step is on record. */
export function durationText({ outcome, durationMs, error }: RecordedTime): string {
  // The public pages omit errors; there, an interrupted run of zero milliseconds counts as killed.
  const isKilled = error?.code === KILLED || (outcome === "interrupted" && durationMs === 0);
  if (!isKilled) return formatDuration(durationMs);
  return durationMs === 0 ? "unknown" : `at least ${formatDuration(durationMs)}`;
}
