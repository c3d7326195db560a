import * as z from "zod";
import { CARRIERS } from "../release/manifest.ts";
import { OUTCOMES, type RunRecord } from "../store/history.ts";
import { KILLED } from "../store/run_duration.ts";

/**
 * The upper bounds of the histogram of run durations, in seconds. Up to a second they distinguish pulls without a
 * change from those that read files; up to a minute are downloads; beyond are trainings, whose default time limit is a
 * day.
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

/** The bound of commands. The program has about twenty; a damaged history may name any number. */
const COMMANDS_MAX = 32;

const COMMAND = /^[a-z][a-z-]{0,31}$/;

/** Stands for names that are not commands, and for commands beyond {@link COMMANDS_MAX}. */
export const OTHER_COMMAND = "other";

const Count = z.number().int().min(0);

const CommandTotals = z.object({
  command: z.string().regex(COMMAND),
  /** The number of runs by outcome. A missing outcome never happened. */
  outcomes: z.partialRecord(z.enum(OUTCOMES), Count),
  lastOutcome: z.enum(OUTCOMES),
  /** The end of the last run, in milliseconds since 1970; `null` while no record had a valid time. */
  lastRunMs: z.number().nullable(),
  lastSuccessMs: z.number().nullable(),
  /** The number of runs up to each bound, not cumulative, and of longer ones. */
  durations: z.array(Count).length(DURATION_BOUNDS_SEC.length + 1),
  durationSumMs: z.number().min(0),
});
type CommandTotals = z.infer<typeof CommandTotals>;

export const RunTotals = z.object({
  /** The bounds of the durations. Counts with other bounds cannot be used. */
  bounds: z.array(z.number()).refine(isOurBounds, "other bounds of durations"),
  // A series that occurs twice makes node_exporter refuse all metrics of the machine.
  commands: z.array(CommandTotals).max(COMMANDS_MAX + 1).refine(isEachOnce, "a command occurs twice"),
  /** The transferred bytes, by carrier. */
  bytes: z.partialRecord(z.enum(CARRIERS), z.number().min(0)),
});
/** The totals of all runs. Their size does not depend on the number of runs. */
export type RunTotals = Readonly<z.infer<typeof RunTotals>>;

export const NO_RUNS: RunTotals = { bounds: [...DURATION_BOUNDS_SEC], commands: [], bytes: {} };

function isOurBounds(bounds: readonly number[]): boolean {
  return bounds.join() === DURATION_BOUNDS_SEC.join();
}

function isEachOnce(commands: readonly CommandTotals[]): boolean {
  return new Set(commands.map(({ command }) => command)).size === commands.length;
}

/** The fields of a run that are counted. */
export type CountedRun = Pick<
  RunRecord,
  "command" | "outcome" | "startedAt" | "durationMs" | "carrier" | "writtenBytes" | "error"
>;

/** Returns the totals with these runs added. The runs come oldest first. */
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
  // The duration of a killed run is unknown.
  if (run.error?.code !== KILLED) countDuration(totals, amount(run.durationMs));
}

function countDuration(totals: CommandTotals, durationMs: number): void {
  const bound = DURATION_BOUNDS_SEC.findIndex((boundSec) => durationMs <= boundSec * 1000);
  const index = bound < 0 ? DURATION_BOUNDS_SEC.length : bound;
  totals.durations[index] = (totals.durations[index] ?? 0) + 1;
  totals.durationSumMs += durationMs;
}

const FAILURES: readonly RunRecord["outcome"][] = ["failed", "refused", "interrupted"];

/** Returns whether a run did what it was started for. Only an automatic rollback has an error. */
function isSuccess({ outcome, error }: CountedRun): boolean {
  if (FAILURES.includes(outcome)) return false;
  // An activation with an error is that of a killed run, which the next run completed.
  return error === undefined || outcome === "activated";
}

/** Returns a number of a record within bounds that keep sums finite, whatever a damaged history holds. */
function amount(value: number): number {
  return Math.min(Math.max(value, 0), Number.MAX_SAFE_INTEGER);
}
