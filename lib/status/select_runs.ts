import type { Outcome, RunRecord } from "../store/history.ts";

/** Which runs of the history to show. Every given condition has to hold. */
export interface RunFilter {
  /** Runs that ended at this time or later, in milliseconds since 1970. */
  readonly sinceMs?: number | undefined;
  /** Runs that started at this time or earlier. */
  readonly untilMs?: number | undefined;
  readonly commands?: readonly string[] | undefined;
  readonly outcomes?: readonly Outcome[] | undefined;
  /** Runs that ended with an error. */
  readonly failed?: boolean | undefined;
  /** A sequence number, a digest or its beginning: of the release after the run, or of the one that it replaced. */
  readonly release?: string | undefined;
}

/** The lines that were skipped, because they are damaged or a later version wrote them. */
export interface Skipped {
  lines: number;
}

/**
 * A run that was killed is recorded late, and clocks jump. After so many lines in a row from before the wanted time, all
 * others are older, too: ten days with a run every 15 minutes.
 */
const OLDER_LINES_MAX = 1_000;

/**
 * Yields the runs that pass a filter, in the order of the lines. Stops where all other lines are older than wanted.
 *
 * @param lines as `runsNewestFirst` yields them
 * @param skipped is increased by the number of unreadable lines
 */
export function* selectRuns(
  lines: Iterable<RunRecord | "unreadable">,
  filter: RunFilter,
  skipped: Skipped,
): Generator<RunRecord> {
  let older = 0;
  for (const line of lines) {
    if (line === "unreadable") {
      skipped.lines++;
      continue;
    }
    const isOlder = filter.sinceMs !== undefined && endMs(line) < filter.sinceMs;
    older = isOlder ? older + 1 : 0;
    if (older > OLDER_LINES_MAX) return;
    if (passes(line, filter)) yield line;
  }
}

/** Returns whether a run passes a filter. */
export function passes(
  run: RunRecord,
  { sinceMs, untilMs, commands, outcomes, failed, release }: RunFilter,
): boolean {
  return (sinceMs === undefined || endMs(run) >= sinceMs) &&
    (untilMs === undefined || Date.parse(run.startedAt) <= untilMs) &&
    (commands === undefined || commands.includes(run.command)) &&
    (outcomes === undefined || outcomes.includes(run.outcome)) &&
    (failed !== true || run.error !== undefined) &&
    (release === undefined || isOfRelease(run, release));
}

function endMs({ startedAt, durationMs }: RunRecord): number {
  return Date.parse(startedAt) + durationMs;
}

function isOfRelease({ release, previous, sequence }: RunRecord, typed: string): boolean {
  if (sequence !== undefined && String(sequence) === typed) return true;
  const prefix = `sha256:${typed.toLowerCase().replace(/^sha256:/, "")}`;
  return release?.startsWith(prefix) === true || previous?.startsWith(prefix) === true;
}

/** The characters of a run's id that differ from run to run. */
const SHORT_ID_CHARS = 6;

/** Returns the end of a run's id, which people see and type. */
export function shortRunId(runId: string): string {
  return runId.slice(-SHORT_ID_CHARS);
}

/** Returns whether a run is named by a text: its id, the beginning of it, or its short form. */
export function isNamed({ runId }: Pick<RunRecord, "runId">, typed: string): boolean {
  return runId.startsWith(typed) || (typed.length >= SHORT_ID_CHARS && runId.endsWith(typed));
}
