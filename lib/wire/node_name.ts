import { cleanLine } from "../core/clean_text.ts";

/** What a machine is to the dashboard, where it has no name of its own. */
export const SIDES = ["publisher", "client", "references"] as const;
export type Side = (typeof SIDES)[number];

/** Percent-encoded, the name still fits into an event's source. */
const HOST_CHARS_MAX = 100;

const PUBLISHER_COMMANDS: readonly string[] = ["publish", "hf-upload", "train", "redeploy"];

/**
 * Returns the name under which a run is reported. A machine that publishes and pulls is two nodes, unless it is given a
 * name: each side has a schedule and a state of its own.
 *
 * @param name `report.node`
 */
export function nodeName(name: string | undefined, host: string, side: Side): string {
  return name ?? `${cleanLine(host, { charsMax: HOST_CHARS_MAX }) || "unknown"}/${side}`;
}

/** The side of a machine that a command works for. */
export function sideOfCommand(command: string): Side {
  if (command === "references-sync") return "references";
  return PUBLISHER_COMMANDS.includes(command) ? "publisher" : "client";
}

/** The side of a machine that a daemon's role works for. */
export function sideOfRole(role: string): Side {
  return role === "publisher" || role === "references" ? role : "client";
}
