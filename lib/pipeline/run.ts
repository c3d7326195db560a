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
import { findEntry } from "../core/files.ts";
import { systemFault } from "../core/system_fault.ts";
import { PUBLISHING_COMMANDS } from "../store/history.ts";
import { clearIntent, type IntentRun, readIntent, writeIntent } from "../store/intent.ts";
import { readPointer } from "../store/pointers.ts";
import { refillReserve } from "../store/reserve.ts";
import { markRun } from "../store/running.ts";
import type { Store } from "../store/store.ts";
import { CurrentRun } from "./current_run.ts";
import { addActiveToHint, readActiveNow } from "./active_after_run.ts";
import { recordKilled, recordRecovery } from "./record_killed.ts";
import { recover, settle } from "./recover.ts";
import { RolledBackError, type RunReport, type Timed } from "./run_report.ts";
import { RunRecorder } from "./run_recorder.ts";
import type { RunSink } from "../store/run_sink.ts";
import { takeLock } from "./take_lock.ts";

/** The lock that a run takes. Runs with the same lock exclude each other; the others need not wait for the store. */
export type RunLock = "store" | "references" | "redeploy" | "control";

/** The failure of work that was done before the lock. */
export interface PreparationFailure {
  readonly error: unknown;
}

export interface RunOptions {
  readonly command: string;
  readonly lock: RunLock;
  /** The sinks that this run, and earlier undelivered ones, are delivered to. */
  readonly sinks: readonly RunSink[];
  /** Whether the run waits for its lock instead of failing: in a daemon, no operator would try again. */
  readonly waitsForLock?: boolean;
  /**
   * Whether the run first only asks whether there is work. It then announces itself with the first step after `resolve`:
   * until then, its mark shows that it was killed.
   */
  readonly asksFirst?: boolean;
  /**
   * Work before the lock is taken, such as waiting for a training on another machine. Returns its failure if `work`
   * throws that: the run reports it, too, if it cannot take the lock.
   */
  readonly prepare?: (run: CurrentRun, context: Context) => Promise<PreparationFailure | undefined>;
}

/**
 * Runs a command's work as a recorded run: takes the lock, settles the work of a killed run, does the work, writes the
 * history line whatever the outcome, releases the lock, and lets the sinks deliver. Work that fails after it announced an
 * activation is settled as after a crash.
 *
 * @param work gets the run, for its steps, and a context whose last log lines go into the record of a failure
 * @throws what the work throws, after it is recorded; {@link LockedError} if another run holds the lock and this one does
 * not wait
 */
export async function recordedRun<Report extends RunReport>(
  context: Context,
  store: Store,
  options: RunOptions,
  work: (run: CurrentRun, context: Context) => Promise<Report>,
): Promise<Timed<Report>> {
  const { sinks } = options;
  // An interrupted run is delivered, too.
  const delivering: Context = uninterrupted(context);
  const recorder = new RunRecorder(context, store, new CurrentRun(context, options.command));
  const begun = sinks.map((sink) => sink.started?.(delivering, recorder.run));
  try {
    return await markedRun(context, store, options, recorder, work);
  } finally {
    // Without the lock: a mail server that hangs must not keep a rollback waiting.
    await Promise.all([...begun, ...sinks.map((sink) => sink.deliver(delivering, recorder.unwritten))]);
  }
}

