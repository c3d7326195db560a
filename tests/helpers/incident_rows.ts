import { setIncident } from "../../web/store/incident_rows.ts";
import type { IncidentRow } from "../../web/store/rows.ts";

/** Returns an incident of a node that was down for 2 h 14 min, with its alert sent. */
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

/** Puts incidents into a database. */
export async function fillIncidents(kv: Deno.Kv, ...incidents: readonly IncidentRow[]): Promise<void> {
  for (const incident of incidents) {
    const operation = kv.atomic();
    setIncident(operation, incident);
    await operation.commit();
  }
}
