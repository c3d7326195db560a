import type { ActivePeriod } from "../store/read_activations.ts";
import type { NodeView } from "./node_view.ts";
import { OPEN_CANARY } from "./release_reach.ts";

/** When a release was active on a node. */
export interface NodePeriods {
  readonly node: string;
  /** Oldest first, at least one. */
  readonly periods: readonly ActivePeriod[];
  /** What became of it; the last one where the node says that another release is active, and nothing more. */
  readonly fate: "active" | "canary" | "rolled back" | "replaced" | "not active any more";
}

const ORDER: readonly NodePeriods["fate"][] = [
  "canary",
  "active",
  "rolled back",
  "replaced",
  "not active any more",
];

/**
 * Returns when a release was active, by node: where it is active first, then where it was rolled back, then the newest.
 * Nodes that publish are left out: what is active there serves no consumer.
 *
 * @param active the periods of the release, in any order
 * @param views of all nodes, by name; nodes that are not there any more are no reason to forget the past
 */
export function periodsByNode(
  active: readonly ActivePeriod[],
  views: ReadonlyMap<string, NodeView>,
): NodePeriods[] {
  const nodes = Map.groupBy(active, ({ node }) => node);
  return [...nodes].flatMap(([node, periods]): NodePeriods[] => {
    const view = views.get(node);
    if (view !== undefined && view.group !== "consumers") return [];
    const sorted = periods.toSorted((a, b) => a.at.localeCompare(b.at));
    return [{ node, periods: sorted, fate: fateOf(sorted, view) }];
  }).sort((a, b) => ORDER.indexOf(a.fate) - ORDER.indexOf(b.fate) || lastOf(b).localeCompare(lastOf(a)));
}

function lastOf({ periods }: NodePeriods): string {
  return periods.at(-1)?.at ?? "";
}

function fateOf(periods: readonly ActivePeriod[], view: NodeView | undefined): NodePeriods["fate"] {
  const last = periods.at(-1);
  if (last?.next?.outcome === "rolled-back") return "rolled back";
  if (last === undefined || last.next !== null) return "replaced";
  const { active, report } = view?.row ?? {};
  if (active === undefined || active === null || active.digest !== last.digest) return "not active any more";
  const canary = report?.canary;
  return canary?.digest === last.digest && OPEN_CANARY.includes(canary.status) ? "canary" : "active";
}
