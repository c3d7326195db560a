import { type CalendarFields, calendarFields } from "./calendar_fields.ts";
import { markOf, withChecksum } from "./checked_text.ts";
import type { Service } from "./service.ts";

/** A unit's file name and text. */
export interface Unit {
  readonly fileName: string;
  readonly text: string;
}

/** More than `model_sync.stop_timeout_sec`, so that the program ends before systemd kills it. */
const STOP_RESERVE_SEC = 30;

/** Returns the units of a service: a daemon's, or a command's with its timer. */
export function systemdUnits(service: Service, scope: "system" | "user"): Unit[] {
  const head = `# ${markOf(service)}.
# Put changes into a drop-in, which updates leave alone: systemctl ${
    scope === "user" ? "--user " : ""
  }edit ${service.name}
`;
  const units = service.schedule === undefined
    ? [{ fileName: `${service.name}.service`, text: daemonUnit(service, scope) }]
    : [
      { fileName: `${service.name}.service`, text: commandUnit(service, scope) },
      { fileName: `${service.name}.timer`, text: timerUnit(service) },
    ];
  return units.map(({ fileName, text }) => ({ fileName, text: withChecksum(`${head}${text}`) }));
}

function daemonUnit(service: Service, scope: "system" | "user"): string {
  return `[Unit]
Description=model-sync daemon: ${service.roles.join(", ")}
${afterNetwork(scope)}
[Service]
# The daemon reports when it is ready and what it does, and serves the watchdog while the loops of all roles work.
Type=notify
WatchdogSec=5min
${execution(service)}
# Longer than model_sync.stop_timeout_sec.
TimeoutStopSec=${Math.ceil(service.stopTimeoutSec) + STOP_RESERVE_SEC}
Restart=on-failure
RestartSec=30
# 2: the command line or the configuration must be corrected. 6: another daemon has the role.
RestartPreventExitStatus=2 6
${hardening(service, scope)}
[Install]
WantedBy=${scope === "user" ? "default.target" : "multi-user.target"}
`;
}

function commandUnit(service: Service, scope: "system" | "user"): string {
  return `[Unit]
Description=model-sync: ${service.roles.join(", ")}
${afterNetwork(scope)}
[Service]
Type=oneshot
${execution(service)}
TimeoutStopSec=${Math.ceil(service.stopTimeoutSec) + STOP_RESERVE_SEC}
${hardening(service, scope)}`;
}

function timerUnit({ name, roles, schedule }: Service): string {
  if (schedule === undefined) return "";
  const { times, timeZone, isInterval, catchUpMs, splayMs } = schedule;
  const zone = timeZone === undefined ? "" : ` ${timeZone}`;
  const due = isInterval
    ? ["OnActiveSec=1min", `OnUnitInactiveSec=${minutesOf(times)}min`]
    : times.flatMap(calendarFields).map((fields) => `OnCalendar=${onCalendar(fields)}${zone}`);
  return `[Unit]
Description=model-sync: when to run ${roles.join(", ")}

[Timer]
Unit=${name}.service
${due.join("\n")}
AccuracySec=1s
RandomizedDelaySec=${Math.round(splayMs / 1000)}
# Whether a time that passed while the machine was off is made up for.
Persistent=${catchUpMs > 0 && !isInterval ? "yes" : "no"}

[Install]
WantedBy=timers.target
`;
}

/** Returns the minutes of the only time of an interval: `every 15 minutes`. */
function minutesOf([text = ""]: readonly string[]): number {
  return Number(/\d+/.exec(text)?.[0]);
}

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** Returns the fields in the notation of systemd.time(7). */
export function onCalendar({ minutes, hours, days, months, weekdays }: CalendarFields): string {
  const list = (numbers: readonly number[] | undefined) => numbers?.join(",") ?? "*";
  const names = weekdays === undefined ? "" : `${weekdays.map((day) => WEEKDAYS[day]).join(",")} `;
  return `${names}*-${list(months)}-${list(days)} ${list(hours)}:${list(minutes)}:00`;
}

function afterNetwork(scope: "system" | "user"): string {
  // The manager of a user does not know the units of the system.
  return scope === "user" ? "" : "Wants=network-online.target\nAfter=network-online.target\n";
}

function execution({ account, project, command }: Service): string {
  return [
    ...(account === undefined ? [] : [`User=${account}`]),
    "# The project: its configs/bot.yaml and .env are read, and its models and store are written.",
    `WorkingDirectory=${specifiersEscaped(oneLine(project))}`,
    `ExecStart=${command.map(execWord).join(" ")}`,
  ].join("\n");
}

/**
 * Returns the restrictions of a service. Each option was chosen so that V8, git, git-lfs and ssh work under it.
 *
 * The manager of a user may not set those that change mounts or capabilities.
 */
function hardening({ project, writable, trains }: Service, scope: "system" | "user"): string {
  const everywhere = `NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
# A repository with core.sharedRepository sets group bits on folders: set this to no there.
RestrictSUIDSGID=yes
# A training in a container (podman, bubblewrap) needs namespaces: set this to no there.
RestrictNamespaces=yes
# AF_UNIX: ssh-agent and systemd. AF_NETLINK: look-ups of addresses.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
# Refused calls fail instead of killing the program: Deno and training libraries try some, and do without.
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
# Not set: MemoryDenyWriteExecute, because V8 compiles JavaScript to machine code; RemoveIPC and PrivateUsers, because
# consumers may run as the same user.
`;
  if (scope === "user") return everywhere;
  const outside = writable.map((folder) => ` ${quotedPath(`-${folder}`)}`).join("");
  return `${everywhere}CapabilityBoundingSet=
ProtectSystem=strict
# What the service writes. Add folders that the training or the commands of reload and validate_command write.
ReadWritePaths=${quotedPath(project)}${outside}
# git and ssh read their settings in the home folder. For ssh, known_hosts must have the server already.
ProtectHome=read-only
PrivateTmp=yes
PrivateMounts=yes
${
    trains
      ? "# Not set: PrivateDevices, because the training may use a GPU.\n"
      : "# A model that a validate_command loads on a GPU needs devices: set this to no there.\nPrivateDevices=yes\n"
  }ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
`;
}

/** Returns a word of a command line: systemd expands `%` and `$`, and splits at spaces. */
function execWord(word: string): string {
  const escaped = specifiersEscaped(word).replaceAll("$", "$$$$");
  return /^[\w@%+=:,./$-]+$/.test(escaped) ? escaped : quoted(escaped);
}

function quotedPath(path: string): string {
  const escaped = specifiersEscaped(path);
  return /\s|["'\\]/.test(escaped) ? quoted(escaped) : escaped;
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}

function specifiersEscaped(text: string): string {
  return text.replaceAll("%", "%%");
}

function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, " ");
}
