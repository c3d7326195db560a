import { join } from "node:path";
import { type Context, uninterrupted } from "../core/context.ts";
import {
  DiskError,
  diskError,
  firstFailure,
  InterruptedError,
  LockedError,
  messageOf,
  ModelSyncError,
} from "../core/errors.ts";
import { ownerHint } from "../core/file_owner.ts";
import { systemFault } from "../core/system_fault.ts";
import { PUBLISHING_COMMANDS } from "../store/history.ts";
import { clearIntent, type IntentRun, readIntent, writeIntent } from "../store/intent.ts";
import { readPointer } from "../store/pointers.ts";
import { refillReserve } from "../store/reserve.ts";
import { markRun } from "../store/running.ts";
import type { Store } from "../store/store.ts";
import { CurrentRun } from "./current_run.ts";
import { nameActive, readActiveNow } from "./active_after_run.ts";
import { recordKilled, recordRecovery } from "./record_killed.ts";
import { recover, settle } from "./recover.ts";
import { RolledBackError, type RunReport, type Timed } from "./run_report.ts";
import { RunRecorder } from "./run_recorder.ts";
import type { RunSink } from "../store/run_sink.ts";
import { takeLock } from "./take_lock.ts";

/** Which runs exclude each other: those that change the store, and those that need not wait for one that does. */
export type RunLock = "store" | "references" | "redeploy" | "control";

export interface RunOptions {
  readonly command: string;
  readonly lock: RunLock;
  /** They read the history: each hears of this run, and of those that it has not heard of yet. */
  readonly sinks: readonly RunSink[];
  /** Whether the run waits for the run that holds its lock, instead of failing: a daemon has no operator who tries again. */
  readonly waitsForLock?: boolean;
  /** What the run does before it takes its lock, as waiting for a training elsewhere. */
  readonly prepare?: (run: CurrentRun, context: Context) => Promise<void>;
}

/**
 * Runs a command's work as one recorded run: takes the lock, settles what a killed run left, does the work, writes the
 * history line whatever the outcome, lets go, and has the sinks deliver. A work that fails after it announced an
 * activation is settled here, just as after a crash.
 *
 * @param work gets the run, for its steps, and a context whose log's end is kept for the record of a failure
 * @throws what the work throws, after it is on record; {@link LockedError} when another run holds the lock, unless this one waits
 */
export async function recordedRun<Report extends RunReport>(
  context: Context,
  store: Store,
  options: RunOptions,
  work: (run: CurrentRun, context: Context) => Promise<Report>,
): Promise<Timed<Report>> {
  const { sinks } = options;
  // A run that is interrupted is told of, too.
  const telling: Context = uninterrupted(context);
  const recorder = new RunRecorder(context, store, new CurrentRun(context, options.command));
  const begun = sinks.map((sink) => sink.started?.(telling, recorder.run));
  try {
    return await markedRun(context, store, options, recorder, work);
  } finally {
    // Without the lock: a mail server that hangs must not keep a rollback waiting.
    await Promise.all([...begun, ...sinks.map((sink) => sink.deliver(telling, recorder.unwritten))]);
  }
}

async function markedRun<Report extends RunReport>(
  context: Context,
  store: Store,
  { lock, prepare, waitsForLock = false }: RunOptions,
  recorder: RunRecorder,
  work: (run: CurrentRun, context: Context) => Promise<Report>,
): Promise<Timed<Report>> {
  const { run, observed } = recorder;
  using mark = markRun(context, store, run);
  run.onStep((step) => mark.note(step, run.steps));
  await doQuietly(context, "record a run that was killed", () => recordKilled(context, store));
  const path = lock === "store" ? store.lock : join(store.root, `${lock}.lock`);
  let held: Disposable;
  try {
    await prepare?.(run, observed);
    held = await takeLock(context, path, run, waitsForLock);
  } catch (error) {
    const failure = failureOf(context, store, run, error);
    // While another run works, what is active may be another release in a moment.
    const active = failure instanceof LockedError || lock !== "store" ? undefined : readActiveNow(store);
    if (active !== undefined) nameActive(failure, active, true);
    // The intent that is there is another run's.
    await doQuietly(context, "record this run", () => recorder.failure(failure, active));
    throw failure;
  }
  using _held = held;
  const body = () => work(run, observed);
  return lock === "store"
    ? await settledRun(context, store, recorder, body)
    : await besideRun(context, store, recorder, body);
}

