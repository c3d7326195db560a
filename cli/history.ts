import { UsageError } from "../lib/core/errors.ts";
import { formatDuration } from "../lib/core/format.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { instantOf, type Moment } from "../lib/schedule/moment.ts";
import { type Activation, type ActivePeriod, activePeriods } from "../lib/status/active_periods.ts";
import { findStore, type Store } from "../lib/store/store.ts";
import { signOfTraining } from "../lib/store/training_signs.ts";
import { NO_OPERANDS } from "./_arguments.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import type { Options } from "./_declaration.ts";
import { limitOption } from "./_options.ts";
import { SUMMARIES } from "./_help.ts";
import { momentOption } from "./_moment_option.ts";
import type { Output } from "./_output.ts";
import { fromText } from "./_runs.ts";
import type { Session } from "./_session.ts";
import { type Column, tableLines } from "./_table.ts";

/** The number of periods that fits on a screen. */
const PERIODS_SHOWN = 20;

const OPTIONS = {
  at: momentOption("Only the release that was active at this time", "24h or 2026-11-29T06:00Z"),
  since: momentOption("Only releases that were active since then", "as --at"),
  limit: limitOption("releases", PERIODS_SHOWN),
} satisfies Options;

type HistoryFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "history",
  command: command({
    summary: SUMMARIES.history,
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show which release was active when", "model-sync history"],
      ["Show which release was active at six in the morning", "model-sync history --at 2026-11-29T06:00"],
      [
        "Print the digest of yesterday's release",
        "model-sync history --at 24h --json | jq -r .periods[0].release",
      ],
    ],
    run: (session, flags) => Promise.resolve(run(session, flags)),
  }),
};

function run(session: Session, flags: HistoryFlags): void {
  const { context, output, location, settings } = session;
  const store = findStore(context.fs, location, context.log);
  const now = context.clock.now();
  const at = (moment: Moment | undefined) => moment && instantOf(moment, now, settings.time_zone);
  if ((at(flags.at) ?? 0) > now.getTime()) {
    throw new UsageError("Cannot show the release of --at: that time is in the future", { code: "USAGE" });
  }
  const { periods, hasMore } = choose(store, {
    atMs: at(flags.at),
    sinceMs: at(flags.since),
    limit: flags.limit ?? PERIODS_SHOWN,
  });
  output.answer({ periods, hasMore }, () =>
    periods.length === 0 ? [nothingText(flags, store)] : [
      ...periodLines(output, periods, now),
      ...(hasMore ? [output.paint("dim", "  older releases are not shown: --limit 0 shows all")] : []),
    ]);
}

interface Wanted {
  readonly atMs: number | undefined;
  readonly sinceMs: number | undefined;
  /** 0 for all. */
  readonly limit: number;
}

/** Returns the wanted periods, newest first. */
function choose(
  store: Store | undefined,
  { atMs, sinceMs = -Infinity, limit }: Wanted,
): { readonly periods: readonly ActivePeriod[]; readonly hasMore: boolean } {
  const periods: ActivePeriod[] = [];
  for (const period of store === undefined ? [] : activePeriods(store)) {
    if (atMs !== undefined) {
      if (Date.parse(period.seenAt) <= atMs) return { periods: [period], hasMore: false };
      continue;
    }
    if (period.until !== null && Date.parse(period.until) < sinceMs) break;
    if (limit > 0 && periods.length === limit) return { periods, hasMore: true };
    periods.push(period);
  }
  return { periods, hasMore: false };
}

function nothingText({ at, since }: HistoryFlags, store: Store | undefined): string {
  if (at !== undefined) return "no release is on record as active at that time";
  if (since !== undefined) return "no release is on record as active since then";
  return store === undefined || signOfTraining(store) === undefined
    ? "no release was active yet"
    : "no release was active yet: this machine publishes; model-sync releases lists what";
}

const COLUMNS: readonly Column[] = [
  { heading: "SINCE" },
  { heading: "ACTIVE FOR", align: "end", leftOut: 2 },
  { heading: "SEQUENCE", align: "end", leftOut: 1 },
  { heading: "RELEASE" },
  { heading: "WHY" },
];

function periodLines(output: Output, periods: readonly ActivePeriod[], now: Date): string[] {
  return tableLines(
    output,
    COLUMNS,
    periods.map((period) => {
      const { release, sequence, isActive, by } = period;
      return {
        cells: [
          period.from ?? "unknown",
          lengthText(period, now),
          sequence === null ? "–" : String(sequence),
          isActive ? { text: shortDigest(release), style: "green" } : shortDigest(release),
          by === null ? `not on record; active at ${period.seenAt}` : whyText(by),
        ],
        notes: by?.error === undefined ? [] : [`${by.error.code}: ${by.error.message}`],
      };
    }),
  );
}

/** Returns how long a release was active. A clock that was set back must not show negative times. */
function lengthText({ from, until, isActive }: ActivePeriod, now: Date): string {
  if (from === null || (until === null && !isActive)) return "unknown";
  const end = until === null ? now.getTime() : Date.parse(until);
  return formatDuration(Math.max(0, end - Date.parse(from)));
}

function whyText({ command, outcome, carrier, revision }: Activation): string {
  const from = carrier === undefined ? "" : ` from ${fromText(carrier, revision)}`;
  if (outcome === "rolled-back") return command === "rollback" ? "rollback" : `rolled back by ${command}`;
  // By --to, or because the previous release is the newer one, after a downgrade.
  if (outcome === "activated" && command === "rollback") return "rollback to a newer release";
  return `${command}${from}`;
}

if (import.meta.main) await main(program);
