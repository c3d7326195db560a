import type { NodeRow, Report, RoleRow, StripRun } from "../store/rows.ts";
import { clockAheadMs } from "../store/node_clock.ts";
import { isFailure } from "../store/outcomes.ts";
import type { Due, NodeState } from "./node_view.ts";
import { isRunOfRole } from "./roles.ts";
import { sentence } from "../shared/words.ts";
import { formatDuration } from "../../lib/core/format.ts";

/**
 * The state of a node at a moment, computed from its row. A node's due times are by its own clock; its heartbeats show
 * how far that clock is ahead.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Two heartbeats may get lost, for example while a proxy restarts. */
const MISSED_HEARTBEATS = 3;
/** A restart of the machine takes this long, whatever its interval. */
const SILENCE_MS_MIN = 3 * MINUTE_MS;
/** Loops check their schedule every half a minute, and the report of a start takes a moment. */
const START_GRACE_MS = 2 * MINUTE_MS;
/** Records name the second in which a run began, which may be just before its due time. */
const RECORDED_MS = 2_000;
/** A run is late after twice the longest time before, but not before this. */
const LONG_RUN_MS_MIN = 15 * MINUTE_MS;
/** Limit for a command without earlier runs: as long as a training may take. */
const UNKNOWN_RUN_MS_MAX = 6 * HOUR_MS;
/** Machines whose runs are started by a timer report no schedule. This many runs show its interval. */
const RHYTHM_RUNS_MIN = 5;
/** Shorter intervals come from a demo or an operator, not from a timer. */
const RHYTHM_MS_MIN = MINUTE_MS;
/** Random delays of timers, as a fraction of the interval. */
const RHYTHM_SPREAD = 0.2;
/** A suspended machine starts its timer late, and runs may take longer on slow days. */
const RHYTHM_GRACE_MS = 10 * MINUTE_MS;

/** Returns the state of a node. */
export function nodeState(row: NodeRow, now: Date): NodeState {
  const { report, lastReceivedAt } = row;
  if (lastReceivedAt === null) {
    return { kind: "never-reported", since: null, reason: "It has a token and has not reported yet." };
  }
  return (hasDaemon(report) ? silence(report, lastReceivedAt, now) : overdueByRhythm(row, now)) ??
    pausedState(report) ??
    lateStart(row, now) ??
    longRun(row, now) ??
    canaryState(report) ??
    { kind: "up", since: null, reason: "" };
}

/**
 * Returns how long a node may be silent before it counts as late or down. A dashboard that was away has to listen for
 * this long again.
 */
export function patienceOf({ report, strip }: NodeRow): number {
  return hasDaemon(report) ? heartbeatPatience(report) : rhythmPatience(rhythmMs(strip) ?? 0);
}

function heartbeatPatience({ intervalSeconds }: Report): number {
  return Math.max(intervalSeconds * 1000 * MISSED_HEARTBEATS, SILENCE_MS_MIN);
}

function rhythmPatience(gapMs: number): number {
  return gapMs + Math.max(gapMs / 4, RHYTHM_GRACE_MS);
}

/** Whether a daemon of the node has reported. The state of its store may be reported without a daemon. */
function hasDaemon(report: Report | null): report is Report {
  return report !== null && report.intervalSeconds > 0;
}

/** Returns `down` for a daemon that stopped sending heartbeats. */
function silence(report: Report, lastReceivedAt: string, now: Date): NodeState | undefined {
  const patienceMs = heartbeatPatience(report);
  const heardAt = report.heartbeatAt ?? report.receivedAt;
  // Runs report even while the daemon is down.
  const silentMs = now.getTime() - Date.parse(heardAt);
  if (silentMs <= patienceMs) return undefined;
  const heard = lastReceivedAt > heardAt ? ", though a run reported since" : "";
  const silent = `no heartbeat for ${formatDuration(silentMs)}${heard}`;
  const isSeenGone = report.heartbeatAt !== undefined;
  return {
    kind: "down",
    since: heardAt,
    reason: sentence(
      isSeenGone
        ? `its daemon has stopped: ${silent}`
        : `${silent}; expected every ${formatDuration(report.intervalSeconds * 1000)}`,
    ),
  };
}

/**
 * Returns `late` or `down` for a machine without a daemon whose runs a timer starts. Its clock may be wrong, which no
 * heartbeat shows: while its runs keep arriving, it is on time, and a run that is dated after its arrival counts from
 * its arrival.
 */
function overdueByRhythm({ strip, lastReceivedAt }: NodeRow, now: Date): NodeState | undefined {
  const gapMs = rhythmMs(strip);
  const last = strip.at(-1);
  if (gapMs === undefined || last === undefined || lastReceivedAt === null) return undefined;
  const heardMs = Date.parse(lastReceivedAt);
  const startedMs = Math.min(Date.parse(last.startedAt), heardMs);
  const patienceMs = rhythmPatience(gapMs);
  const dueMs = Math.max(startedMs, heardMs - last.durationMs) + patienceMs;
  const overdueMs = now.getTime() - dueMs;
  if (overdueMs <= 0) return undefined;
  return {
    kind: overdueMs > 2 * gapMs ? "down" : "late",
    since: new Date(dueMs).toISOString(),
    reason: `No run for ${formatDuration(now.getTime() - dueMs + patienceMs)}; usually at most ${
      formatDuration(gapMs)
    } between runs.`,
  };
}

