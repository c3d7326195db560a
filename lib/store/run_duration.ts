import { formatDuration } from "../core/format.ts";

/** The code of a run that a later one put on record, because it was killed. */
export const KILLED = "KILLED";

/** What is known of the time that a run took. */
interface Taken {
  readonly outcome: string;
  readonly durationMs: number;
  readonly error?: { readonly code: string } | undefined;
}

/** Returns how long a run took, in words. Of a killed run only the time up to its last known step is on record. */
export function tookWords({ outcome, durationMs, error }: Taken): string {
  // Without its error, as for the public, an interrupted run of no time at all is one.
  const isKilled = error?.code === KILLED || (outcome === "interrupted" && durationMs === 0);
  if (!isKilled) return formatDuration(durationMs);
  return durationMs === 0 ? "unknown" : `at least ${formatDuration(durationMs)}`;
}
