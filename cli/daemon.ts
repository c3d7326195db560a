import { buildCommand } from "@stricli/core";
import type { Context } from "../lib/core/context.ts";
import type { Log } from "../lib/core/log.ts";
import { checkRoles } from "../lib/daemon/check_roles.ts";
import { refuseDisabled } from "../lib/daemon/disabled_setting.ts";
import { type RoleRun, runDaemon, scheduleOf } from "../lib/daemon/run_daemon.ts";
import { openDatagramSocket } from "../lib/daemon/datagram_socket.ts";
import { type ListenAddress, parseListenAddress } from "../lib/daemon/listen_address.ts";
import { type Role, ROLES } from "../lib/config/roles.ts";
import { openStore } from "../lib/store/store.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  GIT_FLAGS,
  integerFlag,
  RUNPOD_FLAGS,
  switchFlag,
  textFlag,
  TRAINING_FLAGS,
} from "./_options.ts";
import { defineProgram, type Invocation, main, type Program, withPlainSession } from "./_command.ts";
import {
  followSettings,
  keepPermissions,
  narrowPermissions,
  type Need,
  openSession,
  type PlainSession,
  type Session,
} from "./_session.ts";
import { ROLE_JOBS, type RoleFlags } from "./_role_jobs.ts";
import type { Output } from "./_output.ts";
import { SUMMARIES } from "./_help.ts";
import { publishChoices } from "./publish.ts";

interface DaemonFlags extends RoleFlags {
  readonly role: readonly Role[];
  readonly at?: string;
  readonly runOnStart?: boolean;
  readonly pollIntervalSec?: number;
  readonly healthListen?: string;
}

const { newJob: _newJob, ...SHARED_RUNPOD_FLAGS } = RUNPOD_FLAGS;

/** The seeds' default, and the least that it is clamped to. */
const POLL_INTERVAL_SEC = 30;
const POLL_INTERVAL_SEC_MIN = 5;

export const program: Program = defineProgram(
  "daemon",
  buildCommand<
    Omit<DaemonFlags, "adopt" | "dryRun" | "force" | "resetToRemote" | "waitCanary">,
    [],
    Invocation
  >({
    docs: { brief: SUMMARIES.daemon },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...GIT_FLAGS,
        ...TRAINING_FLAGS,
        ...SHARED_RUNPOD_FLAGS,
        role: {
          kind: "enum",
          values: ROLES,
          variadic: ",",
          brief: "role of the daemon; repeat it for several roles",
        },
        at: textFlag(
          "when, instead of the configured schedule: HH:MM, a cron expression, or several with ; between",
        ),
        runOnStart: switchFlag("also run at the start"),
        pollIntervalSec: integerFlag(
          `how often to look at the clock; less than ${POLL_INTERVAL_SEC_MIN} counts as ${POLL_INTERVAL_SEC_MIN} (default: ${POLL_INTERVAL_SEC})`,
          1,
        ),
        healthListen: textFlag("serve /healthz and /metrics on HOST:PORT, such as 127.0.0.1:9464"),
        allowDowngrade: switchFlag("clients: accept a release that is older than the active one"),
        acceptOtherWriters: switchFlag(
          "client, huggingface_client: take files that another program changed without their manifest",
        ),
        allowShrink: switchFlag("publisher: accept that more than half of the files disappear"),
        commitMessage: textFlag("publisher: commit message (default: chore(models): sync <time>)"),
      },
      aliases: COMMON_ALIASES,
    },
    func: withPlainSession(run),
  }),
);

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
  const needs = [...roles.flatMap((role) => ROLE_JOBS[role].needs), ...connectionNeeds(context, listen)];
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

/** Runs the command of a role. What it prints is held back unless it fails. */
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

if (import.meta.main) await main(program);
