import type { Context } from "../core/context.ts";
import { messageOf } from "../core/errors.ts";
import { settleAll } from "../core/concurrency.ts";
import type { Role } from "../config/roles.ts";
import { findRoleTimes, rememberRoleTimes } from "../store/schedule_state.ts";
import type { Store } from "../store/store.ts";
import { type RoleControl, type RoleJob, runRole } from "./role_loop.ts";
import type { RoleMemory } from "./role_plan.ts";
import type { Ticks } from "./ticks.ts";

export interface RolesOptions {
  readonly context: Pick<Context, "clock" | "log" | "signal" | "host">;
  readonly store: Store;
  /** Whether each role also runs at the start. */
  readonly runOnStart: boolean;
  readonly ticks: Pick<Ticks, "wake">;
  readonly control: RoleControl;
  /** Returns a number from 0 to 1, which decides how long a retry is delayed. */
  readonly jitter: () => number;
  /** Called with the time of the next run of a role. */
  readonly onNext: (role: Role, next: Date) => void;
}

/**
 * Runs roles side by side until the signal is aborted, each in its own loop with its own due times and retries. Roles
 * wait for each other only where their runs take the same lock.
 *
 * @throws the unexpected error of a loop, when the other loops have ended, too: the service manager restarts the daemon
 */
export async function runRoles(jobs: readonly RoleJob[], options: RolesOptions): Promise<void> {
  const { context, store, ticks, control, jitter, runOnStart } = options;
  const { clock, log, host } = context;
  const broken = new AbortController();
  const signal = AbortSignal.any([context.signal, broken.signal]);
  await settleAll(jobs.map(async (job) => {
    try {
      await runRole(job, {
        clock,
        log,
        signal,
        memory: memoryOf(job.role, options),
        machine: `${host}\n${store.root}\n${job.role}`,
        runOnStart,
        jitter,
        wake: ticks.wake,
        control,
      });
    } catch (error) {
      broken.abort(error);
      throw error;
    }
  }));
}

function memoryOf(role: Role, { store, context, onNext }: RolesOptions): RoleMemory {
  let lastFault = "";
  return {
    find: () => findRoleTimes(store, role),
    remember(times) {
      onNext(role, times.next);
      try {
        rememberRoleTimes(store, role, times);
        lastFault = "";
      } catch (error) {
        // A full disk must not end the daemon: it keeps its times in memory until it is restarted.
        const fault = messageOf(error);
        if (fault !== lastFault) context.log.warn(fault);
        lastFault = fault;
      }
    },
  };
}
