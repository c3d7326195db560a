import { cleanLine } from "../core/clean_text.ts";

/** The sides of a machine. Each is a node of its own, unless the machine has a configured name. */
export const SIDES = ["publisher", "client", "references"] as const;
export type Side = (typeof SIDES)[number];

/** Names of this length fit into the `source` of an event, also percent-encoded. */
const HOST_CHARS_MAX = 100;

const PUBLISHER_COMMANDS: readonly string[] = ["publish", "hf-upload", "train", "redeploy", "withdraw"];

/**
 * Returns the name of the node that a run is reported for. A machine that publishes and pulls is two nodes, unless it
 * has a configured name: each side has its own schedule and state.
 *
 * @param name `report.node`
 */
export function nodeName(name: string | undefined, host: string, side: Side): string {
  return name ?? `${cleanLine(host, { charsMax: HOST_CHARS_MAX }) || "unknown"}/${side}`;
}

/** Returns the side of a machine that a command belongs to. */
export function sideOfCommand(command: string): Side {
  if (command === "references-sync") return "references";
  return PUBLISHER_COMMANDS.includes(command) ? "publisher" : "client";
}

/** Returns the side of a machine that a daemon's role belongs to. */
export function sideOfRole(role: string): Side {
  return role === "publisher" || role === "references" ? role : "client";
}
