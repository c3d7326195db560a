import { type Clock, isoSeconds } from "../core/clock.ts";
import { ModelSyncError, TransientError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { RoleSchedule } from "../schedule/agenda.ts";
import type { Role } from "../config/roles.ts";
import { type RoleMemory, RolePlan, type RunResult } from "./role_plan.ts";

/** The job of a role, with its schedule. */
export interface RoleJob {
  readonly role: Role;
  /** Called at the start, after every run, and when {@link hasChanged} says so. */
  readonly schedule: () => Promise<RoleSchedule>;
  /** Returns whether the schedule may have changed since the last call. Called whenever the loop checks the clock. */
  readonly hasChanged?: () => boolean;
  readonly run: () => Promise<void>;
}

/** The pauses and requests of operators, which a role's loop checks every few seconds. */
export interface RoleControl {
  /** Returns the end of the role's pause: `resumed` without a time; `undefined` where it is not paused. */
  pausedUntil(role: Role): Date | "resumed" | undefined;
  /** Takes the request to run the role now. Returns whether there was one. */
  takeRequest(role: Role): boolean;
}

/** The control of a daemon without operators. */
export const NO_CONTROL: RoleControl = { pausedUntil: () => undefined, takeRequest: () => false };

export interface RoleLoopOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly memory: RoleMemory;
  /** Identifies the machine and the role: it decides their delays. */
  readonly machine: string;
  readonly runOnStart: boolean;
  /** Returns a number from 0 to 1, which decides how long a retry is delayed. */
  readonly jitter: () => number;
  /** Resolves when the clock is to be checked again, after at most `durationMs`. */
  readonly wake: (durationMs: number) => Promise<void>;
  readonly control: RoleControl;
}

/** The longest sleep: clocks jump, and machines are suspended. */
const WAKE_MS_MAX = 60_000;

/**
 * Runs a job at its due times until the signal is aborted. Runs never overlap. Due times that passed while the daemon
 * was down or paused, or the machine suspended, are caught up with in one run, if `catch_up` allows it. A job that
 * fails is logged, and the loop continues.
 *
 * @throws what the job's schedule throws at the start. Later, the last valid schedule stays in use
 */
export async function runRole(job: RoleJob, options: RoleLoopOptions): Promise<void> {
  const { clock, signal, control, runOnStart } = options;
  const { role } = job;
  let schedule = await job.schedule();
  const plan = new RolePlan({ ...options, role, schedule }, clock.now());
  let startsAtOnce = runOnStart;
  if (!startsAtOnce) plan.announce();
  while (!signal.aborted) {
    if (job.hasChanged?.() === true) {
      schedule = await readSchedule(job, schedule, options.log);
      if (plan.follow(schedule, clock.now())) plan.announce();
    }
    const isPaused = control.pausedUntil(role) !== undefined;
    const isRequested = control.takeRequest(role);
    const now = clock.now();
    const until = isRequested
      ? plan.beginRequested(now)
      : isPaused
      ? new Date(now.getTime() + WAKE_MS_MAX)
      : startsAtOnce
      ? plan.beginAtStart(now)
      : plan.beginIfDue(now);
    if (until !== undefined) {
      await options.wake(Math.min(until.getTime() - now.getTime(), WAKE_MS_MAX));
      continue;
    }
    startsAtOnce = false;
    const result = await runJob(job, options);
    if (signal.aborted) return;
    schedule = await readSchedule(job, schedule, options.log);
    const end = clock.now();
    plan.follow(schedule, end);
    plan.end(result, end);
  }
}

/** Runs the job, and logs its failure. */
async function runJob(job: RoleJob, { clock, log, signal }: RoleLoopOptions): Promise<RunResult> {
  try {
    await job.run();
    return "done";
  } catch (error) {
    if (signal.aborted) return "failed";
    const message = error instanceof Error ? error.message : String(error);
    log.error(`[${isoSeconds(clock.now())}] ${job.role} sync job failed: ${message}`);
    if (!(error instanceof ModelSyncError && error.retryable)) return "failed";
    return { retryAfterMs: error instanceof TransientError ? error.retryAfterMs ?? 0 : 0 };
  }
}

async function readSchedule(job: RoleJob, last: RoleSchedule, log: Log): Promise<RoleSchedule> {
  try {
    return await job.schedule();
  } catch (error) {
    if (!(error instanceof ModelSyncError)) throw error;
    log.warn(`keeping the schedule "${last.times.join(", ")}": ${error.message}`);
    return last;
  }
}
