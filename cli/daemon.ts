import { buildCommand } from "@stricli/core";
import { ENV_PREFIX } from "../lib/config/keys.ts";
import { describeOrigin } from "../lib/config/layers.ts";
import type { ModelSync } from "../lib/config/schema.ts";
import type { Context } from "../lib/core/context.ts";
import { InterruptedError, UsageError } from "../lib/core/errors.ts";
import type { Log } from "../lib/core/log.ts";
import { settleAll } from "../lib/core/concurrency.ts";
import { announcementKeeper } from "../lib/daemon/announcement_keeper.ts";
import type { RoleSchedule } from "../lib/schedule/role_schedule.ts";
import { openDatagramSocket } from "../lib/daemon/datagram_socket.ts";
import { type ListenAddress, parseListenAddress } from "../lib/daemon/listen_address.ts";
import { openDaemon } from "../lib/daemon/open_daemon.ts";
import { recordUnbegun } from "../lib/daemon/record_unbegun.ts";
import type { FollowedSettings } from "../lib/daemon/followed_settings.ts";
import type { FileControl } from "../lib/daemon/control.ts";
import type { RoleJob } from "../lib/daemon/role_loop.ts";
import { roleLog } from "../lib/daemon/role_log.ts";
import { runRoles } from "../lib/daemon/run_roles.ts";
import { minuteTicks } from "../lib/daemon/ticks.ts";
import { watchCanaries } from "../lib/daemon/watch_canaries.ts";
import { metricsRenderer } from "../lib/metrics/render_metrics.ts";
import { heartbeatLoop } from "../lib/reporting/heartbeat_loop.ts";
import { type Role, ROLE_COMMANDS, ROLES, roleSchedule } from "../lib/schedule/roles.ts";
import { openStore, type Store } from "../lib/store/store.ts";
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
import { checkRoles, ROLE_JOBS, type RoleFlags } from "./_role_jobs.ts";
import type { Output } from "./_output.ts";
import { SUMMARIES } from "./_help.ts";

interface DaemonFlags extends RoleFlags {
  readonly role: readonly Role[];
  readonly at?: string;
  readonly runOnStart?: boolean;
  readonly pollIntervalSec?: number;
  readonly healthListen?: string;
}

/** Roles that activate releases, which may then have a canary to be watched. */
const ACTIVATING: readonly Role[] = ["client", "runpod_client", "artifact_client", "huggingface_client"];

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

async function run(outer: PlainSession, flags: DaemonFlags): Promise<void> {
  const ending = new AbortController();
  const signal = AbortSignal.any([outer.context.signal, ending.signal]);
  const plain = { ...outer, context: { ...outer.context, signal } };
  const { context } = plain;
  const session = await openSession(plain);
  const { settings, location } = session;
  const roles = [...new Set(flags.role)];
  heedDisabled(session, roles);
  for (const role of roles) scheduleOf(role, settings, flags);
  checkRoles(session, roles, flags);
  const listen = flags.healthListen === undefined
    ? undefined
    : parseListenAddress(flags.healthListen, "--health-listen");
  const needs = [...roles.flatMap((role) => ROLE_JOBS[role].needs), ...connectionNeeds(context, listen)];
  narrowPermissions(session, needs);
  const store = openStore(context.fs, location, context.log);
  const followed = followSettings(plain, flags.config, settings);
  const readSettings = () => followed.read();
  await using daemon = await openDaemon(context, store, {
    roles,
    timeZone: settings.time_zone,
    listen,
    renderMetrics: metricsRenderer(context, store, readSettings),
    serve: (options, handler) => Deno.serve(options, handler),
    openSocket: (fs) => openDatagramSocket(fs),
    pid: Deno.pid,
  });
  context.log.info(
    `daemon with the role${roles.length > 1 ? "s" : ""} ${
      roles.join(", ")
    }, models in ${store.modelsDir}; stop it with Ctrl-C or SIGTERM`,
  );
  const { control, health, announcement } = daemon;
  const watching = roles.some((role) => ACTIVATING.includes(role))
    ? watchCanaries(context, store, readSettings)
    : undefined;
  const pollSec = Math.max(flags.pollIntervalSec ?? POLL_INTERVAL_SEC, POLL_INTERVAL_SEC_MIN);
  const ticks = minuteTicks(context, plain.cron, pollSec * 1000);
  const controlling = control.watch(ticks.wakeAll, announcementKeeper(context, store, announcement));
  controlling.catch((error) => ending.abort(roleTaken(error)));
  const reporting = heartbeatLoop(context, { store, roles, at: flags.at, readSettings });
  const surroundings = { store, control, followed, needs, isAlone: roles.length === 1 };
  const jobs = roles.map((role) => jobOf(role, plain, flags, surroundings));
  await runRoles(jobs, {
    context,
    store,
    runOnStart: flags.runOnStart === true,
    ticks,
    control,
    onNext: (role, next) => health.due(role, next),
  });
  await settleAll([watching, controlling, reporting, ticks.stopped]);
  context.log.info("daemon stopped");
}

