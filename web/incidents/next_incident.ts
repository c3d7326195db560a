import { nodeState, patienceOf } from "../fleet/node_state.ts";
import type { IncidentRow, NodeRow, WatchRow } from "../store/rows.ts";

/** Instances may have clocks that differ by a little. */
const SET_BACK_MS = 60_000;

/**
 * Returns the incident of a node after a look at it; `undefined` where nothing is to be changed. Pure.
 *
 * @param row `undefined` for a node that is not there any more
 * @param open the open incident of the node
 */
export function nextIncident(
  row: NodeRow | undefined,
  open: IncidentRow | undefined,
  { at, resumedAt }: WatchRow,
): IncidentRow | undefined {
  if (row === undefined) return open === undefined ? undefined : closed(open, "forgotten", at);
  const now = new Date(at);
  const { kind, reason } = nodeState(row, now);
  if (kind === "late" || kind === "down") {
    if (open === undefined) {
      return isListenedTo(row, at, resumedAt) ? opened(row, kind, reason, at) : undefined;
    }
    return open.kind === "late" && kind === "down" ? { ...open, kind, reason } : undefined;
  }
  // Without news of the node, only the dashboard's own clock can have changed what it is.
  if (open === undefined || isSetBack(row, now) || open.heard === heardOf(row)) return undefined;
  return closed(open, kind === "paused" ? "paused" : "recovered", at);
}

function opened(row: NodeRow, kind: IncidentRow["kind"], reason: string, at: string): IncidentRow {
  return {
    node: row.node,
    kind,
    reason,
    startedAt: at,
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

/** Changes with every event of the node. */
function heardOf({ report, last, running, lastReceivedAt }: NodeRow): string {
  return [lastReceivedAt, report?.receivedAt, last?.runId, running[0]?.runId].join(" ");
}

/** Whether the dashboard has listened to the node for long enough: since it started, and since it knows the node. */
function isListenedTo(row: NodeRow, at: string, resumedAt: string): boolean {
  const since = Math.max(Date.parse(resumedAt), Date.parse(row.firstReceivedAt ?? at));
  return Date.parse(at) - since > patienceOf(row) && !isSetBack(row, new Date(at));
}

/** Whether the last heartbeat came later than now: the dashboard's clock was set back. */
function isSetBack({ report }: NodeRow, now: Date): boolean {
  return report !== null && Date.parse(report.receivedAt) - now.getTime() > SET_BACK_MS;
}
