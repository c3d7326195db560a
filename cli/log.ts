import { UsageError } from "../lib/core/errors.ts";
import { ROLE_COMMANDS } from "../lib/config/roles.ts";
import { endOf, instantOf, type Moment } from "../lib/schedule/moment.ts";
import { followRuns } from "../lib/status/follow_runs.ts";
import { findRun } from "../lib/status/find_run.ts";
import { type RunFilter, selectRuns, type Skipped } from "../lib/status/select_runs.ts";
import { OUTCOMES, type RunRecord } from "../lib/store/history.ts";
import { runsNewestFirst } from "../lib/store/runs_newest_first.ts";
import { findStore, type Store } from "../lib/store/store.ts";
import { plural } from "../lib/core/format.ts";
import { optionalOperand } from "./_arguments.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { type Options, parseChoice, switchOption, textOption } from "./_declaration.ts";
import { limitOption } from "./_options.ts";
import { SUMMARIES } from "./_help.ts";
import { momentOption } from "./_moment_option.ts";
import { ROLE_VALUES } from "./_roles.ts";
import { runDetails, runRows } from "./_runs.ts";
import type { Session } from "./_session.ts";

/** The number of runs that fits on a screen. */
const RUNS_SHOWN = 20;

/** Rows of a table are aligned with each other; a longer list is printed in parts, so that memory stays constant. */
const ROWS_MAX = 1_000;

const COMMANDS = Object.keys(SUMMARIES);

const OPTIONS = {
  since: momentOption("Only runs that ended since then", "24h or 2026-11-29T06:00Z"),
  until: momentOption("Only runs that started until then", "a day includes its end"),
  command: {
    group: "Options",
    kind: "value",
    placeholder: "COMMAND",
    brief: "Only runs of this command",
    parse: (text: string) => parseChoice(text, COMMANDS),
    repeatable: true,
    separator: ",",
  },
  role: {
    group: "Options",
    kind: "value",
    placeholder: "ROLE",
    brief: "Only runs of this role",
    ...ROLE_VALUES,
  },
  outcome: {
    group: "Options",
    kind: "value",
    placeholder: "OUTCOME",
    brief: "Only runs that ended in this way",
    choices: OUTCOMES,
    parse: (text: string) => parseChoice(text, OUTCOMES),
    repeatable: true,
    separator: ",",
  },
  failed: switchOption({ group: "Options", brief: "Only runs that ended with an error" }),
  release: textOption({
    group: "Options",
    placeholder: "RELEASE",
    brief: "Only runs with this sequence or digest's beginning",
    completion: "releases",
  }),
  limit: limitOption("runs", RUNS_SHOWN),
  follow: switchOption({
    group: "Options",
    short: "f",
    brief: "Oldest first; print new runs until you press Ctrl-C",
  }),
} satisfies Options;

type LogFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "log",
  command: command({
    summary: SUMMARIES.log,
    options: OPTIONS,
    operands: optionalOperand("RUN", "The end of a run's id, or its id: shows this run in detail", "runs"),
    examples: [
      ["Show what happened last night", "model-sync log --since 12h"],
      ["Show failed pulls of the last week", "model-sync log --since 7d --role client --failed"],
      ["Show one run in detail", "model-sync log 3f9a2b"],
      [
        "Print every run as a line of JSON",
        "model-sync log --limit 0 --json | jq -r .outcome | sort | uniq -c",
      ],
    ],
    run,
  }),
};

async function run(session: Session, flags: LogFlags, runId: string | undefined): Promise<void> {
  const { context, location } = session;
  const store = findStore(context.fs, location, context.log);
  if (runId !== undefined) return await showRun(session, store, flags, runId);
  const filter = filterOf(session, flags);
  if (flags.follow === true) return await follow(session, flags, filter);
  list(session, store, filter, flags.limit ?? RUNS_SHOWN);
}

