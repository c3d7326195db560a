import { z } from "zod";
import { CARRIERS } from "../release/manifest.ts";
import { OUTCOMES, type RunRecord } from "../store/history.ts";
import { KILLED } from "../store/run_duration.ts";

/**
 * Upper bounds of the histogram of run durations, in seconds. Below a second they tell an unchanged pull from one that
 * had to look at files, up to a minute downloads, and beyond that trainings, whose default time limit is a day.
 */
export const DURATION_BOUNDS_SEC = [
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
  300,
  900,
  3_600,
  10_800,
  21_600,
  86_400,
] as const;

/** The program has some twenty commands; a damaged history may name any number. */
const COMMANDS_MAX = 32;

const COMMAND = /^[a-z][a-z-]{0,31}$/;

/** The command of records whose own name is not a command's, and of those beyond {@link COMMANDS_MAX}. */
export const OTHER_COMMAND = "other";

const Count = z.number().int().min(0);

const CommandTotals = z.object({
  command: z.string().regex(COMMAND),
  /** Runs by outcome; an outcome that is missing never happened. */
  outcomes: z.partialRecord(z.enum(OUTCOMES), Count),
  lastOutcome: z.enum(OUTCOMES),
  /** When the last run ended, in milliseconds since 1970; `null` while no record had a valid time. */
  lastRunMs: z.number().nullable(),
  lastSuccessMs: z.number().nullable(),
  /** Runs by duration: a count for each bound, not cumulative, and one for longer runs. */
  durations: z.array(Count).length(DURATION_BOUNDS_SEC.length + 1),
  durationSumMs: z.number().min(0),
});
type CommandTotals = z.infer<typeof CommandTotals>;

export const RunTotals = z.object({
  /** The bounds that the durations were counted by: counts by other bounds are of no use. */
  bounds: z.array(z.number()).refine(isOurBounds, "other bounds of durations"),
  // A series that occurs twice makes node_exporter refuse all metrics of the machine.
  commands: z.array(CommandTotals).max(COMMANDS_MAX + 1).refine(isEachOnce, "a command occurs twice"),
  /** Bytes that were transferred, by carrier. */
  bytes: z.partialRecord(z.enum(CARRIERS), z.number().min(0)),
});
/** What all runs so far amount to. Its size does not depend on their number. */
export type RunTotals = Readonly<z.infer<typeof RunTotals>>;

export const NO_RUNS: RunTotals = { bounds: [...DURATION_BOUNDS_SEC], commands: [], bytes: {} };

function isOurBounds(bounds: readonly number[]): boolean {
  return bounds.join() === DURATION_BOUNDS_SEC.join();
}

function isEachOnce(commands: readonly CommandTotals[]): boolean {
  return new Set(commands.map(({ command }) => command)).size === commands.length;
}

/** What is counted of a run. */
export type CountedRun = Pick<
  RunRecord,
  "command" | "outcome" | "startedAt" | "durationMs" | "carrier" | "writtenBytes" | "error"
>;

/** Returns the totals with these runs counted as well, oldest first: the last one decides what is last. */
export function countRuns(totals: RunTotals, runs: readonly CountedRun[]): RunTotals {
  const counted = structuredClone(totals);
  for (const run of runs) {
    countRun(totalsOf(counted.commands, run.command), run);
    const { carrier, writtenBytes } = run;
    if (carrier !== undefined) {
      counted.bytes[carrier] = (counted.bytes[carrier] ?? 0) + amount(writtenBytes ?? 0);
    }
  }
  return counted;
}

function totalsOf(all: CommandTotals[], command: string): CommandTotals {
  const find = (name: string) => all.find((one) => one.command === name);
  const isCounted = COMMAND.test(command) && (find(command) !== undefined || all.length < COMMANDS_MAX);
  const name = isCounted ? command : OTHER_COMMAND;
  const found = find(name);
  if (found !== undefined) return found;
  const made: CommandTotals = {
    command: name,
    outcomes: {},
    lastOutcome: "unchanged",
    lastRunMs: null,
    lastSuccessMs: null,
    durations: new Array<number>(DURATION_BOUNDS_SEC.length + 1).fill(0),
    durationSumMs: 0,
  };
  all.push(made);
  return made;
}

function countRun(totals: CommandTotals, run: CountedRun): void {
  const { outcome } = run;
  totals.outcomes[outcome] = (totals.outcomes[outcome] ?? 0) + 1;
  totals.lastOutcome = outcome;
  const endedMs = Date.parse(run.startedAt) + amount(run.durationMs);
  if (Number.isFinite(endedMs)) {
    totals.lastRunMs = endedMs;
    if (isSuccess(run)) totals.lastSuccessMs = endedMs;
  }
  // How long a killed run took is not known.
  if (run.error?.code !== KILLED) countDuration(totals, amount(run.durationMs));
}

function countDuration(totals: CommandTotals, durationMs: number): void {
  const bound = DURATION_BOUNDS_SEC.findIndex((boundSec) => durationMs <= boundSec * 1000);
  const index = bound < 0 ? DURATION_BOUNDS_SEC.length : bound;
  totals.durations[index] = (totals.durations[index] ?? 0) + 1;
  totals.durationSumMs += durationMs;
}

const FAILURES: readonly RunRecord["outcome"][] = ["failed", "refused", "interrupted"];

/** Whether a run did what it was started for. A rollback has an error only where the operator did not ask for it. */
function isSuccess({ outcome, error }: CountedRun): boolean {
  if (FAILURES.includes(outcome)) return false;
  // The next run completed the activation of a killed one.
  return error === undefined || outcome === "activated";
}

/** A number of a record as an amount that sums stay finite with, whatever a damaged history holds. */
function amount(value: number): number {
  return Math.min(Math.max(value, 0), Number.MAX_SAFE_INTEGER);
}