/** A run that holds the store. */
async function settledRun<Report extends RunReport>(
  context: Context,
  store: Store,
  recorder: RunRecorder,
  work: () => Promise<Report>,
): Promise<Timed<Report>> {
  const { run } = recorder;
  try {
    const isSettled = await settleEarlier(context, store, run);
    const report = await work();
    // What the run was asked for is done, whether or not the disk takes another line.
    whatTheDiskHolds(context, store, "record this run", () => recorder.success(report));
    if (isSettled) whatTheDiskHolds(context, store, "end this run", () => clearIntent(store));
    return { ...report, runId: run.runId, durationMs: run.elapsedMs };
  } catch (error) {
    // Still under the lock: until it is settled, no other run may look at what this one left.
    const failure = failureOf(context, store, run, error);
    await closeFailedRun(context, store, recorder, failure);
    throw failure;
  } finally {
    await keepReserve(context, store);
  }
}

/** A run that touches nothing of what others do with the store. */
async function besideRun<Report extends RunReport>(
  context: Context,
  store: Store,
  recorder: RunRecorder,
  work: () => Promise<Report>,
): Promise<Timed<Report>> {
  const { run } = recorder;
  try {
    const report = await work();
    whatTheDiskHolds(context, store, "record this run", () => recorder.success(report));
    return { ...report, runId: run.runId, durationMs: run.elapsedMs };
  } catch (error) {
    const failure = failureOf(context, store, run, error);
    await doQuietly(context, "record this run", () => recorder.failure(failure, undefined));
    throw failure;
  }
}

function failureOf(context: Context, store: Store, { command }: IntentRun, error: unknown): unknown {
  const action = `${command} with the store ${store.root}`;
  const failure = systemFault(diskError(firstFailure(error), action), action);
  return stopReason(context, namesStore(failure, store) ? ofAnotherOwner(failure, store) : failure);
}

/** The codes of errors about files of another user. */
const ACCESS_CODES = ["FILE_ACCESS", "GIT_PERMISSION"];

function namesStore(failure: unknown, store: Store): failure is ModelSyncError {
  return failure instanceof ModelSyncError && ACCESS_CODES.includes(failure.code) &&
    `${messageOf(failure.cause)} ${failure.hint}`.includes(store.root);
}

/** Returns the error with advice for files of another owner: a run under `sudo` leaves files of root. */
function ofAnotherOwner({ message, code, cause }: ModelSyncError, store: Store): DiskError {
  return new DiskError(message, { code, cause, hint: ownerHint(store.root) });
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
  whatTheDiskHolds(context, store, "announce this run", () => {
    if (recovery !== undefined) recordRecovery(context, store, recovery);
    writeIntent(store, { ...run, phase: "preparing" });
  });
  return true;
}

/** Settles and records a run that threw. Where the disk does not let it settle, its intent stays for the next run. */
async function closeFailedRun(
  context: Context,
  store: Store,
  recorder: RunRecorder,
  failure: unknown,
): Promise<void> {
  const { run } = recorder;
  const settled = await settleOwn(context, store, run);
  // Their errors are about what they publish.
  const active = PUBLISHING_COMMANDS.includes(run.command) ? undefined : readActiveNow(store);
  if (active !== undefined) nameActive(failure, active, settled !== "unsettled");
  await doQuietly(context, "record this run", () => {
    recorder.failure(failure, active);
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
    await settle(uninterrupted(context), store, intent);
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

/** A store with a release to roll back to can do so on a full disk. */
async function keepReserve(context: Context, store: Store): Promise<void> {
  await doQuietly(context, "keep a reserve", () => {
    if (readPointer(store, "current") !== undefined) refillReserve(store);
  });
}

/** Does what is good to have on record, but on a full disk not needed. */
function whatTheDiskHolds(context: Context, store: Store, action: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const failure = systemFault(diskError(error, action), action);
    if (!(failure instanceof DiskError)) throw failure;
    const advice = namesStore(failure, store) ? `; ${ownerHint(store.root)}` : "";
    context.log.warn(`${failure.message}${advice}`);
  }
}

/** Does what must not hide why a run ends. */
async function doQuietly(context: Context, action: string, work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.log.warn(`cannot ${action}: ${messageOf(error)}`);
  }
}
