import { absolutePath, findEntry } from "../lib/core/files.ts";
import { EXIT, type ExitCode, UsageError } from "../lib/core/errors.ts";
import { homeFolder } from "../lib/core/home_folder.ts";
import { type Role, ROLE_COMMANDS } from "../lib/config/roles.ts";
import { checkRoles, CONFIGURED_ONLY } from "../lib/daemon/check_roles.ts";
import { choicesOf, type ServiceChoices } from "../lib/service/checked_text.ts";
import { machineRoles, machineUse } from "../lib/doctor/machine_use.ts";
import { describeServices, nameOfRoles } from "../lib/service/describe_services.ts";
import { findInstalled } from "../lib/service/find_installed.ts";
import {
  installService,
  planInstallation,
  planRemoval,
  readService,
  removeService,
} from "../lib/service/manage_service.ts";
import { openManager, runManager, type Scope } from "../lib/service/open_manager.ts";
import { type Service, SERVICE_KINDS, type ServiceKind } from "../lib/service/service.ts";
import { findStore } from "../lib/store/store.ts";
import { HISTORY_LOOKBACK, readHistory } from "../lib/store/history.ts";
import {
  choiceOption,
  fileOption,
  type Flags,
  type Options,
  switchOption,
  textOption,
} from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { narrowToReading, type Session } from "./_session.ts";
import { programWords } from "./_program_words.ts";
import { ROLE_VALUES } from "./_roles.ts";
import {
  absentLines,
  type FoundService,
  installedLines,
  isInstalled,
  type ManagedService,
  outcomeOf,
  type PlannedService,
  plansJson,
  removedLines,
  showPlans,
  statusJson,
  statusLines,
} from "./_service_report.ts";

const ROLE = {
  group: "Options",
  kind: "value",
  placeholder: "ROLE",
  brief: "Role of the service",
  ...ROLE_VALUES,
} as const;

