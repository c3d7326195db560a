import { UsageError } from "../core/errors.ts";
import { shellWord } from "../core/quote.ts";
import { cronExpression } from "./calendar_fields.ts";
import { markOf, withChecksum } from "./checked_text.ts";
import { daemonHint, type Service } from "./service.ts";

/** cron's own PATH is /usr/bin:/bin. */
const PATH = "/usr/local/bin:/usr/bin:/bin";

/** Returns the lines of a service in a crontab, between two comments. @param logFile the file for its output */
export function cronBlock(service: Service, logFile: string): string {
  const { name, project, command, schedule } = service;
  const line = `cd ${shellWord(project)} && PATH=${PATH} ${command.map(shellWord).join(" ")} >> ${
    shellWord(logFile)
  } 2>&1`;
  // In a crontab, a percent sign ends the command.
  const job = line.replaceAll("%", "\\%");
  const times = schedule === undefined ? [] : cronTimes(schedule.times, schedule.isInterval);
  const lines = times.map((time) => `${time} ${job}`);
  return withChecksum(
    [beginLine(name), `# ${markOf(service)}`, ...lines, endLine(name), ""].join("\n"),
  );
}

function cronTimes(times: readonly string[], isInterval: boolean): string[] {
  if (!isInterval) return times.map(cronExpression);
  const minutes = Number(/\d+/.exec(times[0] ?? "")?.[0]);
  if (60 % minutes === 0) return [minutes === 60 ? "0 * * * *" : `*/${minutes} * * * *`];
  throw new UsageError(`Cannot run a command every ${minutes} minutes by cron: 60 is not a multiple of it`, {
    code: "SCHEDULE_DAEMON_ONLY",
    hint: `${daemonHint("cron")}; or set a schedule`,
  });
}

/** Returns the block of a service in a crontab; `undefined` if there is none. */
export function findCronBlock(crontab: string, name: string): string | undefined {
  const begin = crontab.indexOf(`${beginLine(name)}\n`);
  if (begin === -1) return undefined;
  const end = crontab.indexOf(endLine(name), begin);
  // Without its end, the rest of the crontab is not ours.
  return end === -1 ? beginLine(name) : crontab.slice(begin, end + endLine(name).length + 1);
}

/** Returns the names of all blocks in a crontab. */
export function cronBlockNames(crontab: string): string[] {
  return Array.from(crontab.matchAll(/^# BEGIN (\S+)$/gm), ([, name = ""]) => name);
}

/** Returns a crontab with another block of a service, or without one. */
export function replaceCronBlock(crontab: string, name: string, block: string): string {
  const present = findCronBlock(crontab, name);
  if (present !== undefined) return crontab.replace(present, () => block);
  const gap = crontab === "" || crontab.endsWith("\n") ? "" : "\n";
  return `${crontab}${gap}${block}`;
}

function beginLine(name: string): string {
  return `# BEGIN ${name}`;
}

function endLine(name: string): string {
  return `# END ${name}`;
}
