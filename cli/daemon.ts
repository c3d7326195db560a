import { Option } from "@commander-js/extra-typings";
import type { Context } from "../lib/core/context.ts";
import { UsageError } from "../lib/core/errors.ts";
import { type Calendar, parseCalendar } from "../lib/schedule/calendar.ts";
import { runDaemon } from "../lib/schedule/daemon.ts";
import { findDueTime, rememberDueTime } from "../lib/store/schedule_state.ts";
import { openStore } from "../lib/store/store.ts";
import {
  integerFrom,
  main,
  newCommand,
  openSession,
  type PlainSession,
  withPlainSession,
} from "./_command.ts";
import { withGitOptions } from "./_git_options.ts";
import { withTrainingOptions } from "./_training_options.ts";
import { type PublishCommandOptions, runPublish } from "./publish.ts";
import { type PullCommandOptions, runPull } from "./pull.ts";

const ROLES = ["publisher", "client"] as const;
type Role = (typeof ROLES)[number];

interface DaemonCommandOptions extends PublishCommandOptions, PullCommandOptions {
  readonly role: Role;
  readonly at?: string | undefined;
  readonly runOnStart?: boolean | undefined;
  readonly pollIntervalSec: number;
}

/** The seeds' default, and the least that it is clamped to. */
const POLL_INTERVAL_SEC = 30;
const POLL_INTERVAL_SEC_MIN = 5;

export function command() {
  const base = newCommand("daemon")
    .addOption(new Option("--role <role>", "which job to do").choices(ROLES).makeOptionMandatory())
    .option("--at <time>", "when, instead of the configured schedule: HH:MM or a cron expression")
    .option("--run-on-start", "also run at once")
    .option(
      "--poll-interval-sec <seconds>",
      "how often to look at the clock",
      integerFrom(1),
      POLL_INTERVAL_SEC,
    )
    .option("--allow-downgrade", "client: take a release that is older than the active one")
    .option("--allow-shrink", "publisher: go on although more than half of the files would disappear")
    .option("--commit-message <text>", "publisher: instead of chore(models): sync <time>");
  return withTrainingOptions(withGitOptions(base))
    .action((options: DaemonCommandOptions) => withPlainSession(options, (plain) => run(plain, options)));
}

async function run(plain: PlainSession, options: DaemonCommandOptions): Promise<void> {
  const { context } = plain;
  const { settings, location } = await openSession(plain);
  if (!settings.enabled) {
    throw new UsageError("Cannot start the daemon: model_sync.enabled is false", {
      code: "DISABLED",
      hint: "set it to true, or run model-sync publish or pull by hand",
    });
  }
  const store = openStore(context.fs, location);
  const { role } = options;
  context.log.info(
    `daemon with the role ${role}, models in ${store.modelsDir}; stop it with Ctrl-C or SIGTERM`,
  );
  await runDaemon({
    name: role,
    calendar: () => readCalendar(plain, options),
    run: async () => {
      const session = await openSession(plain);
      await (role === "publisher" ? runPublish(session, options) : runPull(session, options));
    },
  }, {
    clock: context.clock,
    log: context.log,
    signal: context.signal,
    runOnStart: options.runOnStart === true,
    dueTimes: { find: () => findDueTime(store, role), remember: (due) => rememberDueTime(store, role, due) },
    wake: minuteTicks(context, Math.max(options.pollIntervalSec, POLL_INTERVAL_SEC_MIN) * 1000),
  });
  context.log.info("daemon stopped");
}

async function readCalendar(plain: PlainSession, options: DaemonCommandOptions): Promise<Calendar> {
  const { settings } = await openSession(plain);
  try {
    return parseCalendar(options.at ?? settings[options.role].schedule, settings.time_zone);
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

if (import.meta.main) await main(command());
