import type { Fortune } from "./fortune.ts";
import type { Timetable } from "./timetable.ts";

const MINUTE_MS = 60_000;
/** A dashboard reports a node that is silent or late for three minutes. */
const FOUND_AFTER_MS = 4 * MINUTE_MS;
/** The run of a late node starts within a minute of its time. */
const OVER_AFTER_MS = 2 * MINUTE_MS;
/** The delay of the first heartbeat after a node is on again. */
const FIRST_BEAT_MS = 20_000;

/** A time when a node is off, or one of its runs is late. */
export interface TroubledTime {
  /** The node was on in the minute before. */
  readonly fromMs: number;
  /** `Infinity` if it lasts until the end. */
  readonly toMs: number;
  readonly isOff: boolean;
}

/** Returns a node's troubles that a dashboard sees by heartbeats. */
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

/**
 * Returns the times at which a dashboard that checks every minute finds a trouble or its end, and the end of the story;
 * oldest first.
 */
export function lookTimes(times: readonly TroubledTime[], nowMs: number): number[] {
  const found = times.flatMap(({ fromMs, toMs }) => [fromMs + FOUND_AFTER_MS, toMs + OVER_AFTER_MS]);
  return [...new Set([...found.filter((timeMs) => timeMs < nowMs), nowMs])].sort((a, b) => a - b);
}

/**
 * Returns the times of the heartbeats by which checks find a change, oldest first: shortly before each check, and
 * around the times when the node is off.
 */
export function beatTimes(
  looks: readonly number[],
  times: readonly TroubledTime[],
  fortune: Fortune,
): number[] {
  // Each node sends at different seconds of the minute.
  const beforeMs = (1 + fortune.pid % 40) * 1_000;
  const around = times.filter(({ isOff }) => isOff).flatMap(({ fromMs, toMs }) => [
    fromMs - MINUTE_MS,
    toMs + FIRST_BEAT_MS,
  ]);
  return [...looks.map((timeMs) => timeMs - beforeMs), ...around].sort((a, b) => a - b);
}
