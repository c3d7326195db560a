import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import {
  DiskError,
  diskError,
  firstFailure,
  InterruptedError,
  ModelSyncError,
  RefusedError,
} from "../core/errors.ts";
import { acquireLock } from "../core/lock.ts";
import { appendHistory, type Outcome, readHistory, type RunRecord } from "../store/history.ts";
import { clearIntent, type IntentRun, readIntent, writeIntent } from "../store/intent.ts";
import { newRunId } from "../store/run_id.ts";
import type { Store } from "../store/store.ts";
import { RolledBackError } from "./rolled_back_error.ts";
import { recover, type Recovery, settle } from "./recover.ts";

/** What a command's work reports of itself; becomes its line in the history and, in part, its `--json` output. */
export type RunReport = Pick<
  RunRecord,
  | "outcome"
  | "carrier"
  | "revision"
  | "release"
  | "previous"
  | "otherWriter"
  | "sequence"
  | "files"
  | "bytes"
  | "changed"
>;

/** A run's report with the time that it took. */
export type Timed<Report> = Report & { readonly runId: string; readonly durationMs: number };

/**
 * Runs a command's work as one recorded run: takes the lock, settles what a killed run left, does the work, writes the
 * history line whatever the outcome, and lets go. A work that fails after it announced an activation is settled here,
 * just as after a crash.
 *
 * @param notify hears of the run once it is on record; must not throw
 * @throws what the work throws, after it is on record; {@link LockedError} when another run holds the store
 */
export async function recordedRun<Report extends RunReport>(
  context: Context,
  store: Store,
  command: string,
  work: (run: IntentRun) => Promise<Report>,
  notify: (record: RunRecord) => Promise<void> = silently,
): Promise<Timed<Report>> {
  const records: RunRecord[] = [];
  try {
    return await lockedRun(context, store, command, work, (record) => records.push(record));
  } finally {
    // Without the lock: a mail server that hangs must not keep a rollback waiting.
    for (const record of records) await notify(record);
  }
}

function silently(): Promise<void> {
  return Promise.resolve();
}

async function lockedRun<Report extends RunReport>(
  context: Context,
  store: Store,
  command: string,
  work: (run: IntentRun) => Promise<Report>,
  onRecord: (record: RunRecord) => void,
): Promise<Timed<Report>> {
  const startedMs = context.clock.monotonicMs();
  const run: IntentRun = { runId: newRunId(context), command, startedAt: isoSeconds(context.clock.now()) };
  const elapsedMs = () => Math.round(context.clock.monotonicMs() - startedMs);
  const record = (report: RunReport, error?: unknown) => {
    const line: RunRecord = {
      ...run,
      durationMs: elapsedMs(),
      host: context.host,
      ...report,
      ...(error === undefined ? {} : { error: describeError(error) }),
    };
    // Told also when the disk does not take the line.
    onRecord(line);
    appendHistory(store, line);
  };
  const recordFailure = (failure: unknown) =>
    record(failure instanceof RolledBackError ? failure.report : { outcome: outcomeOf(failure) }, failure);
  const fail = (error: unknown) => diskError(firstFailure(error), `${command} with the store ${store.root}`);
  using _lock = await acquireLock(context.fs, store.lock, { ...run, host: context.host }, context.clock)
    .catch((error) => {
      // The intent that is there is another run's.
      const failure = fail(error);
      recordQuietly(context, () => recordFailure(failure));
      throw failure;
    });
  try {
    const recovery = await recover(context, store);
    whatTheDiskHolds(context, () => {
      recordRecovery(context, store, recovery);
      writeIntent(store, { ...run, phase: "preparing" });
    });
    const report = await work(run);
    record(report);
    clearIntent(store);
    return { ...report, runId: run.runId, durationMs: elapsedMs() };
  } catch (error) {
    // Still under the lock: until it is settled, no other run may look at what this one left.
    const failure = fail(error);
    await closeFailedRun(context, store, run, () => recordFailure(failure));
    throw failure;
  }
}

/** Settles and records a run that threw. Where the disk does not let it settle, its intent stays for the next run. */
async function closeFailedRun(
  context: Context,
  store: Store,
  run: IntentRun,
  record: () => void,
): Promise<void> {
  const isSettled = await settleOwn(context, store, run);
  recordQuietly(context, () => {
    record();
    if (isSettled) clearIntent(store);
  });
}

/** Settles what the run announced. @returns whether its intent is its own and done with */
async function settleOwn(context: Context, store: Store, run: IntentRun): Promise<boolean> {
  try {
    const intent = readIntent(store);
    if (intent?.runId !== run.runId) return false;
    // What was begun is settled even if the run is being interrupted.
    await settle({ ...context, signal: new AbortController().signal }, store, intent);
    return true;
  } catch (error) {
    context.log.warn(
      `the next run settles what this one left: ${error instanceof Error ? error.message : String(error)}`,
    );
    return false;
  }
}

/**
 * Does what is good to have on record, but on a full disk not needed: nothing was touched yet, and a prune must be
 * possible just then.
 */
function whatTheDiskHolds(context: Context, write: () => void): void {
  try {
    write();
  } catch (error) {
    const failure = diskError(error, "announce this run");
    if (!(failure instanceof DiskError)) throw failure;
    context.log.warn(failure.message);
  }
}

function recordQuietly(context: Context, record: () => void): void {
  try {
    record();
  } catch (error) {
    warnUnrecorded(context, error);
  }
}

function warnUnrecorded(context: Context, error: unknown): void {
  context.log.warn(`cannot record this run: ${error instanceof Error ? error.message : String(error)}`);
}

/** The killed run gets the line that it could not write, unless it was killed just after writing it. */
function recordRecovery(context: Context, store: Store, recovery: Recovery | undefined): void {
  if (recovery === undefined) return;
  const { runId, command, startedAt } = recovery.run;
  if (!readHistory(store, RECOVERY_LOOKBACK).some((record) => record.runId === runId)) {
    appendHistory(store, {
      runId,
      command,
      startedAt,
      outcome: recovery.resolution === "finished" ? "activated" : "interrupted",
      durationMs: 0,
      host: context.host,
      ...(recovery.active === undefined ? {} : { release: recovery.active }),
      error: {
        code: "KILLED",
        message: `the run was killed and its work ${recovery.resolution} by the next one`,
      },
    });
  }
  clearIntent(store);
}

/** Runs that were locked out may have written lines in between. */
const RECOVERY_LOOKBACK = 50;

/** How a run that threw is recorded. */
export function outcomeOf(error: unknown): Outcome {
  if (error instanceof RefusedError) return "refused";
  if (error instanceof InterruptedError) return "interrupted";
  return "failed";
}

/** An error as the history keeps it. */
export function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof ModelSyncError) return { code: error.code, message: error.message };
  return { code: "UNEXPECTED", message: error instanceof Error ? error.message : String(error) };
}
