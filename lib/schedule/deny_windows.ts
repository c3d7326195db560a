import type { Calendar } from "./calendar.ts";

/** A window in which no scheduled run may begin: it opens at each time of the calendar, for a duration. */
export interface DenyWindow {
  readonly start: Calendar;
  readonly durationMs: number;
}

/** The union of windows that overlap or touch. */
export interface DeniedSpan {
  readonly start: Date;
  /** The first time at which a run may begin; `undefined` where the windows leave no gap. */
  readonly end: Date | undefined;
}

const DAY_MS = 86_400_000;

/** A quarter of a year. No freeze is longer; windows without a gap in that time are taken to have none. */
export const DENIED_DAYS_MAX = 92;

/** The bound of windows in a span: a week of one a minute. Such windows are taken to have no gap, too. */
const STEPS_MAX = 10_080;

/** Returns the span of windows that holds an instant; `undefined` where no window does. */
export function deniedSpanAt(windows: readonly DenyWindow[], time: Date): DeniedSpan | undefined {
  if (!isDenied(windows, time)) return undefined;
  return { start: spanStart(windows, time), end: spanEnd(windows, time) };
}

/** Returns the first time from `time` on at which a run may begin; `undefined` where the windows leave no gap. */
export function firstAllowed(windows: readonly DenyWindow[], time: Date): Date | undefined {
  return isDenied(windows, time) ? spanEnd(windows, time) : time;
}

function isDenied(windows: readonly DenyWindow[], time: Date): boolean {
  return windows.some((window) => startOfWindow(window, time) !== undefined);
}

function spanEnd(windows: readonly DenyWindow[], time: Date): Date | undefined {
  let end = time;
  for (let step = 0; step < STEPS_MAX; step++) {
    const ends = windows.map((window) => endOfWindow(window, end) ?? end);
    const last = new Date(Math.max(...ends.map(Number)));
    if (last <= end) return end;
    end = last;
    if (end.getTime() - time.getTime() > DENIED_DAYS_MAX * DAY_MS) return undefined;
  }
  return undefined;
}

function spanStart(windows: readonly DenyWindow[], time: Date): Date {
  let start = time;
  for (let step = 0; step < STEPS_MAX; step++) {
    const starts = windows.map((window) => startOfWindow(window, start) ?? start);
    // Windows that only touch belong together, too.
    const before = new Date(start.getTime() - 1);
    const touching = windows.map((window) => startOfWindow(window, before) ?? start);
    const first = new Date(Math.min(...[...starts, ...touching].map(Number)));
    if (first >= start) return start;
    start = first;
    if (time.getTime() - start.getTime() > DENIED_DAYS_MAX * DAY_MS) return start;
  }
  return start;
}

/** Returns the earliest start of a window that holds an instant. */
function startOfWindow({ start, durationMs }: DenyWindow, time: Date): Date | undefined {
  const first = start.next(new Date(time.getTime() - durationMs));
  return first !== undefined && first <= time ? first : undefined;
}

function endOfWindow(window: DenyWindow, time: Date): Date | undefined {
  const start = startOfWindow(window, time);
  return start === undefined ? undefined : new Date(start.getTime() + window.durationMs);
}
