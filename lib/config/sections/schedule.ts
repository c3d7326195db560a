import * as z from "zod";
import { durationProblem, parseDuration } from "../../core/duration.ts";
import { neverComes, parseCalendar } from "../../schedule/calendar.ts";
import { DENIED_DAYS_MAX, firstAllowed } from "../../schedule/deny_windows.ts";
import { DOCS } from "./kinds.ts";

/** One for each hour of a day. For more times, use a cron expression. */
const TIMES_MAX = 24;

const DAY_MS = 86_400_000;

/** An arbitrary start for the search of due times. The search covers leap years. */
const PROBE = new Date("2026-01-01T00:00:00Z");

/** A time of day, or a cron expression of five fields. */
const Time = z.string().superRefine((text, context) => {
  const problem = scheduleProblem(text);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

/** One time of day or cron expression, or a list of them. */
const Schedule = z.union([
  Time,
  z.array(Time).min(1, "must hold at least one time").max(TIMES_MAX, `must hold at most ${TIMES_MAX} times`),
], {
  error: (issue) =>
    issue.code === "invalid_union"
      ? 'must be a time of day such as "06:00", a cron expression such as "*/15 * * * *", or a list of them'
      : undefined,
});

/** Returns the schema of a duration such as `90s` between two bounds. */
function duration(leastMs: number, mostMs: number, bounds: string) {
  return z.string({ error: "must be a duration such as 90s, 15m, 2h or 1d" }).superRefine((text, context) => {
    const durationMs = durationOf(text);
    if (durationMs === undefined) context.addIssue({ code: "custom", message: durationProblem(text) });
    else if (durationMs < leastMs || durationMs > mostMs) {
      context.addIssue({ code: "custom", message: `must be ${bounds}` });
    }
  });
}

const Window = z.strictObject({
  cron: Time,
  duration: duration(60_000, DENIED_DAYS_MAX * DAY_MS, `between 1m and ${DENIED_DAYS_MAX}d`),
});

const Windows = z.array(Window).max(TIMES_MAX, `must hold at most ${TIMES_MAX} windows`).refine(leaveTime, {
  error: `leaves no time to run: the windows together deny more than ${DENIED_DAYS_MAX} days in a row`,
});

/** The settings beside every `schedule`. */
export const TIMING = {
  splay: duration(0, DAY_MS, "at most 1d").default("0s").register(DOCS, {
    description:
      "The longest delay after a due time, such as 10m. Each machine has its own delay, so that many machines do " +
      "not reach a server in the same second.",
  }),
  catch_up: z.boolean().default(true).register(DOCS, {
    description:
      "If due times passed while the daemon was off or paused, or the machine was suspended, run once afterwards.",
  }),
  catch_up_within: duration(0, 366 * DAY_MS, "at most 366d").optional().register(DOCS, {
    description: "Catch up only if the due time passed no longer ago than this.",
    examples: ["2h"],
  }),
  deny: Windows.default([]).register(DOCS, {
    description:
      'Windows in which no scheduled run starts, each {cron: "0 22 * * *", duration: 8h}. A run that is due in a window starts when the window ends. Overlapping windows count as one.',
  }),
};

/** Returns the setting `schedule` with its default. */
export function scheduleKey(times: string, description: string) {
  return Schedule.default(times).register(DOCS, { description });
}

/** Returns the setting `schedule` without a default, for a role with an interval. */
export function optionalScheduleKey(description: string, example: string | readonly string[]) {
  return Schedule.optional().register(DOCS, { description, examples: [example] });
}

function scheduleProblem(text: string): string | undefined {
  try {
    return neverComes(parseCalendar(text, "UTC"));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `"${text}" is neither a time of day such as "06:00" nor a cron expression such as "*/15 * * * *"`;
  }
}

function durationOf(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Returns whether every window ends. Ignores windows with other faults. */
function leaveTime(windows: readonly z.infer<typeof Window>[]): boolean {
  const parsed = windows.flatMap(({ cron, duration: text }) => {
    const durationMs = durationOf(text);
    return durationMs === undefined || scheduleProblem(cron) !== undefined
      ? []
      : [{ start: parseCalendar(cron, "UTC"), durationMs }];
  });
  return parsed.every(({ start }) => {
    const first = start.next(PROBE);
    return first === undefined || firstAllowed(parsed, first) !== undefined;
  });
}
