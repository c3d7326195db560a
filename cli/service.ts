import { EXIT, type ExitCode, UsageError } from "../lib/core/errors.ts";
import { homeFolder } from "../lib/core/home_folder.ts";
import { ROLE_COMMANDS } from "../lib/config/roles.ts";
import { checkRoles, CONFIGURED_ONLY } from "../lib/daemon/check_roles.ts";
import type { ServiceChoices } from "../lib/service/checked_text.ts";
import {
  installService,
  planInstallation,
  planRemoval,
  readService,
  removeService,
} from "../lib/service/manage_service.ts";
import type { Service } from "../lib/service/service.ts";
import { findStore } from "../lib/store/store.ts";
import { HISTORY_LOOKBACK, readHistory } from "../lib/store/history.ts";
import { type Options, switchOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import {
  findServices,
  listServices,
  manage,
  openScope,
  optionsOf,
  ROLE,
  scopeName,
  WHAT_OPTIONS,
  WHICH_OPTIONS,
} from "./_services.ts";
import { narrowToReading, type Session } from "./_session.ts";
import {
  absentLines,
  type FoundService,
  installedLines,
  isInstalled,
  outcomeOf,
  type PlannedService,
  plansJson,
  removedLines,
  showPlans,
  statusJson,
  statusLines,
} from "./_service_report.ts";

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
  output.verdict(isGood, statusJson(found, isGood), () => [
    ...(found.length > 0 ? [] : ["no service of this project is installed, and no role is configured"]),
    ...found.flatMap((service) =>
      role === undefined && !isInstalled(service)
        ? absentLines(output, service, optionsOf(service, flags))
        : statusLines(output, service, optionsOf(service, flags))
    ),
  ]);
  return isGood ? EXIT.done : EXIT.failed;
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

/** Warns of what works now and may fail later. */
function warnOf(
  { context: { env, log } }: Session,
  { name, account, command: [program = ""] }: Service,
): void {
  if (program.includes("/_npx/")) {
    log.warn(
      `${name} starts ${program}, which npm may remove at any time; install model-sync from a clone: ` +
        `npx -y deno@${Deno.version.deno} -A configs/install.ts`,
    );
  }
  const home = homeFolder(env);
  if (account !== undefined && home !== undefined && program.startsWith(`${home}/`)) {
    log.warn(`${name} starts ${program} in your home folder, which ${account} must be able to enter`);
  }
}

if (import.meta.main) await main(program);
