import type { StoredRelease } from "../store/read_release.ts";
import type { Lineage } from "./lag.ts";
import type { NodeView } from "./node_view.ts";
import { OPEN_CANARY, reachOf, type ReachWords, reachWords } from "./release_reach.ts";
import type { ReleaseRow } from "../store/rows.ts";
import type { ActivePeriod } from "../store/read_activations.ts";

/** Returns whether the publisher of a release withdrew it. */
export function isWithdrawn({ withdrawal }: Pick<ReleaseRow, "withdrawal">): boolean {
  return withdrawal?.state === "withdrawn";
}

/** Where a release is and was active in the fleet. */
export interface ReleaseView {
  readonly words: ReachWords;
  readonly nodes: readonly NodePeriods[];
}

/** Returns where a release is and was active. @param newest the newest release of each publisher */
export function viewRelease(
  { row, active, publications, quarantines }: StoredRelease,
  views: readonly NodeView[],
  newest: ReadonlySet<string>,
): ReleaseView {
  const nodes = periodsByNode(active, new Map(views.map((view) => [view.row.node, view])));
  const periods = new Map(nodes.map(({ node, periods }) => [node, periods]));
  // Heartbeats list only the newest entries of a quarantine.
  const noted = new Set(quarantines.map(({ node }) => node));
  const consumers = views.filter(({ group, row: { node } }) => group === "consumers" || noted.has(node));
  const reach = reachOf(row.digest, consumers, periods, new Set(publications.map(({ node }) => node)));
  return { nodes, words: reachWords(reach, newest.has(row.digest), isWithdrawn(row)) };
}

/** Returns the newest release of each publisher. */
export function newestDigests(lineages: readonly Lineage[]): ReadonlySet<string> {
  return new Set(lineages.flatMap(({ published: [newest] }) => newest?.digest ?? []));
}

/** The periods of a release on a node. */
export interface NodePeriods {
  readonly node: string;
  /** Oldest first, at least one. */
  readonly periods: readonly ActivePeriod[];
  /**
   * What happened to the release there. `no longer active`: the node reports another active release, but no activation.
   */
  readonly fate: "active" | "canary" | "rolled back" | "replaced" | "no longer active";
}

const ORDER: readonly NodePeriods["fate"][] = [
  "canary",
  "active",
  "rolled back",
  "replaced",
  "no longer active",
];

/**
 * Returns the periods of a release by node: first nodes where it is active, then where it was rolled back, then by
 * time. Publishers are left out, because no consumer loads what is active there.
 *
 * @param active the periods of the release, in any order
 * @param views all nodes by name; nodes that were removed keep their periods
 */
function periodsByNode(
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
  if (active === undefined || active === null || active.digest !== last.digest) return "no longer active";
  const canary = report?.canary;
  return canary?.digest === last.digest && OPEN_CANARY.includes(canary.status) ? "canary" : "active";
}