/** The options that say which service is meant. */
const WHICH_OPTIONS = {
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
const WHAT_OPTIONS = {
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

const DRY_RUN = switchOption({ group: "Options", brief: "Show what would be done, and change nothing" });
const FORCE = switchOption({
  group: "Safety",
  brief: "Replace or remove edited and foreign texts",
});

const INSTALL_OPTIONS = {
  role: { ...ROLE, required: true },
  ...WHICH_OPTIONS,
  ...WHAT_OPTIONS,
  print: switchOption({ group: "Options", brief: "Print the units, and change nothing" }),
  dryRun: DRY_RUN,
  force: FORCE,
} satisfies Options;

const UNINSTALL_OPTIONS = {
  role: ROLE,
  ...WHICH_OPTIONS,
  timer: WHAT_OPTIONS.timer,
  dryRun: DRY_RUN,
  force: FORCE,
} satisfies Options;
const STATUS_OPTIONS = {
  role: { ...ROLE, standard: "all services of this project" },
  ...WHICH_OPTIONS,
  timer: WHAT_OPTIONS.timer,
} satisfies Options;

type Which = Flags<typeof WHICH_OPTIONS> & Partial<Flags<typeof WHAT_OPTIONS>>;
type InstallFlags = CommandFlags<typeof INSTALL_OPTIONS>;
type UninstallFlags = CommandFlags<typeof UNINSTALL_OPTIONS>;
type StatusFlags = CommandFlags<typeof STATUS_OPTIONS>;

export const program: Program = {
  name: "service",
  commands: {
    install: command({
      summary: "Install a daemon or a timer as a service, and start it",
      options: INSTALL_OPTIONS,
      operands: NO_OPERANDS,
      examples: [
        ["Show the unit of a daemon", "model-sync service install --role client --print"],
        ["Install a daemon for this user", "model-sync service install --role client --user"],
        ["Pull at the scheduled times, without a daemon", "model-sync service install --role client --timer"],
      ],
      run: install,
    }),
    uninstall: command({
      summary: "Stop a service and remove it",
      options: UNINSTALL_OPTIONS,
      operands: NO_OPERANDS,
      examples: [["Remove the daemon of this user", "model-sync service uninstall --role client --user"]],
      run: uninstall,
    }),
    status: command({
      summary: "Show whether services are installed, current and running",
      options: STATUS_OPTIONS,
      operands: NO_OPERANDS,
      examples: [
        ["List all services of this project", "model-sync service status"],
        ["Check the daemon of this user", "model-sync service status --role client --user"],
      ],
      run: status,
    }),
  },
};

async function install(session: Session, flags: InstallFlags): Promise<void> {
  const { output, context } = session;
  checkRoles(session, flags.role, CONFIGURED_ONLY);
  if (flags.print) return print(session, flags);
  const scope = await openScope(session, flags, flags.dryRun === true ? "look" : "change");
  const results: PlannedService[] = [];
  for (const managed of manage(session, flags, flags.role, choicesFrom(flags), scope)) {
    const plan = await planInstallation(managed.manager, managed.service, flags.force === true);
    results.push({ ...managed, plan });
  }
  if (flags.dryRun) return showPlans(output, results, "install");
  for (const { service, manager, plan } of results) {
    await installService(context, manager, plan);
    warnOf(session, service);
  }
  output.result(
    plansJson(results, outcomeOf),
    () => results.flatMap((result) => installedLines(output, result, scope.name)),
  );
}

/** Prints the texts, and asks no service manager: the units may be for another machine. */
function print(session: Session, flags: InstallFlags): void {
  const { output } = session;
  narrowToReading(session);
  const services = manage(session, flags, flags.role, choicesFrom(flags), { name: scopeName(flags), uid: 0 })
    .map(({ service, manager }) => ({
      name: service.name,
      kind: manager.kind,
      texts: manager.texts,
      commands: manager.start.map(({ command, args }) => [command, ...args]),
    }));
  const texts = services.flatMap(({ kind, texts }) =>
    texts.map(({ place, text }) => `${kind === "systemd" ? `# ${place}\n` : ""}${text.trimEnd()}`)
  );
  output.document({ services }, () => texts.join("\n\n").split("\n"));
}

async function uninstall(session: Session, flags: UninstallFlags): Promise<void> {
  const { output, context } = session;
  const { role } = flags;
  if (role === undefined) throw await roleMissing(session, flags);
  const scope = await openScope(session, flags, flags.dryRun === true ? "look" : "change");
  const results: PlannedService[] = [];
  for (const managed of await findServices(session, flags, role, scope)) {
    const plan = await planRemoval(managed.manager, managed.service, flags.force === true);
    results.push({ ...managed, plan });
  }
  if (flags.dryRun) return showPlans(output, results, "uninstall");
  for (const { manager, plan } of results) await removeService(context, manager, plan);
  output.result(
    plansJson(results, () => "removed"),
    () => results.flatMap((result) => removedLines(output, result)),
  );
}

async function status(session: Session, flags: StatusFlags): Promise<ExitCode> {
  const { output, context, location } = session;
  session.permissions.giveUp("write");
  const { role } = flags;
  const services = role === undefined
    ? await listServices(session, flags)
    : await findServices(session, flags, role, await openScope(session, flags, "look"));
  const store = findStore(context.fs, location, context.log);
  const runs = store === undefined ? [] : readHistory(store, HISTORY_LOOKBACK);
  const found: FoundService[] = [];
  for (const managed of services) {
    const lastRuns = managed.service.roles.flatMap((role) =>
      runs.find(({ command }) => command === ROLE_COMMANDS[role]) ?? []
    );
    found.push({ ...managed, ...await readService(managed.manager), lastRuns });
  }
  // A list may contain roles that are not meant to be services.
  const counted = role === undefined ? found.filter(isInstalled) : found;
  const isGood = counted.length > 0 && counted.every(({ isGood }) => isGood);
  output.verdict(isGood, { ...statusJson(found), ok: isGood }, () => [
    ...(found.length > 0 ? [] : ["no service of this project is installed, and no role is configured"]),
    ...found.flatMap((service) =>
      role === undefined && !isInstalled(service)
        ? absentLines(output, service, optionsOf(service, flags))
        : statusLines(output, service, optionsOf(service, flags))
    ),
  ]);
  return isGood ? EXIT.done : EXIT.failed;
}

/** Returns the options that name a service, for the next command. */
function optionsOf({ service, scope }: ManagedService, { kind }: Pick<Which, "kind">): string {
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
async function listServices(session: Session, flags: StatusFlags): Promise<ManagedService[]> {
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
  const roles = machineRoles(config, await machineUse(context, location));
  const others = roles.filter((role) => !listed.some(({ service }) => service.roles.includes(role)));
  for (const role of flags.name === undefined ? others : []) {
    const choices = flags.timer ? { timer: true } : {};
    const [scope] = scopes;
    if (scope !== undefined) listed.push(...manage(session, flags, [role], choices, scope));
  }
  return flags.name === undefined ? listed : listed.filter(({ service }) => service.name === flags.name);
}

/** Returns whose services are listed: without `--user` those of the system and of this user. */
function scopesOf({ context: { env } }: Session, { user }: Pick<Which, "user">): boolean[] {
  if (user !== undefined) return [user];
  return homeFolder(env) === undefined ? [false] : [false, true];
}

/** Returns the error of a removal without a role, with the command of each installed service. */
async function roleMissing(session: Session, flags: UninstallFlags): Promise<UsageError> {
  const installed: string[] = [];
  for (const managed of await listServices(session, flags)) {
    const { texts } = await readService(managed.manager);
    if (isInstalled({ texts })) {
      installed.push(`model-sync service uninstall ${optionsOf(managed, flags)}`);
    }
  }
  return new UsageError("Cannot choose a service: --role ROLE is missing", {
    code: "USAGE",
    hint: installed.length === 0
      ? "no service of this project is installed, so there is nothing to remove"
      : `installed here: ${installed.join("; ")}`,
  });
}

function choicesFrom({ timer, runAs, program, healthListen, logFormat }: InstallFlags): ServiceChoices {
  return {
    ...(timer ? { timer } : {}),
    ...(runAs === undefined ? {} : { account: runAs }),
    ...(program === undefined ? {} : { program }),
    ...(healthListen === undefined ? {} : { healthListen }),
    ...(logFormat === undefined ? {} : { logFormat }),
  };
}

/** Returns the services with the choices with which they were installed. */
async function findServices(
  session: Session,
  flags: StatusFlags,
  roles: readonly Role[],
  scope: Scope,
): Promise<ManagedService[]> {
  const [first] = manage(session, flags, roles, flags.timer ? { timer: true } : {}, scope);
  const [text] = first?.manager.texts ?? [];
  const choices = text === undefined ? undefined : choicesOf(await first?.manager.read(text));
  return manage(session, flags, roles, { ...choices, ...(flags.timer ? { timer: true } : {}) }, scope);
}

function manage(
  { context, config }: Session,
  flags: Which & Pick<InstallFlags, "config" | "modelsDir" | "stateDir">,
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

function scopeName({ user }: Pick<Which, "user">): Scope["name"] {
  return user ? "user" : "system";
}

/** @throws {UsageError} code `NOT_ROOT` if a service of the system is to be changed by another user */
async function openScope(session: Session, flags: Which, intent: "look" | "change"): Promise<Scope> {
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

/** Warns of what works now and may fail later. */
function warnOf(
  { context: { env, log } }: Session,
  { name, account, command: [program = ""] }: Service,
): void {
  if (program.includes("/_npx/")) {
    log.warn(
      `${name} starts ${program}, which npm may remove at any time; install model-sync with deno task install`,
    );
  }
  const home = homeFolder(env);
  if (account !== undefined && home !== undefined && program.startsWith(`${home}/`)) {
    log.warn(`${name} starts ${program} in your home folder, which ${account} must be able to enter`);
  }
}

if (import.meta.main) await main(program);
