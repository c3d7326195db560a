import { EVENT_TYPES, nodeOf } from "../../lib/wire/event_names.ts";
import type { EventOf, ReportEvent } from "../../lib/wire/schema.ts";
import { isActivation, isFailure, namesActiveRelease } from "./outcomes.ts";
import { withActivation, withHost, withSaid } from "./active_claims.ts";
import { isAhead, isNewerReport, provesClock, withoutLaterTimes } from "./node_clock.ts";
import type { NodeRow, PublishedName, Report, RunRow } from "./rows.ts";
import { endOf, knownTime, reportOf, runRow, stripRun, utc, word } from "./row_values.ts";

/** Runs in a node's strip. */
const STRIP_RUNS = 30;
/**
 * Releases that are kept for a publisher. A consumer that is further behind is shown as "at least 50 releases behind".
 */
export const PUBLISHED_MAX = 50;
/** A machine runs only a few commands at once. */
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
 * Returns the row of a node after an event. Pure. Events may be repeated and arrive in any order: the row is the same
 * except for times of arrival. Because a row is bounded, three things depend on the order: which runs are shown when
 * more than ten run at once, the first publication of a release that more than fifty followed, and times from a wrong
 * clock.
 */
export function reduceNode(row: NodeRow, event: ReportEvent, receivedAt: string): NodeRow {
  const after = withEvent(row, event, receivedAt);
  const isNew = row.lastReceivedAt === null || !isSame(after, row);
  if (!isNew) return row;
  return {
    ...after,
    firstReceivedAt: row.firstReceivedAt ?? receivedAt,
    // A state that is reported without a daemon is not a sign of life.
    lastReceivedAt: isWithoutDaemon(event) && row.lastReceivedAt !== null
      ? row.lastReceivedAt
      : laterOf(row.lastReceivedAt, receivedAt),
  };
}

function isWithoutDaemon(event: ReportEvent): boolean {
  return event.type === EVENT_TYPES.heartbeat && event.data.intervalSeconds === 0;
}

/** Rows come from one schema and these functions, so equal rows have their keys in the same order. */
function isSame(a: NodeRow, b: NodeRow): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function withEvent(row: NodeRow, event: ReportEvent, receivedAt: string): NodeRow {
  switch (event.type) {
    case EVENT_TYPES.started:
      return begin(row, event.data);
    case EVENT_TYPES.finished:
      return finish(row, event, receivedAt);
    case EVENT_TYPES.published:
      return publish(row, event, receivedAt);
    case EVENT_TYPES.heartbeat:
      return beat(row, event, receivedAt);
    case EVENT_TYPES.pullRequest:
      return withHost(row, event.data.host, utc(event.time));
  }
}

function begin(row: NodeRow, { runId, command, startedAt, host }: EventOf<"started">["data"]): NodeRow {
  const at = utc(startedAt);
  const heard = withHost(row, host, at);
  // The newest heartbeat lists all runs that were in progress. Earlier runs that are not listed have ended.
  const wasOver = row.report !== null && at < row.report.at;
  if (wasOver || row.running.some((run) => run.runId === runId)) return heard;
  return withRunning(heard, [...row.running, { runId, command: word(command), startedAt: at, step: null }]);
}

function finish(before: NodeRow, { source, data }: EventOf<"finished">, receivedAt: string): NodeRow {
  const run = runRow(nodeOf(source), data);
  const row = clockWasSetBack(before, run, receivedAt) ? withoutLaterTimes(before, run.startedAt) : before;
  const isNewest = row.last === null || endsAfter(run, row.last);
  const strip = withRun(row.strip, run);
  const ended: NodeRow = {
    ...withHost(row, data.host, endOf(run)),
    last: isNewest ? run : row.last,
    strip,
    lastSuccessAt: isFailure(run.outcome) ? row.lastSuccessAt : laterOf(row.lastSuccessAt, run.startedAt),
  };
  return withActivity(withRunning(ended, row.running), run);
}

/** Whether a run shows that a machine without heartbeats had a clock that was ahead and has been corrected. */
function clockWasSetBack({ last, strip }: NodeRow, run: RunRow, receivedAt: string): boolean {
  if (last === null || !isAhead(endOf(last), receivedAt) || isAhead(endOf(run), receivedAt)) return false;
  return !strip.some(({ runId }) => runId === run.runId);
}

function withRun(strip: NodeRow["strip"], run: RunRow): NodeRow["strip"] {
  const others = strip.filter(({ runId }) => runId !== run.runId);
  return [...others, stripRun(run)].sort((a, b) => endsAfter(a, b) ? 1 : -1).slice(-STRIP_RUNS);
}

/** Updates the active release by what a run reports. */
function withActivity(row: NodeRow, run: RunRow): NodeRow {
  const { release: digest, sequence } = run;
  if (digest === undefined || !namesActiveRelease(run.command)) return row;
  const at = endOf(run);
  const said = withSaid(row, { digest, ...(sequence === undefined ? {} : { sequence }), at });
  return isActivation(run) ? withActivation(said, { digest, sequence, at }) : said;
}