/** What the jobs of a daemon share. */
interface Surroundings {
  readonly store: Store;
  readonly control: FileControl;
  readonly followed: FollowedSettings;
  readonly needs: readonly Need[];
  readonly isAlone: boolean;
}

function jobOf(
  role: Role,
  plain: PlainSession,
  flags: DaemonFlags,
  { store, control, followed, needs, isAlone }: Surroundings,
): RoleJob {
  const { run } = ROLE_JOBS[role];
  const command = ROLE_COMMANDS[role];
  const wrapLog = (log: Log) => isAlone ? log : roleLog(log, role);
  const context = { ...plain.context, log: wrapLog(plain.context.log) };
  const settings = () => followed.read();
  const work = async () => {
    const output = plain.output.forOneRun();
    try {
      await run(await openJob(plain, output, needs, wrapLog), flags);
    } catch (error) {
      output.showHeld();
      throw error;
    }
  };
  return {
    role,
    schedule: async () => scheduleOf(role, await settings(), flags),
    hasChanged: followed.watch(),
    run: () => control.perform(role, () => recordUnbegun(context, store, { command, settings }, work)),
  };
}

/** Why the runs of a daemon end that another one has replaced. */
function roleTaken(cause: unknown): InterruptedError {
  return new InterruptedError("Cannot go on: another daemon has the role", {
    code: "INTERRUPTED",
    cause,
    hint: "the other daemon runs it",
  });
}

/** What the service manager's socket and the health server need. */
function connectionNeeds({ env }: Context, listen: ListenAddress | undefined): Need[] {
  return listen !== undefined || (env.get("NOTIFY_SOCKET") ?? "") !== "" ? ["net"] : [];
}

/**
 * The originals ship `enabled: false` in their files and never read it. A variable of ours was set for this program.
 *
 * @throws {UsageError} code `DISABLED`
 */
function heedDisabled({ settings, config, context }: Session, roles: readonly Role[]): void {
  const switches: [key: string, isOn: boolean][] = [["enabled", settings.enabled]];
  if (roles.includes("runpod_client")) switches.push(["runpod.enabled", settings.runpod.enabled]);
  for (const [key] of switches.filter(([, isOn]) => !isOn)) {
    const origin = config.origins.get(key);
    if (origin?.kind === "environment" && origin.name.startsWith(ENV_PREFIX)) {
      throw new UsageError(`Cannot start the daemon: ${origin.name} is false`, {
        code: "DISABLED",
        hint: "set it to true, or run the command by hand",
      });
    }
    const place = origin === undefined ? "" : ` (${describeOrigin(origin)})`;
    context.log.warn(
      `model_sync.${key} is false${place}, which has no effect: the daemon starts; to stop a role, model-sync pause ROLE`,
    );
  }
}

/**
 * Reads the configuration for a run of a role. Permissions that another role of this daemon needs are not given up by
 * this one, and a role that finds the store locked waits.
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

/** @throws {UsageError} where `--at` is no schedule */
function scheduleOf(role: Role, settings: ModelSync, { at }: DaemonFlags): RoleSchedule {
  try {
    return roleSchedule(role, settings, at);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`Cannot use --at: ${cause.message}`, { code: "SCHEDULE_INVALID", cause });
  }
}

if (import.meta.main) await main(program);
