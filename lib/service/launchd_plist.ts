import { UsageError } from "../core/errors.ts";
import { type CalendarFields, calendarFields } from "./calendar_fields.ts";
import { markOf, withChecksum } from "./checked_text.ts";
import { daemonHint, type Service } from "./service.ts";

/** A calendar of more entries than this is a mistake: a time every minute has none. */
const ENTRIES_MAX = 500;

/** The PATH of launchd is short; git-lfs is often from Homebrew, whose folders come first. */
export const SERVICE_PATH = "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/** Returns the property list of a service: launchd.plist(5). @param logFile the file for its output */
export function launchdPlist(service: Service, logFile: string): string {
  const { name, project, command, account, stopTimeoutSec } = service;
  const entries = [
    ["Label", string(name)],
    ["ProgramArguments", list(command.map(string))],
    ["WorkingDirectory", string(project)],
    ...(account === undefined ? [] : [["UserName", string(account)]]),
    ["EnvironmentVariables", dictionary([["PATH", string(SERVICE_PATH)]])],
    ["StandardOutPath", string(logFile)],
    ["StandardErrorPath", string(logFile)],
    ["ProcessType", string("Background")],
    // Longer than model_sync.stop_timeout_sec.
    ["ExitTimeOut", integer(Math.ceil(stopTimeoutSec) + 30)],
    ...startKeys(service),
  ] as const;
  return withChecksum(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ${commented(markOf(service))} -->
<plist version="1.0">
${dictionary(entries)}
</plist>
`);
}

type Entry = readonly [key: string, value: string];

/** Returns when it starts: a daemon at once and again after a failure, a command at its times. */
function startKeys({ schedule }: Service): Entry[] {
  if (schedule === undefined) {
    return [
      ["RunAtLoad", "<true/>"],
      ["KeepAlive", dictionary([["SuccessfulExit", "<false/>"]])],
      ["ThrottleInterval", integer(30)],
    ];
  }
  if (schedule.isInterval) {
    return [["StartInterval", integer(60 * Number(/\d+/.exec(schedule.times[0] ?? "")?.[0]))]];
  }
  const entries = schedule.times.flatMap(calendarFields).flatMap(calendarEntries);
  if (entries.length > ENTRIES_MAX) {
    throw new UsageError(`Cannot use the schedule with launchd: it has more than ${ENTRIES_MAX} times`, {
      code: "SCHEDULE_DAEMON_ONLY",
      hint: daemonHint("launchd"),
    });
  }
  return [["StartCalendarInterval", list(entries)]];
}

/** Returns a dictionary for each combination: launchd knows no lists in a field. */
function calendarEntries({ minutes, hours, days, months, weekdays }: CalendarFields): string[] {
  const fields = [["Month", months], ["Day", days], ["Weekday", weekdays], ["Hour", hours], [
    "Minute",
    minutes,
  ]] as const;
  let combinations: Entry[][] = [[]];
  for (const [key, numbers] of fields) {
    if (numbers === undefined) continue;
    combinations = combinations.flatMap((entries) =>
      numbers.map((number): Entry[] => [...entries, [key, integer(number)]])
    ).slice(0, ENTRIES_MAX + 1);
  }
  return combinations.map(dictionary);
}

function dictionary(entries: readonly (readonly string[])[]): string {
  const lines = entries.map(([key = "", value = ""]) => `  <key>${key}</key>\n${indent(value)}`);
  return `<dict>\n${lines.join("\n")}\n</dict>`;
}

function list(values: readonly string[]): string {
  return `<array>\n${values.map(indent).join("\n")}\n</array>`;
}

function indent(text: string): string {
  return text.split("\n").map((line) => `  ${line}`).join("\n");
}

function integer(value: number): string {
  return `<integer>${value}</integer>`;
}

function string(text: string): string {
  return `<string>${escaped(text)}</string>`;
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": "&#10;" };

function escaped(text: string): string {
  return text.replaceAll(/[&<>\n]/g, (char) => ESCAPES[char] ?? char);
}

/** XML allows no two dashes inside a comment. */
function commented(text: string): string {
  return text.replaceAll("--", "- -");
}