/**
 * Returns the longest gap between the runs of a timer; `undefined` if no timer starts them. A timer shows by equal
 * gaps: at least half of them are close to the median. Operators start commands at any time.
 */
function rhythmMs(strip: readonly StripRun[]): number | undefined {
  if (strip.length < RHYTHM_RUNS_MIN) return undefined;
  const starts = strip.map(({ startedAt }) => Date.parse(startedAt)).sort((a, b) => a - b);
  const gaps = starts.slice(1).map((start, index) => start - (starts[index] ?? start)).sort((a, b) => a - b);
  const middle = gaps[Math.floor((gaps.length - 1) / 2)] ?? 0;
  if (middle < RHYTHM_MS_MIN) return undefined;
  const equal = gaps.filter((gap) => Math.abs(gap - middle) <= middle * RHYTHM_SPREAD);
  return equal.length >= gaps.length / 2 ? gaps.at(-1) : undefined;
}

/** Returns `paused` if all roles of the node are paused: nothing is expected of it. */
function pausedState(report: Report | null): NodeState | undefined {
  const pauses = report?.roles.map(({ pause }) => pause) ?? [];
  const [first] = pauses;
  if (first === undefined || first === null || pauses.includes(null)) return undefined;
  const because = first.reason === undefined || first.reason === "" ? "" : `: ${first.reason}`;
  return { kind: "paused", since: first.since, reason: sentence(`an operator paused it${because}`) };
}

/** Returns `late` if a due time has passed without a run. */
function lateStart(row: NodeRow, now: Date): NodeState | undefined {
  for (const role of row.report?.roles ?? []) {
    const due = role.pause === null ? missedDue(row, role, now) : undefined;
    if (due === undefined) continue;
    return { kind: "late", since: due.at, reason: `The ${role.role} run did not start on time.` };
  }
  return undefined;
}

/** @returns the due time by the dashboard's clock */
function missedDue(row: NodeRow, { role, next, splaySeconds }: RoleRow, now: Date): Due | undefined {
  if (next === null) return undefined;
  const shownMs = Date.parse(next) - clockAheadMs(row);
  const isOver = now.getTime() > shownMs + splaySeconds * 1000 + START_GRACE_MS;
  return isOver && !isServed(row, role, next) ? { role, at: new Date(shownMs).toISOString() } : undefined;
}

/** Returns whether a run of the role has begun since the due time. */
function isServed({ strip, running }: NodeRow, role: string, due: string): boolean {
  const onTimeMs = Date.parse(due) - RECORDED_MS;
  return [...strip, ...running].some(({ command, startedAt }) =>
    isRunOfRole(role, command) && Date.parse(startedAt) >= onTimeMs
  );
}

function longRun(row: NodeRow, now: Date): NodeState | undefined {
  for (const { command, startedAt } of row.running) {
    const past = row.strip.filter((run) => run.command === command && !isFailure(run.outcome));
    const longestMs = Math.max(0, ...past.map(({ durationMs }) => durationMs));
    const limitMs = past.length === 0 ? UNKNOWN_RUN_MS_MAX : Math.max(2 * longestMs, LONG_RUN_MS_MIN);
    const begunMs = Date.parse(startedAt) - clockAheadMs(row);
    if (now.getTime() - begunMs <= limitMs) continue;
    const usual = past.length === 0 ? "" : `; the longest run before took ${formatDuration(longestMs)}`;
    return {
      kind: "late",
      since: new Date(begunMs + limitMs).toISOString(),
      reason: `Its ${command} has been running for ${formatDuration(now.getTime() - begunMs)}${usual}.`,
    };
  }
  return undefined;
}

function canaryState(report: Report | null): NodeState | undefined {
  const canary = report?.canary;
  if (canary?.status === "watching") {
    const left = `${formatDuration(canary.leftMs)} left when it last reported`;
    return { kind: "canary", since: canary.startedAt, reason: `Its release is in canary, ${left}.` };
  }
  if (canary?.status !== "paused") return undefined;
  const because = canary.reason === "" ? "" : `: ${canary.reason}`;
  return { kind: "canary", since: canary.startedAt, reason: sentence(`its canary is paused${because}`) };
}

/** Returns the next due time of a node, by the dashboard's clock; `null` if there is none or it is unknown. */
export function nextDue(row: NodeRow, now: Date): Due | null {
  const dues =
    row.report?.roles.flatMap((role) => (role.pause === null ? dueOf(row, role, now) : null) ?? []) ?? [];
  return dues.toSorted((a, b) => a.at.localeCompare(b.at))[0] ?? null;
}

/**
 * Returns the next due time of a role, by the dashboard's clock; `null` for never, `undefined` if a run has served the
 * due time and the node has not reported the next one.
 */
export function dueOf(row: NodeRow, { role, next }: RoleRow, now: Date): Due | null | undefined {
  if (next === null) return null;
  const shownMs = Date.parse(next) - clockAheadMs(row);
  if (now.getTime() >= shownMs && isServed(row, role, next)) return undefined;
  return { role, at: new Date(shownMs).toISOString() };
}
