import { parseDuration } from "../lib/core/duration.ts";
import { UsageError } from "../lib/core/errors.ts";
import { formatLocalTime } from "../lib/core/format.ts";
import { type Role, ROLES } from "../lib/config/roles.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { ROLE_OPERANDS } from "./_roles.ts";
import { controlRun } from "../lib/pipeline/reported_run.ts";
import { readDaemons } from "../lib/store/daemons.ts";
import { pauseRoles } from "../lib/store/pauses.ts";
import { SUMMARIES } from "./_help.ts";
import { type Options, textOption } from "./_declaration.ts";
import { narrowToReporting, openExistingStore, type Session } from "./_session.ts";

const OPTIONS = {
  for: textOption({
    group: "Options",
    placeholder: "DURATION",
    brief: "Length of the pause",
    note: "90s, 15m, 2h or 1d",
    standard: "until resumed",
  }),
  reason: textOption({ group: "Options", placeholder: "TEXT", brief: "Reason that status shows" }),
} satisfies Options;

export const program: Program = {
  name: "pause",
  command: command({
    summary: SUMMARIES.pause,
    options: OPTIONS,
    operands: ROLE_OPERANDS,
    examples: [
      ["Pause all roles until they are resumed", "model-sync pause --reason 'exchange is down'"],
      ["Pause pulling for two hours", "model-sync pause client --for 2h"],
    ],
    run,
  }),
};

async function run(
  session: Session,
  flags: CommandFlags<typeof OPTIONS>,
  named: readonly Role[],
): Promise<void> {
  const { context, output, settings } = session;
  const { clock, host } = context;
  const roles = named.length === 0 ? ROLES : named;
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

/** Returns the length of the pause in milliseconds. @throws {UsageError} code `DURATION_INVALID` */
function durationMs(text: string): number {
  try {
    const parsed = parseDuration(text);
    if (parsed > 0) return parsed;
    throw new RangeError(`"${text}" is no length of time`);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`Cannot use --for: ${cause.message}`, { code: "DURATION_INVALID", cause });
  }
}

if (import.meta.main) await main(program);
