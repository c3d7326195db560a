import type { Context } from "../core/context.ts";
import { LockedError } from "../core/errors.ts";
import { acquireLock, awaitLock } from "../core/lock.ts";
import type { CurrentRun } from "./current_run.ts";

/** Other runs hold a lock for as long as a download or a training takes; a check each second is enough. */
const LOCK_PAUSE_MS = 1_000;

/**
 * Takes the lock of a run. A run that waits for it records the wait as a step.
 *
 * @throws {LockedError} if another run holds the lock and this one does not wait; the signal's reason if it is stopped
 */
export async function takeLock(
  context: Context,
  path: string,
  run: CurrentRun,
  waits: boolean,
): Promise<Disposable> {
  const owner = { command: run.command, runId: run.runId };
  try {
    return await acquireLock(context.fs, path, { ...owner, host: context.host }, context.clock);
  } catch (error) {
    if (!waits || !(error instanceof LockedError)) throw error;
    context.log.info(`waiting for another run: ${error.message}`);
    return await run.step("wait", () => awaitLock(context, path, owner, LOCK_PAUSE_MS));
  }
}
