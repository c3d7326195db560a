import { dirname, join } from "node:path";
import type { Context } from "../core/context.ts";
import { FailedError, UsageError } from "../core/errors.ts";
import { findText, makeReadableFolder, READABLE_MODE, removeIfThere } from "../core/files.ts";
import { replaceFile } from "../core/replace_file.ts";
import { homeFolder } from "../core/home_folder.ts";
import { hasProgram, requireProgram } from "../core/require_program.ts";
import { runProcess } from "../core/subprocess.ts";
import { cronBlock, findCronBlock, replaceCronBlock } from "./cron_block.ts";
import { launchdPlist } from "./launchd_plist.ts";
import type {
  ManagerCommand,
  ManagerState,
  Service,
  ServiceKind,
  ServiceManager,
  ServiceText,
} from "./service.ts";
import { systemdUnits } from "./systemd_units.ts";

type Outside = Pick<Context, "fs" | "spawn" | "env" | "signal">;

/** Whose services: those of the machine, or those of the user who installs them. */
export interface Scope {
  readonly name: "system" | "user";
  /** The user's number, for launchd. */
  readonly uid: number;
}

/** Starting a daemon takes seconds; it reports when it is ready. */
const COMMAND_MS_MAX = 120_000;

/** A unit has some dozens of lines. */
export const TEXT_BYTES_MAX = 1024 * 1024;

/** Returns the service manager of a kind, for one service. */
export function openManager(
  outside: Outside,
  kind: ServiceKind,
  service: Service,
  scope: Scope,
): ServiceManager {
  if (kind === "systemd") return systemd(outside, service, scope);
  return kind === "launchd" ? launchd(outside, service, scope) : cron(outside, service, scope);
}

/**
 * Runs a command of a service manager.
 *
 * @throws {FailedError} code `SERVICE_MANAGER_FAILED` if it fails and may not
 */
export async function runManager(
  outside: Outside,
  { command, args, mayFail }: ManagerCommand,
  stdin?: string,
): Promise<{ readonly code: number; readonly stdout: string }> {
  requireManager(outside, command);
  const { code, stdout, stderr } = await runProcess(outside.spawn, {
    command,
    args,
    timeoutMs: COMMAND_MS_MAX,
    signal: outside.signal,
    ...(stdin === undefined ? {} : { stdin }),
  });
  if (code === 0 || mayFail === true) return { code, stdout: new TextDecoder().decode(stdout) };
  throw new FailedError(
    `Cannot run ${[command, ...args].join(" ")}: ${stderr.trim() || `it ended with exit code ${code}`}`,
    {
      code: "SERVICE_MANAGER_FAILED",
      hint: command === "systemctl" && /bus|DBUS|XDG_RUNTIME_DIR/i.test(stderr)
        ? "this machine or this session has no running systemd: use --kind cron, or run it in a login of the user"
        : "correct what the message names, and run the command again",
    },
  );
}

/** @throws {UsageError} code `PROGRAM_MISSING` */
function requireManager(outside: Outside, command: string): void {
  try {
    requireProgram(outside, command);
  } catch (error) {
    if (error instanceof UsageError) {
      error.reviseHint("install it, or choose another service manager of this machine with --kind");
    }
    throw error;
  }
}

/** Returns the folder of the files that a service manager reads. @throws {UsageError} code `HOME_UNKNOWN` */
export function unitFolder(
  outside: Pick<Outside, "env">,
  kind: "systemd" | "launchd",
  { name }: Pick<Scope, "name">,
): string {
  const isUser = name === "user";
  if (kind === "launchd") {
    return isUser ? join(requireHome(outside), "Library/LaunchAgents") : "/Library/LaunchDaemons";
  }
  if (!isUser) return "/etc/systemd/system";
  return join(outside.env.get("XDG_CONFIG_HOME") || join(requireHome(outside), ".config"), "systemd/user");
}

/** Returns the crontab of an account, or of this user; an empty text if there is none, as on a machine without cron. */
export async function readCrontab(outside: Outside, account: string | undefined): Promise<string> {
  if (!hasProgram(outside, "crontab")) return "";
  const owner = account === undefined ? [] : ["-u", account];
  const { code, stdout } = await runManager(outside, {
    command: "crontab",
    args: [...owner, "-l"],
    mayFail: true,
  });
  return code === 0 ? stdout : "";
}

function systemd(outside: Outside, service: Service, scope: Scope): ServiceManager {
  const isUser = scope.name === "user";
  const own = isUser ? ["--user"] : [];
  const folder = unitFolder(outside, "systemd", scope);
  const unit = `${service.name}.${service.schedule === undefined ? "service" : "timer"}`;
  const systemctl = (...args: string[]): ManagerCommand => ({
    command: "systemctl",
    args: [...own, ...args],
  });
  return {
    kind: "systemd",
    texts: systemdUnits(service, scope.name).map(({ fileName, text }) => ({
      place: join(folder, fileName),
      text,
    })),
    ...files(outside),
    state: async () => systemdState(unit, await runManager(outside, showUnit(own, unit))),
    probe: systemctl("show", "--property=Version"),
    start: [systemctl("daemon-reload"), systemctl("enable", unit), systemctl("restart", unit)],
    stop: [{ ...systemctl("disable", "--now", unit), mayFail: true }],
    forget: [systemctl("daemon-reload"), { ...systemctl("reset-failed", unit), mayFail: true }],
    logs: `journalctl ${isUser ? "--user " : ""}-u ${service.name} -f`,
    notes: isUser
      ? [
        "it runs while you are logged in; to keep it running, and to start it with the machine: loginctl enable-linger",
      ]
      : [],
  };
}

