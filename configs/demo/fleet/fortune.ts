import type { Status } from "../../../lib/wire/schema.ts";
import type { RunRecord } from "../../../lib/store/history.ts";
import { type NodeFacts, recordOf } from "./behaviour.ts";
import { type Failure, scriptedFailure, someFailure } from "./failures.ts";
import type { ModelSet } from "./model_sets.ts";
import type { NodePlan } from "./roster.ts";
import type { Timetables } from "./timetable.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const DOWN_MS = 9 * HOUR_MS;
/** The number of days since a node was down, from before to after its due time. */
const WAS_DOWN_DAYS_AGO = 10;
const WAS_DOWN_AFTER_DUE_MS = 6 * HOUR_MS;
const PAUSED_AGO_MS = 2 * DAY_MS + 3 * HOUR_MS;
const CLOCK_WRONG_FOR_MS = 3 * DAY_MS;
const CLOCK_AHEAD_MS = 26 * HOUR_MS;
/** The number of newer releases that an unattended node misses. */
const STOPPED_BEHIND = 5;
/** The times of a machine that is off from Friday evening to Monday morning, by the wall clock. */
const FRIDAY_ENDS_MS = 19 * HOUR_MS;
const MONDAY_BEGINS_MS = 7 * HOUR_MS + 40 * MINUTE_MS;
/** A run that started late once, because the machine was busy. */
const ONCE_LATE = { node: "bot-brussels", daysAgo: 5, lateMs: 50 * MINUTE_MS } as const;
const FAILURE_CHANCE = 0.012;
/** No run fails at random after this time before the end, so that only planned troubles remain. */
const CHANCE_ENDS_MS = 36 * HOUR_MS;
/** The free space of a nearly full disk. */
const NEARLY_FULL_BYTES = 212_000_000;

/** Returns a node's clock at a time. */
export function clockOf({ fate }: NodePlan, nowMs: number): (timeMs: number) => string {
  if (fate !== "clock-ahead") return (timeMs) => new Date(timeMs).toISOString();
  const wrongMs = nowMs - CLOCK_WRONG_FOR_MS;
  return (timeMs) => new Date(timeMs < wrongMs ? timeMs : timeMs + CLOCK_AHEAD_MS).toISOString();
}

/** The fate of a node: when it is on, which of its runs start, and how they fail. */
export class Fortune {
  /** The node reports nothing after this time. */
  readonly lastSeenMs: number;
  /** The newest heartbeat in the story. */
  readonly lastBeatMs: number;
  readonly pid: number;
  readonly #facts: NodeFacts;
  readonly #set: ModelSet;
  readonly #timetables: Timetables;
  readonly #pause: Status["paused"][string] | undefined;

  constructor(facts: NodeFacts, set: ModelSet, timetables: Timetables) {
    const { plan, nowMs, random, clock } = facts;
    this.#facts = facts;
    this.#set = set;
    this.#timetables = timetables;
    this.pid = random.integer(400, 32_000);
    this.lastSeenMs = plan.fate === "down"
      ? nowMs - DOWN_MS
      : plan.fate === "weekends-off"
      ? this.#lastWorkingTime(nowMs)
      : Infinity;
    // It is younger than the interval.
    this.lastBeatMs = Math.min(this.lastSeenMs, nowMs - random.integer(2_000, 50_000));
    this.#pause = plan.fate !== "paused" ? undefined : {
      since: clock(nowMs - PAUSED_AGO_MS),
      until: clock(this.#nextMonday()),
      host: "ops-1",
      reason: "exchange maintenance, Giulia restarts it on Monday",
    };
  }

  /** When an operator paused the node; `Infinity` for never. */
  get pausedMs(): number {
    return this.#pause === undefined ? Infinity : this.#facts.nowMs - PAUSED_AGO_MS;
  }

