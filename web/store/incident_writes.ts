import { keys } from "./keys.ts";
import type { IncidentRow } from "./rows.ts";

/** Writes an incident wherever it is kept: by time, by node and, while it is open, as the node's open one. */
export function setIncident(operation: Deno.AtomicOperation, incident: IncidentRow): void {
  const { node, startedAt, endedAt } = incident;
  operation.set(keys.incident(startedAt, node), incident).set(keys.incidentOf(node, startedAt), incident);
  if (endedAt === null) operation.set(keys.openIncident(node), incident);
}

/** Returns every key of an incident that is over. */
export function incidentKeys(node: string, startedAt: string): Deno.KvKey[] {
  return [
    keys.incident(startedAt, node),
    keys.incidentOf(node, startedAt),
    keys.unsentRecovery(startedAt, node),
  ];
}
