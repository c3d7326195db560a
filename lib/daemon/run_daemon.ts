import type { ModelSync } from "../config/schema.ts";
import { type Role, ROLE_COMMANDS, roleSchedule } from "../config/roles.ts";
import type { Context } from "../core/context.ts";
import { InterruptedError, UsageError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { settleAll } from "../core/concurrency.ts";
import { metricsRenderer } from "../metrics/render_metrics.ts";
import { heartbeatLoop } from "../reporting/heartbeat_loop.ts";
import type { RoleSchedule } from "../schedule/agenda.ts";
import type { Store } from "../store/store.ts";
import { announcementKeeper } from "./announcement_keeper.ts";
import type { FileControl } from "./control.ts";
import type { FollowedSettings } from "./followed_settings.ts";
import { type DaemonOptions, openDaemon } from "./open_daemon.ts";
import { recordUnbegun } from "./record_unbegun.ts";
import type { RoleJob } from "./role_loop.ts";
import { roleLog } from "./role_log.ts";
import { runRoles } from "./run_roles.ts";
import { type Cron, minuteTicks } from "./ticks.ts";
import { watchCanaries } from "./watch_canaries.ts";

export interface DaemonPlan extends Omit<DaemonOptions, "renderMetrics"> {
  readonly followed: FollowedSettings;
  /** The schedule of every role, instead of the configured ones. */
  readonly at: string | undefined;
  /** Whether each role also runs at once. */
  readonly runOnStart: boolean;
  /** The longest time between two checks of the schedule. */
  readonly pollMs: number;
  readonly cron: Cron;
  /** Runs the command of a role once, with the current configuration. */
  readonly perform: (role: Role, run: RoleRun) => Promise<void>;
}

/** The outside world of a role's runs. */
export interface RoleRun {
  /** Aborted when the daemon is stopped, and when another daemon has taken a role. */
  readonly signal: AbortSignal;
  /** Returns the log that the runs write to: its lines name the role where the daemon has several. */
  readonly wrapLog: (log: Log) => Log;
}

/** Roles that activate releases, which may then have a canary. */
const ACTIVATING: readonly Role[] = ["client", "runpod_client", "artifact_client", "huggingface_client"];

/**
 * Runs roles on their schedules until the signal is aborted, with what surrounds them: the announcement in the store,
 * the health server, the service manager, the control of operators, heartbeats, and the canary's watch.
 *
 * @throws {LockedError} code `DAEMON_RUNNING` when another daemon has one of the roles; what a part did not foresee
 */
export async function runDaemon(outer: Context, store: Store, plan: DaemonPlan): Promise<void> {
  const { roles, followed, at, cron, pollMs, runOnStart } = plan;
  const ending = new AbortController();
  const context = { ...outer, signal: AbortSignal.any([outer.signal, ending.signal]) };
  const readSettings = () => followed.read();
  await using daemon = await openDaemon(context, store, {
    ...plan,
    renderMetrics: metricsRenderer(context, store, readSettings),
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
  const ticks = minuteTicks(context, cron, pollMs);
  const controlling = control.watch(ticks.wakeAll, announcementKeeper(context, store, announcement));
  controlling.catch((error) => ending.abort(roleTaken(error)));
  const reporting = heartbeatLoop(context, { store, roles, at, readSettings });
  const jobs = roles.map((role) => jobOf(role, context, store, plan, control));
  const onNext = (role: Role, next: Date) => health.due(role, next);
  await runRoles(jobs, { context, store, runOnStart, ticks, control, jitter: Math.random, onNext });
  await settleAll([watching, controlling, reporting, ticks.stopped]);
  context.log.info("daemon stopped");
}

function jobOf(
  role: Role,
  { signal, ...outer }: Context,
  store: Store,
  { roles, followed, at, perform }: DaemonPlan,
  control: FileControl,
): RoleJob {
  const wrapLog = (log: Log) => roles.length === 1 ? log : roleLog(log, role);
  const context = { ...outer, signal, log: wrapLog(outer.log) };
  const settings = () => followed.read();
  const unbegun = { command: ROLE_COMMANDS[role], settings };
  return {
    role,
    schedule: async () => scheduleOf(role, await settings(), at),
    hasChanged: followed.watch(),
    run: () =>
      control.perform(
        role,
        () => recordUnbegun(context, store, unbegun, () => perform(role, { signal, wrapLog })),
      ),
  };
}

/** Returns the schedule of a role. @throws {UsageError} code `SCHEDULE_INVALID` where `--at` is not a schedule */
export function scheduleOf(role: Role, settings: ModelSync, at: string | undefined): RoleSchedule {
  try {
    return roleSchedule(role, settings, at);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`Cannot use --at: ${cause.message}`, { code: "SCHEDULE_INVALID", cause });
  }
}

/** Returns the reason that runs end with when another daemon has taken over. */
function roleTaken(cause: unknown): InterruptedError {
  return new InterruptedError("Cannot continue: another daemon has the role", {
    code: "INTERRUPTED",
    cause,
    hint: "the other daemon runs it",
  });
}
