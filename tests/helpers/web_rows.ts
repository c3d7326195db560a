import type { ReportEvent } from "../../lib/wire/schema.ts";
import { reduceNode, unreportedNode } from "../../web/store/reduce_node.ts";
import type { IncidentRow, NodeRow } from "../../web/store/rows.ts";
import { setIncident } from "../../web/store/incident_rows.ts";

/** Returns the row of a node whose events arrive a second after they happened. */
export function rowOf(node: string, ...events: readonly ReportEvent[]): NodeRow {
  return events.reduce(
    (row, event) => reduceNode(row, event, laterBy(event.time, 1_000)),
    unreportedNode(node),
  );
}

/** Returns the row of a node whose clock is ahead by so many milliseconds. */
export function skewedRowOf(node: string, aheadMs: number, ...events: readonly ReportEvent[]): NodeRow {
  return events.reduce(
    (row, event) => reduceNode(row, event, laterBy(event.time, -aheadMs)),
    unreportedNode(node),
  );
}

export function laterBy(time: string, ms: number): string {
  return new Date(Date.parse(time) + ms).toISOString();
}

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Returns an incident: a node that was down for 2 h 14 min, with an alert. */
export function incidentRow(node: string, changes: Partial<IncidentRow> = {}): IncidentRow {
  const isOpen = changes.endedAt === null;
  return {
    node,
    kind: "down",
    reason: "No heartbeat for 3 min 10 s; expected every 1 min.",
    startedAt: "2026-11-28T06:03:00.000Z",
    endedAt: "2026-11-28T08:17:00.000Z",
    ending: isOpen ? null : "recovered",
    heard: "",
    alertedAt: "2026-11-28T06:03:00.000Z",
    alertedTo: [],
    recoveryAlertedTo: [],
    claimedUntil: null,
    ...changes,
  };
}

/** Stores incidents in a database. */
export async function fillIncidents(kv: Deno.Kv, ...incidents: readonly IncidentRow[]): Promise<void> {
  for (const incident of incidents) {
    const operation = kv.atomic();
    setIncident(operation, incident);
    await operation.commit();
  }
}