  /** The record of the command that paused the node. */
  pauseRecord(): RunRecord {
    return recordOf(this.#facts, "pause", this.pausedMs, { outcome: "paused", durationMs: 40 });
  }

  /** Returns the active pause at a time. */
  pauseAt(timeMs: number): Status["paused"][string] | undefined {
    return timeMs >= this.#facts.nowMs - PAUSED_AGO_MS ? this.#pause : undefined;
  }

  /** Returns when the run of a due time starts; `undefined` for never. */
  startOf(dueMs: number): number | undefined {
    const { plan, nowMs, random } = this.#facts;
    if (plan.kind === "trainer" || plan.kind === "references") return dueMs;
    const startMs = dueMs + random.integer(1, plan.kind === "desk" ? 3 : 55) * 1_000;
    switch (plan.fate) {
      case "late":
        return nowMs - dueMs < 2 * HOUR_MS ? undefined : startMs;
      case "paused":
        return dueMs > nowMs - PAUSED_AGO_MS ? undefined : startMs;
      case "stopped":
        return dueMs > this.#stoppedMs() ? undefined : startMs;
      case "was-down":
        return this.#isDayOfOutage(dueMs) ? dueMs + WAS_DOWN_AFTER_DUE_MS + 95_000 : startMs;
      case "weekends-off":
        return this.#startOfWorkday(dueMs);
      default:
        return startMs + this.delayOf(dueMs);
    }
  }

  /** Returns the extra delay of a run on a busy machine; 0 for all but one. */
  delayOf(dueMs: number): number {
    const isBusy = this.#facts.plan.name === ONCE_LATE.node && this.#daysAgo(dueMs) === ONCE_LATE.daysAgo;
    return isBusy ? ONCE_LATE.lateMs : 0;
  }

  /** Whether the node is on at a time. */
  isOn(timeMs: number): boolean {
    const { plan } = this.#facts;
    if (timeMs > this.lastSeenMs) return false;
    if (plan.fate === "weekends-off") return this.#isWorkingTime(timeMs);
    if (plan.fate !== "was-down") return true;
    const { ofDayMs } = this.#timetables.wallTime(plan.zone, timeMs);
    return !this.#isDayOfOutage(timeMs) || ofDayMs < 3 * HOUR_MS || ofDayMs > 12 * HOUR_MS;
  }

  /** Returns the failure of the run that starts at a time; `undefined` for most. */
  failureAt(startMs: number): Failure | undefined {
    const { plan, nowMs, random } = this.#facts;
    const agoMs = nowMs - startMs;
    // Drawn for every run, so that one failure does not change later random numbers.
    const chance = random.next() * (plan.kind === "desk" ? 8 : 1);
    if (plan.fate === "unreachable" && agoMs < 2 * DAY_MS) return "unreachable";
    if (plan.fate === "token-expired" && agoMs < DAY_MS) return "token";
    const scripted = scriptedFailure(plan.name, this.#daysAgo(startMs));
    if (scripted !== undefined) return scripted;
    return chance < FAILURE_CHANCE && agoMs > CHANCE_ENDS_MS && plan.fate === undefined
      ? someFailure(plan, random)
      : undefined;
  }

  /** Returns the free bytes of the node's disk, which fills slowly. @param atLast those of a usual disk at the end */
  freeBytesAt(timeMs: number, atLast: number): number {
    const { plan, nowMs } = this.#facts;
    if (plan.fate === "disk-full") return NEARLY_FULL_BYTES;
    return Math.round(atLast + (nowMs - timeMs) / DAY_MS * 95_000_000);
  }

  /** The whole day by the wall clock. */
  #isDayOfOutage(timeMs: number): boolean {
    const { ofDayMs } = this.#timetables.wallTime(this.#facts.plan.zone, timeMs);
    return this.#daysAgo(timeMs - ofDayMs + 12 * HOUR_MS) === WAS_DOWN_DAYS_AGO;
  }

  /** 0 for the last 24 hours. */
  #daysAgo(timeMs: number): number {
    return Math.floor((this.#facts.nowMs - timeMs) / DAY_MS);
  }

  #stoppedMs(): number {
    const published = this.#set.releases.filter(({ publishedMs }) => publishedMs <= this.#facts.nowMs);
    return published.at(-STOPPED_BEHIND)?.publishedMs ?? Infinity;
  }

  #isWorkingTime(timeMs: number): boolean {
    const { day, ofDayMs } = this.#timetables.wallTime(this.#facts.plan.zone, timeMs);
    if (day === 0 || day === 6) return false;
    if (day === 5 && ofDayMs > FRIDAY_ENDS_MS) return false;
    return day !== 1 || ofDayMs >= MONDAY_BEGINS_MS;
  }

  #lastWorkingTime(nowMs: number): number {
    let timeMs = nowMs - 20_000;
    while (!this.#isWorkingTime(timeMs)) timeMs -= MINUTE_MS;
    return timeMs;
  }

  /** A run that was due at the weekend is made up for on Monday, together with Monday's. */
  #startOfWorkday(dueMs: number): number | undefined {
    const { day } = this.#timetables.wallTime(this.#facts.plan.zone, dueMs);
    if (day === 0 || day === 6) return undefined;
    let startMs = dueMs + 30_000;
    while (!this.#isWorkingTime(startMs)) startMs += MINUTE_MS;
    return startMs;
  }

  #nextMonday(): number {
    const { plan, nowMs } = this.#facts;
    const { day, ofDayMs } = this.#timetables.wallTime(plan.zone, nowMs);
    const days = (8 - day) % 7 || 7;
    return nowMs - ofDayMs % DAY_MS + days * DAY_MS + 8 * HOUR_MS;
  }
}
