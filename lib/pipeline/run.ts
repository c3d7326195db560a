import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import {
  DiskError,
  diskError,
  firstFailure,
  InterruptedError,
  LockedError,
  messageOf,
  ModelSyncError,
  RefusedError,
} from "../core/errors.ts";
import { acquireLock } from "../core/lock.ts";
import { systemFault } from "../core/system_fault.ts";
import {
  appendHistory,
  type Outcome,
  PUBLISHING_COMMANDS,
  readHistory,
  type RunRecord,
  runRecord,
} from "../store/history.ts";
import { clearIntent, type IntentRun, readIntent, writeIntent } from "../store/intent.ts";
import { newRunId } from "../store/run_id.ts";
import type { Digest } from "../release/manifest.ts";
import { readPointer } from "../store/pointers.ts";
import { refillReserve, withReserve } from "../store/reserve.ts";
import type { Store } from "../store/store.ts";
import { nameActive, readActiveNow } from "./name_active.ts";
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
    const line = runRecord({
      ...run,
      durationMs: elapsedMs(),
      host: context.host,
      ...report,
      ...(error === undefined ? {} : { error: describeError(error) }),
    });
    // Told also when the disk does not take the line.
    onRecord(line);
    const append = () => appendHistory(store, line);
    // What changed has to be on record; that nothing did may wait until there is room.
    if (error === undefined && report.outcome !== "unchanged") withReserve(store, append);
    else append();
  };
  const recordFailure = (failure: unknown, active?: Digest) =>
    record(failureReport(failure, active), failure);
  const fail = (error: unknown) => {
    const action = `${command} with the store ${store.root}`;
    return stopReason(context, systemFault(diskError(firstFailure(error), action), action));
  };
  using _lock = await acquireLock(context.fs, store.lock, { ...run, host: context.host }, context.clock)
    .catch((error) => {
      // The intent that is there is another run's.
      const failure = fail(error);
      // While another run works, what is active may be another release in a moment.
      const active = failure instanceof LockedError ? undefined : readActiveNow(store);
      if (active !== undefined) nameActive(failure, active, true);
      doQuietly(context, "record this run", () => recordFailure(failure, active?.digest));
      throw failure;
    });
  try {
    const isSettled = await settleEarlier(context, store, run);
    const report = await work(run);
    // What the run was asked for is done, whether or not the disk takes another line.
    whatTheDiskHolds(context, "record this run", () => record(report));
    if (isSettled) whatTheDiskHolds(context, "end this run", () => clearIntent(store));
    return { ...report, runId: run.runId, durationMs: elapsedMs() };
  } catch (error) {
    // Still under the lock: until it is settled, no other run may look at what this one left.
    const failure = fail(error);
    await closeFailedRun(context, store, run, failure, recordFailure);
    throw failure;
  } finally {
    keepReserve(context, store);
  }
}

/** Commands that free space. They keep what an unfinished run names, and need not wait until it can be settled. */
const FREEING: readonly string[] = ["prune"];

/** Settles what a killed run left, and announces this one. @returns whether nothing is left of the other */
async function settleEarlier(context: Context, store: Store, run: IntentRun): Promise<boolean> {
  const recovery = await recover(context, store, run.command).catch((error) => {
    const failure = diskError(error, "settle what an earlier run left");
    if (!(failure instanceof DiskError) || !FREEING.includes(run.command)) throw failure;
    context.log.warn(failure.message);
    return "unsettled" as const;
  });
  if (recovery === "unsettled") return false;
  // Nothing was touched yet, and a prune must be possible just where the disk takes no more.
  whatTheDiskHolds(context, "announce this run", () => {
    recordRecovery(context, store, recovery);
    writeIntent(store, { ...run, phase: "preparing" });
  });
  return true;
}

/** Settles and records a run that threw. Where the disk does not let it settle, its intent stays for the next run. */
async function closeFailedRun(
  context: Context,
  store: Store,
  run: IntentRun,
  failure: unknown,
  record: (failure: unknown, active: Digest | undefined) => void,
): Promise<void> {
  const settled = await settleOwn(context, store, run);
  // Their errors are about what they publish.
  const active = PUBLISHING_COMMANDS.includes(run.command) ? undefined : readActiveNow(store);
  if (active !== undefined) nameActive(failure, active, settled !== "unsettled");
  doQuietly(context, "record this run", () => {
    record(failure, active?.digest);
    if (settled === "settled") clearIntent(store);
  });
}

/** Settles what the run announced, if it came to that. */
async function settleOwn(
  context: Context,
  store: Store,
  run: IntentRun,
): Promise<"settled" | "nothing" | "unsettled"> {
  try {
    const intent = readIntent(store);
    if (intent === undefined) return "nothing";
    if (intent.runId !== run.runId) return "unsettled";
    // What was begun is settled even if the run is being interrupted.
    await settle({ ...context, signal: new AbortController().signal }, store, intent);
    return "settled";
  } catch (error) {
    context.log.warn(`the next run settles what this one left: ${messageOf(error)}`);
    return "unsettled";
  }
}

/** Where a run is asked to stop, that is why it ends, whatever fails of it then. */
function stopReason({ signal }: Context, failure: unknown): unknown {
  const isTold = failure instanceof InterruptedError || failure instanceof RolledBackError;
  return signal.aborted && !isTold && signal.reason instanceof InterruptedError ? signal.reason : failure;
}

function failureReport(failure: unknown, active: Digest | undefined): RunReport {
  const report = failure instanceof RolledBackError ? failure.report : { outcome: outcomeOf(failure) };
  return active === undefined ? report : { ...report, release: active };
}

/** A store with a release to roll back to can do so on a full disk. */
function keepReserve(context: Context, store: Store): void {
  doQuietly(context, "keep a reserve", () => {
    if (readPointer(store, "current") !== undefined) refillReserve(store);
  });
}

/** Does what is good to have on record, but on a full disk not needed. */
function whatTheDiskHolds(context: Context, action: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const failure = diskError(error, action);
    if (!(failure instanceof DiskError)) throw failure;
    context.log.warn(failure.message);
  }
}

/** Does what must not hide why a run ends. */
function doQuietly(context: Context, action: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    context.log.warn(`cannot ${action}: ${messageOf(error)}`);
  }
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
  return { code: error instanceof ModelSyncError ? error.code : "UNEXPECTED", message: messageOf(error) };
}
