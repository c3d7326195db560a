import { createHash } from "node:crypto";
import type { Calendar } from "./calendar.ts";
import { deniedSpanAt, type DenyWindow, firstAllowed } from "./deny_windows.ts";

/** When a role is due, and what becomes of a due time. */
export interface RoleSchedule {
  /** As configured, or `every 15 minutes`. */
  readonly times: readonly string[];
  readonly calendar: Calendar;
  /** That of its times; `undefined` for the machine's own. */
  readonly timeZone?: string | undefined;
  /** Whether due times count from the last run on, instead of being on the clock. */
  readonly isInterval: boolean;
  /** The longest delay after a due time. */
  readonly splayMs: number;
  /** How much later than it should have started a run is made up for: 0 for never, `Infinity` for always. */
  readonly catchUpMs: number;
  readonly deny: readonly DenyWindow[];
}

/** A due time, and when its run starts. */
export interface PlannedRun {
  readonly due: Date;
  readonly at: Date;
}

/** Loops check the clock every minute at least. A run that starts later than two of these was missed. */
export const LATE_MS = 120_000;

/** Due times that are looked at for one answer: more than there are minutes in the longest delay. */
const DUE_TIMES_MAX = 20_000;

const HOUR_MS = 3_600_000;

/** How far back to look for the last due time: an hour, a day, a month, a year, and until a leap year has come. */
const LOOKBACKS_MS = [1, 26, 32 * 24, 367 * 24, 9 * 366 * 24].map((hours) => hours * HOUR_MS);

/** When the runs of a role start on one machine: its due times with their delays, put off to the end of denied windows. */
export class Agenda {
  readonly schedule: RoleSchedule;
  readonly #machine: string;

  /** @param machine what tells this machine and this role from others: their delays differ */
  constructor(schedule: RoleSchedule, machine: string) {
    this.schedule = schedule;
    this.#machine = machine;
  }

  /** Returns when the run of a due time starts; `undefined` where denied windows never end. */
  startOf(due: Date): Date | undefined {
    const { deny } = this.schedule;
    const base = firstAllowed(deny, due);
    // After a window the delay counts too: many machines wait for its end.
    return base && firstAllowed(deny, new Date(base.getTime() + this.#delayMs(due)));
  }

  /**
   * Returns the first due time after `from` whose run starts after `now`; `undefined` where there is none.
   *
   * @param endOfServed the last of the due times that are served, if this one is
   */
  nextRun(
    from: Date,
    now: Date,
    endOfServed: (due: Date) => Date | undefined,
  ): PlannedRun | undefined {
    const earliest = this.#earliestDue(now);
    for (const due of this.#dueTimes(from > earliest ? from : earliest, endOfServed)) {
      const at = this.startOf(due);
      if (at !== undefined && at > now) return { due, at };
    }
    return undefined;
  }

  /** Returns the missed run that is to be made up for: the first one that is not too old; `undefined` for none. */
  missedRun(planned: PlannedRun, now: Date): PlannedRun | undefined {
    const patienceMs = Math.max(this.schedule.catchUpMs, LATE_MS);
    const isRecent = ({ at }: PlannedRun) => now.getTime() - at.getTime() <= patienceMs;
    if (isRecent(planned)) return planned;
    const oldest = this.#earliestDue(new Date(now.getTime() - patienceMs));
    for (const due of this.#dueTimes(planned.due > oldest ? planned.due : oldest)) {
      const at = this.startOf(due);
      if (at === undefined || at > now) return undefined;
      if (isRecent({ due, at })) return { due, at };
    }
    return undefined;
  }

  /** Returns the last due time up to `now`, its delay left out; `undefined` where there was none for years. */
  lastDue(now: Date): Date | undefined {
    const { calendar } = this.schedule;
    for (const lookbackMs of LOOKBACKS_MS) {
      let last: Date | undefined;
      let due = calendar.next(new Date(now.getTime() - lookbackMs));
      for (; due !== undefined && due <= now; due = calendar.next(due)) last = due;
      if (last !== undefined) return last;
    }
    return undefined;
  }

  /** The delay of a due time: the same whenever it is asked for, so that a restart does not draw again. */
  #delayMs(due: Date): number {
    const { splayMs } = this.schedule;
    if (splayMs === 0) return 0;
    const hash = createHash("sha256").update(`${this.#machine}\n${due.toISOString()}`).digest();
    return Math.floor(hash.readUIntBE(0, 6) / 2 ** 48 * splayMs);
  }

  /** No due time up to this one has a run that starts after `now`: delays and windows reach no further. */
  #earliestDue(now: Date): Date {
    const { isInterval, splayMs, deny } = this.schedule;
    if (isInterval) return now;
    const beforeWindow = (time: Date) => deniedSpanAt(deny, time)?.start ?? time;
    const start = beforeWindow(new Date(beforeWindow(now).getTime() - splayMs));
    return new Date(start.getTime() - 1);
  }

  *#dueTimes(
    after: Date,
    endOfServed: (due: Date) => Date | undefined = () => undefined,
  ): Generator<Date> {
    const { calendar } = this.schedule;
    let due = calendar.next(after);
    for (let count = 0; due !== undefined && count < DUE_TIMES_MAX; count++) {
      const served = endOfServed(due);
      if (served === undefined) yield due;
      due = calendar.next(served ?? due);
    }
  }
}