function showUnit(own: readonly string[], unit: string): ManagerCommand {
  const properties = "LoadState,UnitFileState,ActiveState,SubState,Result,StatusText,NextElapseUSecRealtime";
  return { command: "systemctl", args: [...own, "show", unit, `--property=${properties}`], mayFail: true };
}

function systemdState(unit: string, { stdout }: { readonly stdout: string }): ManagerState {
  const shown = new Map(
    stdout.split("\n").map((line) => {
      const [name = "", ...value] = line.split("=");
      return [name, value.join("=").trim()] as const;
    }),
  );
  const of = (name: string) => shown.get(name) ?? "";
  const facts = [
    `${of("ActiveState") || "unknown"} (${of("SubState") || of("LoadState") || "unknown"})`,
    ...(of("Result") === "" ? [] : [`result: ${of("Result")}`]),
    ...(of("NextElapseUSecRealtime") === "" ? [] : [`next: ${of("NextElapseUSecRealtime")}`]),
    ...(of("StatusText") === "" ? [] : [of("StatusText")]),
  ];
  return {
    unit,
    isEnabled: of("UnitFileState").startsWith("enabled"),
    isActive: ["active", "activating", "reloading"].includes(of("ActiveState")),
    detail: facts.join(", "),
  };
}

function launchd(outside: Outside, service: Service, scope: Scope): ServiceManager {
  const isUser = scope.name === "user";
  const domain = isUser ? `gui/${scope.uid}` : "system";
  const target = `${domain}/${service.name}`;
  // A service of the system writes its log as its own user, who may not write into the system's folder.
  const logs = isUser ? join(requireHome(outside), "Library/Logs") : service.project;
  const logFile = join(logs, `${service.name}.log`);
  const place = join(unitFolder(outside, "launchd", scope), `${service.name}.plist`);
  const launchctl = (...args: string[]): ManagerCommand => ({ command: "launchctl", args });
  return {
    kind: "launchd",
    texts: [{ place, text: launchdPlist(service, logFile) }],
    ...files(outside),
    state: async () =>
      launchdState(target, await runManager(outside, { ...launchctl("print", target), mayFail: true })),
    probe: launchctl("print", domain),
    start: [
      { ...launchctl("bootout", target), mayFail: true },
      launchctl("enable", target),
      // The end of a job that was booted out takes a moment, and bootstrap fails until then.
      { ...launchctl("bootstrap", domain, place), attempts: 10 },
    ],
    stop: [{ ...launchctl("bootout", target), mayFail: true }],
    forget: [],
    logs: `tail -f ${logFile}`,
    notes: isUser ? ["it runs while you are logged in"] : [],
  };
}

function launchdState(
  unit: string,
  { code, stdout }: { readonly code: number; readonly stdout: string },
): ManagerState {
  if (code !== 0) return { unit, isEnabled: false, isActive: false, detail: "not loaded" };
  const facts = Array.from(
    stdout.matchAll(/^\t(state|last exit code) = (.*)$/gm),
    ([, name, value]) => `${name}: ${value}`,
  );
  // A loaded job that waits for its time is as good as a running one; a daemon that ended is not.
  const hasFailed = /^\tlast exit code = (?!0$|\(never exited\))/m.test(stdout) &&
    !/^\tstate = running$/m.test(stdout);
  return { unit, isEnabled: true, isActive: !hasFailed, detail: facts.join(", ") || "loaded" };
}

function cron(outside: Outside, service: Service, scope: Scope): ServiceManager {
  const { name, account, project } = service;
  const listed = scope.name === "user" ? undefined : account;
  const owner = listed === undefined ? [] : ["-u", listed];
  const logFile = join(project, `${name}.log`);
  const place = `the lines of ${name} in the crontab of ${
    scope.name === "user" ? "this user" : account ?? "root"
  }`;
  const readAll = async () => await readCrontab(outside, listed);
  const replace = async (block: string) => {
    const text = replaceCronBlock(await readAll(), name, block);
    await runManager(outside, { command: "crontab", args: [...owner, "-"] }, text);
  };
  return {
    kind: "cron",
    texts: [{ place, text: cronBlock(service, logFile) }],
    read: async () => findCronBlock(await readAll(), name),
    write: ({ text }) => replace(text),
    remove: () => replace(""),
    async state() {
      const isThere = findCronBlock(await readAll(), name) !== undefined;
      return {
        unit: place,
        isEnabled: isThere,
        isActive: isThere,
        detail: isThere ? "in the crontab" : "not in the crontab",
      };
    },
    probe: { command: "crontab", args: [...owner, "-l"], mayFail: true },
    start: [],
    stop: [],
    forget: [],
    logs: `tail -f ${logFile}`,
    notes: [
      "cron does not make up for a time that passes while the machine is off, and adds no delay (splay)",
    ],
  };
}

/** Texts that are files. */
function files({ fs }: Outside): Pick<ServiceManager, "read" | "write" | "remove"> {
  return {
    read: ({ place }) => Promise.resolve(findText(fs, place, TEXT_BYTES_MAX)),
    write({ place, text }: ServiceText) {
      makeReadableFolder(fs, dirname(place));
      replaceFile(fs, place, text, READABLE_MODE);
      return Promise.resolve();
    },
    remove({ place }) {
      removeIfThere(fs, place);
      return Promise.resolve();
    },
  };
}

/** @throws {UsageError} code `HOME_UNKNOWN` */
function requireHome({ env }: Pick<Outside, "env">): string {
  const home = homeFolder(env);
  if (home !== undefined) return home;
  throw new UsageError("Cannot find the services of this user: the variable HOME is not set", {
    code: "HOME_UNKNOWN",
    hint: "set HOME, or install a service of the system: leave --user out",
  });
}
