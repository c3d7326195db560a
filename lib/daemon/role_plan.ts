import { isoSeconds } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { spreadOf } from "../core/retry.ts";
import { Agenda, LATE_MS, type PlannedRun, type RoleSchedule } from "../schedule/agenda.ts";
import { firstAllowed } from "../schedule/deny_windows.ts";
import type { Role } from "../config/roles.ts";
import type { RoleTimes } from "../store/schedule_state.ts";
import { ServedTimes } from "./served_times.ts";

/** Keeps the times of a role across restarts of the daemon. */
export interface RoleMemory {
  find(): RoleTimes | undefined;
  remember(times: RoleTimes): void;
}

export interface RolePlanOptions {
  readonly role: Role;
  readonly schedule: RoleSchedule;
  /** Identifies the machine and the role: it decides their delays. */
  readonly machine: string;
  readonly memory: RoleMemory;
  readonly log: Log;
  /** Returns a number from 0 to 1, which decides how long a retry is delayed. */
  readonly jitter: () => number;
}

/**
 * The longest minutes before each retry of a passing fault (network, lock). Half of each is fixed, and jitter decides
 * about the other half: daemons that failed together do not retry together. After the last, the next due time comes.
 */
const RETRY_DELAYS_MIN = [1, 2, 4, 8, 16, 30];

/** A wrong pause of a server must not keep a role from running. */
const RETRY_AFTER_MS_MAX = 60 * 60_000;

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** A fault that may pass by itself, with the pause that the server requests, in milliseconds. */
export interface PassingFault {
  readonly retryAfterMs: number;
}

/** How a run ended. */
export type RunResult = "done" | "failed" | PassingFault;

/** A run that has begun. */
interface Run {
  readonly startedAt: Date;
  /** The due time that the run serves; `undefined` for one that an operator or the start of the daemon requested. */
  readonly due: Date | undefined;
  /** Whether an operator requested the run: it changes the plan if it succeeds, and is retried after a temporary error. */
  readonly isRequested: boolean;
  /** The number of retries before it. */
  readonly retries: number;
}

/** The next retry of a run. */
interface Retry {
  readonly at: Date;
  readonly delayMs: number;
  readonly due: Date | undefined;
  /** The number of retries, with this one. */
  readonly count: number;
}

/**
 * Decides when a role runs. Keeps its next due time, its retries, and which due times have had their run, through
 * restarts, jumps of the clock and changes of the schedule. Never reads a clock: the time comes in as a parameter.
 */
export class RolePlan {
  readonly #options: RolePlanOptions;
  readonly #served: ServedTimes;
  #agenda: Agenda;
  /** Only due times after this one are planned. */
  #from: Date;
  /** The last time that came in. */
  #seen: Date;
  #planned: PlannedRun | undefined;
  #retry: Retry | undefined;
  #run: Run | undefined;

  constructor(options: RolePlanOptions, now: Date) {
    const { memory, schedule, machine } = options;
    const known = memory.find();
    this.#options = options;
    this.#agenda = new Agenda(schedule, machine);
    this.#served = new ServedTimes(known?.served ?? []);
    this.#seen = now;
    this.#from = now;
    if (schedule.isInterval) {
      // The first run of a role with an interval does not wait for the interval.
      this.#planned = { due: now, at: this.#allowedFrom(now) };
      return;
    }
    if (known === undefined) {
      this.#plan(now);
      return;
    }
    const due = known.due ?? known.next;
    if (known.next <= now) {
      this.#planned = { due, at: known.next };
      return;
    }
    // The due time may have passed already, with its run delayed or postponed.
    if (due < now) this.#from = new Date(due.getTime() - 1);
    this.#plan(now);
    if (known.due !== undefined) this.#resumeRetry(known.due, known.next, now);
  }

  /** Follows a schedule from now on. A reached due time keeps its run. @returns whether the schedule changed */
  follow(schedule: RoleSchedule, now: Date): boolean {
    const before = this.#agenda;
    this.#agenda = new Agenda(schedule, this.#options.machine);
    if (textOf(schedule) === textOf(before.schedule)) return false;
    const start = this.#planned && before.startOf(this.#planned.due);
    const isReached = this.#missed(now) !== undefined || (start !== undefined && start <= now);
    if (!isReached) this.#plan(now);
    return true;
  }

