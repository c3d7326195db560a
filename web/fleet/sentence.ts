import { plural } from "../../lib/core/format.ts";
import type { NodeView } from "./node_view.ts";

/** How the fleet is, for the top of the page. */
export interface Summary {
  readonly tone: "good" | "warn" | "bad" | "empty";
  /** Nodes that need somebody, such as `2 of 7 nodes`; empty where none does. */
  readonly needing: string;
  /** The rest of the sentence. */
  readonly rest: string;
}

/** Returns the sentence that says whether all is well. */
export function summarize(nodes: readonly NodeView[]): Summary {
  if (nodes.length === 0) return { tone: "empty", needing: "", rest: "No node has reported yet." };
  const troubled = nodes.filter(({ troubles }) => troubles.length > 0);
  if (troubled.length === 0) {
    const all = nodes.length === 1 ? "The node is" : `All ${nodes.length} nodes are`;
    return { tone: "good", needing: "", rest: `${all} well.` };
  }
  const isBad = troubled.some(({ troubles }) => troubles.some(({ tone }) => tone === "bad"));
  const needing = nodes.length === 1 ? "The node" : `${troubled.length} of ${plural(nodes.length, "node")}`;
  const others = nodes.length - troubled.length;
  const verb = troubled.length === 1 ? "needs" : "need";
  const rest = others === 0
    ? `${verb} you.`
    : `${verb} you. ${others === 1 ? "The other one is" : `The other ${others} are`} well.`;
  return { tone: isBad ? "bad" : "warn", needing, rest };
}
