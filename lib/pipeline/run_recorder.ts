import type { Context } from "../core/context.ts";
import {
  type ErrorFields,
  EXIT,
  InterruptedError,
  messageOf,
  ModelSyncError,
  RefusedError,
} from "../core/errors.ts";
import { logTail } from "../core/log.ts";
import { appendHistory, type Outcome, type RunRecord, runRecord } from "../store/history.ts";
import { withReserve } from "../store/reserve.ts";
import type { Store } from "../store/store.ts";
import type { CurrentRun } from "./current_run.ts";
import type { ActiveNow } from "./active_after_run.ts";
import { RolledBackError, type RunReport } from "./run_report.ts";

/** Writes the record of a run, once. */
export class RunRecorder {
  readonly run: CurrentRun;
  /** The context for the run's work. Its last log lines go into the record of a failure. */
  readonly observed: Context;
  /** The record, if it could not be written to the disk. */
  unwritten: readonly RunRecord[] = [];
  #isWritten = false;
  readonly #logLines: readonly string[];
  readonly #store: Store;

  constructor(context: Context, store: Store, run: CurrentRun) {
    const { log, lines } = logTail(context.log);
    this.observed = { ...context, log };
    this.#logLines = lines;
    this.#store = store;
    this.run = run;
  }

  /** Records a successful run. @throws {DiskError} if the disk is full */
  success(report: RunReport): void {
    this.#write(report, report.outcome !== "unchanged" && report.error === undefined);
  }

  /**
   * Records a failed run, and adds the outcome to the fields of its error.
   *
   * @param active the active release after the run
   * @throws {DiskError} if the disk is full
   */
  failure(failure: unknown, active: ActiveNow | undefined): void {
    const report = failure instanceof RolledBackError ? failure.report : { outcome: outcomeOf(failure) };
    if (failure instanceof ModelSyncError) failure.addFields(endOf(report, active));
    const { activated } = this.run;
    this.#write({
      ...report,
      ...(active === undefined ? {} : releaseOf(active)),
      ...(activated === undefined ? {} : { activated }),
      error: describeError(failure),
    }, false);
  }

  /** @param isNeeded whether to use the reserve for the record: a run that changed nothing does without */
  #write(report: RunReport, isNeeded: boolean): void {
    // A failure after the record is written does not change the outcome.
    if (this.#isWritten) return;
    const { runId, command, startedAt, elapsedMs, steps } = this.run;
    const record = runRecord({
      runId,
      command,
      startedAt,
      durationMs: elapsedMs,
      host: this.observed.host,
      ...report,
      ...(steps.length === 0 ? {} : { steps: [...steps] }),
      ...(report.error === undefined || this.#logLines.length === 0 ? {} : { log: [...this.#logLines] }),
    });
    const append = () => appendHistory(this.#store, record);
    try {
      if (isNeeded) withReserve(this.#store, append);
      else append();
      this.#isWritten = true;
      this.unwritten = [];
    } catch (error) {
      this.unwritten = [record];
      throw error;
    }
  }
}

/** Returns the active release as the record names it. */
function releaseOf({ digest, sequence }: ActiveNow): Pick<RunRecord, "release" | "sequence"> {
  if (digest === undefined) return {};
  return { release: digest, ...(sequence === undefined ? {} : { sequence }) };
}

/** Returns the outcome for the error's fields. The active release on the disk counts more than the reported one. */
function endOf(report: RunReport, active: ActiveNow | undefined): ErrorFields {
  const { digest, previous, sequence } = active ?? {};
  return {
    outcome: report.outcome,
    release: digest ?? report.release ?? null,
    previous: previous ?? report.previous ?? null,
    sequence: sequence ?? report.sequence ?? null,
  };
}

/** Returns the recorded outcome of a failed run. */
function outcomeOf(error: unknown): Outcome {
  if (error instanceof RefusedError) return "refused";
  if (error instanceof InterruptedError) return "interrupted";
  return "failed";
}

/** Returns an error as the history records it. */
export function describeError(error: unknown): NonNullable<RunRecord["error"]> {
  if (!(error instanceof ModelSyncError)) {
    return { code: "UNEXPECTED", message: messageOf(error), exitCode: EXIT.failed };
  }
  const { code, message, hint, exitCode } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }), exitCode };
}
