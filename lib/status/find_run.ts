import { RefusedError, UsageError } from "../core/errors.ts";
import type { RunRecord } from "../store/history.ts";
import { findRunning, type RunMark } from "../store/running.ts";
import { runsNewestFirst } from "../store/runs_newest_first.ts";
import type { Store } from "../store/store.ts";
import { isNamed } from "./select_runs.ts";

/** A run that has not ended, with the fields that it shares with a record. */
export interface RunningNow
  extends Pick<RunMark, "runId" | "command" | "startedAt" | "host" | "step" | "steps"> {
  readonly outcome: "running";
}

/** Several runs may have the same short id; an error names so many. */
const NAMED_MAX = 5;

/**
 * Returns the run with an id, whether it is on record or running. Needs read permission.
 *
 * @param typed the id, its beginning, or its last six characters
 * @throws {UsageError} code `RUN_AMBIGUOUS`; {@link RefusedError} code `RUN_MISSING`
 */
export async function findRun(store: Store | undefined, typed: string): Promise<RunRecord | RunningNow> {
  const found: (RunRecord | RunningNow)[] = [];
  for (const { pid: _pid, at: _at, ...mark } of store === undefined ? [] : await findRunning(store)) {
    if (isNamed(mark, typed)) found.push({ ...mark, outcome: "running" });
  }
  for (const run of store === undefined ? [] : runsNewestFirst(store, (line) => line.includes(typed))) {
    if (run === "unreadable" || !isNamed(run, typed)) continue;
    if (run.runId === typed) return run;
    found.push(run);
    if (found.length === NAMED_MAX) break;
  }
  const [only] = found;
  if (only === undefined) {
    throw new RefusedError(`Cannot show the run "${typed}": no run on record has this id`, {
      code: "RUN_MISSING",
      hint: "model-sync log lists the runs with the ends of their ids",
    });
  }
  if (found.length === 1) return only;
  throw new UsageError(`Cannot show the run "${typed}": several runs have this id`, {
    code: "RUN_AMBIGUOUS",
    hint: `it is one of: ${found.map(({ runId }) => runId).join(", ")}`,
  });
}
