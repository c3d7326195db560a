import { nodeState, patienceOf } from "../fleet/node_state.ts";
import type { IncidentRow, NodeRow, WatchRow } from "../store/rows.ts";

/** Clocks of instances may differ by this much. */
const SET_BACK_MS = 60_000;

/**
 * Returns the changed incident of a node after a check; `undefined` if nothing changes. Pure.
 *
 * @param row `undefined` for a removed node
 * @param last the node's last incident, open or closed; `undefined` for none
 */
export function nextIncident(
  row: NodeRow | undefined,
  last: IncidentRow | undefined,
  { at, resumedAt }: WatchRow,
): IncidentRow | undefined {
  const open = last?.endedAt === null ? last : undefined;
  if (row === undefined) return open === undefined ? undefined : closed(open, "forgotten", at);
  const now = new Date(at);
  const { kind, reason, since } = nodeState(row, now);
  if (kind === "late" || kind === "down") {
    if (open === undefined) {
      if (!isListenedTo(row, at, resumedAt)) return undefined;
      return opened(row, kind, reason, startOf(row, since ?? at, last, at));
    }
    return open.kind === "late" && kind === "down" ? { ...open, kind, reason } : undefined;
  }
  // Without a new report of the node, only the dashboard's clock can have changed its state.
  if (open === undefined || isSetBack(row, now) || open.heard === heardOf(row)) return undefined;
  return closed(open, kind === "paused" ? "paused" : "recovered", at);
}

/**
 * Returns when an incident began: when the state began, as the fleet page shows it, but not before the node's first
 * report and not before the end of its previous incident, because incidents are stored in the order of their starts.
 */
function startOf(row: NodeRow, since: string, last: IncidentRow | undefined, at: string): string {
  const earliest = [since, row.firstReceivedAt ?? since].sort().at(-1) ?? since;
  const found = earliest < at ? earliest : at;
  if (last === undefined || last.endedAt === null || found > last.endedAt) return found;
  // After a clock was set back, an incident may have ended at the moment it began.
  return last.endedAt > last.startedAt
    ? last.endedAt
    : new Date(Date.parse(last.startedAt) + 1).toISOString();
}

function opened(row: NodeRow, kind: IncidentRow["kind"], reason: string, startedAt: string): IncidentRow {
  return {
    node: row.node,
    kind,
    reason,
    startedAt,
    endedAt: null,
    ending: null,
    heard: heardOf(row),
    alertedAt: null,
    alertedTo: [],
    recoveryAlertedTo: [],
    claimedUntil: null,
  };
}

function closed(open: IncidentRow, ending: IncidentRow["ending"], at: string): IncidentRow {
  return { ...open, endedAt: at > open.startedAt ? at : open.startedAt, ending };
}

/** Returns a text that changes with every event of the node. */
function heardOf({ report, last, running, lastReceivedAt }: NodeRow): string {
  return [lastReceivedAt, report?.receivedAt, last?.runId, running[0]?.runId].join(" ");
}

/**
 * Returns whether the dashboard has listened to the node for long enough, since it started and since the node's first
 * report.
 */
function isListenedTo(row: NodeRow, at: string, resumedAt: string): boolean {
  const since = Math.max(Date.parse(resumedAt), Date.parse(row.firstReceivedAt ?? at));
  return Date.parse(at) - since > patienceOf(row) && !isSetBack(row, new Date(at));
}

/** Returns whether the last heartbeat is in the future: the dashboard's clock was set back. */
function isSetBack({ report }: NodeRow, now: Date): boolean {
  return report !== null && Date.parse(report.receivedAt) - now.getTime() > SET_BACK_MS;
}