  /** Remembers and logs the next run. */
  announce(): void {
    const { role, memory, log } = this.#options;
    const next = this.#next();
    if (next === undefined) return log.warn(`${role}: its schedule names no time that comes`);
    memory.remember({ ...next, served: this.#served.spans });
    if (next.next > this.#seen) log.info(`next ${role} run at ${isoSeconds(next.next)}`);
  }

  /** Begins the run at the start of the daemon. It also serves a due time that was missed or waits for its retry. */
  beginAtStart(now: Date): void {
    this.#noticeSetBack(now);
    const due = this.#missed(now)?.due ?? this.#retry?.due;
    this.#begin({ startedAt: now, due, isRequested: false, retries: this.#retry?.count ?? 0 });
  }

  /** Begins a run that an operator requested. */
  beginRequested(now: Date): void {
    this.#noticeSetBack(now);
    this.#run = { startedAt: now, due: undefined, isRequested: true, retries: 0 };
  }

  /** Begins the run that is due. @returns the time of the next one, if none is due */
  beginIfDue(now: Date): Date | undefined {
    if (this.#noticeSetBack(now)) this.announce();
    if (this.#planned === undefined) this.#plan(now);
    if (this.#planned !== undefined && this.#planned.at <= now) {
      const at = this.#allowedFrom(now);
      const isMissed = now.getTime() - this.#planned.at.getTime() > LATE_MS;
      // A missed run must still be within `catch_up_within` when it starts.
      const missed = isMissed ? this.#agenda.missedRun(this.#planned, at) : this.#planned;
      if (missed !== undefined && at <= now) return this.#beginPlanned(missed, now);
      if (missed === undefined) this.#skip(this.#planned, now);
      else this.#planned = { due: missed.due, at };
      this.announce();
    } else if (this.#retry !== undefined && this.#retry.at <= now) {
      const at = this.#allowedFrom(now);
      const { due, count: retries } = this.#retry;
      if (at <= now) return this.#begin({ startedAt: now, due, isRequested: false, retries });
      this.#retry = { ...this.#retry, at };
      this.announce();
    }
    return this.#next()?.next ?? new Date(now.getTime() + DAY_MS);
  }

  /** Ends the run that was begun. */
  end(result: RunResult, now: Date): void {
    const run = this.#run;
    this.#run = undefined;
    this.#noticeSetBack(now);
    if (run?.isRequested === true) this.#endRequested(run, result, now);
    else this.#endOwn(run, result, now);
    this.announce();
  }

  #endOwn(run: Run | undefined, result: RunResult, now: Date): void {
    this.#retry = typeof result === "object" && run !== undefined
      ? this.#nextRetry(run, result, now)
      : undefined;
    if (this.#retry === undefined && run?.due !== undefined) this.#settle(run.due, now);
    // A run that served no due time leaves the planned run in place.
    const staysPlanned = run !== undefined && run.due === undefined && this.#planned !== undefined;
    if (!staysPlanned || this.#agenda.schedule.isInterval) this.#plan(now);
  }

  /** A requested run that succeeded served what was due when it began. Otherwise the plan stays. */
  #endRequested(run: Run, result: RunResult, now: Date): void {
    const missed = this.#missed(run.startedAt);
    if (result === "done") {
      for (const due of [this.#retry?.due, missed?.due]) {
        if (due !== undefined) this.#settle(due, run.startedAt);
      }
      this.#retry = undefined;
      if (missed !== undefined || this.#planned === undefined || this.#agenda.schedule.isInterval) {
        this.#plan(now);
      }
    } else if (typeof result === "object" && this.#retry === undefined && missed === undefined) {
      this.#retry = this.#nextRetry(run, result, now);
    }
  }

  /** Returns the planned run if its time had come at a time. */
  #missed(time: Date): PlannedRun | undefined {
    return this.#planned !== undefined && this.#planned.at <= time ? this.#planned : undefined;
  }

  #beginPlanned(missed: PlannedRun, now: Date): undefined {
    if (now.getTime() - missed.at.getTime() > LATE_MS) {
      const { log, role } = this.#options;
      log.info(`the ${role} run of ${isoSeconds(missed.at)} was missed; making up for it now`);
    }
    // During an outage, the pauses between retries keep growing. Retries of a run without a due time do not count here.
    const retries = this.#retry?.due === undefined ? 0 : this.#retry.count;
    return this.#begin({ startedAt: now, due: missed.due, isRequested: false, retries });
  }

  #skip({ at }: PlannedRun, now: Date): void {
    const { log, role } = this.#options;
    log.info(`the ${role} run of ${isoSeconds(at)} was missed; it is not made up for`);
    this.#plan(now);
  }

  /** Returns when a run may begin. Denied windows without an end are checked again a day later. */
  #allowedFrom(now: Date): Date {
    return firstAllowed(this.#agenda.schedule.deny, now) ?? new Date(now.getTime() + DAY_MS);
  }

  #begin(run: Run): undefined {
    this.#run = run;
    this.#retry = undefined;
  }

  /** Marks the due time of a run as served, and the last one that passed meanwhile: they share the run. */
  #settle(due: Date, now: Date): void {
    const { calendar, isInterval } = this.#agenda.schedule;
    if (isInterval) return;
    this.#served.add(due, calendar);
    const last = this.#agenda.lastDue(now);
    const start = last === undefined || last <= due ? undefined : this.#agenda.startOf(last);
    if (last !== undefined && start !== undefined && start <= now) this.#served.add(last, calendar);
  }

  /**
   * Handles a clock that was set back: planned runs are not postponed by as much, and no served due time runs again.
   *
   * @returns whether the next run changed
   */
  #noticeSetBack(now: Date): boolean {
    const isSetBack = now < this.#seen;
    this.#seen = now;
    if (!isSetBack) return false;
    if (now < this.#from) this.#from = now;
    if (this.#retry !== undefined) {
      const at = new Date(now.getTime() + this.#retry.delayMs);
      if (at < this.#retry.at) this.#retry = { ...this.#retry, at };
    }
    const before = this.#planned;
    this.#plan(now);
    if (before === undefined || (this.#planned !== undefined && this.#planned.at < before.at)) return true;
    this.#planned = before;
    return false;
  }

  #plan(now: Date): void {
    this.#planned = this.#agenda.nextRun(this.#from, now, (due) => this.#served.endOfSpan(due));
  }

  /** Resumes the retries of a run that failed before the daemon was restarted. */
  #resumeRetry(due: Date, at: Date, now: Date): void {
    const start = this.#agenda.startOf(due);
    const hasBegun = start !== undefined && start <= now && this.#served.endOfSpan(due) === undefined;
    const isNext = this.#planned === undefined || at < this.#planned.at;
    if (hasBegun && isNext) this.#retry = { at, delayMs: at.getTime() - now.getTime(), due, count: 0 };
  }

  #nextRetry({ due, retries }: Run, fault: PassingFault, now: Date): Retry | undefined {
    const delayMin = RETRY_DELAYS_MIN[retries];
    if (delayMin === undefined) return undefined;
    const jitter = this.#options.jitter();
    const askedMs = Math.min(fault.retryAfterMs, RETRY_AFTER_MS_MAX);
    const delayMs = Math.max(delayMin * MINUTE_MS * (1 + jitter) / 2, askedMs + jitter * spreadOf(askedMs));
    return { at: this.#allowedFrom(new Date(now.getTime() + delayMs)), delayMs, due, count: retries + 1 };
  }

  #next(): Pick<RoleTimes, "next" | "due"> | undefined {
    const planned = this.#planned && { next: this.#planned.at, due: this.#planned.due };
    const retry = this.#retry && { next: this.#retry.at, due: this.#retry.due };
    if (planned === undefined || retry === undefined) return planned ?? retry;
    return retry.next < planned.next ? retry : planned;
  }
}

/** Returns the parts of a schedule that decide when its runs start, as text to compare. */
function textOf({ times, timeZone, splayMs, deny }: RoleSchedule): string {
  return JSON.stringify([
    times,
    timeZone,
    splayMs,
    deny.map(({ start, durationMs }) => [start.text, durationMs]),
  ]);
}
