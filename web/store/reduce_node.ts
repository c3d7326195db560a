import { EVENT_TYPES, nodeOf } from "../../lib/reporting/event_names.ts";
import type { EventOf, ReportEvent } from "../../lib/reporting/wire.ts";
import { isActivation, isFailure, namesActiveRelease } from "../fleet/outcomes.ts";
import type { NodeRow, PublishedName, RunRow } from "./rows.ts";
import { endOf, reportOf, runRow, stripRun, utc, word } from "./row_values.ts";

/** Runs in the strip of a node. */
export const STRIP_RUNS = 30;
/** Releases that a publisher is remembered by: a consumer that is further behind is "50 or more behind". */
export const PUBLISHED_MAX = 50;
/** One machine runs a few commands at once. */
const RUNNING_MAX = 10;

/** Returns the row of a node that has not reported yet. */
export function unreportedNode(node: string): NodeRow {
  return {
    node,
    host: null,
    firstReceivedAt: null,
    lastReceivedAt: null,
    report: null,
    active: null,
    activation: null,
    published: [],
    strip: [],
    last: null,
    running: [],
    lastSuccessAt: null,
  };
}

/**
 * Returns the row of a node after an event. Events may come twice and in any order: the result is the same, but for the
 * times of arrival. Pure.
 */
export function reduceNode(row: NodeRow, event: ReportEvent, receivedAt: string): NodeRow {
  const heard: NodeRow = {
    ...row,
    firstReceivedAt: row.firstReceivedAt ?? receivedAt,
    lastReceivedAt: laterOf(row.lastReceivedAt, receivedAt),
  };
  switch (event.type) {
    case EVENT_TYPES.started:
      return begin(heard, event.data);
    case EVENT_TYPES.finished:
      return finish(heard, event);
    case EVENT_TYPES.published:
      return publish(heard, event);
    case EVENT_TYPES.heartbeat:
      return beat(heard, event, receivedAt);
    case EVENT_TYPES.pullRequest:
      return heard;
  }
}

function begin(row: NodeRow, { runId, command, startedAt, host }: EventOf<"started">["data"]): NodeRow {
  const at = utc(startedAt);
  if (row.running.some((run) => run.runId === runId) || hasEnded(row, runId, at)) return row;
  const running = [...row.running, { runId, command: word(command), startedAt: at, step: null }];
  return { ...row, host: row.host ?? host, running: newestFirst(running) };
}

/** Whether a run that is said to have begun is over: known as ended, too old to be remembered, or not running later. */
function hasEnded(row: NodeRow, runId: string, startedAt: string): boolean {
  const [oldest] = row.strip;
  const isForgotten = row.strip.length === STRIP_RUNS && oldest !== undefined && startedAt < oldest.startedAt;
  const wasOver = row.report !== null && startedAt < row.report.at;
  return isForgotten || wasOver || row.strip.some((run) => run.runId === runId);
}

function finish(row: NodeRow, { source, data }: EventOf<"finished">): NodeRow {
  const run = runRow(nodeOf(source), data);
  const isNewest = row.last === null || isAfter(run, row.last);
  return {
    ...row,
    ...activityOf(row, run),
    host: isNewest ? data.host : row.host,
    last: isNewest ? run : row.last,
    strip: withRun(row.strip, run),
    running: row.running.filter(({ runId }) => runId !== run.runId),
    lastSuccessAt: isFailure(run.outcome) ? row.lastSuccessAt : laterOf(row.lastSuccessAt, run.startedAt),
  };
}

function withRun(strip: NodeRow["strip"], run: RunRow): NodeRow["strip"] {
  const others = strip.filter(({ runId }) => runId !== run.runId);
  return [...others, stripRun(run)].sort((a, b) => isAfter(a, b) ? 1 : -1).slice(-STRIP_RUNS);
}

/** What a run says of the release that consumers see. */
function activityOf(row: NodeRow, run: RunRow): Partial<NodeRow> {
  const { release, sequence } = run;
  if (release === undefined || !namesActiveRelease(run.command)) return {};
  const saidAt = endOf(run);
  const isNewer = row.active === null || saidAt > row.active.saidAt;
  // Only a run that took a release says its sequence, and that of no other.
  const named = { digest: release, ...(sequence === undefined ? {} : { sequence }), saidAt };
  return {
    ...(isNewer ? { active: withSequence(named, row) } : {}),
    ...(isActivation(run) ? { activation: laterActivation(row, release, saidAt) } : {}),
  };
}