async function markedRun<Report extends RunReport>(
  context: Context,
  store: Store,
  { lock, prepare, waitsForLock = false, asksFirst = false }: RunOptions,
  recorder: RunRecorder,
  work: (run: CurrentRun, context: Context) => Promise<Report>,
): Promise<Timed<Report>> {
  const { run, observed } = recorder;
  using mark = markRun(context, store, run);
  run.onStep((step) => mark.note(step, run.steps));
  await doQuietly(context, "record a run that was killed", () => recordKilled(context, store, run.runId));
  const path = lock === "store" ? store.lock : join(store.root, `${lock}.lock`);
  let held: Disposable;
  let failed: PreparationFailure | undefined;
  try {
    failed = await prepare?.(run, observed);
    held = await takeLock(context, path, run, waitsForLock);
  } catch (error) {
    // A job that may run and cost money matters more than the lock.
    if (failed !== undefined) observed.log.warn(messageOf(error));
    const failure = failureOf(context, store, run, failed === undefined ? error : failed.error);
    // While another run works, the active release may change at any moment.
    const active = error instanceof LockedError || lock !== "store" ? undefined : readActiveNow(store);
    if (active !== undefined) addActiveToHint(failure, active, true);
    // An existing intent belongs to another run, so it stays.
    await doQuietly(context, "record this run", () => recorder.failure(failure, active));
    throw failure;
  }
  using _held = held;
  const body = () => work(run, observed);
  return lock === "store"
    ? await settledRun(context, store, recorder, body, asksFirst)
    : await besideRun(context, store, recorder, body);
}

/** Does the work of a run that holds the store. */
async function settledRun<Report extends RunReport>(
  context: Context,
  store: Store,
  recorder: RunRecorder,
  work: () => Promise<Report>,
  asksFirst: boolean,
): Promise<Timed<Report>> {
  const { run } = recorder;
  try {
    const isSettled = await settleEarlier(context, store, run);
    if (isSettled && asksFirst) announceLater(context, store, run);
    else if (isSettled) announce(context, store, run);
    const report = await work();
    // The work is done, even if the disk has no room for the record.
    writeIfRoom(context, store, "record this run", () => recorder.success(report));
    if (isSettled) writeIfRoom(context, store, "end this run", () => clearIntent(store));
    return { ...report, runId: run.runId, durationMs: run.elapsedMs };
  } catch (error) {
    // Still under the lock: no other run may use the store before this one is settled.
    const failure = failureOf(context, store, run, error);
    await closeFailedRun(context, store, recorder, failure);
    throw failure;
  } finally {
    await keepReserve(context, store);
  }
}

/** Does the work of a run that does not change the store. */
async function besideRun<Report extends RunReport>(
  context: Context,
  store: Store,
  recorder: RunRecorder,
  work: () => Promise<Report>,
): Promise<Timed<Report>> {
  const { run } = recorder;
  try {
    const report = await work();
    writeIfRoom(context, store, "record this run", () => recorder.success(report));
    return { ...report, runId: run.runId, durationMs: run.elapsedMs };
  } catch (error) {
    const failure = failureOf(context, store, run, error);
    await doQuietly(context, "record this run", () => recorder.failure(failure, undefined));
    throw failure;
  }
}

function failureOf(context: Context, store: Store, { command }: IntentRun, error: unknown): unknown {
  const action = `run ${command} with the store ${store.root}`;
  const failure = systemFault(diskError(firstFailure(error), action), action);
  return stopReason(context, namesStore(failure, store) ? ofAnotherOwner(failure, store) : failure);
}

/** Error codes for files of another user. */
const ACCESS_CODES = ["FILE_ACCESS", "GIT_PERMISSION"];

function namesStore(failure: unknown, store: Store): failure is ModelSyncError {
  return failure instanceof ModelSyncError && ACCESS_CODES.includes(failure.code) &&
    `${messageOf(failure.cause)} ${failure.hint}`.includes(store.root);
}

/** Returns the error with a hint about files of another owner: a run with `sudo` leaves files of root. */
function ofAnotherOwner({ message, code, cause }: ModelSyncError, store: Store): DiskError {
  return new DiskError(message, { code, cause, hint: ownerHint(store.root) });
}

/** Commands that free space. They keep the releases of an unfinished run, so they need not settle it first. */
const FREEING: readonly string[] = ["prune"];

