import { type Clock, isoSeconds } from "../core/clock.ts";
import { ModelSyncError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Calendar } from "../schedule/calendar.ts";
import type { Role } from "../schedule/roles.ts";
import type { RoleControl } from "./role_control.ts";

/** What a role does when its time has come. */
export interface RoleJob {
  readonly role: Role;
  /** Read at the start and after every run, so that a changed configuration counts. */
  readonly calendar: () => Promise<Calendar>;
  readonly run: () => Promise<void>;
}

/** Where a daemon keeps the time of its next run across restarts. */
export interface DueTimes {
  find(): Date | undefined;
  remember(due: Date): void;
}

export interface RoleLoopOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly dueTimes: DueTimes;
  readonly runOnStart: boolean;
  /** Resolves when it is time to look at the clock again: after at most `durationMs`. */
  readonly wake: (durationMs: number) => Promise<void>;
  readonly control: RoleControl;
}

/** A passing fault (network, lock) is tried again after these minutes; then the next due time has its turn. */
const RETRY_DELAYS_MIN = [1, 2, 4, 8, 16, 30];

const MINUTE_MS = 60_000;

/** No sleep is longer: clocks jump, machines are suspended. */
const WAKE_MS_MAX = MINUTE_MS;

/**
 * Runs a job at its times until the signal is aborted. Runs never overlap. A due time that passed while nothing ran,
 * whether the daemon was down or the machine asleep, is made up for once. A job that fails is logged; the daemon goes
 * on.
 *
 * @throws what the job's calendar throws at the start; later the last good one is kept
 */
export async function runRole(job: RoleJob, options: RoleLoopOptions): Promise<void> {
  const { clock, log, signal, dueTimes } = options;
  let calendar = await job.calendar();
  let due = firstDue(job, calendar, options);
  let retries = 0;
  while (!signal.aborted) {
    const now = clock.now();
    const isPaused = options.control.pausedUntil(job.role) !== undefined;
    if (!options.control.takeRequest(job.role) && (isPaused || now < due)) {
      // A clock that was set back must not postpone the next run by as much.
      if (retries === 0) due = earlier(due, nextTime(calendar, now));
      const waitMs = isPaused ? WAKE_MS_MAX : due.getTime() - now.getTime();
      await options.wake(Math.min(waitMs, WAKE_MS_MAX));
      continue;
    }
    const failedForNow = await runJob(job, options);
    if (signal.aborted) return;
    calendar = await readCalendar(job, calendar, log);
    const next = nextTime(calendar, clock.now());
    const retryAt = failedForNow ? retryTime(clock.now(), retries) : undefined;
    retries = retryAt === undefined ? 0 : retries + 1;
    due = retryAt === undefined ? next : earlier(retryAt, next);
    dueTimes.remember(due);
    log.info(`next ${job.role} run at ${isoSeconds(due)}`);
  }
}

function firstDue(job: RoleJob, calendar: Calendar, options: RoleLoopOptions): Date {
  const { clock, log, dueTimes, runOnStart } = options;
  const now = clock.now();
  const missed = dueTimes.find();
  if (runOnStart) return now;
  if (missed !== undefined && missed <= now) {
    log.info(`the ${job.role} run of ${isoSeconds(missed)} was missed; making up for it now`);
    return now;
  }
  const due = nextTime(calendar, now);
  dueTimes.remember(due);
  log.info(`next ${job.role} run at ${isoSeconds(due)}`);
  return due;
}

/** Runs the job; whether it failed in a way that passes. */
async function runJob(job: RoleJob, { clock, log, signal }: RoleLoopOptions): Promise<boolean> {
  try {
    await job.run();
    return false;
  } catch (error) {
    if (signal.aborted) return false;
    const message = error instanceof Error ? error.message : String(error);
    log.error(`[${isoSeconds(clock.now())}] ${job.role} sync job failed: ${message}`);
    return error instanceof ModelSyncError && error.retryable;
  }
}

async function readCalendar(job: RoleJob, last: Calendar, log: Log): Promise<Calendar> {
  try {
    return await job.calendar();
  } catch (error) {
    if (!(error instanceof ModelSyncError)) throw error;
    log.warn(`keeping the schedule "${last.text}": ${error.message}`);
    return last;
  }
}

/** The next time by the calendar. One that never comes (30 February) is looked for again a day later. */
function nextTime(calendar: Calendar, now: Date): Date {
  return calendar.next(now) ?? new Date(now.getTime() + 24 * 60 * MINUTE_MS);
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}

function retryTime(now: Date, retries: number): Date | undefined {
  const delayMin = RETRY_DELAYS_MIN[retries];
  return delayMin === undefined ? undefined : new Date(now.getTime() + delayMin * MINUTE_MS);
}
