import type { Context } from "../lib/core/context.ts";
import type { Log } from "../lib/core/log.ts";
import { checkRoles } from "../lib/daemon/check_roles.ts";
import { refuseDisabled } from "../lib/daemon/disabled_setting.ts";
import { type RoleRun, runDaemon, scheduleOf } from "../lib/daemon/run_daemon.ts";
import { openDatagramSocket } from "../lib/daemon/datagram_socket.ts";
import { type ListenAddress, parseListenAddress } from "../lib/daemon/listen_address.ts";
import type { Role } from "../lib/config/roles.ts";
import { openStore } from "../lib/store/store.ts";
import { SUMMARIES } from "./_help.ts";
import {
  GIT_OPTIONS,
  OTHER_WRITERS_OPTION,
  PUBLISHING_OPTIONS,
  PULLING_OPTIONS,
  RUNPOD_OPTIONS,
  TRAINING_OPTIONS,
} from "./_options.ts";
import { ROLE_VALUES } from "./_roles.ts";
import { type Flags, integerOption, type Options, switchOption, textOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { type CommandFlags, main, plainCommand, type Program } from "./_command.ts";
import {
  followSettings,
  keepPermissions,
  narrowPermissions,
  type Need,
  openSession,
  type PlainSession,
  type Session,
} from "./_session.ts";
import type { Output } from "./_output.ts";
import { publishChoices, type PublishFlags, runPublish } from "./publish.ts";
import { runArtifactPull } from "./artifact_pull.ts";
import { runHfPull } from "./hf_pull.ts";
import { type PullFlags, pullNeeds, runPull } from "./pull.ts";
import { runReferencesSync } from "./references_sync.ts";
import { runRunPodPull } from "./runpod_pull.ts";

/** The seeds' default, and the least that it is clamped to. */
const POLL_INTERVAL_SEC = 30;
const POLL_INTERVAL_SEC_MIN = 5;

const OPTIONS = {
  role: {
    group: "Options",
    kind: "value",
    placeholder: "ROLE",
    brief: "Role of the daemon",
    ...ROLE_VALUES,
    required: true,
  },
  at: textOption({
    group: "Options",
    placeholder: "HH:MM",
    brief: "Schedule that replaces the configured one",
    note: "or a cron expression; several are separated by ;",
  }),
  runOnStart: switchOption({ group: "Options", brief: "Also run at the start" }),
  pollIntervalSec: integerOption({
    group: "Options",
    placeholder: "SECONDS",
    brief: "Time between two checks of the schedule",
    note: `at least ${POLL_INTERVAL_SEC_MIN}`,
    standard: POLL_INTERVAL_SEC,
  }, 1),
  healthListen: textOption({
    group: "Options",
    placeholder: "HOST:PORT",
    brief: "Serve /healthz and /metrics",
    note: "such as 127.0.0.1:9464",
  }),
  ...GIT_OPTIONS,
  ...RUNPOD_OPTIONS,
  ...TRAINING_OPTIONS,
  ...PUBLISHING_OPTIONS,
  allowDowngrade: PULLING_OPTIONS.allowDowngrade,
  ...OTHER_WRITERS_OPTION,
} satisfies Options;

type DaemonFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "daemon",
  command: plainCommand({
    summary: SUMMARIES.daemon,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Pull as configured", "model-sync daemon --role client"],
      ["Publish every morning, and once now", "model-sync daemon --role publisher --at 06:30 --run-on-start"],
      ["Pull every 15 minutes", "model-sync daemon --role client --at '*/15 * * * *'"],
    ],
    run,
  }),
};

async function run(plain: PlainSession, flags: DaemonFlags): Promise<void> {
  const { context } = plain;
  const session = await openSession(plain);
  const { settings, location, config } = session;
  const roles = [...new Set(flags.role)];
  refuseDisabled(config, roles, context.log);
  for (const role of roles) scheduleOf(role, settings, flags.at);
  checkRoles(session, roles, { ...publishChoices(flags), apiKey: flags.apiKey });
  const listen = flags.healthListen === undefined
    ? undefined
    : parseListenAddress(flags.healthListen, "--health-listen");
  const needs = [
    ...roles.flatMap((role) => ROLE_JOBS[role].needs),
    ...(roles.includes("client") ? pullNeeds(session) : []),
    ...connectionNeeds(context, listen),
  ];
  narrowPermissions(session, needs);
  await runDaemon(context, openStore(context.fs, location, context.log), {
    roles,
    followed: followSettings(plain, flags.config, settings),
    timeZone: settings.time_zone,
    at: flags.at,
    runOnStart: flags.runOnStart === true,
    pollMs: 1000 * Math.max(flags.pollIntervalSec ?? POLL_INTERVAL_SEC, POLL_INTERVAL_SEC_MIN),
    listen,
    cron: plain.cron,
    serve: (options, handler) => Deno.serve(options, handler),
    openSocket: (fs) => openDatagramSocket(fs),
    pid: Deno.pid,
    perform: (role, run) => perform(role, run, plain, flags, needs),
  });
}

/** Runs the command of a role. Its output is shown only if it fails. */
async function perform(
  role: Role,
  { signal, wrapLog }: RoleRun,
  plain: PlainSession,
  flags: DaemonFlags,
  needs: readonly Need[],
): Promise<void> {
  const output = plain.output.forOneRun();
  const inDaemon = { ...plain, context: { ...plain.context, signal } };
  try {
    await ROLE_JOBS[role].run(await openJob(inDaemon, output, needs, wrapLog), flags);
  } catch (error) {
    output.showHeld();
    throw error;
  }
}

/**
 * Reads the configuration for a run of a role. The run keeps permissions that another role of this daemon needs, and
 * waits where it finds the store locked.
 */
async function openJob(
  plain: PlainSession,
  output: Output,
  needs: readonly Need[],
  wrapLog: (log: Log) => Log,
): Promise<Session> {
  const session = await openSession(plain);
  const permissions = keepPermissions(session.permissions, needs);
  const context = { ...session.context, log: wrapLog(output.log) };
  return { ...session, context, output, permissions, waitsForLock: true, wrapLog };
}

/** The service manager's socket and the health server need the net. */
function connectionNeeds({ env }: Context, listen: ListenAddress | undefined): Need[] {
  return listen !== undefined || (env.get("NOTIFY_SOCKET") ?? "") !== "" ? ["net"] : [];
}

/** The options of a daemon that its roles' commands have, too. */
type RoleFlags = PublishFlags & PullFlags & Flags<typeof RUNPOD_OPTIONS>;

/** How a command runs for a daemon. */
interface RoleJob {
  /** The permissions that the role needs in addition to those of its configuration. */
  readonly needs: readonly Need[];
  readonly run: (session: Session, flags: RoleFlags) => Promise<void>;
}

const ROLE_JOBS: Readonly<Record<Role, RoleJob>> = {
  publisher: { needs: ["run"], run: runPublish },
  client: { needs: ["run"], run: runPull },
  runpod_client: { needs: ["net"], run: runRunPodPull },
  artifact_client: {
    needs: ["net"],
    // Its options are the configuration's: the daemon's --branch belongs to the git roles.
    run: (session, { allowDowngrade = false }) => runArtifactPull(session, { allowDowngrade }),
  },
  huggingface_client: {
    needs: ["net"],
    run: (session, { allowDowngrade = false, acceptOtherWriters = false }) =>
      runHfPull(session, { allowDowngrade, acceptOtherWriters }),
  },
  references: { needs: ["net", "run"], run: runReferencesSync },
};

if (import.meta.main) await main(program);
