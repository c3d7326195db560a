import { toneOfOutcome } from "../fleet/tone.ts";
import { RUNNING, type RunRow } from "../store/rows.ts";
import type { Unit } from "./value_axis.ts";

/** A run in a chart. */
export interface RunPoint {
  readonly run: RunRow;
  readonly at: Date;
  readonly value: number;
  /** Whether the run changed something, had nothing to do, or failed. */
  readonly kind: "changed" | "unchanged" | "failed";
}

/** The points of a chart of runs. */
export interface RunPoints {
  /** Oldest first. */
  readonly points: readonly RunPoint[];
  /** The median of the runs that changed something, or else of all that did not fail; `null` if there are none. */
  readonly median: number | null;
  /** The top of the chart. Values far beyond the others are cut off there. */
  readonly limit: number;
}

/** A value this many times larger than nearly all others would flatten them. */
const OUTLIER = 6;

/** Returns the points of a chart of runs that have ended. */
export function runPoints(runs: readonly RunRow[], unit: Unit): RunPoints {
  const points = runs.flatMap((run): RunPoint[] => {
    const value = unit === "duration" ? run.durationMs : run.writtenBytes;
    if (run.outcome === RUNNING || value === undefined) return [];
    return [{ run, at: new Date(run.startedAt), value, kind: kindOf(run.outcome) }];
  }).sort((one, other) => one.at.getTime() - other.at.getTime());
  const done = points.filter(({ kind }) => kind !== "failed");
  const changed = done.filter(({ kind }) => kind === "changed");
  // Runs with nothing to do are so short that all others would look like outliers.
  const telling = sorted(changed.length > 0 ? changed : done);
  const values = telling.length > 0 ? telling : sorted(points);
  const largest = sorted(points).at(-1) ?? 0;
  const usual = values[Math.floor((values.length - 1) * 0.9)] ?? 0;
  const limit = usual > 0 && largest > usual * OUTLIER ? usual * 1.5 : largest;
  return { points, median: medianOf(telling), limit: Math.max(limit, 1) };
}

function kindOf(outcome: string): RunPoint["kind"] {
  const tone = toneOfOutcome(outcome);
  return tone === "good" ? "changed" : tone === "quiet" ? "unchanged" : "failed";
}

function sorted(points: readonly RunPoint[]): number[] {
  return points.map(({ value }) => value).sort((one, other) => one - other);
}

function medianOf(values: readonly number[]): number | null {
  const middle = values.length >> 1;
  const upper = values[middle];
  if (upper === undefined) return null;
  return values.length % 2 === 1 ? upper : ((values[middle - 1] ?? upper) + upper) / 2;
}
