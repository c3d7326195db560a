import type { Calendar } from "./calendar.ts";

/** A window in which nothing that is due may begin: from each time of the calendar on, for so long. */
export interface DenyWindow {
  readonly start: Calendar;
  readonly durationMs: number;
}

/** Windows that overlap or touch, as one. */
export interface DeniedSpan {
  readonly start: Date;
  /** The first moment at which a run may begin. `undefined` where the windows follow each other for ever. */
  readonly end: Date | undefined;
}

const DAY_MS = 86_400_000;

/** A quarter of a year: no freeze is longer, and windows that leave no gap for so long never leave one. */
export const DENIED_DAYS_MAX = 92;

/** One step for each window of a span. A window a minute fills a week with as many; such windows leave no gap either. */
const STEPS_MAX = 10_080;

/** Returns the windows' span that an instant lies in; `undefined` where it lies in none. */
export function deniedSpanAt(windows: readonly DenyWindow[], time: Date): DeniedSpan | undefined {
  if (!isDenied(windows, time)) return undefined;
  return { start: spanStart(windows, time), end: spanEnd(windows, time) };
}

/** Returns when a run that wants to begin may begin; `undefined` where the windows never let it. */
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
    // Windows that only touch are one too.
    const before = new Date(start.getTime() - 1);
    const touching = windows.map((window) => startOfWindow(window, before) ?? start);
    const first = new Date(Math.min(...[...starts, ...touching].map(Number)));
    if (first >= start) return start;
    start = first;
    if (time.getTime() - start.getTime() > DENIED_DAYS_MAX * DAY_MS) return start;
  }
  return start;
}

/** The earliest start of the window's times whose duration reaches over an instant. */
function startOfWindow({ start, durationMs }: DenyWindow, time: Date): Date | undefined {
  const first = start.next(new Date(time.getTime() - durationMs));
  return first !== undefined && first <= time ? first : undefined;
}

function endOfWindow(window: DenyWindow, time: Date): Date | undefined {
  const start = startOfWindow(window, time);
  return start === undefined ? undefined : new Date(start.getTime() + window.durationMs);
}