/** A run that found nothing new may not name the sequence that an earlier one named. */
function withSequence(active: NonNullable<NodeRow["active"]>, row: NodeRow): NonNullable<NodeRow["active"]> {
  const before = row.active;
  if (active.sequence !== undefined || before?.digest !== active.digest || before.sequence === undefined) {
    return active;
  }
  return { ...active, sequence: before.sequence };
}

function laterActivation(
  { activation }: NodeRow,
  digest: `sha256:${string}`,
  at: string,
): NodeRow["activation"] {
  return activation === null || at > activation.at ? { digest, at } : activation;
}

function publish(row: NodeRow, { time, data }: EventOf<"published">): NodeRow {
  const published: PublishedName = { digest: data.digest, sequence: data.sequence, at: utc(time) };
  const isSame = (one: PublishedName) =>
    one.digest === published.digest && one.sequence === published.sequence;
  const others = row.published.filter((one) => !isSame(one));
  const first = row.published.find(isSame);
  // Uploaded by a second carrier, it is the same release, as old as its first publication.
  const kept = first !== undefined && first.at < published.at ? first : published;
  const sorted = [...others, kept].sort((a, b) =>
    b.sequence - a.sequence || b.at.localeCompare(a.at) || b.digest.localeCompare(a.digest)
  );
  return { ...row, host: row.host ?? data.host, published: sorted.slice(0, PUBLISHED_MAX) };
}

function beat(row: NodeRow, event: EventOf<"heartbeat">, receivedAt: string): NodeRow {
  const report = reportOf(event, receivedAt);
  if (row.report !== null && !isNewerReport(report, row.report)) return row;
  const { status, host } = event.data;
  const { current, activatedAt } = status;
  const since = activatedAt === null || Number.isNaN(Date.parse(activatedAt)) ? null : utc(activatedAt);
  const active = current === null
    ? row.active
    : { digest: current.digest, sequence: current.sequence, saidAt: report.at };
  const isNewer = active !== null &&
    (row.active === null || active.saidAt > row.active.saidAt || isAhead(row.active.saidAt, receivedAt));
  const begunSince = row.running.filter(({ startedAt }) => startedAt >= report.at);
  const running = status.running.slice(0, RUNNING_MAX).map((run) => ({
    runId: run.runId,
    command: word(run.command),
    startedAt: utc(run.startedAt),
    step: run.step === null ? null : word(run.step),
  })).filter(({ runId }) => !row.strip.some((run) => run.runId === runId));
  const named = new Set(running.map(({ runId }) => runId));
  return {
    ...row,
    host: row.last !== null && endOf(row.last) > report.at ? row.host : host,
    report,
    active: isNewer ? active : row.active,
    ...(current !== null && since !== null
      ? { activation: laterActivation(row, current.digest, since) }
      : {}),
    running: newestFirst([...running, ...begunSince.filter(({ runId }) => !named.has(runId))]),
  };
}

/** Heartbeats are never sent again: one that arrives minutes later is newer, whatever a clock that was set back says. */
function isNewerReport(
  report: NonNullable<NodeRow["report"]>,
  stored: NonNullable<NodeRow["report"]>,
): boolean {
  return report.at > stored.at ||
    Date.parse(report.receivedAt) - Date.parse(stored.receivedAt) > REORDERING_MS;
}

/** A node gives a heartbeat ten seconds to arrive; proxies may hold it for longer. */
const REORDERING_MS = 120_000;

/** Whether only a clock that was wrong can have named this time. */
function isAhead(saidAt: string, receivedAt: string): boolean {
  return Date.parse(saidAt) - Date.parse(receivedAt) > CLOCK_TOLERANCE_MS;
}

/** Clocks that are set by the network differ by less. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

function newestFirst(running: NodeRow["running"]): NodeRow["running"] {
  return [...running].sort((a, b) => isAfter(a, b) ? -1 : 1).slice(0, RUNNING_MAX);
}

type Begun = { readonly startedAt: string; readonly runId: string };

function isAfter(a: Begun, b: Begun): boolean {
  return a.startedAt === b.startedAt ? a.runId > b.runId : a.startedAt > b.startedAt;
}

function laterOf(a: string | null, b: string): string {
  return a === null || b > a ? b : a;
}
