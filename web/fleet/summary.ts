import { plural } from "../../lib/core/format.ts";
import type { NodeView } from "./node_view.ts";

/** The state of the fleet in a sentence, for the top of the page. */
export interface Summary {
  readonly tone: "good" | "warn" | "bad" | "empty";
  /** The nodes with problems, such as `2 of 7 nodes`; empty if there are none. */
  readonly troubled: string;
  /** The rest of the sentence: `need attention. The other 5 are healthy.` */
  readonly rest: string;
  /** For the browser's tab: `2 of 7 nodes need attention`. */
  readonly title: string;
}

/** Returns the state of the fleet in a sentence. */
export function summarize(nodes: readonly NodeView[]): Summary {
  const reporting = nodes.filter(({ state }) => state.kind !== "never-reported");
  const waiting = nodes.length - reporting.length;
  if (reporting.length === 0) {
    return { tone: "empty", troubled: "", rest: "No node has reported yet.", title: "Fleet" };
  }
  const ill = reporting.filter(({ troubles }) => troubles.length > 0);
  const tail = waiting === 0 ? "" : ` ${waiting} ${waiting === 1 ? "has" : "have"} not reported yet.`;
  const well = reporting.length - ill.length;
  if (ill.length === 0) {
    const all = well === 1 ? "The node is" : well === 2 ? "Both nodes are" : `All ${well} nodes are`;
    return { tone: "good", troubled: "", rest: `${all} healthy.${tail}`, title: "Fleet" };
  }
  const isBad = ill.some(({ troubles }) => troubles.some(({ tone }) => tone === "bad"));
  const troubled = reporting.length === 1
    ? "The node"
    : `${ill.length} of ${plural(reporting.length, "node")}`;
  const verb = ill.length === 1 ? "needs attention" : "need attention";
  const others = well === 0
    ? ""
    : well === 1
    ? " The other one is healthy."
    : ` The other ${well} are healthy.`;
  return {
    tone: isBad ? "bad" : "warn",
    troubled,
    rest: `${verb}.${others}${tail}`,
    title: `${troubled} ${verb}`,
  };
}
