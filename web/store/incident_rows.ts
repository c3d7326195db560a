import { isNodeKey, keys } from "./keys.ts";
import { type PageRange, readPage, type RowPage } from "./page_range.ts";
import { readRows } from "./read_rows.ts";
import { IncidentRow } from "./rows.ts";

/** Writes an incident to all its places: by time, by node and, while it is open, as the node's open incident. */
export function setIncident(operation: Deno.AtomicOperation, incident: IncidentRow): void {
  const { node, startedAt, endedAt } = incident;
  operation.set(keys.incident(startedAt, node), incident).set(keys.incidentOf(node, startedAt), incident);
  if (endedAt === null) operation.set(keys.openIncident(node), incident);
}

/** Returns all keys of a closed incident. */
export function incidentKeys(node: string, startedAt: string): Deno.KvKey[] {
  return [
    keys.incident(startedAt, node),
    keys.incidentOf(node, startedAt),
    keys.unsentRecovery(startedAt, node),
  ];
}

/** All nodes of a large fleet, such as when a site loses its network. */
const OPEN_MAX = 5_000;

/**
 * Returns incidents, newest first.
 *
 * @param range `node`: only those of this node
 * @throws {UsageError} code `CURSOR_INVALID`
 */
export async function readIncidents(
  kv: Deno.Kv,
  { node, ...range }: PageRange & { readonly node?: string | undefined },
): Promise<RowPage<IncidentRow>> {
  if (node === undefined) return await readPage(kv, keys.incidents(), 2, IncidentRow, range);
  if (!isNodeKey(node)) return { rows: [], older: undefined };
  return await readPage(kv, keys.incidentsOf(node), 1, IncidentRow, range);
}

/** Returns the open incidents, newest first. A node has at most one. */
export async function openIncidents(kv: Deno.Kv): Promise<readonly IncidentRow[]> {
  const rows = await readRows(kv, keys.openIncidents(), IncidentRow, OPEN_MAX);
  return rows.sort((a, b) => a.startedAt < b.startedAt ? 1 : -1);
}

/** Returns the open incident of a node. */
export async function openIncidentOf(kv: Deno.Kv, node: string): Promise<IncidentRow | undefined> {
  if (!isNodeKey(node)) return undefined;
  return IncidentRow.safeParse((await kv.get(keys.openIncident(node))).value).data;
}

/** Returns the last incident of a node. */
export async function lastIncidentOf(kv: Deno.Kv, node: string): Promise<IncidentRow | undefined> {
  return (await readIncidents(kv, { node, limit: 1 })).rows[0];
}
