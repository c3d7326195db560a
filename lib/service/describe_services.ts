import { dirname, relative } from "node:path";
import type { LoadedConfig } from "../config/load.ts";
import { type Role, ROLE_COMMANDS, roleSchedule } from "../config/roles.ts";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { absolutePath, findText, ifFound } from "../core/files.ts";
import { homeFolder } from "../core/home_folder.ts";
import { zoneName } from "../core/time_zone.ts";
import type { RoleSchedule } from "../schedule/agenda.ts";
import type { ServiceChoices } from "./checked_text.ts";
import { daemonHint, type Service, type ServiceKind } from "./service.ts";

/** What an operator asks for. */
export interface ServiceWish {
  readonly roles: readonly Role[];
  readonly kind: ServiceKind;
  readonly scope: "system" | "user";
  readonly choices: ServiceChoices;
  /** Replaces the names that are made of the roles. */
  readonly name: string | undefined;
  /** Returns the words that start this program for a command. */
  readonly program: (command: string) => readonly string[];
  /** Options that name the configuration, the model folder and the store, with absolute paths. */
  readonly place: readonly string[];
}

type Scope = Pick<Context, "fs" | "env"> & { readonly config: LoadedConfig };

/**
 * Returns the services that an operator asks for: one daemon with all roles, or with a timer one service for each role.
 * cron is always a timer: it does not supervise a daemon.
 *
 * @throws {UsageError} codes `SERVICE_NAME`, `SCHEDULE_DAEMON_ONLY`
 */
export function describeServices(scope: Scope, wish: ServiceWish): Service[] {
  const { roles, choices } = wish;
  if (!isTimer(wish)) return [describeService(scope, wish, roles, undefined)];
  if (choices.healthListen !== undefined) {
    throw new UsageError("Cannot use --health-listen with a timer: only a daemon serves its health", {
      code: "USAGE",
      hint: "leave --health-listen out, or install a daemon",
    });
  }
  return roles.map((role) => {
    const schedule = roleSchedule(role, scope.config.settings);
    refuseForTimer(role, schedule, wish.kind);
    return describeService(scope, wish, [role], schedule);
  });
}

function isTimer({ kind, choices }: Pick<ServiceWish, "kind" | "choices">): boolean {
  return kind === "cron" || choices.timer === true;
}

function describeService(
  scope: Scope,
  wish: ServiceWish,
  roles: readonly Role[],
  schedule: RoleSchedule | undefined,
): Service {
  const { settings } = scope.config;
  const project = scope.fs.cwd();
  return {
    name: nameOf(wish, roles),
    roles,
    project,
    choices: wish.choices,
    command: commandOf(wish, roles, schedule),
    account: accountOf(scope, wish, project),
    writable: foldersOutside(scope, project),
    trains: roles.includes("publisher") && settings.publisher.train_before_push,
    stopTimeoutSec: settings.stop_timeout_sec,
    schedule,
  };
}

/** The names of units and labels that every service manager accepts. */
const NAME = /^[A-Za-z0-9][\w.-]{0,99}$/;

/** Returns the name of a service with these roles. */
export function nameOfRoles(roles: readonly Role[]): string {
  return `model-sync-${wordOf(roles)}`;
}

function wordOf(roles: readonly Role[]): string {
  return roles.map((role) => role.replaceAll("_", "-")).join("-");
}

function nameOf(wish: ServiceWish, roles: readonly Role[]): string {
  const { name, roles: all } = wish;
  if (name === undefined) return nameOfRoles(roles);
  if (!NAME.test(name)) {
    throw new UsageError(`Cannot name a service "${name}"`, {
      code: "SERVICE_NAME",
      hint: "use letters, digits, dots, dashes and underscores, at most 100",
    });
  }
  return isTimer(wish) && all.length > 1 ? `${name}-${wordOf(roles)}` : name;
}

function commandOf(
  { choices, program, place }: ServiceWish,
  roles: readonly Role[],
  schedule: RoleSchedule | undefined,
): string[] {
  const options = [...place, ...(choices.logFormat === undefined ? [] : ["--log-format", choices.logFormat])];
  const [role] = roles;
  if (schedule !== undefined && role !== undefined) {
    const command = ROLE_COMMANDS[role];
    return [...program(command), command, ...options];
  }
  const health = choices.healthListen === undefined ? [] : ["--health-listen", choices.healthListen];
  return [
    ...program("daemon"),
    "daemon",
    ...roles.flatMap((role) => ["--role", role]),
    ...options,
    ...health,
  ];
}

/** Returns the user of a service of the system: the owner of the project, unless the operator names one. */
function accountOf({ fs }: Scope, { scope, choices }: ServiceWish, project: string): string | undefined {
  if (scope === "user") return undefined;
  return choices.account ?? ownerOf(fs, project);
}

/** Returns the user who owns a folder; `undefined` for root. */
export function ownerOf(fs: Context["fs"], project: string): string | undefined {
  const uid = fs.statSync(project).uid;
  if (uid === null || uid === 0) return undefined;
  const users = findText(fs, "/etc/passwd", USERS_BYTES_MAX) ?? "";
  const entry = users.split("\n").map((line) => line.split(":")).find(([, , number]) =>
    number === String(uid)
  );
  return entry?.[0] ?? String(uid);
}

/** A machine with many users has them in a directory service. */
const USERS_BYTES_MAX = 4 * 1024 * 1024;

/** Returns the folders that the settings name outside of the project, and that runs write. */
function foldersOutside({ fs, env, config: { settings } }: Scope, project: string): string[] {
  const { models_dir, state_dir, repo_dir, activation, report, references } = settings;
  const served = activation.reload.flatMap((hook) =>
    hook.type === "tensorflow-serving" ? [hook.model_base_path] : []
  );
  const paths = [
    // The links of an activation are created beside the model folder.
    dirname(absolutePath(fs, models_dir)),
    state_dir,
    repo_dir,
    activation.backup_dir,
    report.metrics_file === undefined ? undefined : dirname(absolutePath(fs, report.metrics_file)),
    references.output_dir,
    references.target_dir,
    references.temp_dir,
    ...served,
  ].flatMap((path) => path === undefined ? [] : [absolutePath(fs, path)]);
  const home = homeFolder(env);
  const isOutside = (path: string) => /^\.\.(?:[/\\]|$)/.test(relative(project, path)) && path !== home;
  return [...new Set(paths)].filter(isOutside).map((path) => ifFound(() => fs.realPathSync(path)) ?? path);
}

/**
 * Refuses a timer that would run at other times than the daemon.
 *
 * @throws {UsageError} code `SCHEDULE_DAEMON_ONLY`
 */
function refuseForTimer(role: Role, { deny, timeZone }: RoleSchedule, kind: ServiceKind): void {
  const here = zoneName(undefined);
  const refuse = (problem: string, setting: string) =>
    new UsageError(`Cannot run ${ROLE_COMMANDS[role]} by a timer: ${problem}`, {
      code: "SCHEDULE_DAEMON_ONLY",
      hint: `${daemonHint(kind)}; or remove ${setting}`,
    });
  if (deny.length > 0) throw refuse("only the daemon keeps its windows (deny)", "them");
  if (kind !== "systemd" && timeZone !== undefined && timeZone !== here) {
    throw refuse(
      `${kind} runs in the time zone of this machine, ${here}, and not in ${timeZone}`,
      `time_zone, and write the schedule in the time of ${here}`,
    );
  }
}
