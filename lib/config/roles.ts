import type { ModelSync } from "./schema.ts";
import type { TIMING } from "./sections/schedule.ts";
import { parseDuration } from "../core/duration.ts";
import { plural } from "../core/format.ts";
import { anyOf, everyMinutes, neverComes, parseCalendar, splitTimes } from "../schedule/calendar.ts";
import { firstAllowed } from "../schedule/deny_windows.ts";
import type { RoleSchedule } from "../schedule/agenda.ts";

/** The roles of a daemon, by the names of the seeds. Each runs one command on a schedule. */
export const ROLES = [
  "publisher",
  "client",
  "runpod_client",
  "artifact_client",
  "huggingface_client",
  "references",
] as const;
export type Role = (typeof ROLES)[number];

/** The command that each role runs. */
export const ROLE_COMMANDS = {
  publisher: "publish",
  client: "pull",
  runpod_client: "runpod-pull",
  artifact_client: "artifact-pull",
  huggingface_client: "hf-pull",
  references: "references-sync",
} as const satisfies Record<Role, string>;

/** The roles that pull models. */
const PULLING_ROLES: readonly Role[] = ["client", "runpod_client", "artifact_client", "huggingface_client"];

/** Returns the first role that pulls models. */
export function pullingRole(roles: readonly Role[]): Role | undefined {
  return roles.find((role) => PULLING_ROLES.includes(role));
}

/** Returns the command with which a machine with these roles pulls models. */
export function pullCommand(roles: readonly Role[]): string {
  return `model-sync ${ROLE_COMMANDS[pullingRole(roles) ?? "client"]}`;
}

/** Returns the roles with all settings that their command needs, such as a registry or a training command. */
export function configuredRoles(settings: ModelSync): Role[] {
  const { repo_dir, repo_url, publisher } = settings;
  const hasRegistry = (repo_dir ?? repo_url) !== undefined;
  const canTrain = publisher.train_command !== undefined || !publisher.train_before_push;
  const isConfigured: Readonly<Record<Role, boolean>> = {
    publisher: hasRegistry && canTrain,
    client: hasRegistry,
    runpod_client: settings.runpod.trigger_url !== undefined,
    artifact_client: settings.artifacts.repository !== undefined,
    huggingface_client: settings.huggingface.repo_id !== undefined,
    references: settings.references.primary_url !== undefined,
  };
  return ROLES.filter((role) => isConfigured[role]);
}

/** The settings of a role's times. */
type TimingSettings = Pick<ModelSync["client"], keyof typeof TIMING>;

/**
 * Returns the schedule of a role.
 *
 * @param at replaces the configured times: one time, or several in the form of {@link splitTimes}
 * @throws {RangeError} when `at` is not a schedule, or names no day that exists
 */
export function roleSchedule(role: Role, settings: ModelSync, at?: string): RoleSchedule {
  const { times, timing } = configured(role, settings);
  const wanted = at === undefined ? times : splitTimes(at);
  const calendars = wanted.map((text) => parseCalendar(text, settings.time_zone));
  // The loader checked the times of the configuration.
  const problem = at === undefined ? undefined : calendars.flatMap((one) => neverComes(one) ?? [])[0];
  if (problem !== undefined) throw new RangeError(problem);
  const interval = settings.artifacts.interval_minutes;
  return {
    calendar: wanted.length === 0 ? everyMinutes(interval) : anyOf(calendars),
    times: wanted.length === 0 ? [`every ${plural(interval, "minute")}`] : wanted,
    timeZone: settings.time_zone,
    isInterval: wanted.length === 0,
    ...readTiming(timing, settings.time_zone),
  };
}

/** Returns the next start of a daemon with the role, without the delay of its machine. */
export function nextStart({ calendar, deny }: RoleSchedule, now: Date): Date | undefined {
  const due = calendar.next(now);
  return due === undefined ? undefined : firstAllowed(deny, due);
}

function configured(
  role: Role,
  settings: ModelSync,
): { readonly times: readonly string[]; readonly timing: TimingSettings } {
  const timing = role === "artifact_client" ? settings.artifacts : settings[role];
  return { times: timing.schedule === undefined ? [] : [timing.schedule].flat(), timing };
}

function readTiming(timing: TimingSettings, timeZone: string | undefined): Timing {
  const { splay, catch_up, catch_up_within, deny } = timing;
  const within = catch_up_within === undefined ? Infinity : parseDuration(catch_up_within);
  return {
    splayMs: parseDuration(splay),
    catchUpMs: catch_up ? within : 0,
    deny: deny.map(({ cron, duration }) => ({
      start: parseCalendar(cron, timeZone),
      durationMs: parseDuration(duration),
    })),
  };
}

type Timing = Pick<RoleSchedule, "splayMs" | "catchUpMs" | "deny">;
