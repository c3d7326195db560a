import { absolutePath, findEntry } from "../lib/core/files.ts";
import { UsageError } from "../lib/core/errors.ts";
import { homeFolder } from "../lib/core/home_folder.ts";
import type { Role } from "../lib/config/roles.ts";
import { machineRoles, machineUse } from "../lib/status/machine_use.ts";
import { choicesOf, type ServiceChoices } from "../lib/service/checked_text.ts";
import { describeServices, nameOfRoles } from "../lib/service/describe_services.ts";
import { findInstalled } from "../lib/service/find_installed.ts";
import { openManager, runManager, type Scope } from "../lib/service/open_manager.ts";
import { SERVICE_KINDS, type ServiceKind } from "../lib/service/service.ts";
import {
  choiceOption,
  fileOption,
  type Flags,
  type Options,
  switchOption,
  textOption,
} from "./_declaration.ts";
import type { CommonFlags } from "./_options.ts";
import { programWords } from "./_program_words.ts";
import { ROLE_VALUES } from "./_roles.ts";
import type { ManagedService } from "./_service_report.ts";
import type { Session } from "./_session.ts";

/** The option that names the roles of a service. */
export const ROLE = {
  group: "Options",
  kind: "value",
  placeholder: "ROLE",
  brief: "Role of the service",
  ...ROLE_VALUES,
} as const;

/** The options that say which service is meant. */
export const WHICH_OPTIONS = {
  user: switchOption({ group: "Options", brief: "A service of this user; needs no root" }),
  kind: choiceOption({
    group: "Options",
    placeholder: "KIND",
    brief: "Program that starts it",
    standard: "the one of this machine",
  }, SERVICE_KINDS),
  name: textOption({
    group: "Options",
    placeholder: "NAME",
    brief: "Name of the service",
    standard: "model-sync-ROLE",
  }),
} satisfies Options;

/** The options that say what the service runs. `status` and `uninstall` read them from what is installed. */
export const WHAT_OPTIONS = {
  timer: switchOption({ group: "Options", brief: "Run the role's command by a timer instead" }),
  runAs: textOption({
    group: "Options",
    placeholder: "ACCOUNT",
    brief: "User of a service of the system",
    standard: "the owner of the project",
  }),
  program: fileOption({ group: "Options", brief: "Program that it starts", standard: "this one" }),
  healthListen: textOption({
    group: "Options",
    placeholder: "HOST:PORT",
    brief: "Serve the daemon's /healthz and /metrics",
    note: "such as 127.0.0.1:9464",
  }),
} satisfies Options;

/** The options that choose services. */
export type Which =
  & Flags<typeof WHICH_OPTIONS>
  & Partial<Flags<typeof WHAT_OPTIONS>>
  & Pick<CommonFlags, "config" | "modelsDir" | "stateDir">;

/** Returns the options that name a service, for the next command. */
export function optionsOf({ service, scope }: ManagedService, { kind }: Pick<Which, "kind">): string {
  const { roles, name, choices } = service;
  return [
    ...roles.map((role) => `--role ${role}`),
    ...(scope === "user" ? ["--user"] : []),
    ...(choices.timer ? ["--timer"] : []),
    ...(kind === undefined ? [] : [`--kind ${kind}`]),
    ...(name === nameOfRoles(roles) ? [] : [`--name ${name}`]),
  ].join(" ");
}

/** Returns the services of the project: the installed ones, and one for each other role of the machine. */
export async function listServices(session: Session, flags: Which): Promise<ManagedService[]> {
  const { context, config, location } = session;
  const kind = flags.kind ?? kindOfMachine(context.fs);
  const listed: ManagedService[] = [];
  const scopes: Scope[] = [];
  for (const user of scopesOf(session, flags)) {
    const scope = await openScope(session, { ...flags, user }, "look");
    scopes.push(scope);
    for (const { name, roles, choices } of await findInstalled(context, kind, scope, context.fs.cwd())) {
      // The crontab of root is that of the system, too.
      if (kind === "cron" && listed.some(({ service }) => service.name === name)) continue;
      listed.push(...manage(session, { ...flags, name }, roles, choices, scope));
    }
  }
  if (flags.name !== undefined) return listed.filter(({ service }) => service.name === flags.name);
  const roles = machineRoles(config, await machineUse(context, location));
  const others = roles.filter((role) => !listed.some(({ service }) => service.roles.includes(role)));
  const [scope] = scopes;
  if (scope === undefined) return listed;
  return [...listed, ...others.flatMap((role) => manage(session, flags, [role], timerOf(flags), scope))];
}

