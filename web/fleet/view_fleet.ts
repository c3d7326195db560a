import type { NodeRow } from "../store/rows.ts";
import { Lineages } from "./lag.ts";
import { clockAheadMs } from "../store/node_clock.ts";
import { nextDue, nodeState } from "./node_state.ts";
import { type Group, type NodeView, STATES } from "./node_view.ts";
import { namesActiveRelease } from "../store/outcomes.ts";
import { troublesOf } from "./troubles.ts";

/** The fleet at a moment. */
export interface FleetView {
  readonly nodes: readonly NodeView[];
  readonly lineages: Lineages;
}

/** Returns every node as pages show it. Pure. */
export function viewFleet(rows: Iterable<NodeRow>, now: Date): FleetView {
  const all = Array.from(rows);
  const lineages = new Lineages(all);
  return { nodes: all.map((row) => viewNode(row, lineages, now)), lineages };
}

/** Returns one node as pages show it. */
export function viewNode(row: NodeRow, lineages: Lineages, now: Date): NodeView {
  const state = nodeState(row, now);
  const group = groupOf(row);
  const lag = group === "consumers" ? lineages.lagOf(row) : null;
  const aheadMs = clockAheadMs(row);
  return {
    row,
    group,
    state,
    lag,
    troubles: troublesOf({ row, state, lag, clockAheadMs: aheadMs, now }),
    next: nextDue(row, now),
    clockAheadMs: aheadMs,
  };
}

/** Returns the group of a node. One that publishes and pulls counts as a consumer. */
function groupOf({ node, report, strip, published }: NodeRow): Group {
  const roles = report?.roles.map(({ role }) => role) ?? [];
  if (roles.some((role) => role.endsWith("client")) || node.endsWith("/client")) return "consumers";
  if (roles.includes("publisher") || node.endsWith("/publisher")) return "publishers";
  if (roles.includes("references") || node.endsWith("/references")) return "references";
  const commands = strip.map(({ command }) => command);
  if (commands.some((command) => command.endsWith("pull"))) return "consumers";
  if (published.length > 0 || commands.some((command) => !namesActiveRelease(command))) {
    return commands.includes("references-sync") ? "references" : "publishers";
  }
  return "consumers";
}

/** Orders nodes: problems first, the worst at the top, then by state and name. */
export function byUrgency(a: NodeView, b: NodeView): number {
  return urgency(a) - urgency(b) || STATES.indexOf(a.state.kind) - STATES.indexOf(b.state.kind) ||
    NAMES.compare(a.row.node, b.row.node);
}

/** Sorts bot-2 before bot-10. */
const NAMES = new Intl.Collator("en", { numeric: true });

function urgency({ troubles: [worst] }: NodeView): number {
  if (worst === undefined) return 2;
  return worst.tone === "bad" ? 0 : 1;
}