function publish(row: NodeRow, { time, data }: EventOf<"published">, receivedAt: string): NodeRow {
  const published: PublishedName = {
    digest: data.digest,
    sequence: data.sequence,
    at: utc(time),
    receivedAt,
  };
  const isSameRelease = (one: PublishedName) =>
    one.digest === published.digest && one.sequence === published.sequence;
  const others = row.published.filter((one) => !isSameRelease(one));
  const first = row.published.find(isSameRelease);
  // Publishing a release over a second carrier keeps the time of its first publication.
  const kept = first === undefined
    ? published
    : { ...first, at: first.at < published.at ? first.at : published.at };
  const sorted = [...others, kept].sort((a, b) =>
    b.sequence - a.sequence || compare(b.at, a.at) || compare(b.digest, a.digest)
  );
  return { ...withHost(row, data.host, published.at), published: sorted.slice(0, PUBLISHED_MAX) };
}

function beat(before: NodeRow, event: EventOf<"heartbeat">, receivedAt: string): NodeRow {
  const said = reportOf(event, receivedAt);
  const report = isWithoutDaemon(event) ? withDaemonOf(before.report, said) : said;
  const isNewest = before.report === null || isNewerReport(report, before.report);
  const row = isNewest && provesClock(report, before.report) ? corrected(before, report.at) : before;
  const claimed = withClaims(row, event, report.at);
  if (!isNewest) return claimed;
  const begunSince = row.running.filter(({ startedAt }) => startedAt >= report.at);
  const running = event.data.status.running.slice(0, RUNNING_MAX).map((run) => ({
    runId: run.runId,
    command: word(run.command),
    startedAt: utc(run.startedAt),
    step: run.step === null ? null : word(run.step),
  }));
  const named = new Set(running.map(({ runId }) => runId));
  return withRunning({ ...claimed, report }, [
    ...running,
    ...begunSince.filter(({ runId }) => !named.has(runId)),
  ]);
}

/**
 * Keeps the daemon of the earlier report: a daemon that stopped must be missed although the state of the store is still
 * reported.
 */
function withDaemonOf(before: Report | null, state: Report): Report {
  if (before === null || before.intervalSeconds === 0) return state;
  const { roles, intervalSeconds, receivedAt, heartbeatAt = receivedAt } = before;
  return { ...state, roles, intervalSeconds, heartbeatAt };
}

/** Corrects the times of a row. The activation is dropped if its time changed: the heartbeat has the correct one. */
function corrected(before: NodeRow, at: string): NodeRow {
  const row = withoutLaterTimes(before, at);
  return row.activation?.at === before.activation?.at ? row : { ...row, activation: null };
}

/** Updates host and release by a heartbeat. Also for older heartbeats, because a newer one may have reported less. */
function withClaims(row: NodeRow, { data }: EventOf<"heartbeat">, at: string): NodeRow {
  const { current, activatedAt } = data.status;
  const heard = withHost(row, data.host, at);
  if (current === null) return withSaid(heard, { digest: null, at });
  const { digest, sequence } = current;
  const said = withSaid(heard, { digest, sequence, at });
  const since = activationTime(row, digest, knownTime(activatedAt), at);
  return since === undefined ? said : withActivation(said, { digest, sequence, at: since });
}

/**
 * Returns the time of an activation. A time in the future comes from a history that was written while the clock was
 * ahead.
 */
function activationTime(
  { activation }: NodeRow,
  digest: string,
  since: string | undefined,
  at: string,
): string | undefined {
  if (since === undefined || !isAhead(since, at)) return since;
  return activation?.digest === digest ? undefined : at;
}

/**
 * Sets the runs in progress. A run may have ended and left the strip: a run that began before the oldest run there
 * ended, and that no newer heartbeat lists, counts as ended.
 */
function withRunning(row: NodeRow, running: NodeRow["running"]): NodeRow {
  const { strip, report } = row;
  const [oldest] = strip;
  const forgottenUntil = strip.length === STRIP_RUNS && oldest !== undefined ? endOf(oldest) : "";
  const known = new Set(strip.map(({ runId }) => runId));
  const left = running.filter(({ runId, startedAt }) =>
    !known.has(runId) && laterOf(report?.at ?? null, startedAt) > forgottenUntil
  );
  return { ...row, running: left.sort((a, b) => beginsAfter(a, b) ? -1 : 1).slice(0, RUNNING_MAX) };
}

type Begun = { readonly startedAt: string; readonly runId: string };

function beginsAfter(a: Begun, b: Begun): boolean {
  return a.startedAt === b.startedAt ? a.runId > b.runId : a.startedAt > b.startedAt;
}

function endsAfter(a: Begun & { durationMs: number }, b: Begun & { durationMs: number }): boolean {
  const [endA, endB] = [endOf(a), endOf(b)];
  return endA === endB ? beginsAfter(a, b) : endA > endB;
}

function laterOf(a: string | null, b: string): string {
  return a === null || b > a ? b : a;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