/** @throws {UsageError} code `USAGE` if no run can be in the window */
function filterOf({ context, settings }: Session, flags: LogFlags): RunFilter {
  const now = context.clock.now();
  const at = (moment: Moment | undefined, read: typeof instantOf) =>
    moment && read(moment, now, settings.time_zone);
  const [sinceMs, untilMs] = [at(flags.since, instantOf), at(flags.until, endOf)];
  if (sinceMs !== undefined && untilMs !== undefined && untilMs < sinceMs) {
    throw new UsageError("Cannot show runs: --until is before --since", {
      code: "USAGE",
      hint: "times without an offset are in model_sync.time_zone, or in the machine's time zone",
    });
  }
  const named = [...flags.command ?? [], ...(flags.role ?? []).map((role) => ROLE_COMMANDS[role])];
  return {
    sinceMs,
    untilMs,
    commands: named.length === 0 ? undefined : named,
    outcomes: flags.outcome,
    failed: flags.failed,
    release: flags.release,
  };
}

/** Prints the newest runs, newest first: as JSON one at a time, as a table in parts. */
function list({ output }: Session, store: Store | undefined, filter: RunFilter, limit: number): void {
  const skipped: Skipped = { lines: 0 };
  const part: RunRecord[] = [];
  let count = 0;
  let hasMore = false;
  for (const run of store === undefined ? [] : selectRuns(runsNewestFirst(store), filter, skipped)) {
    hasMore = limit > 0 && count === limit;
    if (hasMore || output.isClosed) break;
    count++;
    if (output.options.json) output.document(run, () => []);
    else part.push(run);
    if (part.length < ROWS_MAX) continue;
    const rows = part.splice(0);
    output.document({}, () => runRows(output, rows, { hasHeading: count === rows.length }));
  }
  if (output.options.json) return;
  const more = hasMore ? [`  older runs are not shown: --limit ${limit * 5}, or --limit 0 for all`] : [];
  const rest = part.length === 0 ? [] : runRows(output, part, { hasHeading: count === part.length });
  output.document({}, () => [...rest, ...more.map((line) => output.paint("dim", line))]);
  if (count === 0) output.document({}, () => [nothingText(filter)]);
  warnOfSkipped(output.log, skipped);
}

function nothingText(filter: RunFilter): string {
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  return isFiltered ? "no run on record matches" : "no run is on record yet";
}

function warnOfSkipped(log: Session["context"]["log"], { lines }: Skipped): void {
  if (lines === 0) return;
  log.warn(`${plural(lines, "line")} of the history skipped: damaged, or written by a later version`);
}

/** Prints the last runs and then each new one, oldest first, until the command is stopped. */
async function follow(session: Session, flags: LogFlags, filter: RunFilter): Promise<void> {
  const { context, output, location } = session;
  session.endsOnStop();
  let hasHeading = true;
  const show = (runs: readonly RunRecord[]) => {
    if (runs.length === 0) return;
    if (output.options.json) { for (const run of runs) output.document(run, () => []); }
    else output.document({}, () => runRows(output, runs, { hasHeading }));
    hasHeading = false;
  };
  await followRuns(context, {
    open: () => findStore(context.fs, location),
    filter,
    limit: flags.limit ?? RUNS_SHOWN,
    show,
    isOver: () => output.isClosed,
  });
}

async function showRun(
  { context, output }: Session,
  store: Store | undefined,
  flags: LogFlags,
  typed: string,
): Promise<void> {
  const others = Object.keys(OPTIONS).filter((name) => Object.hasOwn(flags, name));
  if (others.length > 0) {
    throw new UsageError(`Cannot show the run ${typed}: a filter was given, too`, {
      code: "USAGE",
      hint: "leave out either the run or the options",
    });
  }
  const found = await findRun(store, typed);
  output.answer(found, () => runDetails(output, found, context.clock.now()));
}

if (import.meta.main) await main(program);
