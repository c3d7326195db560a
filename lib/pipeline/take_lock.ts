import type { Context } from "../core/context.ts";
import { LockedError } from "../core/errors.ts";
import { acquireLock, awaitLock } from "../core/lock.ts";
import type { CurrentRun } from "./current_run.ts";

/** Another run seldom holds a lock for longer than a download or a training takes. */
const LOCK_PAUSE_MS = 1_000;

/**
 * Takes the lock of a run. A run that waits does so until the one that holds it has ended, and shows that as a step.
 *
 * @throws {LockedError} when another run holds the lock, unless this one waits; the signal's reason when it is stopped
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
