import type { Schedule } from "../../../lib/wire/schema.ts";
import { type Calendar, everyMinutes, parseCalendar } from "../../../lib/schedule/calendar.ts";
import { type DenyWindow, firstAllowed } from "../../../lib/schedule/deny_windows.ts";
import { WallClock } from "../../../lib/schedule/wall_clock.ts";
import type { NodePlan } from "./roster.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The time between the last run of some nodes and the end. */
const IN_CANARY_MS = 40 * MINUTE_MS;
const RUNNING_MS = 12 * MINUTE_MS;
const LATE_MS = 65 * MINUTE_MS;

/** When a node is due. */
export interface Timetable {
  /** The schedule as in a heartbeat, without a pause. */
  readonly schedule: Omit<Schedule, "paused">;
  /** Returns the first due time after another, or after a run for nodes whose interval counts from it. */
  next(afterMs: number): number;
}

/** There are few zones and expressions but many nodes, and parsing one is as slow as a hundred runs. */
export class Timetables {
  readonly #nowMs: number;
  readonly #calendars = new Map<string, Calendar>();
  readonly #clocks = new Map<string, WallClock>();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** Returns the timetable of a node. */
  of(plan: NodePlan): Timetable {
    switch (plan.kind) {
      case "trainer":
        return this.nightly(plan.zone);
      case "desk":
        return this.#desk(plan.zone);
      case "references":
        return this.#daily("0 */2 * * *", plan.zone);
      case "backend":
        return this.#daily("06:30", plan.zone);
      case "gpu":
        return this.#daily(plan.fate === "running" ? this.#shown(plan.zone, RUNNING_MS) : "04:00", plan.zone);
      case "bot":
        return this.#daily(this.#botTime(plan), plan.zone);
    }
  }

  /** Returns when trainers in a zone are due. */
  nightly(zone: string): Timetable {
    return this.#daily("00:00", zone);
  }

  /** Returns the wall clock of a zone at a time: the day of the week, 0 for Sunday, and the milliseconds of the day. */
  wallTime(zone: string, timeMs: number): { readonly day: number; readonly ofDayMs: number } {
    const shown = this.#clock(zone).shownAt(timeMs);
    return { day: new Date(shown).getUTCDay(), ofDayMs: shown % (24 * HOUR_MS) };
  }

  #botTime({ fate, zone }: NodePlan): string {
    if (fate === "in-canary") return this.#shown(zone, IN_CANARY_MS);
    return fate === "late" ? this.#shown(zone, LATE_MS) : "06:00";
  }

  /** Returns the time of day in a zone at a time before the end. */
  #shown(zone: string, beforeMs: number): string {
    return new Date(this.#clock(zone).shownAt(this.#nowMs - beforeMs)).toISOString().slice(11, 16);
  }

  #daily(text: string, zone: string): Timetable {
    const calendar = this.#calendar(text, zone);
    return {
      schedule: { times: [text], timeZone: zone, splaySeconds: 60, catchUpSeconds: null, deny: [] },
      next: (afterMs) => calendar.next(new Date(afterMs))?.getTime() ?? Infinity,
    };
  }

  /** Every quarter of an hour, but not at night. */
  #desk(zone: string): Timetable {
    const calendar = everyMinutes(15);
    const night: DenyWindow = { start: this.#calendar("0 18 * * *", zone), durationMs: 14 * HOUR_MS };
    return {
      schedule: {
        times: [calendar.text],
        timeZone: zone,
        splaySeconds: 0,
        catchUpSeconds: null,
        deny: [{ start: night.start.text, seconds: night.durationMs / 1000 }],
      },
      next: (afterMs) => {
        const due = calendar.next(new Date(afterMs));
        return (due && firstAllowed([night], due))?.getTime() ?? Infinity;
      },
    };
  }

  #calendar(text: string, zone: string): Calendar {
    const key = `${text} ${zone}`;
    const calendar = this.#calendars.get(key) ?? parseCalendar(text, zone);
    this.#calendars.set(key, calendar);
    return calendar;
  }

  #clock(zone: string): WallClock {
    const clock = this.#clocks.get(zone) ?? new WallClock(zone);
    this.#clocks.set(zone, clock);
    return clock;
  }
}

/** Returns a timetable with runs at even distances. */
export function evenly(everyMs: number): Timetable {
  const minutes = Math.max(1, Math.round(everyMs / MINUTE_MS));
  return {
    schedule: {
      times: [`every ${minutes} minutes`],
      timeZone: "UTC",
      splaySeconds: 0,
      catchUpSeconds: null,
      deny: [],
    },
    next: (afterMs) => afterMs + everyMs,
  };
}
