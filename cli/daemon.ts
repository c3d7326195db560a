import { buildCommand } from "@stricli/core";
import type { Context } from "../lib/core/context.ts";
import { UsageError } from "../lib/core/errors.ts";
import { type Calendar, parseCalendar } from "../lib/schedule/calendar.ts";
import { runDaemon } from "../lib/schedule/daemon.ts";
import { findDueTime, rememberDueTime } from "../lib/store/schedule_state.ts";
import { openStore } from "../lib/store/store.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  defineProgram,
  integerFlag,
  main,
  openSession,
  type PlainSession,
  type Program,
  switchFlag,
  textFlag,
  withPlainSession,
} from "./_command.ts";
import { GIT_FLAGS } from "./_git_flags.ts";
import { SUMMARIES } from "./_summaries.ts";
import { TRAINING_FLAGS } from "./_training_flags.ts";
import { type PublishFlags, runPublish } from "./publish.ts";
import { type PullFlags, runPull } from "./pull.ts";

const ROLES = ["publisher", "client"] as const;
type Role = (typeof ROLES)[number];

interface DaemonFlags extends PublishFlags, PullFlags {
  readonly role: Role;
  readonly at?: string;
  readonly runOnStart?: boolean;
  readonly pollIntervalSec?: number;
}

/** The seeds' default, and the least that it is clamped to. */
const POLL_INTERVAL_SEC = 30;
const POLL_INTERVAL_SEC_MIN = 5;

export const program: Program = defineProgram(
  "daemon",
  buildCommand<Omit<DaemonFlags, "dryRun" | "force" | "resetToRemote">>({
    docs: { brief: SUMMARIES.daemon },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...GIT_FLAGS,
        ...TRAINING_FLAGS,
        role: { kind: "enum", values: ROLES, brief: "which job to do" },
        at: textFlag("when, instead of the configured schedule: HH:MM or a cron expression"),
        runOnStart: switchFlag("also run at once"),
        pollIntervalSec: integerFlag(`how often to look at the clock (default: ${POLL_INTERVAL_SEC})`, 1),
        allowDowngrade: switchFlag("client: take a release that is older than the active one"),
        allowShrink: switchFlag("publisher: go on although more than half of the files would disappear"),
        commitMessage: textFlag("publisher: instead of chore(models): sync <time>"),
      },
      aliases: COMMON_ALIASES,
    },
    func: (flags) => withPlainSession(flags, (plain) => run(plain, flags)),
  }),
);

async function run(plain: PlainSession, flags: DaemonFlags): Promise<void> {
  const { context } = plain;
  const { settings, location } = await openSession(plain);
  if (!settings.enabled) {
    throw new UsageError("Cannot start the daemon: model_sync.enabled is false", {
      code: "DISABLED",
      hint: "set it to true, or run model-sync publish or pull by hand",
    });
  }
  const store = openStore(context.fs, location);
  const { role } = flags;
  context.log.info(
    `daemon with the role ${role}, models in ${store.modelsDir}; stop it with Ctrl-C or SIGTERM`,
  );
  await runDaemon({
    name: role,
    calendar: () => readCalendar(plain, flags),
    run: async () => {
      const session = await openSession(plain);
      await (role === "publisher" ? runPublish(session, flags) : runPull(session, flags));
    },
  }, {
    clock: context.clock,
    log: context.log,
    signal: context.signal,
    runOnStart: flags.runOnStart === true,
    dueTimes: { find: () => findDueTime(store, role), remember: (due) => rememberDueTime(store, role, due) },
    wake: minuteTicks(
      context,
      Math.max(flags.pollIntervalSec ?? POLL_INTERVAL_SEC, POLL_INTERVAL_SEC_MIN) * 1000,
    ),
  });
  context.log.info("daemon stopped");
}

async function readCalendar(plain: PlainSession, flags: DaemonFlags): Promise<Calendar> {
  const { settings } = await openSession(plain);
  try {
    return parseCalendar(flags.at ?? settings[flags.role].schedule, settings.time_zone);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`Cannot use --at: ${cause.message}`, { code: "SCHEDULE_INVALID", cause });
  }
}

/**
 * Wakes the daemon at every full minute, by the runtime's own cron, and every `pollMs` besides: a timer that was set
 * before the machine slept is late, and so may a tick be.
 */
function minuteTicks(context: Context, pollMs: number): (durationMs: number) => Promise<void> {
  const { signal, clock } = context;
  let tick = Promise.withResolvers<void>();
  // Its promise settles when the signal is aborted.
  Deno.cron("model-sync minute tick", "* * * * *", { signal }, () => {
    tick.resolve();
    tick = Promise.withResolvers();
  });
  return async (durationMs) => {
    const awake = new AbortController();
    const sleep = clock.sleep(Math.min(durationMs, pollMs), AbortSignal.any([signal, awake.signal]));
    // Being woken early, by a tick or by the signal, is not a fault.
    await Promise.race([tick.promise, sleep.catch(() => {})]);
    awake.abort();
  };
}

if (import.meta.main) await main(program);