/** Settles and records a killed run. @returns whether that is done; `true` also if there is none */
async function settleEarlier(context: Context, store: Store, run: IntentRun): Promise<boolean> {
  const recovery = await recover(context, store, run.command).catch((error) => {
    const failure = diskError(error, "settle an earlier run");
    if (!(failure instanceof DiskError) || !FREEING.includes(run.command)) throw failure;
    context.log.warn(failure.message);
    return "unsettled" as const;
  });
  if (recovery === "unsettled") return false;
  if (recovery !== undefined) {
    writeIfRoom(
      context,
      store,
      "record a run that was killed",
      () => recordRecovery(context, store, recovery),
    );
  }
  return true;
}

/** Announces a run, unless it has announced a change, or a killed run could not be recorded. */
function announce(context: Context, store: Store, { runId, command, startedAt }: IntentRun): void {
  if (findEntry(store.fs, store.intent) !== undefined) return;
  // Nothing has changed yet, and a prune must be possible on a full disk.
  writeIfRoom(context, store, "announce this run", () => {
    writeIntent(store, { runId, command, startedAt, phase: "preparing" });
  });
}

/** Announces the run with its first step after `resolve`. */
function announceLater(context: Context, store: Store, run: CurrentRun): void {
  let isDone = false;
  run.onStep((step) => {
    if (isDone || step === "resolve") return;
    isDone = true;
    announce(context, store, run);
  });
}

/** Settles and records a run that threw. If it cannot be settled, its intent stays for the next run. */
async function closeFailedRun(
  context: Context,
  store: Store,
  recorder: RunRecorder,
  failure: unknown,
): Promise<void> {
  const { run } = recorder;
  const settled = await settleOwn(context, store, run);
  // Errors of publishing commands are about the published release, not the active one.
  const active = PUBLISHING_COMMANDS.includes(run.command) ? undefined : readActiveNow(store);
  if (active !== undefined) addActiveToHint(failure, active, settled !== "unsettled");
  await doQuietly(context, "record this run", () => {
    recorder.failure(failure, active);
    if (settled === "settled") clearIntent(store);
  });
}

/** Settles the intent of this run, if it wrote one. */
async function settleOwn(
  context: Context,
  store: Store,
  run: IntentRun,
): Promise<"settled" | "nothing" | "unsettled"> {
  try {
    const intent = readIntent(store);
    if (intent === undefined) return "nothing";
    if (intent.runId !== run.runId) return "unsettled";
    // An interruption does not stop the settling.
    await settle(uninterrupted(context), store, intent);
    return "settled";
  } catch (error) {
    context.log.warn(`cannot settle this run, the next run does: ${messageOf(error)}`);
    return "unsettled";
  }
}

/** Returns why a run ended: an interruption counts more than a failure that follows it. */
function stopReason({ signal }: Context, failure: unknown): unknown {
  const isFinal = failure instanceof InterruptedError || failure instanceof RolledBackError;
  return signal.aborted && !isFinal && signal.reason instanceof InterruptedError ? signal.reason : failure;
}

/** Refills the reserve, with which a rollback works on a full disk. */
async function keepReserve(context: Context, store: Store): Promise<void> {
  await doQuietly(context, "keep a reserve", () => {
    if (readPointer(store, "current") !== undefined) refillReserve(store);
  });
}

/** Writes something that a run can do without on a full disk. */
function writeIfRoom(context: Context, store: Store, action: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const failure = systemFault(diskError(error, action), action);
    if (!(failure instanceof DiskError)) throw failure;
    const advice = namesStore(failure, store) ? `; ${ownerHint(store.root)}` : "";
    context.log.warn(`${failure.message}${advice}`);
  }
}

/** Does work whose failure must not hide why a run ends: logs it instead. */
async function doQuietly(context: Context, action: string, work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const failure = diskError(error, action);
    context.log.warn(failure === error ? `Cannot ${action}: ${messageOf(error)}` : messageOf(failure));
  }
}
