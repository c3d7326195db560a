import type { ServiceChoices } from "./checked_text.ts";
import type { RoleSchedule } from "../schedule/agenda.ts";
import type { Role } from "../config/roles.ts";

/** The programs that start services. */
export const SERVICE_KINDS = ["systemd", "launchd", "cron"] as const;
export type ServiceKind = (typeof SERVICE_KINDS)[number];

/** Returns the hint for a schedule that only the daemon can keep. */
export function daemonHint(kind: ServiceKind): string {
  return kind === "cron"
    ? "cron runs no daemon: start model-sync daemon by other means"
    : "install the daemon: leave --timer out";
}

/** What a service manager starts: a daemon, or a role's command at the times of its schedule. */
export interface Service {
  /** The name of its unit, its label or its lines: `model-sync-client`. */
  readonly name: string;
  readonly roles: readonly Role[];
  /** The absolute path of the project, in which it runs. */
  readonly project: string;
  readonly choices: ServiceChoices;
  /** The program with its arguments. */
  readonly command: readonly string[];
  /** The user whose service it is; `undefined` for the user who installs it. */
  readonly account: string | undefined;
  /** Folders outside of the project that it writes. They may be missing. */
  readonly writable: readonly string[];
  /** Whether it runs a training, which may need a GPU. */
  readonly trains: boolean;
  /** How long it may take to stop. */
  readonly stopTimeoutSec: number;
  /** The times of a command; `undefined` for a daemon, which keeps its own schedule. */
  readonly schedule: RoleSchedule | undefined;
}

/** A command line of a service manager. */
export interface ManagerCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** It fails where there is nothing to do, which is fine. */
  readonly mayFail?: true;
  /** How often it is tried, a second apart. Default: once. */
  readonly attempts?: number;
}

/** A text that a service manager reads: a file, or a block of a crontab. */
export interface ServiceText {
  /** The path of the file, or words such as `the lines of model-sync-client in the crontab of bot`. */
  readonly place: string;
  /** With its checksum. */
  readonly text: string;
}

/** The state of a service as its manager reports it. */
export interface ManagerState {
  /** The unit or label. */
  readonly unit: string;
  /** Whether it starts with the machine, or with the user's session. */
  readonly isEnabled: boolean;
  /** Whether it runs, or waits for its time. */
  readonly isActive: boolean;
  /** The manager's words: `active (running)`, `result: success`. */
  readonly detail: string;
}

/** A service manager, for one service. */
export interface ServiceManager {
  readonly kind: ServiceKind;
  readonly texts: readonly ServiceText[];
  /** Returns the present text; `undefined` if there is none. */
  read(text: ServiceText): Promise<string | undefined>;
  write(text: ServiceText): Promise<void>;
  remove(text: ServiceText): Promise<void>;
  /** Returns the state of the service. Runs programs, and changes nothing. */
  state(): Promise<ManagerState>;
  /** A command that succeeds where the manager runs, and changes nothing. */
  readonly probe: ManagerCommand;
  /** The commands that enable and start the service after its texts were written, and restart it where it runs. */
  readonly start: readonly ManagerCommand[];
  /** The commands that stop and disable it before its texts are removed. */
  readonly stop: readonly ManagerCommand[];
  /** The commands after the texts were removed. */
  readonly forget: readonly ManagerCommand[];
  /** The command line that shows the service's log. */
  readonly logs: string;
  /** What the operator should know after an installation. */
  readonly notes: readonly string[];
}
