import { UsageError } from "../core/errors.ts";

/** The fields of a schedule, each a list of numbers; `undefined` for every number. */
export interface CalendarFields {
  readonly minutes: readonly number[] | undefined;
  readonly hours: readonly number[] | undefined;
  readonly days: readonly number[] | undefined;
  readonly months: readonly number[] | undefined;
  /** 0 is Sunday. */
  readonly weekdays: readonly number[] | undefined;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/**
 * Returns the fields of a time of day or a cron expression, for service managers with another notation. Two entries if
 * the expression names both days and weekdays, because cron runs on either.
 *
 * @throws {UsageError} code `SCHEDULE_DAEMON_ONLY` for the extensions that only the daemon knows, such as `L`
 */
export function calendarFields(text: string): CalendarFields[] {
  const [minutes = "", hours = "", days = "", months = "", weekdays = ""] = cronExpression(text).split(/\s+/);
  const read = (field: string, least: number, most: number, names: readonly string[] = []) =>
    readField(text, field, { least, most, names });
  const fields = {
    minutes: read(minutes, 0, 59),
    hours: read(hours, 0, 23),
    months: read(months, 1, 12, MONTHS),
  };
  const ofMonth = read(days, 1, 31);
  const ofWeek = read(weekdays, 0, 7, WEEKDAYS)?.map((day) => day % 7);
  const unique = ofWeek === undefined ? undefined : [...new Set(ofWeek)].sort((a, b) => a - b);
  if (ofMonth === undefined || unique === undefined) return [{ ...fields, days: ofMonth, weekdays: unique }];
  return [
    { ...fields, days: ofMonth, weekdays: undefined },
    { ...fields, days: undefined, weekdays: unique },
  ];
}

/** Returns the cron expression of a time of day: `0 6 * * *` of `06:00`; an expression unchanged. */
export function cronExpression(text: string): string {
  const [, hour, minute] = /^\s*(\d{1,2}):(\d{2})\s*$/.exec(text) ?? [];
  return hour === undefined ? text.trim() : `${Number(minute)} ${Number(hour)} * * *`;
}

interface FieldRange {
  readonly least: number;
  readonly most: number;
  /** The first one stands for `least`. */
  readonly names: readonly string[];
}

function readField(text: string, field: string, range: FieldRange): number[] | undefined {
  if (field === "*" || field === "?") return undefined;
  const numbers = field.split(",").flatMap((part) => readPart(text, part, range));
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** Reads `*`, `5`, `1-5`, or one of them with a step: `1-5/2`. */
function readPart(text: string, part: string, { least, most, names }: FieldRange): number[] {
  const [, span = "", step = "1"] = /^([^/]+)(?:\/(\d+))?$/.exec(part) ?? [];
  const [first = "", last = first] = span === "*" ? [String(least), String(most)] : span.split("-");
  const [from = NaN, to = NaN] = [first, last].map((word) => {
    const named = names.indexOf(word.toLowerCase());
    return named === -1 ? Number(/^\d+$/.test(word) ? word : NaN) : named + least;
  });
  if (!(from >= least && to <= most && from <= to && Number(step) >= 1)) throw daemonOnly(text);
  const count = Math.floor((to - from) / Number(step)) + 1;
  return Array.from({ length: count }, (_, index) => from + index * Number(step));
}

function daemonOnly(text: string): UsageError {
  return new UsageError(`Cannot use the schedule "${text}" with --timer: only the daemon understands it`, {
    code: "SCHEDULE_DAEMON_ONLY",
    hint: "run the daemon instead of a timer; or use numbers, names, lists, ranges and steps only",
  });
}