function timerOf({ timer }: Which): Pick<ServiceChoices, "timer"> {
  return timer ? { timer } : {};
}

/** Returns whose services are listed: without `--user` those of the system and of this user. */
function scopesOf({ context: { env } }: Session, { user }: Pick<Which, "user">): boolean[] {
  if (user !== undefined) return [user];
  return homeFolder(env) === undefined ? [false] : [false, true];
}

/** Returns the services with the choices with which they were installed. */
export async function findServices(
  session: Session,
  flags: Which,
  roles: readonly Role[],
  scope: Scope,
): Promise<ManagedService[]> {
  const [first] = manage(session, flags, roles, timerOf(flags), scope);
  const [text] = first?.manager.texts ?? [];
  const choices = text === undefined ? undefined : choicesOf(await first?.manager.read(text));
  return manage(session, flags, roles, { ...choices, ...timerOf(flags) }, scope);
}

/** Returns the services with these roles, each with its manager. */
export function manage(
  { context, config }: Session,
  flags: Which,
  roles: readonly Role[],
  choices: ServiceChoices,
  scope: Scope,
): ManagedService[] {
  const { fs, env } = context;
  const kind = flags.kind ?? kindOfMachine(fs);
  const at = (option: string, path: string | undefined) =>
    path === undefined ? [] : [option, absolutePath(fs, path)];
  const services = describeServices({ fs, env, config }, {
    roles: [...new Set(roles)],
    kind,
    scope: scope.name,
    choices,
    name: flags.name,
    program: (command) =>
      choices.program === undefined ? programWords(context, command) : [absolutePath(fs, choices.program)],
    place: [
      ...at(
        "--config",
        flags.config ?? (config.file?.endsWith("appsettings.json") ? undefined : config.file),
      ),
      ...at("--models-dir", flags.modelsDir),
      ...at("--state-dir", flags.stateDir),
    ],
  });
  return services.map((service) => ({
    service,
    manager: openManager(context, kind, service, scope),
    scope: scope.name,
  }));
}

function kindOfMachine(fs: Session["context"]["fs"]): ServiceKind {
  if (Deno.build.os === "darwin") return "launchd";
  if (Deno.build.os === "windows") {
    throw new UsageError("Cannot install a service on Windows: its Task Scheduler is not supported", {
      code: "SERVICE_KIND",
      hint:
        "create a task by hand that runs model-sync daemon --role ROLE --config FILE at the start of the machine",
    });
  }
  return findEntry(fs, "/run/systemd/system") === undefined ? "cron" : "systemd";
}

/** Returns whose services are meant. */
export function scopeName({ user }: Pick<Which, "user">): Scope["name"] {
  return user ? "user" : "system";
}

/** @throws {UsageError} code `NOT_ROOT` if a service of the system is to be changed by another user */
export async function openScope(session: Session, flags: Which, intent: "look" | "change"): Promise<Scope> {
  const { context } = session;
  if (flags.kind === undefined) kindOfMachine(context.fs);
  const uid = Number((await runManager(context, { command: "id", args: ["-u"] })).stdout);
  const name = scopeName(flags);
  if (name === "system" && uid !== 0 && intent === "change") {
    const [program = "model-sync"] = programWords(context, "service");
    throw new UsageError("Cannot change a service of the system: this user is not root", {
      code: "NOT_ROOT",
      hint:
        `repeat the command with sudo (sudo ${program} service …), or use --user for a service of this user`,
    });
  }
  return { name, uid };
}
