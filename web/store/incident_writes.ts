import { keys } from "./keys.ts";
import type { IncidentRow } from "./rows.ts";

/** Writes an incident wherever it is kept: by time, by node and, while it is open, as the node's open one. */
export function setIncident(operation: Deno.AtomicOperation, incident: IncidentRow): void {
  const { node, startedAt, endedAt } = incident;
  operation.set(keys.incident(startedAt, node), incident).set(keys.incidentOf(node, startedAt), incident);
  if (endedAt === null) operation.set(keys.openIncident(node), incident);
}

/** Removes an incident that is over. */
export function deleteIncident(
  operation: Deno.AtomicOperation,
  { node, startedAt }: Pick<IncidentRow, "node" | "startedAt">,
): void {
  operation.delete(keys.incident(startedAt, node)).delete(keys.incidentOf(node, startedAt))
    .delete(keys.unsentRecovery(startedAt, node));
}
