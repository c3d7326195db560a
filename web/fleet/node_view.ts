import type { NodeRow, ReleaseName } from "../store/rows.ts";

/** The states of a node, most urgent first. */
export const STATES = ["down", "late", "canary", "paused", "never-reported", "up"] as const;
export type StateKind = (typeof STATES)[number];

export interface NodeState {
  readonly kind: StateKind;
  /** When the state began; `null` if unknown. */
  readonly since: string | null;
  /** The reason in a sentence; empty for `up`. */
  readonly reason: string;
}

/** A problem of a node that needs an operator. */
export interface Trouble {
  readonly tone: "bad" | "warn";
  readonly kind: "down" | "late" | "failed" | "rolled-back" | "behind" | "fault" | "clock";
  /** A short label for tables: `rolled back`. */
  readonly label: string;
  /** The problem, worded to follow the node's name: `rolled back to release 41`. */
  readonly title: string;
  /** The reason in a sentence or two. */
  readonly text: string;
  readonly at: string;
  /** A command to run on the node. */
  readonly command?: string;
}

/** How far a consumer is behind its publisher. */
export interface Lag {
  /** The newest release of the publisher. */
  readonly newest: ReleaseName;
  readonly publisher: string;
  /** Number of releases newer than the active one; `null` if unknown. */
  readonly releases: number | null;
  /** Whether there are more than the dashboard keeps. */
  readonly isAtLeast: boolean;
  /** When the first of those was published; `null` if the node has the newest one. */
  readonly since: string | null;
}

export const GROUPS = ["consumers", "publishers", "references"] as const;
export type Group = (typeof GROUPS)[number];

/** When a role of a node is due. */
export interface Due {
  readonly role: string;
  readonly at: string;
}

/** A node as pages show it. */
export interface NodeView {
  readonly row: NodeRow;
  readonly group: Group;
  readonly state: NodeState;
  readonly troubles: readonly Trouble[];
  /** `null` for nodes that are not consumers, and if no publisher reports. */
  readonly lag: Lag | null;
  readonly next: Due | null;
  /** Milliseconds by which the node's clock is ahead of the dashboard's; 0 within the tolerance. */
  readonly clockAheadMs: number;
}
