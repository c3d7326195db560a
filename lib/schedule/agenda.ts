import { createHash } from "node:crypto";
import type { Calendar } from "./calendar.ts";
import { deniedSpanAt, type DenyWindow, firstAllowed } from "./deny_windows.ts";

/** The due times of a role, and the rules for the start of its runs. */
export interface RoleSchedule {
  /** The configured texts, or `every 15 minutes`. */
  readonly times: readonly string[];
  readonly calendar: Calendar;
  /** An IANA name; `undefined` for the zone of the machine. */
  readonly timeZone?: string | undefined;
  /** Whether due times are counted from the last run, instead of being times of day. */
  readonly isInterval: boolean;
  /** The longest delay after a due time. */
  readonly splayMs: number;
  /** The longest time after its start that a missed run is caught up with: 0 for never, `Infinity` for always. */
  readonly catchUpMs: number;
  readonly deny: readonly DenyWindow[];
}

/** A due time, and when its run starts. */
export interface PlannedRun {
  readonly due: Date;
  readonly at: Date;
}

/** The lateness from which a run counts as missed. Loops check the clock every minute at least. */
export const LATE_MS = 120_000;

/** The bound of due times that are checked for one answer: more than the longest delay has minutes. */
const DUE_TIMES_MAX = 20_000;

const HOUR_MS = 3_600_000;

/** The search ranges for the last due time: an hour, a day, a month, a year, and as far as the last leap year. */
const LOOKBACKS_MS = [1, 26, 32 * 24, 367 * 24, 9 * 366 * 24].map((hours) => hours * HOUR_MS);

/** Turns the due times of a role into starts on one machine: with their delay, after denied windows. */
export class Agenda {
  readonly schedule: RoleSchedule;
  readonly #machine: string;

  /** @param machine identifies this machine and this role: their delays differ */
  constructor(schedule: RoleSchedule, machine: string) {
    this.schedule = schedule;
    this.#machine = machine;
  }

  /** Returns when the run of a due time starts; `undefined` where denied windows never end. */
  startOf(due: Date): Date | undefined {
    const { deny } = this.schedule;
    const base = firstAllowed(deny, due);
    // The delay applies after a window, too: many machines wait for its end.
    return base && firstAllowed(deny, new Date(base.getTime() + this.#delayMs(due)));
  }

  /**
   * Returns the first due time after `from` whose run starts after `now`; `undefined` where there is none.
   *
   * @param endOfServed returns the last due time of the served span that holds a due time
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

  /** Returns the missed run to catch up with: the first one that is not too old; `undefined` for none. */
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

  /** Returns the last due time up to `now`, without its delay; `undefined` where there was none for years. */
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

  /** Returns the delay of a due time. It is a hash, so that a restart does not draw another one. */
  #delayMs(due: Date): number {
    const { splayMs } = this.schedule;
    if (splayMs === 0) return 0;
    const hash = createHash("sha256").update(`${this.#machine}\n${due.toISOString()}`).digest();
    return Math.floor(hash.readUIntBE(0, 6) / 2 ** 48 * splayMs);
  }

  /** Returns a time up to which no due time has a run that starts after `now`: delays and windows reach no further. */
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
