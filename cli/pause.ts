import { buildCommand } from "@stricli/core";
import { parseDuration } from "../lib/core/duration.ts";
import { UsageError } from "../lib/core/errors.ts";
import { formatLocalTime } from "../lib/core/format.ts";
import { ROLES } from "../lib/config/roles.ts";
import { readDaemons } from "../lib/store/daemons.ts";
import { pauseRoles } from "../lib/store/pauses.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import { narrowToReporting, openExistingStore, type Session } from "./_session.ts";
import {
  COMMON_ALIASES,
  COMMON_FLAGS,
  type CommonFlags,
  parseRoles,
  ROLE_ARGUMENTS,
  textFlag,
} from "./_options.ts";
import { controlRun } from "../lib/pipeline/reported_run.ts";
import { SUMMARIES } from "./_help.ts";

interface PauseFlags extends CommonFlags {
  readonly for?: string;
  readonly reason?: string;
}

export const program: Program = defineProgram(
  "pause",
  buildCommand<PauseFlags, string[], Invocation>({
    docs: { brief: SUMMARIES.pause },
    parameters: {
      flags: {
        for: textFlag("length of the pause: 90s, 15m, 2h or 1d (default: until resumed)"),
        reason: textFlag("reason that status shows"),
        ...COMMON_FLAGS,
      },
      aliases: COMMON_ALIASES,
      positional: ROLE_ARGUMENTS,
    },
    func: withSession((session, flags, ...typed) => run(session, flags, typed)),
  }),
);

async function run(session: Session, flags: PauseFlags, typed: readonly string[]): Promise<void> {
  const { context, output, settings } = session;
  const { clock, host } = context;
  const roles = typed.length === 0 ? ROLES : parseRoles(typed);
  const since = clock.now();
  const until = flags.for === undefined ? null : new Date(since.getTime() + durationMs(flags.for));
  const { reason } = flags;
  narrowToReporting(session);
  const store = openExistingStore(session);
  const { outcome, runId } = await controlRun(session, store, "pause", () => {
    pauseRoles(store, roles, {
      since: since.toISOString(),
      until: until?.toISOString() ?? null,
      host,
      ...(reason === undefined ? {} : { reason }),
    });
    return { outcome: "paused" as const };
  });
  const daemons = (await readDaemons(context, store)).filter(({ role }) =>
    roles.some((name) => name === role)
  );
  const result = { outcome, roles, runId, since: since.toISOString(), until: until?.toISOString() ?? null };
  output.result({ ...result, reason: reason ?? null, daemons }, () => [
    `${output.paint("green", "✓")} paused ${
      until === null ? "until resumed" : `until ${formatLocalTime(until, settings.time_zone)}`
    }: ${roles.join(", ")}`,
    ...(daemons.length > 0
      ? []
      : ["  no daemon with these roles runs now; the pause applies when one starts"]),
  ]);
}

/** @throws {UsageError} code `DURATION_INVALID` */
function durationMs(text: string): number {
  try {
    const parsed = parseDuration(text);
    if (parsed > 0) return parsed;
    throw new RangeError(`"${text}" is no time at all`);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`Cannot use --for: ${cause.message}`, { code: "DURATION_INVALID", cause });
  }
}

if (import.meta.main) await main(program);
