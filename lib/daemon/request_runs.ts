import type { Context } from "../core/context.ts";
import {
  EXIT,
  type ExitCode,
  FailedError,
  InterruptedError,
  messageOf,
  ModelSyncError,
} from "../core/errors.ts";
import { type Role, ROLE_COMMANDS } from "../config/roles.ts";
import { readDaemons } from "../store/daemons.ts";
import { newRunId } from "../store/running.ts";
import { findRunRequest, requestRun, type RunEnd } from "../store/run_requests.ts";
import type { Store } from "../store/store.ts";

/** A run that `run-now` requested of a daemon. */
export interface RequestedRun {
  readonly role: Role;
  readonly requestId: string;
}

/** A requested run, and how it ended. */
export type EndedRun = RequestedRun & { readonly end: RunEnd };

/** The time between two checks for the end of a run. A run takes seconds at least. */
const CHECK_MS = 500;

/**
 * Checks that a daemon with each of the roles runs with this store.
 *
 * @throws {FailedError} code `DAEMON_MISSING`
 */
export async function requireDaemons(context: Context, store: Store, roles: readonly Role[]): Promise<void> {
  const running = (await readDaemons(context, store)).map(({ role }) => role);
  const missing = roles.filter((role) => !running.includes(role));
  if (missing.length > 0) throw daemonMissing(store, missing);
}

/** Requests a run of each role. */
export function requestRuns(context: Context, store: Store, roles: readonly Role[]): RequestedRun[] {
  const { clock, host } = context;
  return roles.map((role) => {
    const request = { id: newRunId(context), at: clock.now().toISOString(), host };
    return { role, requestId: requestRun(store, role, request).id };
  });
}

function daemonMissing(store: Store, roles: readonly Role[]): FailedError {
  const commands = roles.map((role) => `model-sync ${ROLE_COMMANDS[role]}`).join(" and ");
  return new FailedError(
    `Cannot request a run: no daemon with the ${roles.length === 1 ? "role" : "roles"} ${roles.join(", ")} ` +
      `runs with the store ${store.root}`,
    { code: "DAEMON_MISSING", hint: `run ${commands} instead, or start the daemon` },
  );
}

/**
 * Waits until the requested runs have ended.
 *
 * @throws {FailedError} code `DAEMON_STOPPED` when a daemon stopped first
 * @throws {InterruptedError} when this command is stopped; the requests stay
 */
export async function awaitRuns(
  context: Context,
  store: Store,
  requested: readonly RequestedRun[],
): Promise<EndedRun[]> {
  try {
    return await Promise.all(requested.map((run) => awaitRun(context, store, run)));
  } catch (error) {
    if (!context.signal.aborted) throw error;
    throw new InterruptedError(messageOf(context.signal.reason), {
      code: "INTERRUPTED",
      cause: error,
      hint: "the request stays, and the daemon runs it; see model-sync status",
    });
  }
}

async function awaitRun(context: Context, store: Store, run: RequestedRun): Promise<EndedRun> {
  const { clock, log, signal } = context;
  let isLogged = false;
  while (true) {
    // In this order: a daemon notes the end of a run before it ends itself.
    const hasDaemon = (await readDaemons(context, store)).some(({ role }) => role === run.role);
    const found = findRunRequest(store, run.role, run.requestId);
    if (found?.end !== undefined) return { ...run, end: found.end };
    if (!hasDaemon || found === undefined) throw daemonStopped(run.role, found?.takenAt !== undefined);
    if (!isLogged && found.takenAt !== undefined) log.info(`${run.role}: running since ${found.takenAt}`);
    isLogged = found.takenAt !== undefined;
    await clock.sleep(CHECK_MS, signal);
  }
}

function daemonStopped(role: Role, hasStarted: boolean): FailedError {
  return new FailedError(
    `Cannot wait for the run of the role ${role}: its daemon stopped ` +
      (hasStarted ? "before the run ended" : "before it started the run"),
    {
      code: "DAEMON_STOPPED",
      hint: hasStarted
        ? "start the daemon and request the run again"
        : "start the daemon: within an hour of the request it runs at once",
    },
  );
}

/** The failure of requested runs, with the exit code of the first. */
export class RequestedRunError extends ModelSyncError {
  readonly exitCode: ExitCode;

  constructor(failed: readonly EndedRun[]) {
    const [first] = failed;
    super(
      failed.map(({ role, end }) =>
        `The run of the role ${role} failed: ${end.message ?? "no reason is known"}`
      )
        .join("; "),
      { code: "RUN_FAILED", hint: first?.end.hint ?? "see the daemon's log and model-sync status" },
    );
    this.exitCode = Object.values(EXIT).find((code) => code === first?.end.exitCode) ?? EXIT.failed;
  }
}
