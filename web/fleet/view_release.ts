import type { StoredRelease } from "../store/read_release.ts";
import type { Lineage } from "./lag.ts";
import { type NodePeriods, periodsByNode } from "./node_periods.ts";
import type { NodeView } from "./node_view.ts";
import { reachOf, type ReachWords, reachWords } from "./release_reach.ts";

/** What a release is to the fleet. */
export interface ReleaseView {
  readonly words: ReachWords;
  readonly nodes: readonly NodePeriods[];
}

/** Returns where a release is and was active. @param newest what publishers published last */
export function viewRelease(
  { row, active, publications, quarantines }: StoredRelease,
  views: readonly NodeView[],
  newest: ReadonlySet<string>,
): ReleaseView {
  const nodes = periodsByNode(active, new Map(views.map((view) => [view.row.node, view])));
  const periods = new Map(nodes.map(({ node, periods }) => [node, periods]));
  // Heartbeats list the newest of a quarantine alone.
  const noted = new Set(quarantines.map(({ node }) => node));
  const consumers = views.filter(({ group, row: { node } }) => group === "consumers" || noted.has(node));
  const reach = reachOf(row.digest, consumers, periods, new Set(publications.map(({ node }) => node)));
  return { nodes, words: reachWords(reach, newest.has(row.digest)) };
}

/** Returns what publishers published last. */
export function newestDigests(lineages: readonly Lineage[]): ReadonlySet<string> {
  return new Set(lineages.flatMap(({ published: [newest] }) => newest?.digest ?? []));
}
