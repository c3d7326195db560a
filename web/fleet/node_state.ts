import type { NodeRow, Report, RoleRow, StripRun } from "../store/rows.ts";
import { clockAheadMs } from "../store/node_clock.ts";
import { isFailure } from "../store/outcomes.ts";
import type { Due, NodeState } from "./node_view.ts";
import { isRunOfRole } from "./roles.ts";
import { sentence } from "../shared/words.ts";
import { formatDuration } from "../../lib/core/format.ts";

/**
 * What a node is at a moment, from its row alone. A node's due times are by its own clock; how far that is ahead is known
 * from its heartbeats.
 */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Two heartbeats may be lost, as while a server in between restarts. */
const MISSED_HEARTBEATS = 3;
/** A machine that restarts is away for that long, whatever its interval. */
const SILENCE_MS_MIN = 3 * MINUTE_MS;
/** Loops look at the clock every half a minute, and the word of a start takes a moment. */
const START_GRACE_MS = 2 * MINUTE_MS;
/** Records name the second in which a run began: it is at most so much before its due time. */
const RECORDED_MS = 2_000;
/** A run takes twice as long as ever before, and at least that. */
const LONG_RUN_MS_MIN = 15 * MINUTE_MS;
/** A run of a command that has no past: as long as a training may take. */
const UNKNOWN_RUN_MS_MAX = 6 * HOUR_MS;
/** A machine that a timer starts has no schedule to report: this many runs show its rhythm. */
const RHYTHM_RUNS_MIN = 5;
/** No timer is faster; a demo and an operator are. */
const RHYTHM_MS_MIN = MINUTE_MS;
/** Delays that timers draw, as a part of the gap. */
const RHYTHM_SPREAD = 0.2;
/** A machine that was suspended runs its timer late, and on slow days a run takes longer. */
const RHYTHM_GRACE_MS = 10 * MINUTE_MS;

/** Returns what a node is now. */
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
 * Returns how long a node may be silent before that means anything: a dashboard that was away itself has to listen for
 * that long again.
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

/** Whether a daemon of the node was heard: the state of its store may be reported without one. */
function hasDaemon(report: Report | null): report is Report {
  return report !== null && report.intervalSeconds > 0;
}

/** A daemon that sends no heartbeats. */
function silence(report: Report, lastReceivedAt: string, now: Date): NodeState | undefined {
  const patienceMs = heartbeatPatience(report);
  const heardAt = report.heartbeatAt ?? report.receivedAt;
  // Runs report for themselves while the daemon is away.
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
 * A machine without a daemon, whose runs a timer starts. Its clock may be wrong, which no heartbeat shows: while its
 * runs go on arriving, it is on time whatever they say, and one that is dated after its arrival counts from then.
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
    reason: `No run for ${formatDuration(now.getTime() - dueMs + patienceMs)}: its runs were at most ${
      formatDuration(gapMs)
    } apart.`,
  };
}

/**
 * Returns how far apart a timer starts the runs at most; `undefined` where no timer does. A timer shows by equal gaps: at
 * least half of them are about the middle one. Commands that an operator types come at any time.
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

/** Paused is a node all of whose roles are: nothing is expected of it. */
function pausedState(report: Report | null): NodeState | undefined {
  const pauses = report?.roles.map(({ pause }) => pause) ?? [];
  const [first] = pauses;
  if (first === undefined || first === null || pauses.includes(null)) return undefined;
  const because = first.reason === undefined || first.reason === "" ? "" : `: ${first.reason}`;
  return { kind: "paused", since: first.since, reason: sentence(`an operator paused it${because}`) };
}

/** A due time that no run served. */
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

/** Whether a run of the role has begun since it was due. */
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

/** Returns what is due next on a node, by the dashboard's clock; `null` for nothing, and where that is not known. */
export function nextDue(row: NodeRow, now: Date): Due | null {
  const dues =
    row.report?.roles.flatMap((role) => (role.pause === null ? dueOf(row, role, now) : null) ?? []) ?? [];
  return dues.toSorted((a, b) => a.at.localeCompare(b.at))[0] ?? null;
}

/**
 * Returns when a role is due next, by the dashboard's clock; `null` for never, `undefined` where a run has served the due
 * time and the node has not reported the one after it.
 */
export function dueOf(row: NodeRow, { role, next }: RoleRow, now: Date): Due | null | undefined {
  if (next === null) return null;
  const shownMs = Date.parse(next) - clockAheadMs(row);
  if (now.getTime() >= shownMs && isServed(row, role, next)) return undefined;
  return { role, at: new Date(shownMs).toISOString() };
}
