import type { Fortune } from "./fortune.ts";
import type { Timetable } from "./timetable.ts";

const MINUTE_MS = 60_000;
/** A node is silent for three minutes, or late for as long, before a dashboard says so. */
const FOUND_AFTER_MS = 4 * MINUTE_MS;
/** The run of a late node starts within a minute of its time. */
const OVER_AFTER_MS = 2 * MINUTE_MS;
/** How soon after a node is on again it sends a heartbeat. */
const FIRST_BEAT_MS = 20_000;

/** When a node is off, or one of its runs late. */
export interface TroubledTime {
  /** The minute before, the node was on. */
  readonly fromMs: number;
  /** `Infinity` where that goes on at the end. */
  readonly toMs: number;
  readonly isOff: boolean;
}

/** Returns when a node is in trouble, of what a dashboard sees by heartbeats. */
export function troubledTimes(
  fortune: Fortune,
  timetable: Timetable,
  fromMs: number,
  nowMs: number,
): TroubledTime[] {
  const times: TroubledTime[] = [];
  let offMs: number | undefined;
  for (let timeMs = fromMs; timeMs <= nowMs; timeMs += MINUTE_MS) {
    const isOn = fortune.isOn(timeMs);
    if (isOn && offMs !== undefined) times.push({ fromMs: offMs, toMs: timeMs, isOff: true });
    offMs = isOn ? undefined : offMs ?? timeMs;
  }
  if (offMs !== undefined) times.push({ fromMs: offMs, toMs: Infinity, isOff: true });
  for (let dueMs = timetable.next(fromMs); dueMs <= nowMs; dueMs = timetable.next(dueMs)) {
    const delayMs = fortune.delayOf(dueMs);
    if (delayMs > 0) times.push({ fromMs: dueMs, toMs: dueMs + delayMs, isOff: false });
  }
  return times;
}

/** Returns when a dashboard that looked every minute had found out what began or ended, and the end; oldest first. */
export function lookTimes(times: readonly TroubledTime[], nowMs: number): number[] {
  const found = times.flatMap(({ fromMs, toMs }) => [fromMs + FOUND_AFTER_MS, toMs + OVER_AFTER_MS]);
  return [...new Set([...found.filter((timeMs) => timeMs < nowMs), nowMs])].sort((a, b) => a - b);
}

/**
 * Returns when a node sends those of its heartbeats that looks find out something by, oldest first: shortly before each
 * look, and around the times when it is off.
 */
export function beatTimes(
  looks: readonly number[],
  times: readonly TroubledTime[],
  fortune: Fortune,
): number[] {
  // Each node's come at other seconds of the minute.
  const beforeMs = (1 + fortune.pid % 40) * 1_000;
  const around = times.filter(({ isOff }) => isOff).flatMap(({ fromMs, toMs }) => [
    fromMs - MINUTE_MS,
    toMs + FIRST_BEAT_MS,
  ]);
  return [...looks.map((timeMs) => timeMs - beforeMs), ...around].sort((a, b) => a - b);
}
