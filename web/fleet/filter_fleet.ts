import { shortDigest } from "../../lib/release/manifest.ts";
import { byUrgency } from "./view_fleet.ts";
import { type Group, GROUPS, type NodeView, type StateKind, STATES } from "./node_view.ts";

/** The filter of the fleet page, from its address. */
export interface FleetFilter {
  /** A part of a name, a host, a role or a release. */
  readonly search: string;
  /** One state, or `trouble`: every node that needs an operator. */
  readonly state: StateKind | "trouble" | "any";
  readonly group: Group | "any";
  /** From 1; only used when a single group is shown. */
  readonly page: number;
}

/** Longer than any name. */
const SEARCH_CHARS_MAX = 200;

/** Rows of each group on the first page: enough for a fleet of a hundred nodes. */
export const OVERVIEW_ROWS_MAX = 40;
/** Rows on a page with a single group. */
export const PAGE_ROWS_MAX = 200;

/** Returns the filter in an address. Unknown values are ignored. */
export function parseFleetFilter(query: (name: string) => string | undefined): FleetFilter {
  const page = Number(query("page"));
  return {
    search: (query("q") ?? "").trim().slice(0, SEARCH_CHARS_MAX),
    state: [...STATES, "trouble" as const].find((state) => state === query("state")) ?? "any",
    group: GROUPS.find((group) => group === query("group")) ?? "any",
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
  };
}

/** Returns whether the filter excludes anything. */
export function isFiltered({ search, state, group }: FleetFilter): boolean {
  return search !== "" || state !== "any" || group !== "any";
}

/** Returns the nodes that match a filter, problems first. */
export function filterFleet(nodes: readonly NodeView[], filter: FleetFilter): NodeView[] {
  const wanted = filter.search.toLowerCase();
  return nodes.filter((node) =>
    isWantedState(node, filter.state) && (filter.group === "any" || node.group === filter.group) &&
    (wanted === "" || textsOf(node).some((text) => text.toLowerCase().includes(wanted)))
  ).sort(byUrgency);
}

function isWantedState({ state, troubles }: NodeView, wanted: FleetFilter["state"]): boolean {
  if (wanted === "any") return true;
  return wanted === "trouble" ? troubles.length > 0 : state.kind === wanted;
}

/** Returns the texts that a search matches. */
function textsOf({ row }: NodeView): string[] {
  const { node, host, report, active } = row;
  const release = active === null ? [] : [
    shortDigest(active.digest),
    active.digest,
    ...(active.sequence === undefined ? [] : [`release ${active.sequence}`]),
  ];
  return [node, host ?? "", ...(report?.roles.map(({ role }) => role) ?? []), ...release];
}
