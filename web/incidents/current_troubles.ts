import type { NodeView } from "../fleet/node_view.ts";
import type { IncidentRow } from "../store/rows.ts";
import type { IncidentList } from "./readable_incidents.ts";

/**
 * Returns incidents with what is known of their nodes now: since an incident opened, its node has been silent for longer.
 */
export function withNews(list: IncidentList, nodes: readonly NodeView[]): IncidentList {
  const states = new Map(nodes.map(({ row, state }) => [row.node, state]));
  const open = list.open.map((incident) => {
    const state = states.get(incident.node);
    return state?.kind === incident.kind ? { ...incident, reason: state.reason } : incident;
  });
  return { ...list, open };
}

/** Returns the nodes that are late or down, of which the dashboard has not made an incident yet. */
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
