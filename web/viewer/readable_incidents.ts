import { nameFor } from "./public_view.ts";
import type { ReadableFleet } from "./readable_fleet.ts";
import { cursorOf, parseCursor } from "../store/page_range.ts";
import { openIncidents, readIncidents } from "../store/incident_rows.ts";
import type { IncidentRow } from "../store/rows.ts";
import type { NodeView } from "../fleet/node_view.ts";

/** The incidents that a viewer may read. Nodes have the names that the viewer knows. */
export interface IncidentList {
  /** The open ones, newest first. */
  readonly open: readonly IncidentRow[];
  /** The closed ones, newest first. */
  readonly over: readonly IncidentRow[];
  /** The `before` of the next page; `undefined` on the last one. */
  readonly older: string | undefined;
  /** The fleet's nodes, for a filter. */
  readonly nodes: readonly string[];
}

interface IncidentChoice {
  readonly limit: number;
  readonly before?: string | undefined;
  /** Only incidents of this node, by the name that the viewer knows. */
  readonly node?: string | undefined;
}

/** The public name of a node that is no longer in the fleet. */
export const UNKNOWN_NODE = "unknown";

/**
 * Returns the incidents that a viewer may read, with names as in the viewer's fleet.
 *
 * @throws {UsageError} code `CURSOR_INVALID`
 */
export async function readableIncidents(
  kv: Deno.Kv,
  { view, publicNames: names }: ReadableFleet,
  { limit, before, node }: IncidentChoice,
): Promise<IncidentList> {
  const shown = (name: string) => names === undefined ? name : nameFor(name, names);
  const trueName = (name: string) =>
    names === undefined ? name : [...names].find(([, known]) => known === name)?.[0];
  const wanted = node === undefined ? undefined : trueName(node);
  const nodes = view.nodes.map(({ row }) => row.node).sort(NAMES.compare);
  if (node !== undefined && wanted === undefined) return { open: [], over: [], older: undefined, nodes };
  const page = await readIncidents(kv, { limit, node: wanted, before: withNames(before, trueName) });
  const open = (await openIncidents(kv)).filter((incident) =>
    wanted === undefined || incident.node === wanted
  );
  const readable = (incident: IncidentRow) => ({ ...incident, node: shown(incident.node) });
  return {
    open: open.map(readable),
    over: page.rows.filter(({ endedAt }) => endedAt !== null).map(readable),
    older: withNames(page.older, shown),
    nodes,
  };
}

const NAMES = new Intl.Collator("en", { numeric: true });

/** Replaces the node in a cursor, so that public cursors have public names. */
function withNames(
  cursor: string | undefined,
  nameOf: (node: string) => string | undefined,
): string | undefined {
  if (cursor === undefined) return undefined;
  const [at = "", node] = parseCursor(cursor, 2);
  const name = node === undefined ? undefined : nameOf(node);
  return cursorOf(name === undefined ? [at] : [at, name], []);
}

/**
 * Returns incidents with the current reasons of their nodes: since an incident opened, its node has been silent for
 * longer.
 */
export function withNews(list: IncidentList, nodes: readonly NodeView[]): IncidentList {
  const states = new Map(nodes.map(({ row, state }) => [row.node, state]));
  const open = list.open.map((incident) => {
    const state = states.get(incident.node);
    return state?.kind === incident.kind ? { ...incident, reason: state.reason } : incident;
  });
  return { ...list, open };
}

/** Returns the nodes that are late or down without an incident yet. */
export function freshOf(
  nodes: readonly NodeView[],
  open: readonly IncidentRow[],
  wanted: string | undefined,
): NodeView[] {
  const known = new Set(open.map(({ node }) => node));
  return nodes.filter(({ row, state }) =>
    (state.kind === "late" || state.kind === "down") && !known.has(row.node) &&
    (wanted === undefined || wanted === row.node)
  );
}
